#!/usr/bin/env python3
"""What is in the package, and whether its parts please those who read them: package_test.py BUILD_DIR. Exit 77 without the tools.
Its life in a chroot is chroot_test.py."""
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
UNITS = ["gantry.service", "gantry-backup.service", "gantry-backup.timer"]
EXPOSURE_MAX = 11  # tenths. What remains: the network and local sockets, no address list, no root directory of its own
# Why not: the project has no mail host; a release has no -g, so that its symbols are names alone.
LINTIAN_PASSES = "bogus-mail-host,bogus-mail-host-in-debian-changelog,debug-file-with-no-debug-symbols"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **options).stdout


def build(out, version="1.0", **environment):
    made = run(SOURCE / "packaging/deb/build.sh", BUILD, out, version, env={**os.environ, **environment}).split()
    return [pathlib.Path(path) for path in made]


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.place = pathlib.Path(cls.directory.name)
        cls.deb, cls.symbols = build(cls.place / "first")
        cls.root = cls.place / "root"
        run("dpkg-deb", "--raw-extract", cls.deb, cls.root)

    def test_the_same_sources_are_the_same_bytes(self):
        again = build(self.place / "again", TZ="Asia/Tokyo", LANG="C", HOME="/nonexistent", TMPDIR=str(self.place))
        for one, other in zip((self.deb, self.symbols), again, strict=True):
            self.assertEqual(one.read_bytes(), other.read_bytes(), one.name)

    def test_what_it_says_of_itself(self):
        def field(deb, name):
            return run("dpkg-deb", "--field", deb, name).strip()

        self.assertEqual((field(self.deb, "Package"), field(self.deb, "Version")), ("gantry", "1.0"))
        self.assertEqual(field(self.symbols, "Depends"), "gantry (= 1.0)")
        for library in ("libc6", "libssl3", "libsodium23", "libfido2-1", "libcurl4", "adduser"):
            self.assertRegex(field(self.deb, "Depends"), rf"\b{library}\b")
        self.assertEqual((self.root / "DEBIAN/conffiles").read_text(), "/etc/gantry/gantry.toml\n")

    def test_without_a_version_it_is_the_programs(self):
        said = run(BUILD / "gantry", "--version").split()[1]
        self.assertEqual(build(self.place / "own", "")[0].name.split("_")[1], said)

    def test_a_version_that_is_none_is_refused(self):
        with self.assertRaises(subprocess.CalledProcessError):
            build(self.place / "wrong", "one point oh")

    def test_every_file_has_its_place(self):
        listed = run("dpkg-deb", "--contents", self.deb).splitlines()
        self.assertEqual({line.split()[1] for line in listed}, {"root/root"})
        files = {line.split()[5].removeprefix(".") for line in listed if not line.startswith("d")}
        docs = {page.name for page in (SOURCE / "docs").glob("*.md")} - {"plan.md"}
        docs |= {"README.md", "CHANGELOG.md", "changelog.gz", "copyright"}
        rules = ("gantry.rules.yml", "gantry.dashboard.json")
        self.assertEqual(files, {
            "/usr/bin/gantry", "/etc/gantry/gantry.toml", "/usr/share/man/man1/gantry.1.gz",
            "/usr/share/bash-completion/completions/gantry", "/usr/share/zsh/vendor-completions/_gantry",
            "/usr/share/fish/vendor_completions.d/gantry.fish",
            *(f"/usr/lib/systemd/system/{unit}" for unit in UNITS), *(f"/usr/share/doc/gantry/{name}" for name in docs),
            *(f"/usr/share/gantry/prometheus/{name}" for name in rules)})

    def test_the_program_is_stripped_and_its_symbols_are_beside_it(self):
        program = self.root / "usr/bin/gantry"
        self.assertNotIn(".symtab", run("readelf", "-SW", program))
        extracted = self.place / "symbols"
        run("dpkg-deb", "--extract", self.symbols, extracted)
        debug, = (extracted / "usr/lib/debug/.build-id").glob("*/*.debug")
        self.assertIn(".symtab", run("readelf", "-SW", debug))
        self.assertIn("Build ID: " + debug.parent.name + debug.stem, run("readelf", "-n", program))

    def test_the_program_is_hardened(self):
        said = run("readelf", "-hldW", self.root / "usr/bin/gantry")
        for part in (r"Type: +DYN", "GNU_RELRO", r"FLAGS_1.*NOW.*PIE", r"GNU_STACK.* RW +0"):
            self.assertRegex(said, part)

    def test_the_configuration_is_taken(self):
        file = self.root / "etc/gantry/gantry.toml"
        run(BUILD / "gantry", "config", "check", "--config", file)
        self.assertEqual(tomllib.loads(file.read_text())["server"], {"data": "/var/lib/gantry"})

    def test_page_and_completions_are_the_programs(self):
        self.assertEqual(gzip.open(self.root / "usr/share/man/man1/gantry.1.gz", "rt").read(), run(BUILD / "gantry", "help", "--man"))
        self.assertIn("complete", (self.root / "usr/share/bash-completion/completions/gantry").read_text())

    def test_maintainer_scripts_parse(self):
        for script in ("postinst", "prerm", "postrm"):
            run("sh", "-n", self.root / "DEBIAN" / script)

    def test_lintian_finds_nothing(self):
        if not shutil.which("lintian"):
            self.skipTest("lintian is not installed")
        said = subprocess.run(["lintian", "--fail-on", "none", "--suppress-tags", LINTIAN_PASSES, self.deb, self.symbols],
                              capture_output=True, text=True).stdout
        self.assertEqual(said, "")


class Units(unittest.TestCase):
    def setUp(self):
        """A root with the units of this machine's systemd, ours, and what ours start."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.place = self.root / "usr/lib/systemd/system"
        shutil.copytree("/usr/lib/systemd/system", self.place, symlinks=True)
        for unit in UNITS:
            shutil.copy(SOURCE / "packaging/systemd" / unit, self.place)
        for program in ("usr/bin/gantry", "bin/kill"):
            (self.root / program).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("/bin/true", self.root / program)

    def verify(self):
        ran = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={self.root}", *UNITS], capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def test_verify_says_nothing(self):
        self.assertEqual(self.verify(), (0, ""))

    def test_verify_would_see_a_wrong_line(self):
        with open(self.place / "gantry.service", "a", encoding="ascii") as unit:
            unit.write("[Service]\nProtectEverything=yes\n")
        self.assertIn("ProtectEverything", self.verify()[1])

    def test_exposure_is_low(self):
        for unit in ("gantry.service", "gantry-backup.service"):
            run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", SOURCE / "packaging/systemd" / unit)
        with self.assertRaises(subprocess.CalledProcessError, msg="the threshold means something"):
            run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX - 1}", self.place / "gantry.service")

    def test_it_is_stopped_later_than_it_stops_itself(self):
        shown = run(BUILD / "gantry", "config", "default")
        own = int(re.search(r'^#stop_timeout = "(\d+)s"$', shown, re.MULTILINE)[1])
        unit = (self.place / "gantry.service").read_text()
        self.assertGreater(int(re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)[1]), own)

    def test_it_isnt_started_again_in_vain(self):
        unit = (self.place / "gantry.service").read_text()
        self.assertIn("\nRestartPreventExitStatus=2 4\n", unit)
        wrong = subprocess.run([BUILD / "gantry", "serve", "--server.listen", "nowhere"], capture_output=True, timeout=60)
        self.assertEqual(wrong.returncode, 2)


if __name__ == "__main__":
    missing = [name for name in ("dpkg-shlibdeps", "objcopy", "systemd-analyze") if not shutil.which(name)]
    if missing:
        print(f"skipped: without {', '.join(missing)}")
        sys.exit(77)
    BUILD = pathlib.Path(sys.argv[1]).resolve()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
