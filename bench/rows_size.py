"""What the program weighs, and how long it takes to start and to compile. Recorded, not judged."""
import json
import pathlib
import shlex
import shutil
import subprocess
import time

from measure import Missing, Server, median, row


def program(lab):
    stripped = lab.data / "gantry.stripped"
    strip = shutil.which("llvm-strip-19") or shutil.which("strip")
    subprocess.run([strip, "-o", str(stripped), lab.program("gantry")], check=True)
    found = [row("stripped size of the program", stripped.stat().st_size / 1e6, "MB", "lower")]
    data = lab.fresh("idle")
    command = [lab.program("gantry"), "serve", "--data", data, "--listen", "127.0.0.1:0"]
    ready = []
    for i in range(6):
        with Server(lab, command, "listening http://", name="idle") as server:
            ready.append(server.ready_s * 1000)
            if i == 5:
                time.sleep(1)  # what start alone needed is given back by then
                memory = server.rss_mb()
    # The first start makes the data directory.
    return found + [row("time to ready", median(ready[1:]), "ms", "lower"), row("time to ready, first start", ready[0], "ms", "lower"),
                    row("idle memory", memory, "MB", "lower")]


def compile_time(lab, count=3):
    """The slowest file of the tracker, as the release build compiles it, without ccache."""
    commands = pathlib.Path(lab.build / "compile_commands.json")
    if not commands.exists():
        raise Missing("compile_commands.json")
    taken = {}
    for entry in json.loads(commands.read_text()):
        path = entry["file"]
        if "/services/tracker/" not in path or path.endswith("_test.cpp"):
            continue
        words = [w for w in shlex.split(entry["command"]) if not w.endswith("ccache")]
        words[words.index("-o") + 1] = str(lab.data / "compiled.o")
        taken[pathlib.Path(path).name] = median([timed(words, entry["directory"]) for _ in range(count)])
    if not taken:
        raise Missing("services/tracker is not in the build")
    slowest = max(taken, key=taken.get)
    return [row("compile time of a service's file (the slowest of the tracker)", taken[slowest], "s", "lower", peers=taken)]


def timed(command, directory):
    started = time.monotonic()
    subprocess.run(command, cwd=directory, check=True)
    return time.monotonic() - started
