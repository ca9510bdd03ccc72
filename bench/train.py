#!/usr/bin/env python3
"""What the program does when it works, counted: profile/gantry.profdata, by which Release builds are optimized.

See docs/decisions/0009-profile.md.

`make profile` builds build-profile/gantry, which counts, and drives it here with the loads of the measurements.
"""
import argparse
import os
import pathlib
import subprocess
import sys

import rows_http
import rows_pool
import rows_queue
from measure import Lab

SOURCE = pathlib.Path(__file__).resolve().parent.parent
LOADS = {
    "queue": lambda lab: rows_queue.cycles_once(lab, rows_queue.OURS),
    "pool": lambda lab: rows_pool.pool(lab, 1),
    "commands": lambda lab: rows_http.durable_commands(lab, 1),
    "get": lambda lab: rows_http.cpu_of_get(lab, 1),
}


class Counting(Lab):
    """The program is the one that counts; those that drive it don't."""

    def __init__(self, build, program):
        super().__init__(build, SOURCE, note=lambda text: print(f"profile: {text}", file=sys.stderr))
        self.counting = program.resolve()

    def program(self, name):
        return self.counting if name == "gantry" else super().program(name)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="where the programs are that drive it")
    parser.add_argument("--program", type=pathlib.Path, default="build-profile/gantry")
    parser.add_argument("--out", type=pathlib.Path, default="profile/gantry.profdata")
    options = parser.parse_args(arguments)

    raw = options.program.parent / "raw"
    for left in raw.glob("*.profraw"):
        left.unlink()
    raw.mkdir(exist_ok=True)
    os.environ["LLVM_PROFILE_FILE"] = str(raw.resolve() / "%p.profraw")
    lab = Counting(options.build, options.program)
    try:
        for name, load in LOADS.items():
            print(f"profile: {name}", file=sys.stderr)
            lab.clear()
            load(lab)
    finally:
        lab.close()
    options.out.parent.mkdir(exist_ok=True)
    # Sparse: what was never run is left as if there were no profile, and isn't taken for cold.
    subprocess.run(["llvm-profdata-19", "merge", "--sparse", "-o", options.out, *sorted(raw.glob("*.profraw"))], check=True)
    print(f"profile: {options.out} has {options.out.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
