#!/usr/bin/env python3
"""Accounts as people and programs meet them: the first link, signing in, tokens, streams that end, restarts, two versions of the API.
accounts_test.py GANTRY"""
import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
CHEAP = ["--accounts.password-memory-mib", "1", "--accounts.password-passes", "1"]
PASSWORD = "correct horse battery"


def eventually(check, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.02)
    return check()


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def code_of(seed, step):
    mac = hmac.new(base64.b32decode(seed), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"


class Answer:
    def __init__(self, reply):
        self.status, self.headers, self.text = reply.status, reply.headers, reply.read().decode()
        self.json = json.loads(self.text) if self.text.startswith("{") else {}
        self.code = self.json.get("code")


class Server:
    def __init__(self, data, *arguments, services=("accounts", "tracker"), port=0):
        self.data = data
        self.log = open(str(data) + ".log", "a+")
        command = [GANTRY, "serve", *services, "--data", str(data), "--listen", f"127.0.0.1:{port}", *CHEAP, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening ").strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def first_link(self):
        line = self.process.stdout.readline()
        assert line.startswith("first account: "), line
        return line.removeprefix("first account: ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()

    def ask(self, method, path, body=None, token=None, cookie=None, connection=None, **headers):
        mine = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token:
            headers["Authorization"] = "Bearer " + token
        if cookie:
            headers["Cookie"] = cookie
        mine.request(method, path, None if body is None else json.dumps(body), headers)
        answer = Answer(mine.getresponse())
        if not connection:
            mine.close()
        return answer

    def sign_in(self, name, password=PASSWORD, **headers):
        answer = self.ask("POST", "/_gantry/v1/session", Authorization=basic(name, password), **headers)
        return answer, (answer.headers.get("Set-Cookie") or "").split(";")[0]

    def gantry(self, *arguments, given=None):
        ran = subprocess.run([GANTRY, *arguments], input=given, capture_output=True, text=True, timeout=60,
                             env={**os.environ, "GANTRY_SERVER_DATA": str(self.data)})
        return ran.returncode, ran.stdout, ran.stderr

    def set_up(self):
        code, out, err = self.gantry("account", "setup", self.first_link(), "--email", "ann@example.org", "--name", "Ann",
                                     given=PASSWORD + "\n")
        assert code == 0, err
        return out


class Stream:
    """Server-sent events, read by a thread until they end."""

    def __init__(self, server, path, token):
        self.ended_at = None
        self.text = ""
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.connection.request("GET", path, headers={"Accept": "text/event-stream", "Authorization": "Bearer " + token})
        self.reply = self.connection.getresponse()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while piece := self.reply.read1(65536):
            self.text += piece.decode()
        self.ended_at = time.monotonic()


class Accounts(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gantry-accounts-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def served(self, *arguments, **options):
        return Server(self.dir / "data", *arguments, **options)

    def test_the_first_link_makes_the_first_account_once(self):
        with self.served() as server:
            self.assertEqual(server.ask("GET", "/tracker/v1/summary").status, 200, "open, as long as nobody is known")
            link = server.first_link()
            body = {"proof": link.rsplit("/", 1)[1], "name": "Ann", "email": "ann@example.org", "password": PASSWORD}
            self.assertEqual(server.ask("POST", "/accounts/v1/setup", {**body, "proof": "x" * 32}).code, "link_wrong")
            self.assertEqual(server.ask("POST", "/accounts/v1/setup", body).status, 201)
            self.assertEqual(server.ask("POST", "/accounts/v1/setup", body).code, "already_set_up")
            self.assertEqual(server.ask("GET", "/tracker/v1/summary").code, "credentials_missing")
        with self.served() as server:
            self.assertEqual(server.ask("GET", "/tracker/v1/summary").code, "credentials_missing")
        logged = pathlib.Path(str(self.dir / "data") + ".log").read_text()
        self.assertNotIn(PASSWORD, logged)
        for file in (self.dir / "data").rglob("*"):
            if file.is_file() and file.name != "server.json":
                self.assertNotIn(PASSWORD.encode(), file.read_bytes(), file)

    def test_accounts_alone_are_closed_from_the_start(self):
        with self.served("--auth.source", "accounts") as server:
            self.assertEqual(server.ask("GET", "/tracker/v1/summary").code, "credentials_missing")
            server.set_up()
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", Authorization=basic("ann@example.org", PASSWORD)).status, 200)

    def test_signing_in_out_and_a_restart(self):
        with self.served() as server:
            server.set_up()
            wrong, _ = server.sign_in("ann@example.org", "wrong password")
            unknown, _ = server.sign_in("bob@example.org")
            self.assertEqual((wrong.status, wrong.code), (401, "password_wrong"))
            self.assertEqual((unknown.status, unknown.json["detail"]), (401, wrong.json["detail"]))
            made, cookie = server.sign_in("ann@example.org", User_Agent="Tester")
            self.assertEqual(made.status, 200, made.text)
            self.assertRegex(made.headers["Set-Cookie"], "HttpOnly; SameSite=Strict")
            _, other = server.sign_in("Ann@Example.org")
            self.assertEqual(server.ask("GET", "/accounts/v1/me", cookie=cookie).json["id"], "u_1")
            stranger = {"cookie": cookie, "Origin": "https://elsewhere.example", "Sec_Fetch_Site": "cross-site"}
            self.assertEqual(server.ask("PUT", "/accounts/v1/me/name", {"name": "Eve"}, **stranger).code, "cross_site")
            listed = server.ask("GET", "/_gantry/v1/sessions", cookie=cookie).json["items"]
            self.assertEqual([s["current"] for s in listed], [False, True])
            self.assertEqual(listed[1]["device"], "Tester")
        with self.served() as server:
            self.assertEqual(server.ask("GET", "/accounts/v1/me", cookie=cookie).json["id"], "u_1", "a restart keeps sessions")
            self.assertEqual(server.ask("DELETE", "/_gantry/v1/session", cookie=cookie).status, 204)
            self.assertEqual(server.ask("GET", "/accounts/v1/me", cookie=cookie).status, 401)
            self.assertEqual(server.ask("GET", "/accounts/v1/me", cookie=other).status, 200)
            self.assertEqual(server.ask("DELETE", "/accounts/v1/me/sessions", cookie=other).json["ended"], 1)
            self.assertEqual(server.ask("GET", "/accounts/v1/me", cookie=other).status, 401)

    def test_a_revoked_token_ends_its_open_stream_within_a_second(self):
        with self.served() as server:
            server.set_up()
            code, token, err = server.gantry("token", "add", "ann@example.org", "--name", "ci", "--scope", "tracker:*", "--expires", "90d")
            self.assertEqual(code, 0, err)
            token = token.strip()
            self.assertRegex(token, r"^gnt_t1_")
            self.assertIn("shown once", err)
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", token=token).status, 200)
            self.assertEqual(server.ask("GET", "/accounts/v1/me", token=token).code, "scope_missing")
            stream = Stream(server, "/tracker/v1/summary", token)
            self.assertTrue(eventually(lambda: "in_flight" in stream.text))
            began = time.monotonic()
            self.assertEqual(server.gantry("token", "revoke", "t1")[1], "t1 of u_1 is revoked\n")
            stream.thread.join(timeout=10)
            stream.connection.close()
            self.assertIsNotNone(stream.ended_at)
            self.assertLess(stream.ended_at - began, 1.0)
            self.assertIn("caller_ended", stream.text)
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", token=token).code, "token_revoked")
            self.assertIn("revoked", server.gantry("token", "list", "u_1")[1])

    def test_a_disabled_account_is_out_at_once(self):
        with self.served() as server:
            server.set_up()
            made = server.gantry("account", "add", "bob@example.org", "--scope", "tracker:*", "--password", given=PASSWORD + "\n")
            self.assertEqual(made[0], 0, made)
            _, cookie = server.sign_in("bob@example.org")
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", cookie=cookie).status, 200)
            kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            self.addCleanup(kept.close)
            shown = basic("bob@example.org", PASSWORD)
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", connection=kept, Authorization=shown).status, 200)
            self.assertEqual(server.gantry("account", "disable", "bob@example.org", "--note", "left")[0], 0)
            again = lambda: server.ask("GET", "/tracker/v1/summary", connection=kept, Authorization=shown).code  # noqa: E731
            self.assertTrue(eventually(lambda: again() == "caller_disabled", 1))
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", cookie=cookie).status, 401)
            self.assertEqual(server.gantry("account", "enable", "bob@example.org")[0], 0)
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", Authorization=shown).status, 200)

    def test_merged_accounts_say_so(self):
        with self.served() as server:
            server.set_up()
            server.gantry("account", "add", "old@example.org", "--password", given="battery staple\n")
            code, out, err = server.gantry("account", "merge", "old@example.org", "--into", "ann@example.org")
            self.assertEqual(code, 0, err)
            self.assertIn("old@example.org", out)
            self.assertEqual(server.sign_in("old@example.org", "battery staple")[0].code, "account_merged")
            self.assertEqual(server.sign_in("old@example.org")[0].status, 200)
            self.assertEqual(server.gantry("account", "merge", "u_1", "--into", "u_2")[0], 1)

    def test_codes_count_once(self):
        with self.served() as server:
            server.set_up()
            _, cookie = server.sign_in("ann@example.org")
            seed = server.ask("POST", "/accounts/v1/me/codes", {}, cookie=cookie).json["seed"]
            step = int(time.time()) // 30
            confirmed = server.ask("POST", "/accounts/v1/me/codes/confirm", {"code": code_of(seed, step - 1)}, cookie=cookie)
            self.assertEqual(confirmed.status, 200, confirmed.text)
            recovery = confirmed.json["recovery"]
            self.assertEqual(len(recovery), 10)
            self.assertEqual(server.sign_in("ann@example.org")[0].code, "code_missing")
            code = code_of(seed, int(time.time()) // 30)
            self.assertEqual(server.sign_in("ann@example.org", Gantry_Code=code)[0].status, 200)
            self.assertEqual(server.sign_in("ann@example.org", Gantry_Code=code)[0].code, "code_wrong")
            self.assertEqual(server.sign_in("ann@example.org", Gantry_Code=recovery[0])[0].status, 200)
            self.assertEqual(server.sign_in("ann@example.org", Gantry_Code=recovery[0])[0].code, "code_wrong")
            shown = basic("ann@example.org", PASSWORD)
            feed = server.ask("GET", "/accounts/v1/events?limit=1000", Authorization=shown, Gantry_Code=recovery[1])
            self.assertIn("codes_on", feed.text)
            for hidden in ("kept", "verifier", seed, recovery[2], "argon2"):
                self.assertNotIn(hidden, feed.text)
            kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            self.addCleanup(kept.close)
            with_code = server.ask("GET", "/accounts/v1/me", connection=kept, Authorization=shown, Gantry_Code=recovery[3])
            self.assertEqual(with_code.status, 200, "and on the same connection, with the same password:")
            self.assertEqual(server.ask("GET", "/accounts/v1/me", connection=kept, Authorization=shown).code, "code_missing")
            self.assertEqual(server.gantry("account", "codes-off", "u_1")[0], 0)
            self.assertEqual(server.sign_in("ann@example.org")[0].status, 200)
        for file in (self.dir / "data").rglob("*"):
            if file.is_file():
                bytes_of = file.read_bytes()
                self.assertFalse(seed.encode() in bytes_of or base64.b32decode(seed) in bytes_of or recovery[1].encode() in bytes_of, file)

    def test_an_address_is_proved_by_the_mails_link(self):
        with self.served() as server:
            server.set_up()
            _, cookie = server.sign_in("ann@example.org")
            self.assertEqual(server.ask("POST", "/accounts/v1/me/emails", {"email": "ann@home.example"}, cookie=cookie).status, 202)
            mails = eventually(lambda: list((self.dir / "data" / "mail").glob("*.eml")))
            text = mails[0].read_text()
            self.assertIn("To: ann@home.example", text)
            proof = re.search(r"/#/verify/(u_\d+)/(\S+)/(\S{32})$", text, re.M)
            body = {"id": proof[1], "email": urllib.parse.unquote(proof[2]), "proof": proof[3]}
            self.assertEqual(server.ask("POST", "/accounts/v1/emails/verify", body).status, 200)
            self.assertEqual(server.ask("POST", "/accounts/v1/emails/verify", body).code, "link_wrong")
            self.assertEqual(server.sign_in("ann@home.example")[0].status, 200)
        for file in (self.dir / "data" / "main" / "accounts").rglob("*"):
            if file.is_file():
                self.assertNotIn(proof[3].encode(), file.read_bytes(), file)

    def test_both_versions_run_at_once_and_the_old_one_is_counted(self):
        with self.served() as server:
            server.set_up()
            token = server.gantry("token", "add", "u_1")[1].strip()
            failures = []

            def client(version, number):
                for i in range(20):
                    email = f"v{version}-{number}-{i}@example.org"
                    body = {"email": email, "username": "x"} if version == 1 else {"name": email, "login": email}
                    made = server.ask("POST", f"/accounts/v{version}/users", body, token=token)
                    read = server.ask("GET", f"/accounts/v{version}/users/{made.json.get('id')}", token=token)
                    old = {"username": email, "email": email}
                    right = all(read.json.get(k) == v for k, v in old.items()) if version == 1 else \
                        "username" not in read.json and read.json.get("login") == email
                    if made.status != 201 or not right or (version == 1) != ("Sunset" in read.headers):
                        failures.append((made.text, read.text))

            threads = [threading.Thread(target=client, args=(version, n)) for version in (1, 2) for n in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertEqual(len(server.ask("GET", "/accounts/v1/users?limit=1000", token=token).json["items"]), 81)
            self.assertEqual(len(server.ask("GET", "/accounts/v2/users?limit=1000", token=token).json["items"]), 81)
            self.assertIn("2027", server.ask("GET", "/accounts/v1/users/u_1", token=token).headers["Sunset"])
            metrics = server.ask("GET", "/metrics", token=token).text
            counted = r'gantry_http_deprecated_requests_total\{[^}]*route="/accounts/v1/users"[^}]*caller="u_1"\} \d+'
            self.assertRegex(metrics, counted, "who still calls version 1")

    def test_a_token_of_another_site_is_unknown(self):
        with self.served("--server.sites", "main,acme") as server:
            self.assertTrue(eventually(lambda: server.gantry("account", "list")[0] == 0))
            server.set_up()
            link = server.first_link()
            made = server.ask("POST", "/accounts/v1/setup", {"proof": link.rsplit("/", 1)[1], "name": "A", "email": "a@example.org",
                                                             "password": PASSWORD}, Host="acme.localhost")
            self.assertEqual(made.status, 201, made.text)
            token = server.gantry("token", "add", "u_1")[1].strip()
            self.assertEqual(server.ask("GET", "/accounts/v1/me", token=token, Host="main.localhost").status, 200)
            self.assertEqual(server.ask("GET", "/accounts/v1/me", token=token, Host="acme.localhost").code, "token_unknown")

    def test_a_thousand_attempts_a_second_are_slowed_and_others_served(self):
        with self.served() as server:
            server.set_up()
            token = server.gantry("token", "add", "u_1")[1].strip()
            kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            self.addCleanup(kept.close)
            self.assertEqual(server.ask("GET", "/tracker/v1/summary", token=token, connection=kept).status, 200)
            counts, slowest, end = {}, 0, time.monotonic() + 2

            def guess(number):
                mine = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                self.addCleanup(mine.close)
                while time.monotonic() < end:
                    shown = basic(f"u{number}@example.org", "guess it now")
                    answer = server.ask("GET", "/tracker/v1/summary", connection=mine, Authorization=shown)
                    counts[answer.status] = counts.get(answer.status, 0) + 1

            threads = [threading.Thread(target=guess, args=(n,)) for n in range(8)]
            for thread in threads:
                thread.start()
            while time.monotonic() < end:
                began = time.monotonic()
                self.assertEqual(server.ask("GET", "/tracker/v1/summary", token=token, connection=kept).status, 200)
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.01)
            for thread in threads:
                thread.join()
            self.assertLessEqual(set(counts), {401, 429, 503}, counts)
            self.assertGreater(counts.get(429, 0), 10 * counts.get(401, 0), counts)
            self.assertLess(slowest, 1.0)
            print(f"{sum(counts.values()) / 2:.0f} attempts/s: {counts}, a token's slowest answer {slowest * 1000:.0f} ms", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
