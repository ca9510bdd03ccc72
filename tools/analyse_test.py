#!/usr/bin/env python3
"""Shows, on a small tree, what analyse.py finds and what it remembers."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from analyse import analyse  # noqa: E402

GOOD = '#include "kernel/a.h"\nint first() { return second(1); }\n'
BAD = """#include <string>
#include <utility>
size_t bad() {
  std::string a = "text";
  auto b = std::move(a);
  return a.size() + b.size();
}
"""


class Analyse(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.cache = pathlib.Path(place.name) / "cache"
        self.root = self.checkout(pathlib.Path(place.name) / "one")
        self.place = pathlib.Path(place.name)

    def checkout(self, root):
        (root / "kernel").mkdir(parents=True)
        (root / "build").mkdir()
        (root / ".clang-tidy").write_text("Checks: '-*,bugprone-use-after-move'\nWarningsAsErrors: '*'\n")
        (root / "kernel/a.h").write_text("#pragma once\ninline int second(int n) { return n; }\n")
        self.write(root, {"kernel/a.cpp": GOOD, "kernel/b.cpp": GOOD})
        return root

    def write(self, root, files):
        for path, text in files.items():
            (root / path).write_text(text)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "add", "-A"], cwd=root, check=True)
        compiled = [{"directory": str(root / "build"), "file": str(path),
                     "command": f"ccache /usr/bin/clang++-19 -I{root} -c {path} -o x.o"} for path in sorted(root.glob("kernel/*.cpp"))]
        (root / "build/compile_commands.json").write_text(json.dumps(compiled))

    def run_once(self, root=None, **more):
        looked, passed, found = analyse(root or self.root, (root or self.root) / "build", self.cache, 2, **more)
        return looked, passed, "".join(found)

    def test_what_was_good_is_not_looked_at_again(self):
        self.assertEqual(self.run_once(), (2, 0, ""))
        self.assertEqual(self.run_once(), (0, 2, ""))
        self.assertEqual(self.run_once(everything=True), (2, 0, ""))

    def test_another_checkout_has_use_of_it(self):
        self.run_once()
        self.assertEqual(self.run_once(self.checkout(self.place / "two")), (0, 2, ""))

    def test_what_changed_is_looked_at_and_what_includes_it(self):
        self.run_once()
        self.write(self.root, {"kernel/b.cpp": GOOD + "// more\n"})
        self.assertEqual(self.run_once(), (1, 1, ""))
        (self.root / "kernel/a.h").write_text("#pragma once\ninline int second(int n) { return n + 1; }\n")
        self.assertEqual(self.run_once(), (2, 0, ""))
        (self.root / ".clang-tidy").write_text("Checks: '-*,bugprone-use-after-move,bugprone-infinite-loop'\nWarningsAsErrors: '*'\n")
        self.assertEqual(self.run_once(), (2, 0, ""))

    def test_what_is_found_is_found_until_it_is_gone(self):
        self.write(self.root, {"kernel/b.cpp": BAD})
        for _ in range(2):
            looked, _, found = self.run_once()
            self.assertIn("kernel/b.cpp:6:10: error: 'a' used after it was moved", found)
        self.assertEqual(looked, 1)
        self.write(self.root, {"kernel/b.cpp": GOOD})
        self.assertEqual(self.run_once()[2], "")

    def test_a_file_that_does_not_compile_or_that_nothing_compiles_is_a_finding(self):
        self.write(self.root, {"kernel/b.cpp": '#include "kernel/none.h"\n'})
        for _ in range(2):
            self.assertIn("'kernel/none.h' file not found", self.run_once()[2])
        self.write(self.root, {"kernel/b.cpp": GOOD})
        (self.root / "build/compile_commands.json").write_text("[]")
        self.assertIn("kernel/a.cpp: not compiled by anything", self.run_once()[2])


if __name__ == "__main__":
    unittest.main()
