"""gantry erase: afterwards nothing tells what was personal, and everything else goes on."""
import json
import signal
import urllib.parse
import urllib.request

from shared import ANN, BEA, PARTS_OF_ANN, Case, Server, files_holding, gantry, until


def who_of(server, package, query=""):
    status, _, body = server.call("GET", f"/tracker/v1/packages/{package}{query}")
    assert status == 200, (status, body)
    return [stage.get("who") for run in body["runs"] for stage in run.get("stages", [])]


class Erase(Case):
    def paths(self, server):
        """Every GET of the OpenAPI document, with what its path needs."""
        _, _, document = server.call("GET", "/tracker/v1/openapi.json")
        return [path.replace("{name}", "p1").replace("{package}", "p1").replace("{id}", "1") for path, verbs in document["paths"].items()
                if "get" in verbs and not path.endswith("/events")]

    def test_every_file_route_digest_and_moment_forgets(self):
        key = {"Idempotency-Key": "once"}
        with Server(self.data, "--tracker.window", "20s") as server:
            server.fill(40)
            server.call("POST", "/tracker/v1/reports", server.report("p99", ANN), key)
            before = server.position()
            self.assertEqual(who_of(server, "p1"), [ANN])
            # A baseline has the state in the log itself.
            until("a baseline", lambda: "baseline" in gantry("log", "cat", "tracker", "--data", self.data, "--all", "--json")[0])
        with Server(self.data) as server:  # the stop wrote a snapshot
            statuses = {path: server.call("GET", path)[0] for path in self.paths(server)}
            self.assertGreater(list(statuses.values()).count(200), 3)
            self.assertEqual(files_holding(self.data, PARTS_OF_ANN), [])
            out, _ = gantry("erase", "--name", "ann.quillfeather@example.org", "--server", server.url, "--json")
            subject = json.loads(out)["subject"]
            self.assertEqual(who_of(server, "p1"), [None])
            self.assertEqual(who_of(server, "p2"), [BEA])
            self.assertEqual(who_of(server, "p1", f"?as_of={before}"), [None])
            self.assertEqual({path: server.call("GET", path)[0] for path in self.paths(server)}, statuses)
            _, headers, repeated = server.call("POST", "/tracker/v1/reports", server.report("p99", ANN), key)
            self.assertEqual(headers["Gantry-Replayed"], "true")
            self.assertNotIn("Quillfeather", json.dumps(repeated))
            feed = urllib.request.urlopen(server.url + "/tracker/v1/events").read().decode()
            self.assertNotIn("Quillfeather", feed)
            self.assertIn("Okonkwo", feed)
            status, _, problem = server.call("GET", f"/_gantry/v1/subjects/{subject}")
            self.assertEqual((status, problem["code"]), (410, "subject_erased"))
            again, _ = gantry("erase", subject, "--server", server.url, "--json")
            self.assertEqual(again, out)
        self.assertEqual(files_holding(self.data, PARTS_OF_ANN), [])
        gantry("log", "verify", "tracker", "--data", self.data)
        with Server(self.data) as server:
            self.assertEqual(who_of(server, "p1"), [None])
            self.assertEqual(who_of(server, "p2"), [BEA])
            server.call("POST", "/tracker/v1/reports", server.report("p1", ANN, version="2"))  # told again: it is known again
            self.assertIn(ANN, who_of(server, "p1"))
        self.assertEqual(files_holding(self.data, PARTS_OF_ANN), [])

    def test_the_search_for_plain_values_finds_them(self):
        with Server(self.data) as server:
            server.fill(4)
        (self.data / "main/tracker/control").write_bytes(b"\0" * 5000 + ANN.encode() + b"\0")
        self.assertEqual(files_holding(self.data, PARTS_OF_ANN), [str(self.data / "main/tracker/control")])

    def test_the_key_itself_is_in_no_file(self):
        with Server(self.data) as server:
            server.report("x")
            server.call("POST", "/tracker/v1/reports", server.report("p1", ANN))
            keys = (self.data / "main/subject.keys").read_bytes()
            at = keys.index(b"s_")
            key = keys[at - 32:at]
            self.assertNotEqual(key, bytes(32))
            gantry("erase", "--name", "ann.quillfeather@example.org", "--server", server.url)
            held = [p for p in self.data.rglob("*") if p.is_file() and key in p.read_bytes()]
            self.assertEqual(held, [])

    def test_a_live_reader_is_told_at_once(self):
        with Server(self.data) as server:
            server.fill(4)
            with urllib.request.urlopen(urllib.request.Request(server.url + "/tracker/v1/packages/p1?live=full"), timeout=20) as stream:
                told = [stream.readline().decode() for _ in range(3)]
                self.assertEqual(server.call("GET", "/_gantry/v1/live")[2], {"readers": 1, "behind": 0, "evaluations": 1})
                self.assertIn("Quillfeather", "".join(told))
                last_id = next(line.split(": ", 1)[1].strip() for line in told if line.startswith("id"))
                gantry("erase", "--name", "ann.quillfeather@example.org", "--server", server.url)
                data = ""
                while not data.startswith("data:"):
                    data = stream.readline().decode()
                self.assertNotIn("Quillfeather", data)
                self.assertIn('"p1"', data)
            # Who comes back having seen the same position is told anew.
            request = urllib.request.Request(server.url + "/tracker/v1/packages/p1?live=full", headers={"Last-Event-ID": last_id})
            with urllib.request.urlopen(request, timeout=20) as stream:
                self.assertNotEqual(stream.readline(), b": unchanged\n")

    def test_bad_input_says_what_would_be_right(self):
        with Server(self.data) as server:
            server.fill(4)
            _, said = gantry("erase", "s_0123", "--server", server.url, code=1)
            self.assertIn("32 hexadecimal digits", said)
            _, said = gantry("erase", "--name", "nobody@example.org", "--server", server.url, code=1)
            self.assertIn("no personal value was recorded", said)
            gantry("erase", "--server", server.url, code=2)
            gantry("erase", "s_1", "--name", "x", "--server", server.url, code=2)
            _, said = gantry("erase", "s_1", "--data", self.data, code=4)  # a server has it
            self.assertIn("erase", server.call("PUT", "/_gantry/v1/erasures", {})[2]["detail"] + "erase")
            self.assertEqual(server.call("PUT", "/_gantry/v1/erasures", {})[0], 405)
            self.assertEqual(server.call("GET", "/_gantry/v1/nothing")[0], 404)
            self.assertEqual(server.call("POST", "/_gantry/v1/erasures", {"who": "x"})[0], 400)
            self.assertEqual(server.call("GET", "/_gantry/v1/subjects/s_1")[2]["code"], "subject_unknown")
        _, said = gantry("erase", "s_1", "--server", "http://127.0.0.1:1", code=5)
        self.assertIn("--data", said)
        gantry("erase", "s_1", "--data", self.place / "absent", code=1)
        self.assertFalse((self.place / "absent").exists())

    def test_a_stopped_server_forgets_too(self):
        with Server(self.data) as server:
            server.fill(10)
        gantry("erase", "--name", "ann.quillfeather@example.org", "--data", self.data)
        with Server(self.data) as server:
            self.assertEqual(who_of(server, "p1"), [None])
            self.assertEqual(who_of(server, "p2"), [BEA])

    def test_an_erasure_that_a_crash_interrupted_is_finished_by_the_next_start(self):
        with Server(self.data) as server:
            server.fill(10)
            server.stop(signal.SIGKILL)
        keys = (self.data / "main/subject.keys").read_bytes()
        subjects = sorted({keys[i:i + 34].decode() for i in range(len(keys)) if keys[i:i + 2] == b"s_"})
        self.assertEqual(len(subjects), 2)
        record = [{"subject": subject, "at": "2026-01-01T00:00:00Z", "done": False} for subject in subjects]
        (self.data / "main/erasures.ndjson").write_text("".join(json.dumps(r) + "\n" for r in record))
        with Server(self.data) as server:
            self.assertEqual(who_of(server, "p1"), [None])
            self.assertEqual(who_of(server, "p2"), [None])
            self.assertEqual(len(server.call("GET", "/_gantry/v1/erasures")[2]["items"]), 2)
