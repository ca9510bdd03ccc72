#!/usr/bin/python3
"""`gantry queue bridge` between a real RabbitMQ and `gantry serve queue`: queue_bridge_test.py GANTRY [--rounds N] [--seed S].

In each round one of the three is killed, or RabbitMQ is started anew, in the middle of a move; nothing may be lost and, where there is a
message-id, nothing may come twice. 77: RabbitMQ or python3-pika is not installed. Debian's own Python runs this, for that has pika."""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import rabbitmq  # noqa: E402

try:
    import pika
except ImportError:
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    pika = None

PATIENCE_S = 90
OPTIONS = None
MESSAGES = 1200
ALWAYS = ("bridge", "gantry", "rabbitmq")


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{PATIENCE_S} s and not yet: {what}")
        time.sleep(0.005)  # between two looks at what another process does


class Gantry:
    """`gantry serve queue` on one port for all its lives."""

    def __init__(self, directory):
        self.directory, self.port, self.process = directory, rabbitmq.free_port(), None
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        command = [OPTIONS.gantry, "serve", "queue", "--data", str(self.directory), "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while line := self.process.stdout.readline():
            if line.startswith("listening "):
                return self
        raise AssertionError("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def call(self, method, path, body=None, kind="application/json"):
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
        return [json.loads(line) for line in text.splitlines()] if "ndjson" in kind else json.loads(text)

    def put(self, queue, tasks):
        lines = "".join(json.dumps(t) + "\n" for t in tasks)
        for answer in self.call("POST", f"/queue/v1/queues/{queue}/tasks", lines, "application/x-ndjson"):
            assert answer["status"] // 100 == 2, answer

    def take_all(self, queue):
        """Reserves and completes until there is nothing more."""
        found = []
        while leases := self.call("POST", f"/queue/v1/queues/{queue}/reserve", {"max": 100, "worker": "test"})["leases"]:
            lines = "".join(json.dumps({"lease": lease["lease"]}) + "\n" for lease in leases)
            for answer in self.call("POST", "/queue/v1/leases/complete", lines, "application/x-ndjson"):
                assert answer["status"] // 100 == 2, answer
            found += leases
        return found


class Peers(unittest.TestCase):
    KIND = "quorum"

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.place.name)
        cls.broker = rabbitmq.RabbitMq(root / "rabbitmq", cls.settings(root))
        cls.addClassCleanup(cls.place.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.broker.start()
        (root / "gantry").mkdir()
        cls.gantry = Gantry(root / "gantry")
        cls.addClassCleanup(lambda: cls.gantry.kill())
        cls.gantry.start()

    @classmethod
    def settings(cls, root):
        return ""

    def connect(self):
        """A channel with confirms; a RabbitMQ that has just started may not let anyone in yet."""
        def tried():
            try:
                connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.broker.port))
            except (pika.exceptions.AMQPError, OSError):
                return None
            self.addCleanup(lambda: connection.is_open and connection.close())
            return connection

        channel = until(tried, "RabbitMQ lets us in").channel()
        channel.confirm_delivery()
        return channel

    def queue(self, name):
        until(lambda: self.declared(name), "the queue is there")

    def declared(self, name, passive=False):
        """The number of messages that wait, plus 1; 0: nobody can tell."""
        try:
            channel = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.broker.port)).channel()
            kind = {} if passive else {"arguments": {"x-queue-type": self.KIND}, "durable": True}
            count = channel.queue_declare(name, passive=passive, **kind).method.message_count + 1
            channel.connection.close()
            return count
        except (pika.exceptions.AMQPError, OSError):
            return 0

    def waiting(self, name):
        return until(lambda: self.declared(name, passive=True), f"queue {name} answers") - 1

    def publish(self, queue, bodies, **properties):
        channel = self.connect()
        for number, body in enumerate(bodies):
            said = {key: value(number) if callable(value) else value for key, value in properties.items()}
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2, **said), mandatory=True)
        channel.connection.close()

    def get_all(self, queue):
        """Those that RabbitMQ still delivers to a bridge that was killed come back to the queue."""
        channel, found = self.connect(), []
        while True:
            method, properties, body = channel.basic_get(queue)
            if method is None:
                channel.connection.close()
                return found
            found.append((properties, body))
            channel.basic_ack(method.delivery_tag)

    def url(self, queue, broker=None):
        return f"amqp://guest:guest@127.0.0.1:{(broker or self.broker).port}/%2F/{queue}"

    def bridge(self, queue, direction, *flags):
        command = [OPTIONS.gantry, "queue", "bridge", self.url(queue), "--direction", direction, "--server", self.gantry.url, "--json"]
        command += flags
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finished(self, bridge, code=0):
        out, err = bridge.communicate(timeout=PATIENCE_S)
        self.assertEqual(bridge.returncode, code, err)
        return json.loads(out) if out else None, err

    def moved(self, queue, direction, *flags):
        return self.finished(self.bridge(queue, direction, "--until-idle", "2", *flags))[0]


class Moves(Peers):
    def test_all_that_a_message_says_goes_both_ways(self):
        for name in ("there", "back"):
            self.queue(name)
        said = {"message_id": "m-1", "correlation_id": "c-1", "reply_to": "answers", "expiration": "600000", "type": "build",
                "app_id": "ci", "priority": 7, "content_type": "application/json", "timestamp": 1700000000,
                "headers": {"tries": 3, "urgent": True, "who": "Zoë"}}
        self.publish("there", [b'{"n": 1}'], **said)
        self.publish("there", [b"\xff\x00"], content_type="image/x", message_id="m-2")
        self.assertEqual(self.moved("there", "in")["moved"], 2)
        listed = [t["id"] for t in self.gantry.call("GET", "/queue/v1/tasks?queue=there")["items"]]
        tasks = {t["headers"]["amqp-message-id"]: t for t in (self.gantry.call("GET", f"/queue/v1/tasks/{id}") for id in listed)}
        self.assertEqual(tasks["m-1"]["task"]["priority"], 993)
        self.assertEqual(self.moved("back", "out", "--queue", "there")["moved"], 2)
        got = {p.message_id: (p, body) for p, body in self.get_all("back")}
        self.assertEqual(got["m-2"][1], b"\xff\x00")
        properties, body = got["m-1"]
        self.assertEqual(json.loads(body), {"n": 1})
        for name, value in said.items():
            if name != "headers":
                self.assertEqual(getattr(properties, name), value, name)
        properties.headers.pop("x-delivery-count", None)  # of a quorum queue, whoever it delivers to
        self.assertEqual(properties.headers, {**said["headers"], "x-gantry-hops": 1})
        self.assertEqual(properties.delivery_mode, 2)

    def test_a_repeat_is_dropped_by_its_message_id(self):
        self.queue("twice")
        self.publish("twice", [b"{}"] * 30, message_id=lambda n: f"m-{n % 10}", content_type="application/json")
        done = self.moved("twice", "in", "--batch", "7")
        self.assertEqual((done["moved"], done["repeats"]), (10, 20))
        self.gantry.take_all("twice")
        self.publish("twice", [b"{}"], message_id="m-3")  # its task has ended meanwhile
        self.assertEqual(self.moved("twice", "in")["repeats"], 1)

    def test_what_the_queue_refuses_stays_in_rabbitmq(self):
        self.queue("poison")
        self.publish("poison", [b"1", b"2", b"3"], content_type="application/json",
                     headers=lambda n: {f"h{i}": "x" for i in range(60)} if n == 1 else {})
        bridge = self.bridge("poison", "in", "--until-idle", "2")
        done, err = self.finished(bridge)
        self.assertEqual((done["moved"], done["poison"]), (2, 1))
        self.assertIn("headers", err)
        self.assertEqual([body for _, body in self.get_all("poison")], [b"2"])

    def test_large_messages_go(self):
        self.queue("large")
        self.publish("large", [b"x" * 700_000, b"y" * 1_000_000, b"{}"])
        self.assertEqual(self.moved("large", "in")["moved"], 3)

    def test_sigterm_ends_it_in_order(self):
        self.queue("ended")
        self.publish("ended", [b"{}"] * 50, message_id=lambda n: f"e-{n}")
        bridge = self.bridge("ended", "in")
        until(lambda: self.waiting("ended") == 0, "it takes them")
        bridge.terminate()
        done, _ = self.finished(bridge)
        self.assertEqual(done["moved"] + self.waiting("ended"), 50)

    def test_two_bridges_in_a_circle_are_found_out(self):
        self.queue("circle")
        self.publish("circle", [b"{}"])  # without message-id: the queue would drop it the second time
        inward = self.bridge("circle", "in")
        outward = self.bridge("circle", "out")
        try:
            _, err = self.finished(outward, code=1)
            self.assertIn("bring", err)
        finally:
            inward.terminate()
            self.finished(inward)

    def test_what_is_wrong_is_said(self):
        self.queue("said")
        there = self.url("said")
        rows = [([there.replace("amqp:", "http:")], 2, "amqp://"),
                ([there.replace("/%2F", "")], 2, "vhost and queue"),
                ([there.replace("guest:guest", "guest:hidden")], 1, "ACCESS_REFUSED"),
                ([there.replace("said", "nowhere")], 1, "no queue 'nowhere'"),
                ([there.replace("%2F", "elsewhere")], 1, "vhost elsewhere not found"),
                ([there.replace(str(self.broker.port), "1")], 5, "can't be reached"),
                ([there, "--server", "http://127.0.0.1:1"], 5, "127.0.0.1:1"),
                ([there, "--queue", "-not a name-", "--until-idle", "1"], 0, None)]
        for words, code, said in rows:
            command = [OPTIONS.gantry, "queue", "bridge", *words, "--direction", "in"]
            if "--server" not in words:
                command += ["--server", self.gantry.url]
            got = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
            self.assertEqual(got.returncode, code, (words, got.stderr))
            if said:
                self.assertIn(said, got.stderr)
            self.assertNotIn("hidden", got.stderr)


class Tls(Peers):
    """A broker whose certificate was signed by an authority that only --ca-file names."""

    @classmethod
    def settings(cls, root):
        cls.certificates, cls.port = root / "tls", rabbitmq.free_port()
        cls.certificates.mkdir()

        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=cls.certificates, check=True, capture_output=True)

        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Bridge CA", "-days", "2")
        openssl("req", *new, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
        (cls.certificates / "names").write_text("subjectAltName=DNS:localhost")
        signed = ["-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", *signed, "-out", "cert.pem", "-days", "2")
        files = "".join(f"ssl_options.{key} = {cls.certificates}/{name}.pem\n"
                        for key, name in (("cacertfile", "ca"), ("certfile", "cert"), ("keyfile", "key")))
        return f"listeners.ssl.1 = 127.0.0.1:{cls.port}\n{files}"

    def test_only_a_broker_with_a_known_certificate_and_name_is_trusted(self):
        self.queue("secret")
        self.publish("secret", [b"{}"] * 3)
        ca = ["--ca-file", str(self.certificates / "ca.pem")]
        rows = [("localhost", [], 5, "cert verification"), ("127.0.0.1", ca, 5, "hostname"),
                ("localhost", ["--ca-file", "/nowhere"], 1, "/nowhere"), ("localhost", ca, 0, None)]
        for host, flags, code, said in rows:
            url = f"amqps://guest:guest@{host}:{self.port}/%2F/secret"
            command = [OPTIONS.gantry, "queue", "bridge", url, "--direction", "in", "--server", self.gantry.url, "--until-idle", "2"]
            command += flags
            got = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
            self.assertEqual(got.returncode, code, (host, flags, got.stderr))
            if said:
                self.assertIn(said, got.stderr)
        self.assertEqual(len(self.gantry.take_all("secret")), 3)


class Killed(Peers):
    """A bridge that always runs, and something that is killed whenever a share of the messages has been moved."""

    # RabbitMQ 3.10 forgets, when it is killed, that a quorum queue made just before has a leader, and confirms nothing any more.
    KIND = "classic"

    def setUp(self):
        self.random = random.Random(OPTIONS.seed)
        self.lives = 0

    def survive(self, queue, direction, moved, *flags):
        """Returns what the last bridge said. `moved` tells how many are on the other side."""
        further = max(0, OPTIONS.rounds - len(ALWAYS))
        victims = [*ALWAYS, *self.random.choices(("bridge", "gantry", "bridge", "rabbitmq", "restart"), k=further)]
        self.random.shuffle(victims)
        bridge = self.bridge(queue, direction, "--batch", "4", *flags)
        self.addCleanup(lambda: bridge.poll() is None and bridge.kill())
        for number, victim in enumerate(victims, 1):
            share = number * MESSAGES // (len(victims) + 1)
            until(lambda: moved() >= share or bridge.poll() is not None, f"{share} are moved")
            if victim == "bridge":
                bridge.kill()
                bridge.communicate()
                bridge = self.bridge(queue, direction, "--batch", "4", *flags)
            elif victim == "gantry":
                self.gantry.kill()
                self.gantry.start()
            else:
                self.broker.end("kill" if victim == "rabbitmq" else "terminate")
                self.broker.start()
            # It ends of itself only where it was let in to neither side at its start.
            if bridge.poll() not in (None, 0):
                bridge.communicate()
                until(lambda: self.declared(queue, passive=True), "RabbitMQ is back")
                bridge = self.bridge(queue, direction, "--batch", "4", *flags)
        bridge.send_signal(signal.SIGTERM)
        bridge.communicate()
        until(lambda: self.declared(queue, passive=True), "RabbitMQ is back")
        return self.moved(queue, direction)

    def test_inward_nothing_is_lost_and_nothing_comes_twice(self):
        self.queue("inward")
        self.publish("inward", [json.dumps({"n": n}) for n in range(MESSAGES)], content_type="application/json",
                     message_id=lambda n: f"id-{n}")
        self.survive("inward", "in", lambda: MESSAGES - (self.declared("inward", passive=True) or MESSAGES + 1) + 1)
        found = [task["payload"]["n"] for task in self.gantry.take_all("inward")]
        self.assertEqual(sorted(found), list(range(MESSAGES)))
        self.assertEqual(self.waiting("inward"), 0)

    def test_outward_nothing_is_lost_and_a_repeat_has_the_same_message_id(self):
        self.queue("outward")
        self.gantry.put("outward", [{"payload": {"n": n}} for n in range(MESSAGES)])
        self.survive("outward", "out", lambda: max(0, self.declared("outward", passive=True) - 1), "--lease-ms", "2000")
        until(lambda: not self.unfinished("outward"), "no lease is left")
        self.moved("outward", "out")
        got = self.get_all("outward")
        ids = {}
        for properties, body in got:
            ids.setdefault(json.loads(body)["n"], set()).add(properties.message_id)
        self.assertEqual(sorted(ids), list(range(MESSAGES)))
        self.assertEqual({len(of_one) for of_one in ids.values()}, {1}, "a repeat came under another message-id")
        self.assertEqual(len(set.union(*ids.values())), MESSAGES, "two messages have one message-id")
        repeats = len(got) - MESSAGES
        told = sum(bool((p.headers or {}).get("x-gantry-attempt")) for p, _ in got)
        self.assertLessEqual(repeats, told, "a repeat wasn't told")

    def unfinished(self, queue):
        return self.gantry.call("GET", f"/queue/v1/tasks?queue={queue}&state=leased")["items"]


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gantry")
    parser.add_argument("--rounds", type=int, default=3, help="what is killed in each direction, how often in all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    OPTIONS, words = parser.parse_known_args()
    if pika is None or not rabbitmq.RabbitMq.installed():
        print("RabbitMQ or python3-pika is not installed")
        return 77
    print(f"seed {OPTIONS.seed}", flush=True)
    program = unittest.main(argv=[sys.argv[0], *words], exit=False, verbosity=2)
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
