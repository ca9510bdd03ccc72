"""gantry-oops: what reports wait, and send them. Ends with 0 when all went well, 1 when something is left or refused, 2 for a mistake in
the command."""
import argparse
import json
import os
import pathlib
import sys

from .client import fresh_id
from .drain import Drainer
from .safe import Limits, encode, safe_report
from .spool import Spool
from .transport import Dsn, Means, Transport


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError) as why:
        print(f"gantry-oops: {why}", file=sys.stderr)
        return 2


def parser():
    out = argparse.ArgumentParser(prog="gantry-oops", description=__doc__)
    commands = out.add_subparsers(required=True, metavar="COMMAND")
    drain = commands.add_parser("drain", help="send all reports that wait in a spool, oldest first")
    drain.add_argument("directory", type=pathlib.Path)
    send = commands.add_parser("send", help="send reports of JSON files; one without an id gets one, which is printed")
    send.add_argument("files", nargs="+", metavar="FILE", help="- is standard input")
    send.add_argument("--spool", metavar="DIR", help="where a report waits when the service is away")
    listed = commands.add_parser("list", help="what waits in a spool")
    listed.add_argument("directory", type=pathlib.Path)
    for command, run in ((drain, run_drain), (send, run_send), (listed, run_list)):
        command.set_defaults(run=run)
    for command in (drain, send):
        command.add_argument("--dsn-file", type=pathlib.Path, metavar="FILE",
                             help="the DSN is in it; else GANTRY_OOPS_DSN of the environment")
    return out


def dsn_of(options):
    """Not an argument: those are seen by everybody on the machine."""
    text = options.dsn_file.read_text() if options.dsn_file else os.environ.get("GANTRY_OOPS_DSN", "")
    if not text.strip():
        raise ValueError("set GANTRY_OOPS_DSN to http://KEY@host:port/oops/PROJECT, or name a file with --dsn-file")
    return Dsn(text.strip())


def run_drain(options):
    spool = existing(options.directory)
    done = Drainer(spool, Transport(dsn_of(options))).run()
    print(f"{done.sent} sent, {done.rejected} refused, {done.damaged} damaged, {done.left} left")
    if done.busy:
        print("another process is sending them", file=sys.stderr)
    elif done.stopped:
        print(f"stopped: {done.stopped.status or 'no answer from'} {done.stopped.text[:500]}", file=sys.stderr)
    return 1 if done.left or done.rejected or done.damaged else 0


def run_send(options):
    transport, failed = Transport(dsn_of(options)), 0
    for name in options.files:
        report = report_of(name)
        answer = transport.send(encode(report))
        if answer.means is Means.DELIVERED:
            print(f"{report['id']} sent")
        elif options.spool and answer.means is not Means.BAD:
            Spool(options.spool).put(report["id"], encode(report))
            print(f"{report['id']} waits in {options.spool}: {answer.status or 'no answer from'} {answer.text[:300]}")
        else:
            failed = 1
            print(f"{report['id']} refused or not sent: {answer.status or 'no answer from'} {answer.text[:500]}", file=sys.stderr)
    return failed


def run_list(options):
    spool = existing(options.directory)
    for name in spool.waiting():
        try:
            report = spool.read(name) or {}
            print(report.get("id", name), report.get("time", "-"), f"{report.get('type', '-')}: {str(report.get('value', ''))[:100]}")
        except ValueError as why:
            print(name, why)
    for reason, number in spool.lost().items():
        print(f"lost for {reason}: {number}")
    return 0


def existing(directory):
    if not directory.is_dir():
        raise ValueError(f"{directory} is no directory")
    return Spool(directory)


def report_of(name):
    text = sys.stdin.buffer.read() if name == "-" else pathlib.Path(name).read_bytes()
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as why:
        raise ValueError(f"{name}: {why}") from None
    if not isinstance(report, dict):
        raise ValueError(f"{name}: a report is a JSON object")
    return safe_report({**report, "id": report.get("id") or fresh_id()}, Limits())


if __name__ == "__main__":
    sys.exit(main())
