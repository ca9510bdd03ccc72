#!/usr/bin/env python3
"""The package's life in a Debian that has nothing else: chroot_test.py BUILD_DIR UNDER_FILTERS [TEST…].

Needs root; exit 77 where it can't run."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import limits
import root as debian

SOURCE = pathlib.Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1:8080"
CONF = "etc/gantry/gantry.toml"
REPORT = {"package": "hello", "version": "1.0-1", "arch": "amd64", "stage": "building"}


def ask(method, path, body=None):
    request = urllib.request.Request(URL + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def packages_known():
    return ask("GET", "/tracker/v1/summary")["packages"]


class Reporting(threading.Thread):
    """Reports a new package after the other until told to stop; `acknowledged` of them were answered."""

    def __init__(self, prefix):
        super().__init__()
        self.prefix, self.acknowledged, self.stopping = prefix, 0, threading.Event()
        self.start()

    def run(self):
        while not self.stopping.is_set():
            ask("POST", "/tracker/v1/reports", {**REPORT, "package": f"{self.prefix}{self.acknowledged}"})
            self.acknowledged += 1

    def until(self, count):
        end = time.monotonic() + 30
        while self.acknowledged < count and time.monotonic() < end and self.is_alive():
            time.sleep(0.005)
        assert self.acknowledged >= count, f"{self.acknowledged} acknowledged"

    def stop(self):
        self.stopping.set()
        self.join(30)
        return self.acknowledged


def make_package(version):
    subprocess.run([SOURCE / "packaging/deb/build.sh", BUILD, DEBS, version], check=True, stdout=subprocess.DEVNULL)
    return DEBS / f"gantry_{version}_amd64.deb"


def renamed(deb, version):
    """The same package by another version, quickly."""
    content, made = DEBS / version, DEBS / f"gantry_{version}_amd64.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, content], check=True)
    control = content / "DEBIAN/control"
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else line for line in control.open()))
    subprocess.run(["dpkg-deb", "-Znone", "--build", content, made], check=True, stdout=subprocess.DEVNULL)
    return made


class Packaged(unittest.TestCase):
    def setUp(self):
        self.root = debian.fresh(OLD)
        self.addCleanup(self.root.close)
        self.at = self.root.path

    def install(self, deb):
        shutil.copy(deb, self.at / "root")
        options = ["--no-install-recommends", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confold", "-o",
                   f"DPkg::Path={debian.CLEAN['PATH']}"]
        return self.root.run(["apt-get", "install", "-q", "-y", *options, f"/root/{deb.name}"], host_net=True)[1]

    def manager(self):
        """Where systemd would stand: what the maintainer scripts ask of it is written to a file."""
        (self.at / "run/systemd/system").mkdir(parents=True)
        for name in ("deb-systemd-invoke", "systemctl"):
            stub = self.at / "usr/local/sbin" / name
            stub.write_text(f'#!/bin/sh\necho "{name} $*" >>/run/asked\n')
            stub.chmod(0o755)

    def asked(self):
        path = self.at / "run/asked"
        said = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in said if line.startswith("deb-systemd-invoke")]

    def limited(self, unit_name, command=None):
        unit = limits.Unit(self.at / f"usr/lib/systemd/system/{unit_name}")
        inside = "/opt/limits"
        (self.at / "opt/limits").mkdir(exist_ok=True)
        shutil.copy(UNDER_FILTERS, self.at / "opt/limits/under_filters")
        return [limits.command_under(unit, self.at, inside, one) for one in ([command] if command else unit.commands())]

    def start(self):
        """The unit's command under its limits, ready; as systemd with Type=notify."""
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        place = self.at / "run/notify"
        place.unlink(missing_ok=True)
        told.bind(str(place))
        place.chmod(0o666)
        told.settimeout(30)
        process = self.root.popen(self.limited("gantry.service")[0], env={"NOTIFY_SOCKET": "/run/notify"}, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        line = process.stdout.readline()
        self.assertEqual(line, f"listening {URL}\n", line or process.communicate(timeout=30)[1])
        self.assertIn("READY=1", told.recv(4096).decode())
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0, process.stderr.read())


class Life(Packaged):
    def test_installed_upgraded_downgraded_removed_purged(self):
        self.install(OLD)
        self.root.run("getent passwd gantry && test -L /etc/systemd/system/multi-user.target.wants/gantry.service")
        self.root.run("! test -e /etc/systemd/system/timers.target.wants/gantry-backup.timer")
        self.assertEqual(self.root.run("stat -c '%a %U %G' /var/lib/gantry /var/backups/gantry")[1], "700 gantry gantry\n" * 2)
        self.root.run("gantry config check --config /etc/gantry/gantry.toml && test -s /usr/share/man/man1/gantry.1.gz")

        process = self.start()
        self.process_is_limited(process)
        first = Reporting("first-")
        first.until(50)
        #        process.send_signal(signal.SIGHUP)  # ExecReload
        for command in self.limited("gantry-backup.service"):
            ran = subprocess.run(command, env=debian.CLEAN, capture_output=True, text=True, timeout=120)
            self.assertEqual(ran.returncode, 0, ran.stderr)

        # While it serves and commands come: the release after, with a configuration that its owner has changed.
        conf = self.at / CONF
        conf.write_text(conf.read_text().replace('#log_level = "info"', 'log_level = "warning"') + "# ours\n")
        edited = conf.read_text()
        self.assertIn('\nlog_level = "warning"', edited)
        self.manager()
        self.install(NEW)
        self.assertEqual(self.asked(), ["deb-systemd-invoke restart gantry.service"])
        self.assertEqual(conf.read_text(), edited)
        self.assertIsNone(process.poll(), "an upgrade leaves it running until it is restarted")
        first.until(first.acknowledged + 20)
        count = first.stop()
        self.stop(process)
        process = self.start()
        self.assertEqual(packages_known(), count)
        second = Reporting("second-")
        second.until(50)

        # A configuration that the release refuses: nothing is restarted, and it says why.
        conf.write_text(edited + "[nonsense]\n")
        said = self.install(OTHER)
        self.assertIn("this release refuses /etc/gantry/gantry.toml", said)
        self.assertIn("nonsense", said)
        self.assertEqual(self.asked(), [])
        conf.write_text(edited)

        # The way back, as long as nobody has said `upgrade finish`.
        self.root.run(["gantry", "upgrade", "status"])
        self.install(OLD)
        self.assertEqual(self.asked(), ["deb-systemd-invoke restart gantry.service"])
        self.assertEqual(conf.read_text(), edited)
        count += second.stop()
        self.stop(process)
        process = self.start()
        self.assertEqual(packages_known(), count)
        self.root.run(["gantry", "upgrade", "finish"])
        self.stop(process)

        said = self.root.run(["dpkg", "--remove", "gantry"])[1]
        self.assertIn("the data stay in /var/lib/gantry", said)
        self.assertEqual(self.asked(), ["deb-systemd-invoke stop gantry-backup.timer gantry-backup.service gantry.service"])
        self.assertTrue((self.at / "var/lib/gantry/FORMAT").exists())
        self.assertEqual(conf.read_text(), edited)

        self.install(OLD)
        process = self.start()
        self.assertEqual(packages_known(), count)
        self.stop(process)
        said = self.root.run(["dpkg", "--purge", "gantry"])[1]
        self.assertIn("removing all data in /var/lib/gantry", said)
        self.assertIn("the backups in /var/backups/gantry stay", said)
        for gone in ("var/lib/gantry", "etc/gantry", "usr/bin/gantry", "usr/share/doc/gantry",
                     "etc/systemd/system/multi-user.target.wants/gantry.service", "etc/systemd/system/gantry.service"):
            self.assertFalse(os.path.lexists(self.at / gone), gone)
        self.assertTrue(any((self.at / "var/backups/gantry").iterdir()))

    def process_is_limited(self, process):
        lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        self.assertIn("gantry", pathlib.Path(f"/proc/{process.pid}/comm").read_text())
        self.assertEqual({name: status[name] for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb")},
                         {"NoNewPrivs": "1", "Seccomp": "2", **{f"Cap{set}": "0" * 16 for set in ("Bnd", "Eff", "Prm", "Inh", "Amb")}})
        self.assertNotIn("0", status["Uid"].split())
        files_max = limits.files_open_max(limits.Unit(self.at / "usr/lib/systemd/system/gantry.service"))
        self.assertIn(f"Max open files            {files_max} ", pathlib.Path(f"/proc/{process.pid}/limits").read_text())

    def test_the_limits_hold(self):
        self.install(OLD)

        def probe(command):
            ran = subprocess.run(self.limited("gantry.service", command)[0], env=debian.CLEAN, capture_output=True, text=True, timeout=60)
            return ran.returncode, ran.stdout + ran.stderr

        def perl(text):
            return probe(["/usr/bin/perl", "-e", text])

        self.assertEqual(perl('print "on"'), (0, "on"))
        self.assertEqual(probe(["/bin/sh", "-c", "touch /var/lib/gantry/x /var/backups/gantry/x /tmp/x && rm /var/lib/gantry/x"])[0], 0)
        self.assertFalse((self.at / "tmp/x").exists(), "/tmp is its own")
        for place in ("/usr/x", "/etc/gantry/x", "/run/x", "/var/x"):
            self.assertIn("Read-only file system", probe(["/bin/sh", "-c", f": >{place}"])[1], place)
        refused = "Operation not permitted"
        self.assertIn(refused, perl("syscall(9, 0, 4096, 7, 0x22, -1, 0) == -1 or exit 1; print $!"))  # mmap, writable and executable
        self.assertEqual(perl("syscall(9, 0, 4096, 3, 0x22, -1, 0) == -1 and exit 1")[0], 0)
        self.assertIn("Address family not supported", perl("socket(S, 16, 3, 0) or print $!")[1])  # netlink
        self.assertEqual(perl("socket(S, 2, 1, 0) or exit 1")[0], 0)
        for name, number in (("chroot", 161), ("setuid", 105), ("unshare", 272), ("ptrace", 101), ("bpf", 321), ("reboot", 169)):
            self.assertIn(refused, perl(f'syscall({number}, 0, 0, 0, 0) == -1 and print $!')[1], name)

    def test_a_first_configuration_that_is_refused_starts_nothing(self):
        self.manager()
        (self.at / "etc/gantry").mkdir()
        (self.at / CONF).write_text("[server]\nlisten = 5\n")
        said = self.install(OLD)
        self.assertIn("gantry: not started. Mend it", said)
        self.assertEqual(self.asked(), [])
        shutil.rmtree(self.at / "etc/gantry")

    def test_a_first_installation_starts(self):
        self.manager()
        self.install(OLD)
        self.assertEqual(self.asked(), ["deb-systemd-invoke start gantry.service"])


class Container(Packaged):
    """packaging/Containerfile, step by step."""

    def test_its_steps_and_its_entrypoint(self):
        settings = {"ENV": {}, "USER": "root", "WORKDIR": "/"}
        text = (SOURCE / "packaging/Containerfile").read_text().replace("\\\n", " ")
        steps = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
        self.assertEqual(steps[0], ["FROM", "debian:bookworm-slim"])
        context = pathlib.Path(tempfile.mkdtemp(dir=DEBS))
        shutil.copy(OLD, context)
        for name, rest in steps[1:]:
            if name == "COPY":
                pattern, target = rest.split()
                for file in context.glob(pattern):
                    shutil.copy(file, self.at / target.lstrip("/"))
            elif name == "RUN":
                self.assertEqual(settings["USER"], "root")
                self.root.run(rest, host_net=True)
            elif name == "HEALTHCHECK":
                settings[name] = json.loads(rest[rest.index("["):])
            elif name == "ENTRYPOINT":
                settings[name] = json.loads(rest)
            else:
                self.assertIn(name, ("USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL"))
                settings[name] = rest
        self.assertEqual(list((self.at / "tmp").iterdir()), [])

        def inside(command):
            return ["chroot", str(self.at), "env", "-C", settings["WORKDIR"], "setpriv", f"--reuid={settings['USER']}",
                    f"--regid={settings['USER']}", "--init-groups", *command]

        self.assertNotEqual(subprocess.run(inside(settings["HEALTHCHECK"]), env=debian.CLEAN, capture_output=True).returncode, 0)
        process = self.root.popen(inside(settings["ENTRYPOINT"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), f"listening {URL}\n")
        health = subprocess.run(inside(settings["HEALTHCHECK"]), env=debian.CLEAN, capture_output=True, text=True)
        self.assertEqual(health.returncode, 0, health.stderr)
        ask("POST", "/tracker/v1/reports", REPORT)
        self.assertEqual(packages_known(), 1)
        self.assertTrue((self.at / settings["VOLUME"].lstrip("/") / "FORMAT").exists())
        process.send_signal(getattr(signal, settings["STOPSIGNAL"]))
        self.assertEqual(process.wait(60), 0)


if __name__ == "__main__":
    needed = ("debootstrap", "unshare", "nsenter", "setpriv", "prlimit", "systemd-analyze", "dpkg-shlibdeps", "objcopy")
    missing = [name for name in needed if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root" if os.geteuid() != 0 else f"skipped: without {', '.join(missing)}")
        sys.exit(77)
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode != 0:
        print("skipped: namespaces are refused here")
        sys.exit(77)
    debian.apart()
    BUILD, UNDER_FILTERS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as debs:
        DEBS = pathlib.Path(debs)
        OLD = make_package("1.0")
        try:
            debian.base(OLD)
        except (subprocess.CalledProcessError, AssertionError) as cause:
            print(f"skipped: no Debian to be had: {cause}")
            sys.exit(77)
        NEW, OTHER = renamed(OLD, "1.1"), renamed(OLD, "1.1-2")
        unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
