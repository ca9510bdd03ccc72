#!/usr/bin/env python3
"""One login for all tools: real relying parties against the OpenID Connect provider of the service accounts. Debian's Apache with
mod_auth_openidc, the npm package openid-client, and Chromium on the way between them. oidc_test.py GANTRY. 77: there is none of them."""
import base64
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

from apache import Apache, absent, free_port
from browser import Browser

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PLAYWRIGHT = ROOT / "tests/console/node_modules/playwright-core/index.mjs"
CLIENT = HERE / "node_modules/openid-client/build/index.js"
PASSWORD = "correct horse battery"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CHEAP = ["--accounts.password-memory-mib", "1", "--accounts.password-passes", "1"]


def eventually(check, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    return check()


class Server:
    """gantry serve accounts, with ann (who may do everything) and bob, at an address that is known before."""

    def __init__(self, place, *arguments, url="http://127.0.0.1:{port}"):
        self.place, self.port = pathlib.Path(place), free_port()
        self.url = url.replace("{port}", str(self.port))
        self.issuer = self.url + "/accounts/oidc"
        self.log = open(self.place / "log", "a+")
        command = [GANTRY, "serve", "accounts", "--data", str(self.place / "data"), "--listen", f"127.0.0.1:{self.port}",
                   "--accounts.url", self.url, *CHEAP, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.process.stdout.readline()
        link = self.first_link()
        self.gantry("account", "setup", link, "--email", "ann@example.org", "--name", "Ann", given=PASSWORD + "\n")
        self.bob = self.ask("POST", "/accounts/v2/users", {"name": "Bob", "login": "bob@example.org", "password": PASSWORD})["id"]

    def first_link(self):
        return self.process.stdout.readline().removeprefix("first account: ").strip()

    def gantry(self, *arguments, given=None):
        ran = subprocess.run([GANTRY, *arguments], input=given, capture_output=True, text=True, timeout=60,
                             env={**os.environ, "GANTRY_SERVER_DATA": str(self.place / "data")})
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def ask(self, verb, path, body=None):
        out = self.gantry("call", verb, path, *([] if body is None else [json.dumps(body)]))
        return json.loads(out) if out.strip() else {}

    def tool(self, name, home, redirect_uri, **more):
        made = self.ask("POST", "/accounts/v1/tools", {"name": name, "home": home, "redirect_uris": [redirect_uri], **more})
        eventually(lambda: self.ask("GET", "/accounts/v1/oidc-keys")["items"])
        return made["tool"]["id"], made.get("secret")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()


class Oidc(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gantry-oidc-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.chmod(0o755)
        (self.dir / "server").mkdir()
        self.server = Server(self.dir / "server")
        self.addCleanup(self.server.stop)
        self.browser = Browser()

    def apache(self, name):
        """A tool behind Apache, on another site than the provider: localhost, not 127.0.0.1."""
        if why := absent():
            self.skipTest(why)
        port = free_port()
        home = f"http://localhost:{port}"
        client, secret = self.server.tool(name, f"{home}/page", f"{home}/callback", after_logout_uris=[f"{home}/public/bye"],
                                          backchannel_logout_uri=f"http://127.0.0.1:{port}/callback?logout=backchannel")
        (self.dir / name).mkdir(mode=0o755)
        served = Apache(self.dir / name, port, self.server.issuer, client, secret)
        self.addCleanup(served.stop)
        return served

    def app(self, **more):
        """A tool that openid-client speaks for; nothing listens where it is."""
        return self.server.tool("App", "http://localhost:9/", "http://localhost:9/callback", **more)

    def relying_party(self, client, secret=None):
        if not CLIENT.exists():
            self.skipTest("openid-client is not installed: tools/setup.sh")
        command = ["node", HERE / "relying_party.mjs", self.server.issuer, client, *([secret] if secret else [])]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)

        def heard():
            line = process.stdout.readline()
            return json.loads(line) if line else self.fail(process.stderr.read())

        def tell(text):
            process.stdin.write(text + "\n")
            process.stdin.flush()
            return heard()
        return heard, tell

    def test_apache_knows_its_users_by_the_provider_alone(self):
        wiki = self.apache("wiki")
        at_login = self.browser.go(wiki.url + "/page")
        self.assertIn("/#/signin/once/", at_login.url)
        page = self.browser.sign_in(at_login, "bob@example.org", PASSWORD)
        self.assertEqual((page.status, page.headers["X-User"]), (200, f"{self.server.bob} bob@example.org"), wiki.complaints())
        # Another tool asks for no password; its page sent the browser, so our own has to send it once more.
        other = self.apache("lists")
        self.browser.visited.clear()
        page = self.browser.go(other.url + "/page")
        self.assertEqual((page.status, page.headers["X-User"]), (200, f"{self.server.bob} bob@example.org"), other.complaints())
        self.assertTrue(any("gantry_step=1" in url for url in self.browser.visited), self.browser.visited)
        # Out of one is out of all: the session here ends, and both tools are told.
        out = self.browser.go(f"{wiki.url}/callback?logout=" + urllib.parse.quote(wiki.url + "/public/bye", safe=""))
        self.assertEqual((out.status, out.url), (200, wiki.url + "/public/bye"), wiki.complaints())
        ended = lambda: "/#/signin/" in self.browser.go(other.url + "/page").url
        self.assertTrue(eventually(ended), other.complaints())

    def test_apache_lets_out_whom_the_provider_ended(self):
        wiki = self.apache("wiki")
        self.browser.sign_in(self.browser.go(wiki.url + "/page"), "bob@example.org", PASSWORD)
        self.assertEqual(self.browser.go(wiki.url + "/page").status, 200)
        self.server.ask("POST", f"/accounts/v2/users/{self.server.bob}/disable", {})
        self.assertTrue(eventually(lambda: "/#/signin/" in self.browser.go(wiki.url + "/page").url), wiki.complaints())
        with self.assertRaises(AssertionError) as refused:
            self.browser.sign_in(self.browser.go(wiki.url + "/page"), "bob@example.org", PASSWORD)
        self.assertIn("caller_disabled", str(refused.exception))

    def test_openid_client_gets_and_renews_tokens(self):
        for is_public in (False, True):
            with self.subTest(is_public=is_public):
                client, secret = self.app(is_public=is_public)
                heard, tell = self.relying_party(client, secret)
                self.browser = Browser()
                back = self.browser.sign_in(self.browser.go(heard()["url"]), "bob@example.org", PASSWORD)
                told = tell(back.url)
                self.assertEqual(told["claims"]["sub"], self.server.bob)
                self.assertEqual((told["info"]["email"], told["info"]["name"]), ("bob@example.org", "Bob"))
                self.assertLessEqual(told["expires_in"], 600)
                self.assertEqual(heard(), {"refreshed": self.server.bob, "active": None if is_public else True})
                self.assertEqual(tell("info")["done"]["sub"], self.server.bob)
                self.assertEqual(tell("reuse")["refused"]["error"], "invalid_grant")
                self.assertEqual(tell("refresh")["refused"]["error"], "invalid_grant", "the family is ended")
                self.assertEqual(tell("info")["refused"]["status"], 401)

    def test_a_replayed_code_and_a_disabled_account_get_nothing(self):
        client, secret = self.app()
        heard, tell = self.relying_party(client, secret)
        tell(self.browser.sign_in(self.browser.go(heard()["url"]), "bob@example.org", PASSWORD).url)
        heard()
        self.assertEqual(tell("replay")["refused"]["error"], "invalid_grant")
        self.assertEqual(tell("info")["refused"]["status"], 401)

        heard, tell = self.relying_party(client, secret)
        tell(self.browser.go(heard()["url"], "localhost").url)
        heard()
        self.server.ask("POST", f"/accounts/v2/users/{self.server.bob}/disable", {})
        self.assertEqual(tell("refresh")["refused"]["error"], "invalid_grant")
        self.assertEqual(tell("info")["refused"]["status"], 401)

    def test_revoking_and_logging_out_by_openid_client(self):
        client, secret = self.app(after_logout_uris=["http://localhost:9/bye"])
        heard, tell = self.relying_party(client, secret)
        tell(self.browser.sign_in(self.browser.go(heard()["url"]), "bob@example.org", PASSWORD).url)
        heard()
        self.assertEqual(tell("revoke"), {})
        self.assertEqual(tell("refresh")["refused"]["error"], "invalid_grant")
        session = self.server.url + "/_gantry/v1/session"
        self.assertFalse(json.loads(self.browser.ask("GET", session).body)["anonymous"])
        out = self.browser.go(tell("logout")["url"], "localhost")
        self.assertEqual(out.url, "http://localhost:9/bye?state=s")
        self.assertTrue(json.loads(self.browser.ask("GET", session).body)["anonymous"], "the session is over")

    def test_no_secret_is_in_the_log_or_the_feed(self):
        client, secret = self.app(backchannel_logout_uri="http://127.0.0.1:9/out")
        heard, tell = self.relying_party(client, secret)
        back = self.browser.sign_in(self.browser.go(heard()["url"]), "bob@example.org", PASSWORD)
        tell(back.url)
        self.server.ask("DELETE", f"/accounts/v2/users/{self.server.bob}/sessions")
        self.assertTrue(eventually(lambda: self.server.ask("GET", "/accounts/v1/effects")["items"]), "nobody is there to be told")
        ann = base64.b64encode(f"ann@example.org:{PASSWORD}".encode()).decode()
        feed = self.browser.ask("GET", self.server.url + "/accounts/v1/events?limit=1000", Authorization="Basic " + ann).body
        self.assertIn("signing_key_made", feed)
        self.assertIn("grant_ended", feed)
        self.assertNotIn("sealed", feed)
        self.server.stop()
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(back.url).query)["code"][0]
        kept = b"".join(path.read_bytes() for path in self.dir.joinpath("server").rglob("*") if path.is_file())
        # What every private RSA key holds in clear: its version, its algorithm.
        for what in (secret.rsplit("_", 1)[1].encode(), code.encode(), base64.b64decode("MA0GCSqGSIb3DQEBAQUABIIE"), b"PRIVATE KEY"):
            self.assertNotIn(what, kept)

    def test_the_wire_refuses_what_it_must(self):
        client, secret = self.app()
        good = {"response_type": "code", "client_id": client, "redirect_uri": "http://localhost:9/callback", "scope": "openid",
                "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}

        def authorize(**changed):
            query = urllib.parse.urlencode({**good, **changed})
            return self.browser.go(f"{self.server.issuer}/authorize?{query}")
        page = authorize(redirect_uri="http://localhost:9/elsewhere")
        self.assertEqual(page.status, 400)
        self.assertIn("redirect_uri_unknown", page.body)
        self.assertTrue(page.headers["Content-Type"].startswith("text/html"))
        self.assertIn("frame-ancestors 'none'", page.headers["Content-Security-Policy"])
        self.assertIn("error=invalid_request", authorize(code_challenge_method="plain").url)
        self.assertIn("error=login_required", authorize(prompt="none").url)
        back = self.browser.sign_in(authorize(), "bob@example.org", PASSWORD)
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(back.url).query)["code"][0]

        def token(**form):
            reply = self.browser.ask("POST", self.server.issuer + "/token", urllib.parse.urlencode(form), Origin="https://spa.example",
                                     Content_Type="application/x-www-form-urlencoded")
            self.assertEqual(reply.headers["Access-Control-Allow-Origin"], "*")
            return reply.status, json.loads(reply.body)
        taking = {"grant_type": "authorization_code", "code": code, "redirect_uri": good["redirect_uri"], "client_id": client,
                  "client_secret": secret}
        self.assertEqual(token(**taking)[1]["error"], "invalid_grant", "no verifier")
        self.assertEqual(token(**{**taking, "code_verifier": VERIFIER, "client_secret": "gnt_tl1_x"}), (401, {
            "error": "invalid_client", "error_description": "the client's secret is wrong"}))
        self.assertEqual(token(**taking, code_verifier=CHALLENGE)[1]["error"], "invalid_grant", "as if the method were plain")
        status, told = token(**taking, code_verifier=VERIFIER)
        self.assertEqual(status, 200, told)
        # By a form of another site's page: led to the same as by a link.
        posted = self.browser.ask("POST", self.server.issuer + "/authorize", urllib.parse.urlencode(good), cross_site=True,
                                  Origin="http://localhost:9", Sec_Fetch_Site="cross-site",
                                  Content_Type="application/x-www-form-urlencoded")
        self.assertEqual(posted.status, 303)
        self.assertTrue(posted.headers["Location"].startswith("authorize?response_type=code"), posted.headers["Location"])

    def test_of_many_at_once_one_gets_tokens(self):
        client, secret = self.app(is_public=True)
        query = {"response_type": "code", "client_id": client, "redirect_uri": "http://localhost:9/callback", "scope": "openid",
                 "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        start = f"{self.server.issuer}/authorize?{urllib.parse.urlencode(query)}"
        self.browser.sign_in(self.browser.go(start), "bob@example.org", PASSWORD)

        def token(form):
            body = urllib.parse.urlencode({**form, "client_id": client})
            reply = Browser().ask("POST", self.server.issuer + "/token", body)
            return reply.status, json.loads(reply.body)

        def at_once(form):
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                got = list(pool.map(lambda _: token(form), range(8)))
            self.assertEqual(sorted(status for status, _ in got), [200] + [400] * 7)
            return next(told for status, told in got if status == 200)
        for _ in range(5):
            back = self.browser.go(start, "localhost")
            code = urllib.parse.parse_qs(urllib.parse.urlsplit(back.url).query)["code"][0]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": query["redirect_uri"], "code_verifier": VERIFIER}
            told = at_once(form)
            info = self.browser.ask("GET", self.server.issuer + "/userinfo", Authorization="Bearer " + told["access_token"])
            self.assertEqual(info.status, 401, "the others showed the code again")

    def test_what_another_site_made_is_worth_nothing_here(self):
        (self.dir / "sites").mkdir()
        server = Server(self.dir / "sites", "--server.sites", "main,acme", url="http://{site}.localhost:{port}")
        self.addCleanup(server.stop)
        sites = {name: f"http://{name}.localhost:{server.port}" for name in ("main", "acme")}
        proof = server.first_link().rsplit("/", 1)[1]
        ann = {"proof": proof, "name": "Ann", "email": "ann@example.org", "password": PASSWORD}
        made = self.browser.ask("POST", sites["acme"] + "/accounts/v1/setup", json.dumps(ann), Content_Type="application/json")
        self.assertEqual(made.status, 201, made.body)
        basic = "Basic " + base64.b64encode(f"ann@example.org:{PASSWORD}".encode()).decode()
        tool = json.dumps({"name": "App", "home": "http://localhost:9/", "redirect_uris": ["http://localhost:9/callback"]})
        got = {}
        for name, url in sites.items():
            issuer = f"{url}/accounts/oidc"
            told = json.loads(self.browser.ask("GET", issuer + "/.well-known/openid-configuration").body)
            self.assertEqual((told["issuer"], told["token_endpoint"]), (issuer, issuer + "/token"))
            made = self.browser.ask("POST", url + "/accounts/v1/tools", tool, Authorization=basic, Content_Type="application/json")
            secret = json.loads(made.body)["secret"]
            self.assertTrue(eventually(lambda: json.loads(self.browser.ask("GET", issuer + "/jwks").body)["keys"]))
            query = {"response_type": "code", "client_id": "tl_1", "redirect_uri": "http://localhost:9/callback",
                     "code_challenge": CHALLENGE, "code_challenge_method": "S256", "scope": "openid offline_access"}
            back = Browser().sign_in(Browser().go(f"{issuer}/authorize?{urllib.parse.urlencode(query)}"), "ann@example.org", PASSWORD)
            code = urllib.parse.parse_qs(urllib.parse.urlsplit(back.url).query)["code"][0]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": query["redirect_uri"], "code_verifier": VERIFIER}
            got[name] = (form, {"client_id": "tl_1", "client_secret": secret})

        def token(at, form, client):
            reply = self.browser.ask("POST", sites[at] + "/accounts/oidc/token", urllib.parse.urlencode({**form, **client}))
            return reply.status, json.loads(reply.body)
        # The same numbers at both: tl_1, gr_1, u_1, se_1.
        self.assertEqual(token("main", got["acme"][0], got["main"][1])[1]["error"], "invalid_grant", "a code of another site")
        self.assertEqual(token("main", *got["acme"])[1]["error"], "invalid_client", "a client of another site")
        status, theirs = token("acme", *got["acme"])
        self.assertEqual(status, 200, theirs)
        claims = theirs["id_token"].split(".")[1]
        self.assertEqual(json.loads(base64.urlsafe_b64decode(claims + "=="))["iss"], sites["acme"] + "/accounts/oidc")
        again = {"grant_type": "refresh_token", "refresh_token": theirs["refresh_token"]}
        self.assertEqual(token("main", again, got["main"][1])[1]["error"], "invalid_grant")
        for name, status in (("main", 401), ("acme", 200)):
            info = self.browser.ask("GET", sites[name] + "/accounts/oidc/userinfo", Authorization="Bearer " + theirs["access_token"])
            self.assertEqual(info.status, status, info.body)
            out = self.browser.ask("POST", sites[name] + "/accounts/oidc/logout", "id_token_hint=" + theirs["id_token"],
                                   Origin="https://wiki.example", Content_Type="application/x-www-form-urlencoded")
            self.assertEqual(out.status, 400 if name == "main" else 303, out.body)

    def test_chromium_goes_the_whole_way(self):
        if not PLAYWRIGHT.exists() or not pathlib.Path(CHROMIUM).exists():
            self.skipTest("there is no Chromium, or no playwright-core")
        tools = [self.apache("wiki"), self.apache("lists")]
        environment = {**os.environ, "PLAYWRIGHT": str(PLAYWRIGHT), "CHROMIUM": CHROMIUM, "PASSWORD": PASSWORD}
        done = subprocess.run(["node", HERE / "chromium.mjs", self.server.url, *(tool.url for tool in tools)], capture_output=True,
                              text=True, timeout=120, env=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + "".join(tool.complaints() for tool in tools))
        bob = f"{self.server.bob} bob@example.org"
        self.assertEqual(json.loads(done.stdout), {"user": bob, "again": bob, "portal": ["lists", "wiki"], "out": True})


if __name__ == "__main__":
    if absent() and not CLIENT.exists():
        print("no relying party is installed here")
        sys.exit(77)
    unittest.main()
