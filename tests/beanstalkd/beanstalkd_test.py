#!/usr/bin/env python3
"""beanstalkd's protocol on `gantry serve queue`: beanstalkd_test.py GANTRY. The real beanstalkd and Gantry are told the same (cases.py),
and their answers are the same byte for byte, but for what Side.normal says; then real clients (ruby-beaneater, npm's fivebeans), and
what beanstalkd knows nothing of. 77: none of beanstalkd, ruby-beaneater and fivebeans is installed."""
import contextlib
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import cases

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
HERE = pathlib.Path(__file__).resolve().parent
BEANSTALKD = shutil.which("beanstalkd") or shutil.which("beanstalkd", path="/usr/bin:/usr/sbin")
RUBY = "/usr/bin/ruby"
BEANEATER = pathlib.Path(RUBY).exists() and subprocess.run([RUBY, "-e", "require 'beaneater'"], capture_output=True).returncode == 0
FIVEBEANS = (HERE / "node_modules/fivebeans").exists()
PATIENCE_S = 30


class Server:
    """Gantry, with the queue and its port for beanstalkd's clients."""

    def __init__(self, *options):
        self.place = tempfile.TemporaryDirectory(prefix="gantry-beanstalkd-")
        self.options = options
        self.start()

    def start(self):
        command = [GANTRY, "serve", "queue", "--data", f"{self.place.name}/data", "--listen", "127.0.0.1:0",
                   "--queue.beanstalkd-listen", "127.0.0.1:0", *self.options]
        self.log = open(f"{self.place.name}/log", "a")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.address = None
        while not self.address:
            words = self.process.stdout.readline().split()
            assert words, pathlib.Path(f"{self.place.name}/log").read_text()
            if words[:3] == ["listening", "queue", "beanstalkd"]:
                self.address = words[3]
            elif words[0] == "listening":
                self.url = words[1].rstrip("/")
        self.port = int(self.address.rpartition(":")[2])

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.place.cleanup()

    def ask(self, verb, path, body=None):
        request = urllib.request.Request(self.url + path, method=verb, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)


class Beanstalkd:
    """The real one."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(100)
        self.port = self.listener.getsockname()[1]
        # It takes a listening socket as systemd gives one: descriptor 3 of the process that LISTEN_PID names.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" -z {cases.MIB}', BEANSTALKD],
            stdin=self.listener, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)
        self.listener.close()


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def say(self, data):
        self.socket.sendall(data)

    def answer(self):
        """One, with the bytes that belong to it; b"" when the other side has closed."""
        line = self.file.readline()
        words = line.split()
        if words and words[0] in (b"RESERVED", b"FOUND", b"OK"):
            line += self.file.read(int(words[-1]) + 2)
        return line

    def close(self):
        self.file.close()
        self.socket.close()


class Side:
    """One of the two servers during a case."""

    def __init__(self, port, tube):
        self.port, self.tube, self.connections, self.ids = port, tube, {}, []

    def of(self, who):
        if who not in self.connections:
            self.connections[who] = Connection(self.port)
        return self.connections[who]

    def say(self, who, text, end="\r\n"):
        text = re.sub(r"\{(\d+)\}", lambda m: str(self.ids[int(m[1]) - 1]), text.replace("{t}", self.tube))
        self.of(who).say((text.replace("|", "\r\n") + end).encode("latin-1" if max(map(ord, text), default=0) < 256 else "utf-8"))

    def answer(self, who):
        answer = self.of(who).answer()
        if inserted := re.match(rb"INSERTED (\d+)", answer):
            self.ids.append(int(inserted[1]))
        return answer

    def normal(self, answer):
        """Ids by the order of their coming, and without what no two servers have in common."""
        text = answer.decode("latin-1")
        text = re.sub(r"^(INSERTED|RESERVED|FOUND) (\d+)", lambda m: f"{m[1]} #{self.ids.index(int(m[2])) + 1}", text)
        if not text.startswith("OK "):
            return text, []
        text = re.sub(r"^OK \d+", "OK", text)
        numbers = {str(n): f"#{i}" for i, n in enumerate(self.ids, 1)}
        text = re.sub(r"^id: (\d+)$", lambda m: f"id: {numbers.get(m[1], m[1])}", text, flags=re.M)
        text = re.sub(r"^(pid|version|rusage-utime|rusage-stime|uptime|binlog-[a-z-]+|os|platform|hostname|file): .*$", r"\1: *", text,
                      flags=re.M)
        text = re.sub(r"^id: [0-9a-f]{16}$", "id: *", text, flags=re.M)
        seconds = [int(n) for n in re.findall(r"^(?:age|time-left|pause-time-left): (\d+)$", text, flags=re.M)]
        text = re.sub(r"^(age|time-left|pause-time-left): \d+$", r"\1: *", text, flags=re.M)
        return text, seconds

    def own_tubes(self, text):
        """Of a list of all tubes: in no order, and those of other cases may be gone or not."""
        return sorted(line for line in text.split("\n") if not line.startswith("- ") or line.startswith(("- default", "- " + self.tube)))

    def close(self, who=None):
        for name in [who] if who else list(self.connections):
            if name in self.connections:
                self.connections.pop(name).close()


class Overslept(Exception):
    """beanstalkd 1.12 forgets now and then, a fresh one one time in five, that a ttr ends while somebody waits."""


STEP = re.compile(r"(\w)(\*\d+|[!?~#$]*):(?: (.*))?", re.S)


@unittest.skipUnless(BEANSTALKD, "beanstalkd is not installed: make setup")
class SideBySide(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.real, cls.ours = cls.stack.enter_context(Beanstalkd()), cls.stack.enter_context(Server())
        # For ten seconds after a start no lease runs out: until one does.
        holder, other = Connection(cls.ours.port), Connection(cls.ours.port)
        holder.say(b"put 0 0 1 0\r\n\r\nreserve\r\n")
        assert [holder.answer()[:8], holder.answer()[:8]] == [b"INSERTED", b"RESERVED"]
        other.say(b"reserve-with-timeout 20\r\n")
        assert other.answer().startswith(b"RESERVED")
        other.say(b"delete 1\r\n")
        assert other.answer() == b"DELETED\r\n"
        holder.close(), other.close()

    def same(self, real, ours, who, step):
        expected, found = real.answer(who), ours.answer(who)
        (expected, expected_s), (found, found_s) = real.normal(expected), ours.normal(found)
        if expected.startswith("OK\r\n---\n- ") and "watched" not in step:
            expected, found = real.own_tubes(expected), ours.own_tubes(found)
        if expected == "TIMED_OUT\r\n" and found.startswith("RESERVED ") and step.endswith(" 5"):
            raise Overslept(step)
        self.assertEqual(expected, found, step[:200])
        for a, b in zip(expected_s, found_s):
            self.assertLessEqual(abs(a - b), 1, step)

    def run_case(self, number, steps):
        for attempt in range(8):
            try:
                return self.attempt(f"case{number}.{attempt}.", steps)
            except Overslept:
                continue
        self.fail("the real one overslept eight times: is that so?")

    def attempt(self, tube, steps):
        real, ours = Side(self.real.port, tube), Side(self.ours.port, tube)
        try:
            for step in steps:
                who, how, text = STEP.fullmatch(step).groups()
                if how in ("?", "$"):
                    self.same(real, ours, who, step)
                elif how == "#":
                    real.close(who), ours.close(who)
                else:
                    for side in (real, ours):
                        side.say(who, text or "", "" if how == "~" else "\r\n")
                    for _ in range(0 if how == "!" else int(how[1:]) if how.startswith("*") else 1):
                        self.same(real, ours, who, step)
        finally:
            real.close(), ours.close()

    def test_what_the_first_connection_sees_of_the_server(self):
        """`stats`, whose every number but those of the process is the same: so it has servers of its own."""
        with Beanstalkd() as self.real, Server() as self.ours:
            self.run_case(0, ["a: stats", "a: stats x", "a: use t", "a: put 0 0 100 1|x", "a: put 5000 0 100 1|y", "a: put 0 60 100 1|y",
                              "a: put x", "a: watch t", "a: watch t", "a: reserve", "a: peek 7777", "a: peek-ready", "a: peek-delayed",
                              "a: peek-buried", "a: reserve-with-timeout 0", "a: bury {1} 1", "a: touch {1}", "a: kick 5",
                              "a: reserve-with-timeout 0", "a: release {1} 1 1", "a: delete {2}", "a: ignore t", "a: stats-job {1}",
                              "a: stats-tube t", "a: list-tubes", "a: list-tube-used", "a: list-tubes-watched", "a: pause-tube t 1",
                              "a: stats", "b: put 0 0 1 1|z", "c!: reserve", "d: list-tube-used", "c?:", "a: stats"])
        del self.real, self.ours


def add_cases():
    for number, (name, steps) in enumerate(cases.CASES.items(), 1):
        def test(self, number=number, steps=steps):
            self.run_case(number, steps)
        setattr(SideBySide, "test_" + re.sub(r"\W", "_", name), test)


class Clients(unittest.TestCase):
    def run_client(self, command):
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=90)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.strip().splitlines()[-1], "ok")

    @unittest.skipUnless(BEANEATER, "ruby-beaneater is not installed: make setup")
    def test_beaneater(self):
        with Server() as server:
            self.run_client([RUBY, "client.rb", server.address])

    @unittest.skipUnless(FIVEBEANS, "tests/beanstalkd/node_modules is not there: make setup")
    def test_fivebeans(self):
        with Server() as server:
            self.run_client(["node", "client.mjs", "127.0.0.1", str(server.port)])


class OfGantry(unittest.TestCase):
    def test_a_job_is_a_task(self):
        with Server() as server:
            a = Connection(server.port)
            a.say(b"put 5 0 60 3\r\nabc\r\n")
            self.assertEqual(a.answer(), b"INSERTED 1\r\n")
            task = server.ask("GET", "/queue/v1/tasks/t_1")
            self.assertEqual((task["task"]["queue"], task["task"]["priority"], task["task"]["lease_s"]), ("default", 5, 60))
            self.assertEqual((task["payload_base64"], task["content_type"]), ("YWJj", "application/octet-stream"))
            server.ask("POST", "/queue/v1/queues/default/tasks", {"payload": {"to": "ann"}, "priority": 1})
            a.say(b"reserve\r\n")
            self.assertEqual(a.answer(), b'RESERVED 2 12\r\n{"to":"ann"}\r\n')
            self.assertTrue(server.ask("GET", "/queue/v1/tasks/t_2")["task"]["lease"]["worker"].startswith("beanstalkd/127.0.0.1"))
            a.close()

    def test_what_is_acknowledged_outlives_a_kill(self):
        with Server() as server:
            a = Connection(server.port)
            a.say(b"".join(b"put 0 0 100 4\r\n%04d\r\n" % n for n in range(500)))
            for n in range(500):
                self.assertEqual(a.answer(), b"INSERTED %d\r\n" % (n + 1))
            a.say(b"reserve\r\ndelete 1\r\n")
            self.assertEqual([a.answer(), a.answer()], [b"RESERVED 1 4\r\n0000\r\n", b"DELETED\r\n"])
            server.stop(signal.SIGKILL)
            a.close()
            server.start()
            a = Connection(server.port)
            a.say(b"".join(b"reserve-with-timeout 0\r\n" for _ in range(500)))
            self.assertEqual([a.answer() for _ in range(500)], [b"RESERVED %d 4\r\n%04d\r\n" % (n + 1, n) for n in range(1, 500)] +
                             [b"TIMED_OUT\r\n"])
            a.close()

    def test_a_page_in_a_browser_is_turned_away(self):
        with Server() as server:
            a = Connection(server.port)
            a.say(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nput 0 0 1 1\r\nx\r\n")
            self.assertEqual([a.answer(), a.answer()], [b"BAD_FORMAT\r\n", b""])
            a.close()


add_cases()
if __name__ == "__main__":
    if not (BEANSTALKD or BEANEATER or FIVEBEANS):
        sys.exit(77)
    unittest.main()
