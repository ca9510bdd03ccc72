#!/usr/bin/env python3
"""Shows for each check of tidy.py, on small trees, that it finds what it should and is silent where it should be."""
import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_counts  # noqa: E402
import tidy  # noqa: E402


def findings(check, files):
    """The findings of one check on a tree of {path: text}, as "path:line" strings."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            target = pathlib.Path(root) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return [f"{path}:{line}" for path, line, _ in check(tidy.Tree(root))]


class Layers(unittest.TestCase):
    def rows(self, rows):
        for path, include, good in rows:
            with self.subTest(path=path, include=include):
                found = findings(tidy.check_layers, {path: f'#include <vector>\n#include "{include}"\n'})
                self.assertEqual(found, [] if good else [f"{path}:2"])

    def test_an_arrow_never_points_up(self):
        self.rows([
            ("kernel/base/a.h", "kernel/base/b.h", True),
            ("kernel/base/a.h", "kernel/codec/type.h", False),
            ("kernel/codec/a.h", "kernel/base/b.h", True),
            ("kernel/log/file/a.cpp", "kernel/log/log.h", True),
            ("kernel/log/a.h", "kernel/net/b.h", False),
            ("kernel/net/a.h", "kernel/observe/b.h", True),
            ("kernel/http/a.h", "kernel/net/b.h", True),
            ("kernel/http/a.h", "kernel/log/b.h", False),
            ("kernel/runtime/a.h", "kernel/http/b.h", True),
            ("kernel/runtime/a.h", "kernel/testing/b.h", False),
            ("kernel/runtime/a_test.cpp", "kernel/testing/b.h", True),
            ("kernel/codec/a.h", "services/tracker/tracker.h", False),
            ("app/main.cpp", "services/tracker/tracker.h", True),
            ("app/main.cpp", "kernel/testing/b.h", False),
            ("console/console.cpp", "kernel/base/time.h", False),
            ("tests/crash_test.cpp", "kernel/log/log.h", True),
        ])

    def test_services_see_the_kernel_by_one_header_and_one_another_by_contracts(self):
        self.rows([
            ("services/tracker/tracker.cpp", "kernel/service.h", True),
            ("services/tracker/tracker.cpp", "services/tracker/tracker.h", True),
            ("services/tracker/tracker.cpp", "services/queue/contract.h", True),
            ("services/tracker/tracker.cpp", "services/queue/queue.h", False),
            ("services/tracker/tracker.cpp", "kernel/http/server.h", False),
            ("services/tracker/tracker.cpp", "kernel/testing/harness.h", False),
            ("services/tracker/tracker_test.cpp", "kernel/testing/harness.h", True),
        ])

    def test_a_folder_that_the_table_does_not_know(self):
        self.assertEqual(findings(tidy.check_layers, {"kernel/novel/a.h": "\n"}), ["kernel/novel/a.h:1"])


class HiddenLibraries(unittest.TestCase):
    def test_a_heavy_library_behind_the_service_header(self):
        files = {"kernel/service.h": '#include "kernel/runtime/host.h"\n', "kernel/runtime/host.h": "#include <vector>\n"}
        self.assertEqual(findings(tidy.check_hidden_libraries, files), [])
        for library in ("boost/asio.hpp", "boost/beast/http.hpp", "simdjson.h", "curl/curl.h"):
            files["kernel/runtime/host.h"] = f"#include <{library}>\n"
            self.assertEqual(findings(tidy.check_hidden_libraries, files), ["kernel/runtime/host.h:1"])

    def test_a_header_that_no_service_includes_may(self):
        files = {"kernel/service.h": "\n", "kernel/net/executor.h": "#include <boost/asio.hpp>\n"}
        self.assertEqual(findings(tidy.check_hidden_libraries, files), [])


class OwnHeader(unittest.TestCase):
    def test_comes_first(self):
        files = {"kernel/net/a.h": "\n", "kernel/net/a.cpp": '#include "kernel/net/a.h"\n#include <vector>\n'}
        self.assertEqual(findings(tidy.check_own_header, files), [])
        files["kernel/net/a.cpp"] = '\n#include <vector>\n#include "kernel/net/a.h"\n'
        self.assertEqual(findings(tidy.check_own_header, files), ["kernel/net/a.cpp:2"])
        files["kernel/net/a.cpp"] = "\n"
        self.assertEqual(findings(tidy.check_own_header, files), ["kernel/net/a.cpp:1"])

    def test_where_there_is_one(self):
        self.assertEqual(findings(tidy.check_own_header, {"kernel/net/main.cpp": "#include <vector>\n", "kernel/net/a.h": "\n"}), [])


class Bans(unittest.TestCase):
    def test_rows(self):
        for line, elsewhere in [
            ("auto t = std::chrono::system_clock::now();", "kernel/base/time.cpp"),
            ("auto t = time(nullptr);", "kernel/base/time.cpp"),
            ("gettimeofday(&tv, nullptr);", "kernel/base/time.cpp"),
            ("std::random_device d;", "kernel/base/random.cpp"),
            ("int x = rand();", "kernel/base/random.cpp"),
            ('auto* home = getenv("HOME");', "app/main.cpp"),
            ("std::thread t;", "kernel/net/executor.cpp"),
            ("std::jthread t;", "kernel/log/committer.cpp"),
            ("co_spawn(executor, run(), detached);", None),
        ]:
            with self.subTest(line=line):
                self.assertEqual(findings(tidy.check_bans, {"kernel/state/a.cpp": f"\n{line}\n"}), ["kernel/state/a.cpp:2"])
                if elsewhere:
                    self.assertEqual(findings(tidy.check_bans, {elsewhere: f"{line}\n"}), [])

    def test_words_in_comments_strings_and_longer_names_are_no_use(self):
        text = '// the rand() of C\nauto s = "getenv";\nint operand(int);\nrow.rand(3);\nauto at = run_time(0);\n/* detached\n*/\n'
        self.assertEqual(findings(tidy.check_bans, {"kernel/state/a.cpp": text}), [])


class Text(unittest.TestCase):
    def test_rows(self):
        for name, text, found in [
            ("a.h", "int a;\n", []),
            ("a.h", "int a;", ["a.h:1"]),
            ("a.h", "\tint a;\n", ["a.h:1"]),
            ("a.h", "int a; \n", ["a.h:1"]),
            ("a.h", "int a;\r\n", ["a.h:1", "a.h:1"]),
            ("a.h", "\n//" + "x" * 138 + "\n", []),
            ("a.h", "\n//" + "x" * 139 + "\n", ["a.h:2"]),
            ("Makefile", "a:\n\ttrue\n", []),
            ("build/a.h", "\t", []),
        ]:
            with self.subTest(name=name, text=text[:20]):
                self.assertEqual(findings(tidy.check_text, {name: text}), found)

    def test_unfinished_work(self):
        for word in ("TO" "DO", "FIX" "ME", "X" "XX"):
            self.assertEqual(findings(tidy.check_unfinished, {"a.py": f"\n# {word}: later\n"}), ["a.py:2"])
        self.assertEqual(findings(tidy.check_unfinished, {"a.py": "# mktemp a.XX" "XXXX\n"}), [])


class Readmes(unittest.TestCase):
    GOOD = {"kernel/README.md": "| Folder | Holds |\n|---|---|\n| `base` | time |\n", "kernel/base/a.h": "\n",
            "services/README.md": "none\n"}

    def test_both_directions(self):
        self.assertEqual(findings(tidy.check_readmes, self.GOOD), [])
        self.assertEqual(findings(tidy.check_readmes, self.GOOD | {"kernel/log/a.h": "\n"}), ["kernel/README.md:1"])
        self.assertEqual(findings(tidy.check_readmes, self.GOOD | {"services/README.md": "| `queue` | work |\n"}), ["services/README.md:1"])
        self.assertEqual(findings(tidy.check_readmes, {"services/README.md": "\n"}), ["kernel/README.md:1"])


class Errors(unittest.TestCase):
    SOURCE = ('if (a) return fail(404, "note_not_found", "There is no such note.");\n'
              'return fail(400,\n    "title_long", fmt::format("{} characters, "\n    "{} are allowed", n, max));\n'
              'throw Refused(Problem{503, "busy"});\n')

    def test_collects_codes_with_status_and_sentence(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ("kernel/http/a.cpp", "kernel/http/a_test.cpp"):
                (pathlib.Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
                (pathlib.Path(root) / path).write_text(self.SOURCE)
            (pathlib.Path(root) / "kernel/http/a_test.cpp").write_text('fail(418, "only_in_a_test")')
            codes = tidy.error_codes(tidy.Tree(root))
        self.assertEqual(codes, {"note_not_found": ({"404"}, {"There is no such note."}, {"kernel/http"}),
                                 "title_long": ({"400"}, {"… characters, … are allowed"}, {"kernel/http"}),
                                 "busy": ({"503"}, {""}, {"kernel/http"})})

    def test_the_page_must_be_what_the_sources_say(self):
        with tempfile.TemporaryDirectory() as root:
            (pathlib.Path(root) / "app").mkdir()
            (pathlib.Path(root) / "app/a.cpp").write_text(self.SOURCE)
            self.assertEqual([f[0] for f in tidy.check_errors(tidy.Tree(root))], ["docs/errors.md"])
            subprocess.run([sys.executable, tidy.__file__, "--root", root, "--update"], capture_output=True, check=False)
            self.assertEqual(list(tidy.check_errors(tidy.Tree(root))), [])
            (pathlib.Path(root) / "app/a.cpp").write_text(self.SOURCE.replace("busy", "Busy"))
            self.assertEqual([f[0] for f in tidy.check_errors(tidy.Tree(root))], ["app/a.cpp", "docs/errors.md"])


class Counts(unittest.TestCase):
    XML = """<testsuite>
<testcase name="codec_test" status="run"/>
<testcase name="log_test" status="fail"><failure message=""/></testcase>
<testcase name="crash_test" status="fail"><failure message=""/></testcase>
<testcase name="tidy" status="run"/>
<testcase name="console_test" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>no browser
</system-out></testcase>
<testcase name="absent" status="notrun"><skipped message="Unable to find executable"/></testcase>
</testsuite>"""
    LOG = """Start testing: Jan 01
1/6 Testing: codec_test
[       OK ] Json.Reads (0 ms)
[       OK ] Json.Writes (1 ms)
[  SKIPPED ] Json.Huge (0 ms)
Test Passed.
2/6 Testing: log_test
[       OK ] Log.Appends (0 ms)
[  FAILED  ] Log.Recovers (3 ms)
[  FAILED  ] Log.Recovers
Test Failed.
3/6 Testing: crash_test
[       OK ] Crash.First (0 ms)
[ RUN      ] Crash.Second
Test Failed.
4/6 Testing: tidy
Test Passed.
5/6 Testing: console_test
no browser
Test Passed.
"""

    def test_programs_and_single_tests(self):
        passed, failed, skipped = test_counts.count(self.XML, self.LOG)
        self.assertEqual(passed, 5)
        self.assertEqual(failed, ["log_test: Log.Recovers", "crash_test", "absent did not run"])
        self.assertEqual(skipped, ["codec_test: Json.Huge", "console_test: no browser"])

    def test_nothing_ran_is_a_failure(self):
        with tempfile.TemporaryDirectory() as root:
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(test_counts.main([root]), 1)
            self.assertIn("0 passed, 1 failed", said.getvalue())


if __name__ == "__main__":
    unittest.main()
