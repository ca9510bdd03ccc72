"""How figures are shown: the table on the terminal, and docs/benchmarks.md."""
import os
import pathlib
import re
import subprocess


def number(value):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def measured(r):
    return f"{number(r['value'])} {r['unit']}".rstrip()


def verdict(r):
    if r["goal"] is None:
        return "" if r["holds"] else "not measured"
    sign = "≥" if r["better"] == "higher" else "≤"
    return f"{sign} {number(r['goal'])} {'holds' if r['holds'] else 'FAILS'}"


def others(r):
    return ", ".join(f"{name} {number(value)}" for name, value in r["peers"].items())


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def machine(lab):
    """What a reader must know of the machine: [(what, value)]."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) / 1048576
    kind = output("findmnt", "-n", "-o", "FSTYPE", "-T", str(lab.data.parent)) or "unknown"
    compiler = output("clang++-19", "--version").split("\n")[0]
    release = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    in_memory = " (in memory: no figure on durability means anything)" if kind == "tmpfs" else ""
    return [("CPU", f"{os.cpu_count()} × {cpu.group(1) if cpu else 'unknown'}"), ("memory", f"{memory:.0f} GiB"),
            ("system", f"{release.group(1) if release else 'unknown'}, Linux {os.uname().release}"),
            ("file system", kind + in_memory), ("compiler", compiler)]


def table(rows, facts, sync_modes):
    lines = ["", *(f"{what}: {value}" for what, value in facts), ""]
    width = max([len(r["name"]) for r in rows], default=0)
    for r in rows:
        line = f"{r['name']:<{width}}  {number(r['value']):>11} {r['unit']:<10}  {verdict(r):<14}"
        lines.append((line + (f"  [{others(r)}]" if r["peers"] else "")).rstrip())
    if sync_modes:
        lines += ["", *(f"{name}: {mode}" for name, mode in sync_modes.items())]
    return lines


METHOD = """\
Contestants run in interleaved rounds, the order turning each round, and a ratio is the median of the ratios of each round: what the
machine does beside us falls on all alike. Absolute figures are recorded and not judged; on another machine they differ. CPU time is that
of all threads of the server, user and system, with server and load on a CPU each. Sync latency under load is that of the server's own
`fdatasync` calls (`bench/sync_probe.cpp`). On a busy CPU a sync reads as one tick of the scheduler (4 ms at 250 Hz) whatever the disk
does: the idle disk is told with and without real-time priority.

The events (`bench/workload.h`) are about 100 bytes each, on 100 000 packages, each as likely as another at every step, which is the worst
case for caches. The plain fold (`bench/plain_fold.h`) answers the same questions as the tracker's state from Boost's flat hash maps
keyed by strings and from standard sets. Stores that are servers pay for a socket and a second process, and embedded ones do not: read
it as "in the binary, against the service one would deploy instead", never as one broker against another.

Live readers (`bench/live.cpp`) have a connection and a package each; memory is the growth of the server's resident memory while they were
parked, in a life of the server that has not freed anything before, and holds no socket buffers. Evaluations are those of live queries that
the server counts (`/_gantry/v1/live`). A moment of the past is asked for in a new life of the server, over HTTP, on a log with the
snapshots that a server leaves which ran all the while; right before a snapshot is the worst moment. The feed's reader counts whole
CloudEvents in JSON, that of NATS JetStream records of about 100 bytes as they lie. The price of what came since a commit is
measured against the program of that commit (`--before`), built beside this one: the same requests, nothing of what is new in use.
"""


def markdown(rows, facts, sync_modes, command):
    again = "python3 bench/run.py --write-docs" + (" --peers" if "PEERS" in command else "")
    if "BEFORE=" in command:
        again += f" --before {command.split('BEFORE=')[1]}"
    lines = ["# Benchmarks", "", f"Printed by `{command}`; `{again}` measures anew and rewrites this page.", "", METHOD,
             "| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in facts), "",
             "## Goals", "", "| What | Measured | Goal | Each |", "|---|---|---|---|"]
    judged = [r for r in rows if r["goal"] is not None or not r["holds"]]
    lines += [f"| {r['name']} | {measured(r)} | {verdict(r)} | {others(r)} |" for r in judged]
    lines += ["", "## Recorded", "", "| What | Measured | Beside it |", "|---|---|---|"]
    lines += [f"| {r['name']} | {measured(r)} | {others(r)} |" for r in rows if r not in judged]
    if sync_modes:
        lines += ["", "## When each store acknowledges", "", "| Store | An acknowledged append is |", "|---|---|",
                  *(f"| {name} | {mode} |" for name, mode in sync_modes.items())]
    return "\n".join(lines) + "\n"
