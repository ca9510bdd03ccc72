"""Many connections on one thread, each of which asks and waits for its answer."""
import json
import select
import socket
import time

PATIENCE_S = 120


class Member:
    def __init__(self, crowd, number, port):
        self.crowd, self.number = crowd, number
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.text, self.asked, self.asked_at = b"", b"", 0
        self.answer = None  # status, body and when it came
        self.asks_again = True  # while the server says 503: as many requests came at once as it takes
        crowd.by_fd[self.socket.fileno()] = self
        crowd.epoll.register(self.socket.fileno(), select.EPOLLIN)

    def send(self, data):
        self.answer, self.asked, self.asked_at = None, data, time.monotonic()
        self.socket.sendall(data)

    def leave(self):
        self.crowd.epoll.unregister(self.socket.fileno())
        del self.crowd.by_fd[self.socket.fileno()]
        self.socket.close()

    def hear(self):
        """True: its answer is whole."""
        came = self.socket.recv(65536)
        self.text += came
        whole = self.whole()
        if not came and not whole:
            raise AssertionError(f"connection {self.number} was closed: {self.text!r}")
        if whole and self.answer[0] == 503 and self.asks_again:
            self.crowd.come_again(self)
            return False
        return whole


class HttpMember(Member):
    def reserve(self, queues, wait_ms):
        body = json.dumps({"worker": f"w{self.number}", "wait_ms": wait_ms, "queues": queues[1:]}).encode()
        self.send(b"POST /queue/v1/queues/%s/reserve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%s" % (queues[0].encode(), len(body), body))

    def whole(self):
        head, found, body = self.text.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        if not found or len(body) < int(headers["content-length"]):
            return False
        self.answer, self.text = (int(lines[0].split()[1]), json.loads(body), time.monotonic(), headers), b""
        return True

    def tasks(self):
        status, said = self.answer[:2]
        assert status == 200, (status, said)
        return [lease["task"] for lease in said["leases"]]


class BeanstalkdMember(Member):
    def reserve(self, queues, wait_ms):
        watched = b"".join(b"watch %s\r\n" % queue.encode() for queue in queues)
        self.send(watched + b"ignore default\r\nreserve-with-timeout %d\r\n" % (wait_ms // 1000))

    def whole(self):
        lines = [line for line in self.text.split(b"\r\n") if not line.startswith(b"WATCHING")]
        if lines[0].startswith(b"RESERVED") and len(lines) > 2:
            self.answer, self.text = (200, ["t_" + lines[0].split()[1].decode()], time.monotonic()), b""
            return True
        if len(lines) > 1 and not lines[0].startswith(b"RESERVED"):
            assert lines[0] in (b"TIMED_OUT", b"OUT_OF_MEMORY"), self.text
            self.answer, self.text = (200 if lines[0] == b"TIMED_OUT" else 503, [], time.monotonic()), b""
            return True
        return False

    def tasks(self):
        return self.answer[1]


class Crowd:
    def __init__(self):
        self.epoll, self.by_fd, self.refused = select.epoll(), {}, 0
        self.again = []  # when, and who: those who were told to come again, which isn't at once, nor all together

    def come_again(self, member):
        self.refused += 1
        self.again.append((time.monotonic() + 0.5 + member.number % 100 / 100, member))

    def hear(self, timeout_s):
        now = time.monotonic()
        for _, member in (due := [late for late in self.again if late[0] <= now]):
            if member in self.by_fd.values():
                member.send(member.asked)
        self.again = [late for late in self.again if late not in due]
        timeout_s = min([timeout_s, *(max(0, when - now) for when, _ in self.again)])
        return [self.by_fd[fd] for fd, _ in self.epoll.poll(timeout_s) if self.by_fd[fd].hear()]

    def hear_so_many(self, count):
        """The first so many that are answered from now on."""
        answered, deadline = [], time.monotonic() + PATIENCE_S
        while len(answered) < count:
            answered += self.hear(1)
            assert time.monotonic() < deadline, f"{len(answered)} of {count} were answered within {PATIENCE_S} s"
        return answered
