"""A Debian 12 in a directory: debootstrap once, kept with what apt has downloaded, and a copy of it for each test."""
import ctypes
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

CLEAN = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", "LANG": "C.UTF-8",
         "DEBIAN_FRONTEND": "noninteractive"}
KEPT_DAYS, LOCKS = 14, []
KEPT = pathlib.Path(os.environ.get("GANTRY_PACKAGE_BASE", "/var/tmp/gantry-package-base"))
APT_OF_HOST = ["etc/apt/sources.list", "etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/apt/keyrings", "etc/apt/auth.conf.d",
               "usr/share/keyrings", "etc/resolv.conf", "etc/hosts", "etc/ssl/certs"]


def of_network(name):
    upper = name.upper()
    return upper.endswith("_PROXY") or "CERT" in upper or "CA_BUNDLE" in upper


def apart():
    """Begins this program again with mounts and a network of its own, which end with it: port 8080 is free there. The host's network is
    kept as descriptor HOST_NET, for apt."""
    if "HOST_NET" not in os.environ:
        outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.set_inheritable(outside, True)
        os.environ["HOST_NET"] = str(outside)
        os.execvp("unshare", ["unshare", "--mount", "--net", "--propagation", "private", sys.executable, *sys.argv])
    os.set_inheritable(int(os.environ["HOST_NET"]), True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:  # loopback is down in a new network
        request = struct.pack("16sH14x", b"lo", 1)  # IFF_UP
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.ioctl(any_socket.fileno(), 0x8914, request) == 0, os.strerror(ctypes.get_errno())  # SIOCSIFFLAGS


class Root:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.started = []

    def mounted(self):
        places = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        return [place for place in places if place == str(self.path) or place.startswith(f"{self.path}/")]

    def mount(self):
        for place, options in (("proc", ["-t", "proc"]), ("dev", ["-t", "tmpfs", "-o", "mode=755"])):
            subprocess.run(["mount", *options, place, str(self.path / place)], check=True)
        for name, number in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
            os.mknod(self.path / "dev" / name, 0o20666, os.makedev(1, number))
            os.chmod(self.path / "dev" / name, 0o666)
        for name, target in (("fd", "/proc/self/fd"), ("stdout", "fd/1"), ("stderr", "fd/2")):
            os.symlink(target, self.path / "dev" / name)
        (self.path / "dev/shm").mkdir(mode=0o1777)

    def run(self, command, check=True, host_net=False, env=None, user=None):
        """A command (list, or text for sh) inside; its exit code and what it printed."""
        became = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        said = ["sh", "-c", command] if isinstance(command, str) else command
        outside = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{os.environ['HOST_NET']}"] if host_net else []
        network = {key: value for key, value in os.environ.items() if of_network(key)} if host_net else {}
        ran = subprocess.run([*outside, "chroot", str(self.path), *became, *said], env={**CLEAN, **network, **(env or {})}, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
        if check and ran.returncode != 0:
            raise AssertionError(f"{said} ended with {ran.returncode}:\n{ran.stdout}")
        return ran.returncode, ran.stdout

    def popen(self, command, env=None, **options):
        """A program that is ended with this root, if it doesn't end before. `command` as limits.command_under or a chroot."""
        process = subprocess.Popen(command, env={**CLEAN, **(env or {})}, stdin=subprocess.DEVNULL, text=True, **options)
        self.started.append(process)
        return process

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait(30)
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        for place in sorted(self.mounted(), reverse=True):
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(self.path.parent)


def base(deb):
    """Makes it, if it isn't there or apt's lists in it are old, with what the package needs downloaded. Others may use it meanwhile."""
    KEPT.mkdir(mode=0o700, exist_ok=True)
    assert KEPT.stat().st_uid == 0, f"{KEPT} isn't root's"
    lock = LOCKS[0] if LOCKS else os.open(KEPT / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    LOCKS[:] = [lock]  # held until this program ends
    fcntl.flock(lock, fcntl.LOCK_SH)
    done = KEPT / "root"
    if not usable(done):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not usable(done):  # nobody made it while this waited
            make_base(deb, done)
        fcntl.flock(lock, fcntl.LOCK_SH)
    return done


def usable(done):
    return done.exists() and time.time() - done.stat().st_mtime < KEPT_DAYS * 86400


def make_base(deb, done):
    for former in (KEPT / "making", done):
        subprocess.run(["rm", "-rf", "--one-file-system", str(former)], check=True)
    mirror = subprocess.run("apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' | "
                            "awk '$2 == \"bookworm\" && $3 == \"main\" && $4 == \"Packages\" { print $1; exit }'",
                            shell=True, text=True, capture_output=True).stdout.strip() or "http://deb.debian.org/debian"
    making = Root(KEPT / "making")
    subprocess.run(["nsenter", f"--net=/proc/{os.getpid()}/fd/{os.environ['HOST_NET']}", "debootstrap", "--variant=minbase",
                    "--include=ca-certificates", "bookworm", str(making.path), mirror], check=True, stdout=subprocess.DEVNULL)
    # The settings of this host and nothing else of it; certificates and names of hosts, for the way to the mirror.
    (making.path / "etc/apt/sources.list").unlink(missing_ok=True)
    for name in APT_OF_HOST:
        source, target = pathlib.Path("/", name), making.path / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            # What links to nothing, or is its own target by now, stays away.
            subprocess.run(["cp", "-rLT", "--remove-destination", str(source), str(target)], check=False, stderr=subprocess.DEVNULL)
    (making.path / "etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n")
    shutil.copy(deb, making.path / "gantry.deb")
    making.mount()
    making.run("apt-get update -qq && apt-get install -qq --download-only --no-install-recommends ./gantry.deb", host_net=True)
    (making.path / "gantry.deb").unlink()
    for place in sorted(making.mounted(), reverse=True):
        subprocess.run(["umount", place], check=True)
    making.path.rename(done)


def fresh(deb):
    """A root of its own: what is written goes to a layer over the base, or to a copy where the kernel has no layers here."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gantry-package.", dir="/var/tmp"))
    directory.chmod(0o755)
    for name in ("root", "upper", "work"):
        (directory / name).mkdir()
    lower = base(deb)
    layers = f"lowerdir={lower},upperdir={directory}/upper,workdir={directory}/work"
    if subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", str(directory / "root")], capture_output=True).returncode != 0:
        subprocess.run(["cp", "-a", f"{lower}/.", str(directory / "root")], check=True)
    root = Root(directory / "root")
    root.mount()
    return root
