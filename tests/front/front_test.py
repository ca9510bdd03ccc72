#!/usr/bin/env python3
"""What stands in front of a server: real HAProxy, Apache and nginx with the configurations of `gantry proxy-config`, and nothing at all.
front_test.py GANTRY [unittest's arguments]"""
import http.client
import http.server
import json
import pathlib
import shutil
import socket
import sys
import threading
import time
import unittest

import shared
from proxies import Apache, HAProxy, Nginx
from shared import PASSWORD, Callers, Server, ask, eventually, place_for_nobody, report

SUMMARY, REPORTS = "/tracker/v1/summary", "/tracker/v1/reports"
# Clients on this machine come from 127.0.0.1 unless --interface says otherwise; so does a proxy.
BEHIND = ("--auth.proxies", "127.0.0.1")
NAMED = (*BEHIND, "--auth.proxy-caller-header", "X-Gantry-Caller")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Place(unittest.TestCase):
    """A directory, callers, and what is started, stopped in the end."""
    @classmethod
    def setUpClass(cls):
        cls.place = place_for_nobody()
        cls.addClassCleanup(shutil.rmtree, cls.place, ignore_errors=True)
        cls.callers = Callers(cls.place)

    @classmethod
    def serve(cls, *settings, callers=True, **more):
        server = Server(cls.place, cls.callers if callers else None, *settings, **more)
        cls.addClassCleanup(server.stop)
        return server

    def assert_refused(self, answer, status, code=None):
        self.assertEqual((answer.status, answer.code if code else None), (status, code), answer.body)


class Behind:
    """What holds behind each proxy."""
    proxy_type = None

    @classmethod
    def setUpClass(cls):
        if why := cls.proxy_type.absent():
            raise unittest.SkipTest(why)
        super().setUpClass()
        # The first proxy carries what clients show, and the server says from where they may come; the second checks both itself.
        cls.carried = cls.serve(*BEHIND, "--auth.allow", "127.0.0.1,127.0.0.2")
        cls.carrying = cls.start([cls.carried])
        cls.told = cls.serve(*NAMED)
        passwords = cls.place / "passwords"
        passwords.write_text(cls.password_line("ann") + cls.password_line("zoe"))
        cls.telling = cls.start([cls.told], "--passwords", str(passwords), "--allow", "127.0.0.1", "--allow", "127.0.0.2/32", "--allow",
                                "2001:db8::/32")

    @classmethod
    def password_line(cls, name):
        hashed = shared.subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True, timeout=30)
        return f"{name}:{hashed.stdout}"

    @classmethod
    def start(cls, servers, *options, **more):
        proxy = cls.proxy_type(cls.place, servers, *options, **more)
        cls.addClassCleanup(proxy.stop)
        return proxy

    def test_a_caller_and_the_address_are_carried(self):
        url = self.carrying.url
        read = ask(url + SUMMARY, user="ann", source="127.0.0.2")
        self.assertEqual(read.status, 200, read.body)
        row = self.carried.logged(read)
        self.assertEqual((row["client"], row["caller"]), ("127.0.0.2", "u_ann"))
        self.assertEqual(ask(url + REPORTS, user="ann", body=report("carried")).status, 200)
        self.assertEqual(ask(url + REPORTS, token=self.callers.tokens["bea"], body=report("carried")).status, 200)
        self.assertEqual(self.carried.recorded_by("carried"), ["u_ann", "u_bea"])

    def test_who_shows_nothing_or_something_wrong_is_refused(self):
        url = self.carrying.url + SUMMARY
        missing = ask(url)
        self.assertEqual(missing.status, 401)
        self.assertIn("www-authenticate", missing.headers)
        self.assert_refused(ask(url, user="ann:wrong"), 401, "password_wrong")
        self.assert_refused(ask(url, token="gantry_nonsense"), 401)
        self.assert_refused(ask(url, headers=["X-Gantry-Caller: ann"]), 401)

    def test_an_address_is_refused_whatever_the_client_says(self):
        url, inside, outside = self.carrying.url + SUMMARY, "127.0.0.2", "127.0.0.3"
        for headers in ([], [f"X-Forwarded-For: {inside}"], [f"X-Forwarded-For: {inside}", f"X-Forwarded-For: {inside}"],
                        ["Connection: close, X-Forwarded-For"], ["X-Forwarded-For: unknown"], [f"Forwarded: for={inside}"],
                        [f"X-Forwarded-For: {','.join([inside] * 500)}"]):
            answer = ask(url, user="ann", source=outside, headers=headers)
            self.assert_refused(answer, 403, "address_refused")
            self.assertEqual(self.carried.logged(answer)["client"], outside, headers)
        answer = ask(url, user="ann", source=inside, headers=[f"X-Forwarded-For: {outside}"])
        self.assertEqual((answer.status, self.carried.logged(answer)["client"]), (200, inside))

    def test_trace_and_headers_of_ours_pass(self):
        answer = ask(self.carrying.url + SUMMARY, user="ann", headers=[f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01", "Gantry-Timing: 1"])
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("server-timing", answer.headers)
        self.assertEqual(answer.headers["x-request-id"] if "x-request-id" in answer.headers else answer.request_id, answer.request_id)
        self.assertEqual(self.carried.logged(answer)["trace_id"], TRACE)
        late = ask(self.carrying.url + SUMMARY, user="ann", headers=["Gantry-Timeout: soon"])
        self.assert_refused(late, 400, "request_invalid")

    def test_limits_are_those_of_the_server(self):
        url = self.carrying.url
        fits = [f"X-Large-{n}: {'x' * 7000}" for n in range(3)]
        self.assertEqual(ask(url + SUMMARY, user="ann", headers=fits).status, 200)
        self.assertIn(ask(url + SUMMARY, user="ann", headers=[f"X-Large-{n}: {'x' * 8000}" for n in range(6)]).status, (400, 431))
        self.assertEqual(ask(url + "/tracker/v1/packages/" + "p" * 7500, user="ann").status, 400)
        self.assertIn(ask(url + "/tracker/v1/packages/" + "p" * 9000, user="ann").status, (400, 414))

    def test_paths_pass_as_they_came(self):
        self.assertEqual(ask(self.carrying.url + REPORTS, user="ann", body=report("a/b c")).status, 200)
        answer = ask(self.carrying.url + "/tracker/v1/packages/a%2Fb%20c", user="ann")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("a/b c", answer.body)

    def test_a_put_passes_with_its_body(self):
        change = {"comment": "by a test", "flags": []}
        answer = ask(self.carrying.url + "/_gantry/v1/flags", user="ann", method="PUT", body=change)
        direct = ask(self.told.url + "/_gantry/v1/flags", user="ann", method="PUT", body=change)
        self.assertEqual((answer.status, answer.code), (direct.status, direct.code), answer.body)
        self.assertNotIn(answer.status, (404, 418, 502))

    def test_draining_is_not_for_clients(self):
        self.assertEqual(ask(self.carrying.url + "/health/ready").status, 200)
        for path in ("/health/drain", "/health/dr%61in", "/health/"):
            answer = ask(self.carrying.url + path, "--path-as-is", user="ann", method="POST", body={})
            self.assertIn(answer.status, (403, 404), path)
            self.assertNotIn("code", answer.body, "the proxy's own answer")

    def test_a_live_stream_comes_event_by_event(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.carrying.port, timeout=5)
        self.addCleanup(connection.close)
        connection.request("GET", SUMMARY, headers={"Accept": "text/event-stream", "Authorization": f"Bearer {self.callers.tokens['bea']}"})
        stream = connection.getresponse()
        self.assertEqual((stream.status, stream.headers["Content-Type"]), (200, "text/event-stream"))

        def event():
            while True:
                line = stream.readline().decode()
                self.assertNotEqual(line, "", "the stream ended")
                if line.startswith("data:") and "reports" in line:
                    return json.loads(line[5:])
        seen = event()["reports"]
        for n in range(3):
            self.assertEqual(ask(self.carrying.url + REPORTS, user="ann", body=report(f"live{n}")).status, 200)
            begin = time.monotonic()
            while (now := event()["reports"]) <= seen:
                pass
            self.assertLess(time.monotonic() - begin, 1)
            seen = now

    def test_a_large_upload_is_streamed(self):
        line = (json.dumps(report("upload", note="n" * 1900)) + "\n").encode()
        count = 20 * 1024 * 1024 // len(line) + 1
        upload = socket.create_connection(("127.0.0.1", self.carrying.port), timeout=20)
        self.addCleanup(upload.close)
        upload.sendall((f"POST {REPORTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.callers.tokens['bea']}\r\n"
                        f"Content-Type: application/x-ndjson\r\nContent-Length: {count * len(line)}\r\n\r\n").encode())
        answer = http.client.HTTPResponse(upload)
        got = []

        def read():
            answer.begin()
            got.append(answer.status)
            got.extend(json.loads(row) for row in answer.read().splitlines())
        reader = threading.Thread(target=read)
        reader.start()
        begun = count // 20
        upload.sendall(line * begun)

        def recorded():
            return "upload" in ask(self.carried.url + "/tracker/v1/packages/upload", user="ann").body
        eventually("the beginning is recorded before the rest is sent", recorded)
        upload.sendall(line * (count - begun))
        reader.join(timeout=20)
        self.assertFalse(reader.is_alive(), "no answer to the upload")
        self.assertEqual((got[0], len(got) - 1), (200, count))

    def test_the_proxy_checks_passwords_and_tells_the_caller(self):
        url = self.telling.url
        self.assertEqual(ask(url + REPORTS, user="ann", body=report("told")).status, 200)
        forged = ask(url + REPORTS, user="ann", headers=["X-Gantry-Caller: bea", "x-gantry-caller: bea"], body=report("told"))
        self.assertEqual(forged.status, 200)
        self.assertEqual(self.told.logged(forged)["caller"], "u_ann")
        self.assertEqual(ask(url + REPORTS, token=self.callers.tokens["bea"], headers=["X-Gantry-Caller: ann"], body=report("told")).status,
                         200)
        self.assertEqual(self.told.recorded_by("told"), ["u_ann", "u_ann", "u_bea"])

    def test_the_proxy_refuses_wrong_and_missing_passwords(self):
        url = self.telling.url + SUMMARY
        before = self.told.requests()
        missing = ask(url)
        self.assertEqual(missing.status, 401)
        self.assertIn("Basic", missing.headers["www-authenticate"])
        self.assertEqual(ask(url, user="ann:wrong").status, 401)
        self.assertEqual(ask(url, headers=["X-Gantry-Caller: ann"]).status, 401)
        self.assertEqual(ask(url, user="ann:wrong", headers=["X-Gantry-Caller: ann"]).status, 401)
        self.assertEqual(self.told.requests(), before, "the server saw none of them")
        # A token that is none, with which the proxy lets everybody through, makes nobody.
        self.assert_refused(ask(url, token="nonsense", headers=["X-Gantry-Caller: ann"]), 401)
        self.assertNotEqual(ask(url, headers=["Authorization: Bearer nonsense", "Authorization: Basic YW5uOg==",
                                              "X-Gantry-Caller: ann"]).status, 200)
        self.assertNotEqual(ask(url, user="ann", headers=["Connection: close, X-Gantry-Caller", "X-Gantry-Caller: bea"]).status, 500)

    def test_a_caller_that_the_server_does_not_know_is_nobody(self):
        self.assert_refused(ask(self.telling.url + SUMMARY, user="zoe"), 401, "caller_unknown")

    def test_the_proxy_refuses_addresses(self):
        url = self.telling.url + SUMMARY
        allowed = ask(url, user="ann", source="127.0.0.2")
        self.assertEqual((allowed.status, self.told.logged(allowed)["client"]), (200, "127.0.0.2"))
        before = self.told.requests()
        self.assertEqual(ask(url, user="ann", source="127.0.0.3", headers=["X-Forwarded-For: 127.0.0.2"]).status, 403)
        self.assertEqual(self.told.requests(), before)

    def test_past_the_proxy_its_headers_are_refused(self):
        for headers in (["X-Forwarded-For: 127.0.0.1"], ["X-Gantry-Caller: ann"]):
            self.assert_refused(ask(self.told.url + SUMMARY, source="127.0.0.9", headers=headers), 403, "proxy_untrusted")

    def test_tls_and_names(self):
        key, certificate = make_certificate(self.place, f"of_{self.proxy_type.name}")
        if self.proxy_type is HAProxy:
            certificate.write_text(certificate.read_text() + key.read_text())
        certificate.chmod(0o644), key.chmod(0o644)
        files = ["--certificate", str(certificate), *([] if self.proxy_type is HAProxy else ["--key", str(key)])]
        proxy = self.start([self.carried], *files, "--name", "main.example", "--name", "also.example", tls=True)
        trusted = ["--cacert", str(certificate), "--resolve", f"main.example:{proxy.port}:127.0.0.1", "--resolve",
                   f"also.example:{proxy.port}:127.0.0.1", "--resolve", f"other.example:{proxy.port}:127.0.0.1"]
        url = f"https://main.example:{proxy.port}"
        self.assertEqual(ask(url + SUMMARY, *trusted, user="ann").status, 200)
        self.assertEqual(ask(f"https://also.example:{proxy.port}" + SUMMARY, *trusted, user="ann").status, 200)
        other = ask(f"https://other.example:{proxy.port}" + SUMMARY, *trusted, "-k", user="ann")
        self.assertEqual(other.status, self.proxy_type.refuses_name)
        # The console signs in; its cookie goes by TLS alone.
        signed_in = ask(url + "/_gantry/v1/session", *trusted, user="ann", method="POST", headers=[f"Origin: {url}"], body={})
        self.assertEqual(signed_in.status, 200, signed_in.body)
        self.assertIn("; Secure", signed_in.headers["set-cookie"])

    def test_a_drained_server_gets_nothing_new(self):
        if self.proxy_type is Nginx:
            self.skipTest("nginx has no health checks")
        servers = [self.serve(*BEHIND) for _ in range(2)]
        proxy, token = self.start(servers), self.callers.tokens["bea"]

        def asked():
            before = [server.requests() for server in servers]
            self.assertEqual({ask(proxy.url + SUMMARY, token=token).status for _ in range(6)}, {200})
            return [server.requests() - count for server, count in zip(servers, before)]
        eventually("both are asked", lambda: all(asked()))
        self.assertEqual(ask(servers[0].url + "/health/drain", token=token, method="POST", body={}).status, 200)
        eventually("the drained one is left alone", lambda: asked()[0] == 0)
        self.assertEqual(ask(servers[0].url + "/health/drain", token=token, method="DELETE").status, 200)
        eventually("it is asked again", lambda: asked()[0] > 0)

    def test_one_of_two_servers_goes_without_a_failed_read(self):
        servers = [self.serve(*BEHIND) for _ in range(2)]
        proxy = self.start(servers)
        token, statuses, done = self.callers.tokens["bea"], [], threading.Event()

        def read_on():
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
            while not done.is_set():
                try:
                    connection.request("GET", SUMMARY, headers={"Authorization": f"Bearer {token}"})
                    answer = connection.getresponse()
                    answer.read()
                    statuses.append(answer.status)
                except OSError as broken:
                    statuses.append(repr(broken))
                    connection.close()
            connection.close()
        readers = [threading.Thread(target=read_on) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            eventually("both are asked", lambda: all(server.requests() > 20 for server in servers))
            self.assertEqual(servers[0].stop(), 0)
            stopped = len(statuses)
            eventually("reads go on", lambda: len(statuses) > stopped + 100)
            begin = time.monotonic()
            eventually("it is known to be gone", lambda: time.monotonic() > begin + 1.5)
            self.assertEqual(ask(proxy.url + REPORTS, token=token, body=report("after")).status, 200, "commands go to the other")
        finally:
            done.set()
            for reader in readers:
                reader.join(timeout=15)
        self.assertEqual({status for status in statuses if status != 200}, set())
        self.assertEqual(servers[1].recorded_by("after"), ["u_bea"])


class Follower:
    """A server that is ready but doesn't write."""
    def __init__(self):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                if not self.path.startswith("/health/"):
                    asked.append(self.command)
                body = b"of the follower"
                self.send_response(503 if self.path == "/health/writer" or self.command == "POST" else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = self.command == "POST"
            do_GET = do_POST = answer

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a health check that hangs up
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class NothingInFrontTest(Place):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.serve()
        cls.url = cls.server.url

    def test_headers_of_a_proxy_are_refused(self):
        self.assert_refused(ask(self.url + SUMMARY, user="ann", headers=["X-Forwarded-For: 127.0.0.1"]), 403, "proxy_untrusted")

    def test_passwords_and_tokens(self):
        for shown, caller in (({"user": "ann"}, "u_ann"), ({"token": self.callers.tokens["bea"]}, "u_bea")):
            answer = ask(self.url + REPORTS, **shown, body=report("direct"))
            self.assertEqual(answer.status, 200, answer.body)
            row = self.server.logged(answer)
            self.assertEqual((row["caller"], row["client"]), (caller, "127.0.0.1"))
        self.assertEqual(self.server.recorded_by("direct"), ["u_ann", "u_bea"])
        missing = ask(self.url + SUMMARY)
        self.assertEqual(missing.status, 401)
        self.assertIn("www-authenticate", missing.headers)
        self.assert_refused(ask(self.url + SUMMARY, user="ann:wrong"), 401, "password_wrong")
        self.assert_refused(ask(self.url + SUMMARY, user="nobody:wrong"), 401, "password_wrong")
        self.assertEqual(ask(self.url + SUMMARY, token="gantry_nonsense").status, 401)
        self.assertEqual(ask(self.url + "/health/ready").status, 200)

    def test_who_guesses_waits(self):
        statuses = [ask(self.url + SUMMARY, user=f"guess:{n}", source="127.0.0.77").status for n in range(7)]
        self.assertEqual(statuses[:5], [401] * 5)
        self.assertIn(429, statuses[5:])
        self.assertEqual(ask(self.url + SUMMARY, user="ann").status, 200, "from elsewhere it goes on")

    def test_revoked_and_expired_tokens(self):
        callers = Callers(pathlib.Path(shared.tempfile.mkdtemp(dir=self.place)))
        callers.add("cid")
        callers.add("dan", "--expires", "2s")
        server = Server(self.place, callers)
        self.addCleanup(server.stop)
        self.assertEqual(ask(server.url + SUMMARY, token=callers.tokens["cid"]).status, 200)
        shared.gantry("auth", "revoke", "cid", "--data", server.data)
        for name, code in (("cid", "token_revoked"), ("dan", "token_expired")):
            def refused():
                answer = ask(server.url + SUMMARY, token=callers.tokens[name])
                return answer if answer.status != 200 else None
            self.assert_refused(eventually(f"{name} is refused", refused), 401, code)
        self.assertEqual(ask(server.url + SUMMARY, token=callers.tokens["bea"]).status, 200)

    def test_address_lists_of_v4_and_v6(self):
        try:
            server = self.serve("--auth.allow", "127.0.0.0/30,::1", listen="[::]:0")
        except AssertionError as absent:
            if "::" in str(absent):
                self.skipTest(f"no IPv6 here: {absent}")
            raise
        for host, source, status in (("127.0.0.1", "127.0.0.2", 200), ("127.0.0.1", "127.0.0.4", 403), ("[::1]", None, 200)):
            answer = ask(f"http://{host}:{server.port}" + SUMMARY, user="ann", source=source)
            self.assertEqual(answer.status, status, (host, source, answer.body))
            self.assertEqual(server.logged(answer)["client"], source or "::1")
        other = self.serve("--auth.allow", "127.0.0.1,2001:db8::/32", listen="[::]:0")
        self.assert_refused(ask(f"http://[::1]:{other.port}" + SUMMARY, user="ann"), 403, "address_refused")
        self.assertEqual(ask(f"http://127.0.0.1:{other.port}" + SUMMARY, user="ann").status, 200)

    def test_client_certificates(self):
        callers = Callers(pathlib.Path(shared.tempfile.mkdtemp(dir=self.place)))
        shared.gantry("auth", "add", "eve", "--certificate", "eve.example", "--scope", "*", "--data", callers.data)
        key, certificate = make_certificate(self.place, "server")
        authority = make_certificate(self.place, "authority", "/CN=authority")
        server = Server(self.place, callers, "--http.tls-certificate", certificate, "--http.tls-key", key, "--http.tls-client-ca",
                        authority[1])
        self.addCleanup(server.stop)

        def show(own, **more):
            shown = ("--cert", own[1], "--key", own[0]) if own else ()
            return ask(f"https://localhost:{server.port}{SUMMARY}", "--cacert", certificate, "--resolve",
                       f"localhost:{server.port}:127.0.0.1", *shown, **more)
        for name, subject, issuer, status in (("eve", "/CN=eve.example", authority, 200), ("mal", "/CN=mal.example", authority, 401)):
            answer = show(make_certificate(self.place, name, subject, issuer))
            self.assertEqual(answer.status, status, answer.body)
            if status == 200:
                self.assertEqual(server.logged(answer)["caller"], "u_eve")
        with self.assertRaises(AssertionError):
            show(make_certificate(self.place, "forged", "/CN=eve.example"))
        self.assertEqual(show(None, user="ann").status, 200, "without a certificate a password does")


class PrintedTest(Place):
    def refused(self, *arguments):
        done = shared.subprocess.run([shared.GANTRY, "proxy-config", *arguments], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
        return done.stderr

    def test_what_would_break_out_of_its_word_is_refused(self):
        for proxy in ("haproxy", "apache", "nginx"):
            for option, value in (("--server", "10.0.0.5"), ("--server", "10.0.0.5:0"), ("--server", "a b:80"), ("--listen", "here:80"),
                                  ("--listen", "*:0"), ("--certificate", "relative.pem"), ("--certificate", "/a b.pem"),
                                  ("--certificate", "/a;b.pem"), ("--name", "a b"), ("--name", "a;b"), ("--allow", "10.0.0.1/8"),
                                  ("--allow", "all"), ("--passwords", "/a\n.htpasswd"), ("--caller-header", "X Y"), ("--proxy", "x")):
                self.assertIn(option, self.refused(proxy, option, value), (proxy, value))
            self.assertIn("--proxy", self.refused(proxy, "--server", "10.0.0.5:8080"), "from where will the servers see it?")
            self.assertIn("--key", self.refused(proxy, "--key", "/k.pem"))
        self.assertIn("cat", self.refused("haproxy", "--certificate", "/c.pem", "--key", "/k.pem"))

    def test_the_lines_for_the_servers_are_told(self):
        for proxy in ("apache", "nginx"):
            printed = shared.gantry("proxy-config", proxy, "--server", "10.0.0.5:8080", "--server", "[2001:db8::5]:8080", "--proxy",
                                    "10.0.0.1", "--passwords", "/etc/gantry.htpasswd", "--allow", "10.0.0.0/8", "--caller-header", "X-Who")
            for line in ('proxies = ["10.0.0.1"]', 'proxy_address_header = "X-Forwarded-For"', 'proxy_caller_header = "X-Who"',
                         'allow = ["10.0.0.0/8"]'):
                self.assertIn(f"\n#   {line}", printed)
            self.assertIn("[2001:db8::5]:8080", printed)


def make_certificate(place, name, subject="/CN=main.example", issuer=None):
    """A key and a certificate for the hosts of these tests; self-signed, or by an issuer (key, certificate)."""
    key, certificate = place / f"{name}.key", place / f"{name}.pem"
    shared.subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                           "-keyout", key, "-out", certificate, "-subj", subject, "-addext",
                           "subjectAltName=DNS:main.example,DNS:also.example,DNS:localhost",
                           *(["-CA", issuer[1], "-CAkey", issuer[0]] if issuer else [])],
                          check=True, capture_output=True, timeout=30)
    return key, certificate


class HAProxyTest(Behind, Place):
    proxy_type = HAProxy

    def test_commands_go_to_the_writer_alone(self):
        writer = self.serve(*BEHIND)
        follower = Follower()
        self.addCleanup(follower.stop)
        proxy = self.start([follower, writer], "--commands-to-writer")

        def only_the_writer():
            # Until the first checks the other counts as a writer, too.
            asked = [ask(proxy.url + REPORTS, user="ann", body=report("written")) for _ in range(4)]
            return all(answer.status == 200 for answer in asked)
        eventually("commands reach the writer alone", only_the_writer)
        early = follower.asked.count("POST")
        self.assertTrue(only_the_writer())
        self.assertEqual(follower.asked.count("POST"), early)
        eventually("reads go to the other, too", lambda: ask(proxy.url + SUMMARY, user="ann").body == "of the follower")

    def test_passwords_that_it_can_not_check_are_refused_by_their_line(self):
        passwords = self.place / "of_apache"
        for text, why in (("ann:$apr1$5EjbnGOV$abc\n", "passwords"), ("# none\n", "nobody"), ("ann: x\n", "passwords"),
                          ("an n:$6$a$b\n", "passwords"), ("ann:$6$a$b\nbea:$6$a b\n", ":2:")):
            passwords.write_text(text)
            done = shared.subprocess.run([shared.GANTRY, "proxy-config", "haproxy", "--passwords", passwords], capture_output=True,
                                         text=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (2, ""), text)
            self.assertIn(why, done.stderr)


class ApacheTest(Behind, Place):
    proxy_type = Apache


class NginxTest(Behind, Place):
    proxy_type = Nginx


if __name__ == "__main__":
    for needed in ("curl", "openssl"):
        if not shutil.which(needed):
            print(f"{needed} is not installed")
            sys.exit(77)
    shared.GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
