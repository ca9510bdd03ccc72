#!/usr/bin/env python3
"""Runs clang-tidy over our own sources but tests (which run under the sanitizers anyway): analyse.py BUILD_DIR [--jobs N] [--all].

Prints what clang-tidy finds; exits 1 if it finds anything. A file in which it found nothing is not looked at again while it and all that
it includes, how it is compiled, the checks and clang-tidy itself are as they were (--all: it is, all the same). What is remembered of each
is an empty file in ~/.cache/gantry-analyse (under XDG_CACHE_HOME), named by the digest of these; a month unused, and it goes.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["kernel/*.cpp", "services/*.cpp", "app/*.cpp", "examples/*.cpp"]
CLANG_TIDY, SCAN = "clang-tidy-19", "clang-scan-deps-19"
NOISE = re.compile(r"warnings? (generated|treated)|^Suppressed|^Use -")
KEPT_S = 30 * 24 * 3600


def sources(root):
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    return sorted(str(root / path) for path in listed if not path.endswith("_test.cpp"))


def commands(build, files):
    """How each file is compiled, without the cache before the compiler and without the profile, which changes nothing of what is read."""
    wanted, found = set(files), {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        command = re.sub(r"^.*?(\S*clang\+\+\S*)", r"\1", entry["command"], count=1)
        if entry["file"] in wanted:
            found.setdefault(entry["file"], {**entry, "command": re.sub(r" -fprofile\S+", "", command)})
    return found


def included(entries, jobs):
    """File -> all files that it is read from, itself among them. Those that can't be read are left out: clang-tidy says why."""
    with tempfile.TemporaryDirectory() as place:
        (pathlib.Path(place) / "compile_commands.json").write_text(json.dumps(list(entries.values())))
        rules = subprocess.run([SCAN, "-compilation-database", f"{place}/compile_commands.json", "-format=make", "-j", str(jobs)],
                               capture_output=True, text=True).stdout
    found = {}
    for rule in rules.replace("\\\n", " ").splitlines():
        paths = rule.partition(": ")[2].split()
        if paths:
            found[paths[0]] = paths
    return found


def named(root, build, checks, entry, paths, digest_of):
    """The name of what is remembered. No path of this checkout counts, so that every other has use of it."""
    here = entry["command"].replace(str(build), "BUILD").replace(str(root), "SOURCE")
    whole = hashlib.sha256(checks + here.encode())
    for path in paths:
        whole.update(path.replace(str(root), "SOURCE").encode() + b"\0" + digest_of(path))
    return whole.hexdigest()


def look(build, file):
    done = subprocess.run([CLANG_TIDY, "-p", str(build), "--quiet", file], capture_output=True, text=True)
    said = done.stdout + "".join(line + "\n" for line in done.stderr.splitlines() if not NOISE.search(line))
    return done.returncode == 0 and not said.strip(), said


def forget_old(cache):
    for path in cache.iterdir():
        if time.time() - path.stat().st_mtime > KEPT_S:
            path.unlink(missing_ok=True)


def analyse(root, build, cache, jobs, everything=False):
    """(files looked at, files passed over, what was found)."""
    root, build = pathlib.Path(root).resolve(), pathlib.Path(build).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    forget_old(cache)
    files = sources(root)
    entries = commands(build, files)
    missing = [f"{file}: not compiled by anything in {build}: run cmake again\n" for file in files if file not in entries]
    version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, check=True).stdout
    checks = version + (root / ".clang-tidy").read_bytes()
    read = included(entries, jobs)
    digest_of = functools.cache(lambda path: hashlib.sha256(pathlib.Path(path).read_bytes()).digest())
    names = {file: cache / named(root, build, checks, entries[file], read[file], digest_of) for file in entries if file in read}

    def settle(file):
        name = names.get(file)
        if name and name.exists() and not everything:
            name.touch()
            return False, ""
        good, said = look(build, file)
        if good and name:
            name.touch()
        return True, "" if good else said or f"{file}: {CLANG_TIDY} failed and said nothing\n"

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        told = list(pool.map(settle, entries))
    looked = sum(was for was, _ in told)
    return looked, len(told) - looked, missing + [said for _, said in told if said]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--all", action="store_true", help="look at what was looked at before, too")
    options = parser.parse_args()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gantry-analyse"
    looked, passed, found = analyse(SOURCE, options.build, cache, options.jobs, options.all)
    sys.stdout.writelines(found)
    print(f"analyse: {looked} files looked at, {passed} as they were when nothing was found")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
