#!/usr/bin/env python3
"""Programs that report errors, unmodified, against the service itself: Sentry's SDKs for node (10, 11), Debian's Python and a browser on a
page of another origin, and the Python package of this project. sentry_test.py GANTRY. 77: none of them is installed."""
import functools
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PLAYWRIGHT = ROOT / "tests/console/node_modules/playwright-core/index.mjs"


class Server:
    """gantry serve oops, with a project."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gantry-sentry-")
        self.log = open(pathlib.Path(self.dir) / "log", "w+")
        command = [GANTRY, "serve", "oops", "--data", f"{self.dir}/data", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening ").strip()
        self.project = self.ask("POST", "/oops/v1/projects", {"name": "shop"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.dir)

    def ask(self, verb, path, body=None):
        request = urllib.request.Request(self.url.rstrip("/") + path, method=verb, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def groups(self):
        return {g["title"]: g for g in self.ask("GET", "/oops/v1/groups?project=1")["items"]}

    def newest(self, group):
        items = self.ask("GET", f"/oops/v1/reports?group={group['id']}")["items"]
        return self.ask("GET", f"/oops/v1/reports/{items[0]['id']}")["report"]


def run(command, server, **environment):
    done = subprocess.run([str(c) for c in command], cwd=HERE, capture_output=True, text=True, timeout=90,
                          env={**os.environ, "SENTRY_DSN": server.project["dsn"], **environment})
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@unittest.skipUnless((HERE / "node_modules/@sentry/node").exists(), "tests/sentry/node_modules is not there: make setup")
class Node(unittest.TestCase):
    def check(self, module):
        with Server() as server:
            run(["node", "node_client.mjs", module], server)
            groups = server.groups()
            price = next(g for title, g in groups.items() if title.startswith("PriceError"))
            self.assertEqual(price["last_release"], "shop@1.4.2+7")
            report = server.newest(price)
            self.assertEqual(report["environment"], "staging")
            self.assertEqual([e["type"] for e in report["exceptions"]], ["SyntaxError", "PriceError"], "the cause first")
            self.assertIn("total", [f["function"] for f in report["exceptions"][-1]["frames"]])
            self.assertEqual(report["breadcrumbs"][0]["message"], "added 3 items")
            text = json.dumps(report)
            self.assertNotIn("hunter2", text)
            self.assertNotIn("do-not-keep", text)
            self.assertTrue(any("stock is low" in title for title in groups), groups.keys())
            self.assertGreater(server.ask("GET", "/oops/v1/projects/1")["items"], 0, "what has no place here yet is kept")

    def test_version_10(self):
        self.check("sentry-node-10")

    def test_version_11(self):
        self.check("@sentry/node")


class Python(unittest.TestCase):
    @unittest.skipUnless(subprocess.run(["/usr/bin/python3", "-c", "import sentry_sdk"], capture_output=True).returncode == 0,
                         "python3-sentry-sdk is not installed")
    def test_debians_sdk(self):
        with Server() as server:
            run(["/usr/bin/python3", "python_client.py"], server)
            groups = server.groups()
            price = next(g for title, g in groups.items() if title.startswith("PriceError"))
            report = server.newest(price)
            self.assertEqual([e["type"] for e in report["exceptions"]], ["KeyError", "PriceError"])
            self.assertNotIn("hunter2", json.dumps(report))
            self.assertTrue(any(title.startswith("ValueError") for title in groups))

    def test_our_own_package(self):
        with Server() as server:
            run(["/usr/bin/python3", ROOT / "tests/python/run.py"], server, GANTRY_OOPS_DSN=server.project["dsn"])


@unittest.skipUnless(pathlib.Path(CHROMIUM).exists() and PLAYWRIGHT.exists() and (HERE / "node_modules/esbuild").exists(),
                     "there is no Chromium, or its npm packages are not installed")
class Browser(unittest.TestCase):
    def test_a_page_of_another_origin(self):
        with tempfile.TemporaryDirectory() as site, Server() as server:
            esbuild = HERE / "node_modules/.bin/esbuild"
            run([esbuild, "browser_client.js", "--bundle", f"--outfile={site}/bundle.js", "--log-level=error"], server)
            shutil.copy(HERE / "page.html", site)
            pages = http.server.ThreadingHTTPServer(
                ("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=site))
            threading.Thread(target=pages.serve_forever, daemon=True).start()
            page = f"http://127.0.0.1:{pages.server_port}/page.html?dsn={server.project['dsn']}"
            run(["node", "browser_client.mjs", page, PLAYWRIGHT], server)
            pages.shutdown()
            pages.server_close()
            groups = server.groups()
            self.assertTrue(any(title.startswith("TypeError") for title in groups), groups.keys())
            self.assertTrue(any("stock is low" in title for title in groups), groups.keys())


if __name__ == "__main__":
    unittest.main(verbosity=1)
