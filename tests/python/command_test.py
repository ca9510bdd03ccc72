"""python3 -m gantry_oops, and putting the package on a machine."""
import json
import os
import shutil
import subprocess

import shared
from shared import Case

import gantry_oops


class TheCommand(Case):
    def run_(self, *arguments, code=0, stdin=None, **env):
        done = subprocess.run(["/usr/bin/python3", "-m", "gantry_oops", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              input=stdin, env={**shared.ENVIRONMENT, **env})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_it_drains_a_spool(self):
        self.serve()
        ids = [gantry_oops.fresh_id() for _ in range(3)]
        spool = gantry_oops.Spool(self.spool)
        for n, oops_id in enumerate(ids):
            spool.put(oops_id, json.dumps({"id": oops_id, "type": "T", "value": str(n), "time": "2026-01-05T10:00:00Z"}).encode())
        self.assertEqual(self.run_("list", self.spool)[0].splitlines(), [f"{i} 2026-01-05T10:00:00Z T: {n}" for n, i in enumerate(ids)])
        self.front.go_away()
        out, err = self.run_("drain", self.spool, code=1, GANTRY_OOPS_DSN=self.front.dsn)
        self.assertEqual(out, "0 sent, 0 refused, 0 damaged, 3 left\n")
        self.assertIn("Connection refused", err)
        self.front.come_back()
        self.front.faults.append((400, [], b"no"))
        (self.spool / "x.json").write_text("")
        out, err = self.run_("drain", self.spool, code=1, GANTRY_OOPS_DSN=self.front.dsn)
        self.assertEqual(out, "2 sent, 1 refused, 1 damaged, 0 left\n")
        self.assertEqual(self.run_("drain", self.spool, GANTRY_OOPS_DSN=self.front.dsn)[0], "0 sent, 0 refused, 0 damaged, 0 left\n")

    def test_it_drains_what_gantry_itself_left(self):
        self.serve()
        oops_id = gantry_oops.fresh_id()
        self.spool.mkdir()
        (self.spool / f"{oops_id}.json").write_text(json.dumps({"id": oops_id, "type": "T"}) + "\n")
        self.run_("drain", self.spool, GANTRY_OOPS_DSN=self.front.dsn)
        self.arrived([oops_id])

    def test_two_do_not_drain_at_once(self):
        self.serve()
        spool = gantry_oops.Spool(self.spool)
        spool.put("OOPS-1", b'{"id":"OOPS-1"}')
        with spool.sole_sender():
            out, err = self.run_("drain", self.spool, code=1, GANTRY_OOPS_DSN=self.front.dsn)
        self.assertEqual((out, err), ("0 sent, 0 refused, 0 damaged, 1 left\n", "another process is sending them\n"))

    def test_it_sends_files(self):
        self.serve()
        (self.place / "dsn").write_text(self.front.dsn + "\n")
        (self.place / "report.json").write_text('{"type":"Cron","value":"the nightly job failed","password":"hunter22"}')
        out, _ = self.run_("send", self.place / "report.json", "--dsn-file", self.place / "dsn")
        oops_id = out.split()[0]
        self.assertEqual(out, f"{oops_id} sent\n")
        self.assertEqual(self.front.reports[oops_id]["value"], "the nightly job failed")
        self.assertEqual(self.front.reports[oops_id]["password"], "<hidden>")
        given = gantry_oops.fresh_id()
        self.assertEqual(self.run_("send", "-", stdin=json.dumps({"id": given}), GANTRY_OOPS_DSN=self.front.dsn)[0], f"{given} sent\n")
        self.front.go_away()
        out, err = self.run_("send", "-", stdin="{}", code=1, GANTRY_OOPS_DSN=self.front.dsn)
        self.assertIn("refused or not sent", err)
        out, _ = self.run_("send", "-", "--spool", self.spool, stdin="{}", GANTRY_OOPS_DSN=self.front.dsn)
        self.assertIn("waits in", out)
        self.assertEqual(len(self.waiting()), 1)
        self.front.come_back()

    def test_mistakes_are_named(self):
        (self.place / "bad.json").write_text("{")
        rows = [(["drain", self.place], {}, "set GANTRY_OOPS_DSN"), (["drain", self.place / "no"], {}, "is no directory"),
                (["drain", self.place], {"GANTRY_OOPS_DSN": "http://sesame@h/p"}, "a DSN is"),
                (["list", self.place / "no"], {}, "is no directory"),
                (["send", self.place / "bad.json"], {"GANTRY_OOPS_DSN": "http://k@h/oops/p"}, "bad.json"),
                (["send", self.place / "no.json"], {"GANTRY_OOPS_DSN": "http://k@h/oops/p"}, "No such file"), ([], {}, "COMMAND")]
        for arguments, env, said in rows:
            with self.subTest(arguments):
                _, err = self.run_(*arguments, code=2, **env)
                self.assertIn(said, err)
                self.assertNotIn("sesame", err)


class Installed(Case):
    def test_make_install_puts_it_where_python_finds_it(self):
        make = ["make", "-s", "-C", str(shared.PACKAGE), "install", f"DESTDIR={self.place}/root"]
        done = subprocess.run(make, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        where = self.place / "root/usr/local/lib/python3.11/dist-packages"
        self.assertTrue((where / "gantry_oops/wsgi.py").exists())
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run([self.place / "root/usr/local/bin/gantry-oops", "--help"], capture_output=True, text=True, cwd=self.place,
                              env={**clean, "PYTHONPATH": str(where)})
        self.assertEqual((done.returncode, done.stdout[:18]), (0, "usage: gantry-oops"), done.stderr)

    def test_setuptools_installs_it_without_a_network(self):
        try:
            import setuptools  # noqa: F401
        except ImportError:
            self.skipTest("python3-setuptools isn't installed")
        copy = self.place / "copy"
        shutil.copytree(shared.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
        build = ["/usr/bin/python3", "-c", "import setuptools; setuptools.setup()", "-q", "build", "--build-base", self.place / "b"]
        done = subprocess.run(build, cwd=copy, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        built = sorted(p.name for p in (self.place / "b").glob("lib*/gantry_oops/*.py"))
        self.assertEqual(built, sorted(p.name for p in (shared.PACKAGE / "gantry_oops").glob("*.py")))
