"""gantry backup, gantry restore: whole or nothing, while writers go on; a restored log is a new history."""
import json
import pathlib
import threading

from shared import ANN, BEA, PARTS_OF_ANN, Case, Server, files_holding, gantry

WHO = {"ann": "ann.quillfeather@example.org", "bea": "bea.okonkwo@example.org"}


class Writer:
    """Writes until it is told to stop; remembers what was acknowledged."""

    def __init__(self, server):
        self.acknowledged, self.stopped, self.server = 0, threading.Event(), server
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopped.is_set():
            status, _, _ = self.server.call("POST", "/tracker/v1/reports", self.server.report(f"w{self.acknowledged}", BEA))
            assert status < 300, status
            self.acknowledged += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


class Backup(Case):
    def setUp(self):
        super().setUp()
        self.to, self.again = self.place / "backup", self.place / "restored"

    def manifest(self):
        return json.loads((self.to / "manifest.json").read_text())

    def test_a_backup_under_writers_is_what_the_server_said_and_restores(self):
        with Server(self.data) as server:
            server.fill(2000)
            with Writer(server) as writer:
                out = json.loads(gantry("backup", "--server", server.url, "--to", self.to, "--json")[0])
            more = writer.acknowledged
        self.assertGreater(more, 0)
        position = int(out["logs"][0]["position"].split(".")[1])
        self.assertGreaterEqual(position, 2000)
        gantry("backup", "--check", self.to)
        restored = json.loads(gantry("restore", "--from", self.to, "--data", self.again, "--json")[0])["logs"][0]
        self.assertEqual(restored["position"], position)
        self.assertEqual(out["logs"][0]["position"].split(".")[0], restored["former"])
        self.assertNotEqual(restored["former"], restored["incarnation"])
        gantry("log", "verify", "tracker", "--data", self.again)
        with Server(self.data) as old, Server(self.again) as new:
            for package in ("p1", "p2", "p1999"):
                path = f"/tracker/v1/packages/{package}"
                self.assertEqual(new.call("GET", path)[2], old.call("GET", path)[2])
            # What the former history gave is refused, not misread; the new one goes on.
            then = out["logs"][0]["position"]
            status, _, problem = new.call("GET", f"/tracker/v1/packages/p1?as_of={then}")
            self.assertEqual((status, problem["code"]), (410, "position_gone"))
            status, _, problem = new.call("GET", "/tracker/v1/summary", headers={"Gantry-After": f"tracker={then}"})
            self.assertEqual((status, problem["code"]), (410, "position_gone"))
            self.assertTrue(new.position().startswith(restored["incarnation"]))
            self.assertEqual(new.call("POST", "/tracker/v1/reports", new.report("new", ANN))[0], 200)

    def test_a_second_backup_adds_what_is_new(self):
        with Server(self.data) as server:
            server.fill(30000)  # more than one segment
            gantry("backup", "--server", server.url, "--to", self.to)
            first = self.manifest()
            names = {f["name"]: (self.to / f["name"]).stat().st_ino for f in first["logs"][0]["segments"]}
            self.assertGreater(len(names), 1)
            server.fill(10, first=50000)
            gantry("backup", "--server", server.url, "--to", self.to)
        second = self.manifest()
        self.assertGreater(second["logs"][0]["position"], first["logs"][0]["position"])
        sealed = [f["name"] for f in first["logs"][0]["segments"]][:-1]
        for name in sealed:
            self.assertEqual((self.to / name).stat().st_ino, names[name], "a sealed segment is copied once")
        self.assertEqual(len(list((self.to / "main").glob("subject.keys-*"))), 1)
        gantry("backup", "--check", self.to)

    def test_what_an_earlier_manifest_spoke_of_stays_whole_until_the_next_one(self):
        with Server(self.data) as server:
            server.fill(10)
            gantry("backup", "--server", server.url, "--to", self.to)
            manifest = (self.to / "manifest.json").read_bytes()
            server.fill(10, first=100)
            gantry("backup", "--server", server.url, "--to", self.to)
        newer = json.loads((self.to / "manifest.json").read_text())
        # As if the second one had stopped just before its manifest: its log files with the older manifest.
        older = json.loads(manifest)
        self.assertLess(older["logs"][0]["position"], newer["logs"][0]["position"])
        for old, new in zip(older["keys"], newer["keys"]):
            if not (self.to / old["name"]).exists():
                (self.to / old["name"]).write_bytes((self.to / new["name"]).read_bytes())
        (self.to / "manifest.json").write_bytes(manifest)
        segment = older["logs"][0]["segments"][0]
        self.assertGreater((self.to / segment["name"]).stat().st_size, segment["bytes"])
        checked = json.loads(gantry("backup", "--check", self.to, "--json")[0])
        self.assertEqual(int(checked["logs"][0]["position"].split(".")[1]), 10)
        gantry("restore", "--from", self.to, "--data", self.again)
        with Server(self.again) as server:
            self.assertEqual(server.call("GET", "/tracker/v1/packages/p1")[0], 200)
            self.assertEqual(server.call("GET", "/tracker/v1/packages/p101")[0], 404)

    def test_a_stopped_server_is_backed_up_too_and_progress_is_told(self):
        with Server(self.data) as server:
            server.fill(10)
        gantry("backup", "--data", self.data, "--to", self.to)
        gantry("restore", "--from", self.to, "--data", self.again)
        with Server(self.again) as server:
            self.assertEqual(server.call("GET", "/tracker/v1/packages/p1")[0], 200)
            self.assertEqual(server.call("GET", "/_gantry/v1/backups")[2]["state"], "none")

    def test_damage_is_named_and_nothing_is_restored(self):
        with Server(self.data) as server:
            server.fill(50)
        gantry("backup", "--data", self.data, "--to", self.to)
        manifest = self.manifest()
        files = [manifest["logs"][0]["segments"][0]["name"], *[k["name"] for k in manifest["keys"]], "manifest.json"]
        for name in files:
            path = self.to / name
            whole = path.read_bytes()
            path.write_bytes(whole[:40] + bytes([whole[40] ^ 1 if len(whole) > 40 else 0]) + whole[41:] if len(whole) > 41
                             else bytes([whole[0] ^ 1]) + whole[1:])
            _, said = gantry("backup", "--check", self.to, code=4)
            self.assertIn(name.rsplit("/", 1)[-1], said)
            gantry("restore", "--from", self.to, "--data", self.again, code=4)
            self.assertFalse(self.again.exists())
            path.write_bytes(whole)
        gantry("restore", "--from", self.to, "--data", self.again)  # over what the failed ones left aside
        gantry("log", "verify", "tracker", "--data", self.again)

    def test_bad_input_says_what_would_be_right(self):
        with Server(self.data) as server:
            server.fill(4)
            gantry("backup", "--server", server.url, code=2)
            (self.place / "other").mkdir()
            (self.place / "other/file").write_text("x")
            _, said = gantry("backup", "--server", server.url, "--to", self.place / "other", code=4)
            self.assertIn("absent or empty", said)
            self.assertEqual((self.place / "other/file").read_text(), "x")
            self.assertEqual(server.call("POST", "/_gantry/v1/backups", {"to": "relative"})[2]["code"], "request_invalid")
            gantry("backup", "--data", self.data, "--to", self.to, code=4)  # locked
            gantry("backup", "--server", server.url, "--to", self.to)
        _, said = gantry("restore", "--from", self.to, "--data", self.data, code=4)
        self.assertIn("isn't empty", said)
        _, said = gantry("restore", "--from", self.place / "nothing", "--data", self.again, code=1)
        self.assertIn("gantry backup", said)
        gantry("restore", "--from", self.to, "--data", self.again, "--erasures", self.place / "other/nothing", code=1)
        # A backup of another history of the same log.
        gantry("restore", "--from", self.to, "--data", self.again)
        with Server(self.again) as server:
            server.fill(4)
        with Server(self.data) as server:
            server.fill(4)
            gantry("backup", "--server", server.url, "--to", self.to)
        _, said = gantry("backup", "--data", self.again, "--to", self.to, code=4)
        self.assertIn("another history", said)
        gantry("backup", "--check", self.to)

    def test_what_was_erased_after_the_backup_is_erased_again(self):
        with Server(self.data) as server:
            server.fill(10)
            gantry("backup", "--server", server.url, "--to", self.to)
            gantry("erase", "--name", WHO["ann"], "--server", server.url)
        gantry("restore", "--from", self.to, "--data", self.again, "--erasures", self.data)
        with Server(self.again) as server:
            person = server.call("GET", "/tracker/v1/packages/p1")[2]
            self.assertNotIn("Quillfeather", json.dumps(person))
            self.assertIn("Okonkwo", json.dumps(server.call("GET", "/tracker/v1/packages/p2")[2]))
            self.assertEqual(len(server.call("GET", "/_gantry/v1/erasures")[2]["items"]), 1)
        self.assertEqual(files_holding(self.again, PARTS_OF_ANN), [])
        plain = self.place / "plain"
        gantry("restore", "--from", self.to, "--data", plain)  # nobody said what was erased: the operator's choice
        with Server(plain) as server:
            self.assertIn("Quillfeather", json.dumps(server.call("GET", "/tracker/v1/packages/p1")[2]))

    def test_no_backup_holds_a_plain_value(self):
        with Server(self.data) as server:
            server.fill(10)
            gantry("backup", "--server", server.url, "--to", self.to)
        self.assertEqual(files_holding(self.to, PARTS_OF_ANN), [])
        self.assertEqual([p for p in pathlib.Path(self.to).rglob("*.tmp")] + list(self.to.glob("unfinished")), [])
