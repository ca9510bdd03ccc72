#!/usr/bin/env python3
"""Kills the server with SIGKILL in the middle of an import, again and again, starts both anew, and compares what the tracker tells at the
end with what an undisturbed import gave. run.py GANTRY [--kills N] [--lines N] [--seed N]"""
import argparse
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

STAGES = ["half-installed", "unpacked", "half-configured", "installed"]


def write_log(path, lines, rng):
    """A log of dpkg's: upgrades of a few hundred packages, in the order of time."""
    second = 1_700_000_000
    written = 0
    with open(path, "w") as out:
        while written < lines:
            name, version = f"package{rng.randrange(400)}", f"1.{written // 2000}-{rng.randrange(1, 4)}"
            stop_early = rng.random() < 0.05
            for stage in STAGES[:2] if stop_early else STAGES:
                second += rng.randrange(2)
                at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
                out.write(f"{at} status {stage} {name}:amd64 {version}\n")
                written += 1


class Server:
    def __init__(self, gantry, data):
        self.process = subprocess.Popen([gantry, "serve", "tracker", "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise SystemExit(f"the server said {line!r}")
        self.url = line.split()[1]

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as reply:
            return json.load(reply)

    def told(self):
        """Everything that the tracker tells, without the log's identity and the times of receipt."""
        out = {"summary": self.get("/tracker/v1/summary"), "packages": self.walk("/tracker/v1/packages?limit=1000"),
               "results": self.walk("/tracker/v1/results?limit=1000")}
        out["imports"] = [{k: v for k, v in i.items() if k != "updated_at"} for i in self.walk("/tracker/v1/imports?limit=1000")]
        return out

    def walk(self, path):
        items, page = [], self.get(path)
        while True:
            items += page["items"]
            if "next" not in page:
                return items
            page = self.get(f"{path}&cursor={page['next']}")


def start_import(gantry, server, log):
    return subprocess.Popen([gantry, "import", "dpkg-log", "--zone", "UTC", "--name", "kill-test", "--server", server.url, log],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def undisturbed(gantry, place, log):
    server = Server(gantry, str(place / "undisturbed"))
    began = time.monotonic()
    if start_import(gantry, server, log).wait(timeout=300) != 0:
        raise SystemExit("the undisturbed import failed")
    took, told = time.monotonic() - began, server.told()
    if server.kill(signal.SIGTERM) != 0:
        raise SystemExit("the server did not stop in order")
    return told, took


def disturbed(gantry, place, log, kills, took, rng):
    data, done = str(place / "disturbed"), 0
    in_the_middle = 0
    while done < kills:
        server = Server(gantry, data)
        before = server.get("/tracker/v1/summary")["reports"]
        importer = start_import(gantry, server, log)
        time.sleep(rng.uniform(0.02, 0.02 + 1.5 * took / kills))
        in_the_middle += importer.poll() is None
        server.kill()
        importer.kill()
        importer.wait()
        done += 1
        print(f"kill {done}: {before} reports were there", flush=True)
    server = Server(gantry, data)
    if start_import(gantry, server, log).wait(timeout=300) != 0:
        raise SystemExit("the last import failed")
    told = server.told()
    server.kill(signal.SIGTERM)
    return told, in_the_middle


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gantry")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--lines", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    place = pathlib.Path(tempfile.mkdtemp(prefix="gantry-kill-"))
    try:
        log = str(place / "dpkg.log")
        write_log(log, options.lines, rng)
        expected, took = undisturbed(options.gantry, place, log)
        told, in_the_middle = disturbed(options.gantry, place, log, options.kills, took, rng)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    ran = f"{options.kills} kills, {in_the_middle} while the import ran"
    print(f"{ran}; {expected['summary']['reports']} reports, {took:.1f} s undisturbed")
    if in_the_middle < options.kills // 4:
        raise SystemExit("too few kills met a running import: use more lines")
    for what in expected:
        if told[what] != expected[what]:
            raise SystemExit(f"{what} differs:\n{json.dumps(told[what])[:2000]}\ninstead of\n"
                             f"{json.dumps(expected[what])[:2000]}")
    print("the same state as undisturbed")


if __name__ == "__main__":
    sys.exit(main())
