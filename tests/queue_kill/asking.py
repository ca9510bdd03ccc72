"""A connection that is kept, and asks until the server is there."""
import http.client
import json
import time

PATIENCE_S = 60


class Asking:
    def __init__(self, url):
        self.address = url.removeprefix("http://")
        self.connection = None

    def once(self, method, path, body=None, key=None, kind="application/json"):
        """Status and answer; None: nobody knows whether it was done."""
        headers = {"Content-Type": kind}
        if key:
            headers["Idempotency-Key"] = key
        data = None if body is None else body if isinstance(body, str) else json.dumps(body)
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(self.address, timeout=30)
            self.connection.request(method, path, data, headers)
            reply = self.connection.getresponse()
            text = reply.read().decode()
            if reply.status == 503:
                self.heard = text
                return None
            if "ndjson" in kind:
                return reply.status, [json.loads(line) for line in text.splitlines()]
            return reply.status, json.loads(text)
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as fault:
            self.heard = repr(fault)
            if self.connection:
                self.connection.close()
            self.connection = None
            return None

    def until_answered(self, method, path, body=None, key=None, kind="application/json"):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self.once(method, path, body, key, kind)
            if answer:
                return answer
            time.sleep(0.02)  # a server that was killed starts anew
        raise SystemExit(f"the server does not come back: {method} {path}: {self.heard}")
