#!/usr/bin/env python3
"""Real crashes of the real program: run.py SCENARIO… --gantry PROGRAM [--tools DIR] [--rounds N] [--seed S]

Scenarios: kill, faults, full, forget; each says in its file what it does. Without --rounds each takes about twenty seconds. Exit 77 says
that a scenario can't run here, and why."""
import argparse
import importlib
import pathlib
import sys
import time

from shared import SKIPPED, Broken, Skipped

SCENARIOS = ["kill", "faults", "full", "forget"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", choices=SCENARIOS)
    parser.add_argument("--gantry", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--tools", default="", help="where the programs of this folder were built")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    code = 0
    for name in options.scenarios:
        began = time.monotonic()
        try:
            said = importlib.import_module(name).run(options)
            print(f"{name}: {said}; {time.monotonic() - began:.0f} s", flush=True)
        except Skipped as why:
            print(f"{name}: skipped: {why}", flush=True)
            code = code or SKIPPED
        except Broken as what:
            print(f"{name}: BROKEN (--seed {options.seed}): {what}", flush=True)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
