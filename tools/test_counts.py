#!/usr/bin/env python3
"""Counts the tests of ctest runs: test_counts.py BUILD_DIR… prints what failed or was skipped, and at last `N passed, N failed`.

A gtest program counts each of its tests, any other test counts as one. A program that ended without naming a failed test (a crash,
a timeout) counts as one failure. Exits 1 if anything failed or nothing ran. The verdicts come from ctest's tests.xml (its log calls
a skipped test passed), the tests of each program from its log (the XML cuts long output).
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def outputs(log):
    """Test name -> what it printed."""
    parts = re.split(r"^\d+/\d+ Testing: ", log, flags=re.M)[1:]
    return {part.split("\n", 1)[0].strip(): part for part in parts}


def count(xml, log):
    """(passed, failed names, skipped names) of one run."""
    passed, failed, skipped = 0, [], []
    said = outputs(log)
    for case in ElementTree.fromstring(xml).iter("testcase"):
        name, status = case.get("name"), case.get("status")
        text = said.get(name, "")
        good = len(re.findall(r"^\[       OK \] ", text, flags=re.M))
        bad = re.findall(r"^\[  FAILED  \] (\S+) \(\d+ ms\)$", text, flags=re.M)
        left_out = re.findall(r"^\[  SKIPPED \] (\S+) \(\d+ ms\)$", text, flags=re.M)
        if status == "run":
            passed += good or (0 if left_out else 1)
        elif status == "fail":
            passed += good
            failed += [f"{name}: {test}" for test in bad] or [name]
        elif (case.find("skipped").get("message") if case.find("skipped") is not None else "").startswith("SKIP"):
            skipped.append(f"{name}: {' '.join((case.findtext('system-out') or '').split())}")
        else:
            failed.append(f"{name} did not run")
        skipped += [f"{name}: {test}" for test in left_out]
    return passed, failed, skipped


def main(build_dirs):
    passed, failed = 0, 0
    for build in map(pathlib.Path, build_dirs):
        xml, log = build / "tests.xml", build / "Testing/Temporary/LastTest.log"
        if xml.exists() and log.exists():
            good, bad, skipped = count(xml.read_text(errors="replace"), log.read_text(errors="replace"))
        else:
            good, bad, skipped = 0, ["the tests did not run"], []
        if good == 0 and not bad:
            bad = ["no test ran"]
        passed, failed = passed + good, failed + len(bad)
        for line in bad:
            print(f"failed: {build}: {line}")
        for line in skipped:
            print(f"skipped: {build}: {line}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
