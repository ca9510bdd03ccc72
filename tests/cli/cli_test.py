#!/usr/bin/env python3
"""The program as its user meets it: commands, exit codes, what it says about bad input. cli_test.py GANTRY"""
import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
LOG = "2026-01-05 10:00:0{n} status {stage} hello:amd64 2.10-3\n"


def gantry(*arguments, code=0, stdin=None, env=None):
    """Runs it, expects the exit code, gives standard output and error."""
    done = subprocess.run([GANTRY, *map(str, arguments)], capture_output=True, text=True, input=stdin, timeout=120,
                          env={**os.environ, **(env or {})})
    if done.returncode != code:
        raise AssertionError(f"gantry {arguments} ended with {done.returncode} instead of {code}:\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


class Server:
    def __init__(self, *arguments, env=None):
        self.process = subprocess.Popen([GANTRY, "serve", "--listen", "127.0.0.1:0", *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})})
        self.url = self.process.stdout.readline().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.stdout.close()
        return self.process.wait(timeout=60)

    def call(self, *arguments, **more):
        return gantry("call", "--server", self.url, *arguments, **more)


class Case(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-cli-"))
        self.data = self.place / "data"
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)

    def file(self, name, text):
        path = self.place / name
        path.write_text(text)
        return path

    def filled(self, reports=30):
        """A data directory with some reports in it."""
        with Server("--data", self.data) as server:
            for n in range(reports):
                body = {"package": f"p{n}", "version": "1", "arch": "amd64", "stage": "x", "at": "2026-01-01T00:00:00Z"}
                server.call("POST", "/tracker/v1/reports", json.dumps(body))
        return self.data / "main/tracker/log"

    def log(self, what, *arguments, data=None, **more):
        return gantry("log", what, "--data", data or self.data, *arguments, **more)

    def segment(self, log):
        return sorted(p for p in log.iterdir() if p.suffix == ".log")[0]


class Help(Case):
    def test_every_command_explains_itself(self):
        out, _ = gantry("help")
        for name in ("serve", "fake", "import", "log", "backup", "restore", "erase", "call", "effects", "followers", "upgrade",
                     "new", "rehearse", "replay", "config",
                     "completions", "version", "help"):
            self.assertIn(f"  {name}", out)
            self.assertIn("Usage" if "Usage" in out else name, gantry(name, "--help")[0])
        for code in ("0  done", "2  wrong usage", "3  done but", "4  the data", "5  no answer"):
            self.assertIn(code, gantry("--help")[0])

    def test_what_is_misspelt_is_named_with_the_nearest(self):
        self.assertIn("did you mean serve?", gantry("sreve", code=2)[1])
        self.assertIn("did you mean --listen?", gantry("serve", "--lisen", "x", code=2)[1])
        self.assertIn("did you mean tracker?", gantry("serve", "traker", code=2)[1])
        gantry(code=2)

    def test_version(self):
        self.assertRegex(gantry("version")[0], r"^gantry \d+\.\d+\.\d+ ")
        self.assertIn("version", json.loads(gantry("version", "--json")[0]))

    def test_completions_are_scripts(self):
        for shell in ("bash", "zsh", "fish"):
            out, _ = gantry("completions", shell)
            self.assertIn("gantry", out)
            if shutil.which(shell):
                subprocess.run([shell, "-n"], input=out, text=True, check=True)
        gantry("completions", "tcsh", code=2)


class Configuration(Case):
    def show(self, *arguments, **more):
        return {f"{k['section']}.{k['key']}": k for k in json.loads(gantry("config", "show", "--json", *arguments, **more)[0])}

    def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(self):
        toml = self.file("g.toml", '[server]\nlisten = "127.0.0.1:1"\n[tracker]\nwindow = "90d"\n')
        self.assertEqual(self.show()["server.listen"]["value"], "127.0.0.1:8080")
        shown = self.show("--config", toml)
        self.assertEqual((shown["server.listen"]["value"], shown["tracker.window"]["value"]), ("127.0.0.1:1", "90d"))
        env = {"GANTRY_SERVER_LISTEN": "127.0.0.1:2"}
        self.assertEqual(self.show("--config", toml, env=env)["server.listen"]["value"], "127.0.0.1:2")
        self.assertEqual(self.show("--config", toml, "--listen", "127.0.0.1:3", env=env)["server.listen"]["value"], "127.0.0.1:3")

    def test_a_fault_names_its_place(self):
        toml = self.file("g.toml", '[server]\nlisten = "127.0.0.1:1"\n[tracker]\nwindo = "90d"\n')
        error = gantry("config", "show", "--config", toml, code=2)[1]
        self.assertIn("g.toml:4", error)
        self.assertIn("window", error)
        self.assertIn("GANTRY_TRACKER_WINDOW", gantry("config", "show", code=2, env={"GANTRY_TRACKER_WINDOW": "soon"})[1])
        self.assertIn("--tracker.window", gantry("serve", "--tracker.window", "soon", code=2)[1])
        gantry("config", "show", "--config", self.place / "none.toml", code=2)

    def test_an_open_server_stays_on_loopback(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
            self.assertIn("no credentials", gantry("serve", "--data", self.data, "--listen", address, code=2)[1])
        self.assertIn("expected", gantry("serve", "--listen", "nonsense", code=2)[1])


class Data(Case):
    def test_a_directory_has_one_owner(self):
        with Server("--data", self.data) as server:
            error = gantry("serve", "--data", self.data, "--listen", "127.0.0.1:0", code=4)[1]
            self.assertIn(str(server.process.pid), error)
        with Server("--data", self.data):
            pass

    def test_another_format_is_refused_with_the_remedy(self):
        self.filled(1)
        (self.data / "FORMAT").write_text("gantry-data 99\n")
        error = gantry("serve", "--data", self.data, code=4)[1]
        self.assertIn("99", error)

    def test_a_directory_that_cant_be_read_is_named(self):
        self.file("data", "a file")
        self.assertIn(str(self.data), gantry("serve", "--data", self.data, code=1)[1])

    def test_damage_stops_the_start_with_place_and_remedy_and_loses_nothing(self):
        log = self.filled()
        segment = self.segment(log)
        whole = segment.read_bytes()
        at = whole.index(b"p7")
        segment.write_bytes(whole[:at] + b"XX" + whole[at + 2:])
        shutil.rmtree(log.parent / "snapshots")
        error = gantry("serve", "--data", self.data, "--listen", "127.0.0.1:0", code=4)[1]
        self.assertIn(segment.name, error)
        self.assertIn("gantry log", error)
        self.assertIn(segment.name, "".join(self.log("verify", "tracker", code=4)))
        segment.write_bytes(whole)
        with Server("--data", self.data) as server:
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["reports"], 30)

    def test_a_broken_snapshot_is_passed_over(self):
        log = self.filled()
        snapshot = next((log.parent / "snapshots").iterdir())
        snapshot.write_bytes(snapshot.read_bytes()[:-100])
        with Server("--data", self.data) as server:
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["reports"], 30)

    def test_a_log_in_memory_leaves_nothing(self):
        with Server("--data", self.data, "--log", "memory:") as server:
            server.call("POST", "/tracker/v1/reports", '{"package":"p","version":"1","arch":"a","stage":"x"}')
        self.assertFalse(self.data.exists())

    def test_a_log_elsewhere(self):
        with Server("--data", self.data, "--log", f"file:{self.place}/elsewhere") as server:
            server.call("POST", "/tracker/v1/reports", '{"package":"p","version":"1","arch":"a","stage":"x"}')
        self.assertTrue((self.place / "elsewhere/main/tracker/log").is_dir())
        gantry("serve", "--log", "nonsense:", code=2)

    def test_sites_have_nothing_in_common(self):
        def report(package):
            return json.dumps({"package": package, "version": "1", "arch": "amd64", "stage": "x"})

        with Server("--data", self.data, "--server.sites", "acme,beta") as server:
            port = server.url.rpartition(":")[2]

            def call(host, *arguments, **more):
                return gantry("call", "--server", f"http://{host}:{port}", *arguments, **more)

            for site in ("acme", "beta"):
                call(f"{site}.localhost", "POST", "/tracker/v1/reports", report(f"only-of-{site}"), "-H", "Idempotency-Key: k")
            self.assertEqual(json.loads(call("localhost", "GET", "/tracker/v1/summary")[0])["reports"], 1)
            for host, site, other in (("acme.localhost", "acme", "beta"), ("beta.localhost", "beta", "acme")):
                events = call(host, "GET", "/tracker/v1/events")[0]
                self.assertIn(f"only-of-{site}", events)
                self.assertNotIn(f"only-of-{other}", events)
            self.assertIn("no site of this name", call("main.localhost", "GET", "/tracker/v1/summary", code=1)[1])
        self.assertEqual(sorted(p.name for p in self.data.iterdir() if p.is_dir()), ["acme", "beta"])
        for site, other in (("acme", "beta"), ("beta", "acme")):
            written = b"".join(p.read_bytes() for p in (self.data / site).rglob("*") if p.is_file())
            self.assertIn(f"only-of-{site}".encode(), written)
            self.assertNotIn(f"only-of-{other}".encode(), written)
            self.assertIn(f"only-of-{site}", self.log("cat", "tracker", "--site", site)[0])
        self.assertNotEqual((self.data / "acme/request.key").read_bytes(), (self.data / "beta/request.key").read_bytes())
        for wrong in ("Acme", "a/b", "..", "acme,acme"):
            self.assertIn("[server] sites", gantry("serve", "--server.sites", wrong, code=2)[1])

    def test_a_taken_port_is_an_error_at_once(self):
        with Server("--data", self.data) as server:
            self.assertIn("listen", gantry("serve", "--log", "memory:", "--listen", server.url.removeprefix("http://"), code=1)[1].lower())

    def test_it_stops_in_order(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            server = Server("--data", self.data)
            server.call("POST", "/tracker/v1/reports", '{"package":"p","version":"1","arch":"a","stage":"x"}')
            self.assertEqual(server.stop(how), 0)
        self.assertTrue(list((self.data / "main/tracker/snapshots").iterdir()))


class Tls(Case):
    def test_a_certificate_makes_it_https_and_is_read_again_on_sighup(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed; make setup installs it")
        key, certificate = self.place / "key.pem", self.place / "cert.pem"

        def issue(name):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                           check=True, capture_output=True)

        def shown(port):
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], input="", capture_output=True, text=True,
                                  timeout=30)
            return done.stdout

        issue("first")
        with Server("--log", "memory:", "--http.tls-certificate", certificate, "--http.tls-key", key) as server:
            self.assertTrue(server.url.startswith("https://127.0.0.1:"))
            port = server.url.rsplit(":", 1)[1]
            self.assertIn("CN = first", shown(port))
            issue("second")
            server.process.send_signal(signal.SIGHUP)
            for _ in range(100):
                if "CN = second" in shown(port):
                    break
            self.assertIn("CN = second", shown(port))
            certificate.write_text("nonsense")
            server.process.send_signal(signal.SIGHUP)
            self.assertIn("CN = second", shown(port))
        gantry("serve", "--log", "memory:", "--http.tls-certificate", certificate, "--http.tls-key", key, code=1)


class Logs(Case):
    def test_what_lies_in_a_log_can_be_listed_and_read(self):
        self.filled(5)
        rows = json.loads(self.log("ls", "--json")[0])
        self.assertIn("tracker", json.dumps(rows))
        self.assertIn("tracker", self.log("ls")[0])
        events = [json.loads(line) for line in self.log("cat", "tracker", "--json")[0].splitlines()]
        self.assertEqual([e["position"] for e in events], [1, 2, 3, 4, 5])
        self.assertEqual(events[0]["type"], "reported")
        self.assertEqual(events[0]["data"]["package"], "p0")
        self.assertEqual(events[0]["caller"], "u_local")
        part = self.log("cat", "tracker", "--json", "--from", "2", "--to", "3")[0].splitlines()
        self.assertEqual(len(part), 2)
        self.assertEqual(self.log("cat", "tracker", "--json", "--type", "superseded")[0], "")

    def test_an_export_is_imported_again(self):
        self.filled(5)
        copy, exported = self.place / "copy", self.place / "exported"
        self.log("export", "tracker", exported)
        self.log("export", "tracker", exported, code=1)  # never over a file
        self.log("import", "tracker", exported, data=copy)
        self.assertEqual(len(self.log("cat", "tracker", "--json", data=copy)[0].splitlines()), 5)
        self.log("verify", "tracker", data=copy)
        self.log("import", "tracker", exported, data=copy, code=4)
        with Server("--data", copy) as server:
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["reports"], 5)
        exported.write_bytes(exported.read_bytes()[:-10])
        self.log("import", "tracker", exported, data=self.place / "other", code=4)

    def test_a_good_log_verifies_and_a_missing_one_is_said_to_be(self):
        self.filled(5)
        self.assertIn("5", self.log("verify", "tracker")[0])
        json.loads(self.log("verify", "tracker", "--json")[0])
        self.log("verify", "traker", code=1)
        self.log("verify", "tracker", data=self.place / "none", code=1)

    def test_a_damaged_log_is_repaired_and_says_what_went(self):
        log = self.filled()
        segment = self.segment(log)
        whole = segment.read_bytes()
        at = whole.index(b"p20")
        segment.write_bytes(whole[:at] + b"???" + whole[at + 3:])
        self.log("verify", "tracker", code=4)
        self.log("repair", "tracker")
        self.log("verify", "tracker")
        self.assertEqual(len(self.log("cat", "tracker", "--json")[0].splitlines()), 20)
        with Server("--data", self.data) as server:
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["reports"], 20)


class Calls(Case):
    def test_a_call_shows_the_answer_and_a_problem_is_an_exit_code(self):
        with Server("--log", "memory:") as server:
            body = '{"package":"p","version":"1","arch":"a","stage":"x"}'
            self.assertIn("r_1", server.call("POST", "/tracker/v1/reports", body)[0])
            self.assertIn("r_1", server.call("POST", "/tracker/v1/reports", f"@{self.file('body', body)}")[0])
            self.assertIn("r_1", server.call("POST", "/tracker/v1/reports", "-", stdin=body)[0])
            json.loads(server.call("GET", "/tracker/v1/runs/r_1", "--json")[0])
            error = server.call("GET", "/tracker/v1/runs/r_9", code=1)[1]
            self.assertIn("run_not_found", error)
            error = server.call("POST", "/tracker/v1/reports", "{}", code=1)[1]
            self.assertIn("/package", error)

    def test_silence_has_a_code_of_its_own(self):
        gantry("call", "--server", "http://127.0.0.1:1", "GET", "/", code=5)


class Imports(Case):
    def test_malformed_lines_are_named_counted_and_skipped(self):
        good = [LOG.format(n=n, stage=s) for n, s in enumerate(["half-installed", "unpacked", "installed"])]
        log = self.file("dpkg.log", good[0] + "nonsense\n" + good[1] + "2026-13-45 10:00:00 status unpacked x:amd64 1\n" + good[2])
        with Server("--log", "memory:") as server:
            out, error = gantry("import", "dpkg-log", "--zone", "UTC", "--server", server.url, log, code=3)
            self.assertIn("dpkg.log:2", out + error)
            self.assertIn("dpkg.log:4", out + error)
            self.assertIn("2 malformed", out + error)
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["completed"], 1)

    def test_an_import_goes_on_where_it_stood(self):
        lines = [LOG.format(n=n, stage=s) for n, s in enumerate(["half-installed", "unpacked", "half-configured", "installed"])]
        with Server("--log", "memory:") as server:
            for n in (2, 2, 4):
                gantry("import", "dpkg-log", "--zone", "UTC", "--server", server.url, self.file("dpkg.log", "".join(lines[:n])))
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["reports"], 4)

    def test_rotated_and_gzipped_files_are_read(self):
        old = self.place / "dpkg.log.2.gz"
        with gzip.open(old, "wt") as out:
            out.write(LOG.format(n=0, stage="half-installed"))
        new = self.file("dpkg.log", LOG.format(n=1, stage="unpacked"))
        with Server("--log", "memory:") as server:
            gantry("import", "dpkg-log", "--zone", "UTC", "--server", server.url, new, old)
            self.assertEqual(json.loads(server.call("GET", "/tracker/v1/summary")[0])["reports"], 2)

    def test_a_missing_file_and_a_missing_server(self):
        with Server("--log", "memory:") as server:
            gantry("import", "dpkg-log", "--server", server.url, self.place / "none", code=1)


# A worker between the real one and its caller: what it says is altered from an event on.
STUB = """#!/usr/bin/env python3
import json, subprocess, sys
worker = subprocess.Popen([{gantry!r}, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def told():
    line = worker.stdout.readline()
    if not line:
        sys.exit(1)
    return json.loads(line)
said = told()
{hello}
print(json.dumps(said), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    worker.stdin.write(line)
    worker.stdin.flush()
    said = told()
    if asked.get("digest_at", 0) >= {wrong_from} and "digest" in said:
        said["digest"]["digest"] = "0000000000000bad"
    print(json.dumps(said), flush=True)
"""


class Rehearsal(Case):
    def setUp(self):
        super().setUp()
        self.filled()

    def rehearse(self, *arguments, log=None, with_=GANTRY, **more):
        named = () if "--service" in arguments else ("--service", "tracker")
        return gantry("rehearse", "--log", log or self.data, "--with", with_, *named, *arguments, **more)

    def stub(self, wrong_from, hello=""):
        path = self.file(f"stub-{wrong_from}", STUB.format(gantry=GANTRY, wrong_from=wrong_from, hello=hello))
        path.chmod(0o755)
        return path

    def everything(self):
        return {p: p.read_bytes() for p in self.data.rglob("*") if p.is_file()}

    def test_a_binary_is_the_same_as_itself_and_changes_nothing(self):
        before = self.everything()
        out, err = self.rehearse()
        self.assertIn("state: the same at ", out)
        self.assertTrue(out.endswith("\nsame\n"), out)
        self.assertEqual(err, "")
        found = json.loads(self.rehearse("--json")[0])
        self.assertTrue(found["same"])
        self.assertGreater(found["queries"], 0)
        self.assertGreater(found["new_binary"]["peak_bytes"], 1 << 20)
        self.assertEqual(self.everything(), before)

    def test_it_works_beside_the_server_and_from_an_export(self):
        export = self.place / "tracker.export"
        with Server("--data", self.data) as server:
            self.rehearse()
            self.log("export", "tracker", export)
            self.assertIn("same", self.rehearse(log=server.url)[0])
        self.assertIn("same", self.rehearse(log=export)[0])
        self.assertIn("same", self.rehearse(log=self.data / "main/tracker/log")[0])

    def test_the_first_event_after_which_they_part_is_shown(self):
        events = [json.loads(line) for line in self.log("cat", "tracker", "--json")[0].splitlines()]
        for wrong in (1, 17, len(events)):
            found = json.loads(self.rehearse("--json", with_=self.stub(wrong), code=1)[0])
            self.assertFalse(found["same"])
            self.assertEqual(found["parting"]["position"], wrong)
            self.assertEqual(found["parting"]["new_digest"], "0000000000000bad")
            self.assertEqual(found["parting"]["event"], events[wrong - 1])
            self.assertEqual(found["answers"], [])
        out, _ = self.rehearse(with_=self.stub(17), code=1)
        self.assertIn("the state, first after event 17 ", out)
        self.assertIn('{"position":17,', out)

    def test_another_shape_leaves_the_answers_to_compare(self):
        out, _ = self.rehearse(with_=self.stub(1, 'said["hello"]["fingerprint"] = "0000000000000001"'))
        self.assertIn("its shape changed", out)
        self.assertTrue(out.endswith("\nsame\n"), out)

    def test_queries_come_from_a_file(self):
        queries = self.file("queries", "# two\n/tracker/v1/packages?limit=3\n/tracker/v1/packages?as_of=5\n")
        self.assertEqual(json.loads(self.rehearse("--json", "--queries", queries)[0])["queries"], 2)
        for text, says in (("packages\n", ":1: expected a path"), ("\n/a b\n", ":2: expected a path alone"),
                           ("/tracker/v1/packages?as_of=never\n", "expected a position or an RFC 3339 time"),
                           ("/tracker/v1/packages?as_of=999999\n", "is ahead of this log")):
            _, err = self.rehearse("--queries", self.file("wrong", text), code=2)
            self.assertIn(says, err)
        self.rehearse("--queries", self.place / "nowhere", code=1)

    def test_what_can_not_be_rehearsed_is_said_with_what_would_be_right(self):
        script = self.file("script", "#!/bin/sh\nexit 0\n")
        script.chmod(0o755)
        for arguments, says in (({"with_": "/nowhere/gantry"}, "No such file"), ({"with_": script}, "rehearse-worker"),
                                ({"with_": self.stub(1, 'said["hello"]["protocol"] = 9')}, "speaks protocol 9"),
                                ({"log": "http://127.0.0.1:1"}, "the server sends no log of tracker: connect_failed"),
                                ({"log": self.place / "nowhere"}, "expected a data directory")):
            _, err = self.rehearse(**arguments, code=2)
            self.assertIn(says, err)
        self.rehearse("--service", "nothing", code=2)
        self.assertIn("whose log is meant", gantry("rehearse", "--log", self.data, "--with", GANTRY, code=2)[1])
        self.assertIn("new binary: ", self.rehearse(with_=script, code=2)[1])

    def test_a_binary_that_can_not_read_the_log_is_named(self):
        problem = {"status": 500, "code": "event_type_unknown", "detail": "the log has events of a type 'moved'", "cause": ""}
        _, err = self.rehearse(with_=self.stub(1, f'said = {{"problem": {problem!r}}}'), code=4)
        self.assertIn("new binary: the log has events of a type 'moved'", err)

    def test_a_damaged_log_is_refused(self):
        segment = self.segment(self.data / "main/tracker/log")
        segment.write_bytes(b"?" * 100 + segment.read_bytes()[100:])
        self.rehearse(code=4)

    def test_a_binary_that_dies_on_the_way_is_said(self):
        dying = self.file("dying", "#!/bin/sh\n%s \"$@\" </dev/null\n" % GANTRY)
        dying.chmod(0o755)
        self.assertIn("it ended", self.rehearse(with_=dying, code=2)[1])


if __name__ == "__main__":
    unittest.main(verbosity=1)
