"""The limits of a systemd unit without systemd: what a [Service] section says, taken on by unshare, mount, prlimit, setpriv and seccomp.

PrivateUsers, PrivateDevices beyond a bare /dev, and the cgroup settings (TasksMax, OOMPolicy) need systemd itself and are left out."""
import ctypes
import ctypes.util
import errno
import functools
import os
import resource
import shlex
import socket
import subprocess

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LT, EQ, GT, MASKED_EQ = 2, 4, 6, 7
NAMESPACES = [0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000


class Unit:
    """The settings of [Service] in file order; an empty value resets, as in systemd."""

    def __init__(self, path):
        self.settings = {}
        section = ""
        for line in path.read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and not line.startswith("#"):
                name, value = line.split("=", 1)
                self.settings.setdefault(name, []).append(value)

    def last(self, name):
        return self.settings.get(name, [""])[-1]

    def commands(self, name="ExecStart"):
        variables = dict(word.split("=", 1) for line in self.settings.get("Environment", []) for word in shlex.split(line))
        known = {"${" + key + "}": value for key, value in variables.items()}
        return [[known.get(word, word) for word in shlex.split(line)] for line in self.settings[name]]


@functools.cache
def group(name):
    """The system calls of "@group", or the name itself."""
    if not name.startswith("@"):
        return frozenset([name])
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    words = [line.strip() for line in listed.splitlines()[1:]]
    return frozenset().union(*(group(word) for word in words if word and not word.startswith("#")))


def allowed_calls(unit):
    calls = set(group("@default"))
    for line in unit.settings["SystemCallFilter"]:
        named = set().union(*(group(word) for word in line.removeprefix("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """A seccomp filter of libseccomp, which apt itself is linked with."""
    library = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p

    def __init__(self, otherwise):
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action, call, *comparisons):
        number = self.library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # of another processor
        array = (Comparison * max(1, len(comparisons)))(*comparisons)
        added = self.library.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(comparisons), array)
        assert added == 0, (call, os.strerror(-added))

    def write(self, path):
        with open(path, "wb") as file:
            assert self.library.seccomp_export_bpf(self.context, file.fileno()) == 0
        self.library.seccomp_release(self.context)


def write_filters(unit, directory):
    """The files, in the order in which they can be taken on: the list of calls last."""
    refused = ERRNO | getattr(errno, unit.last("SystemCallErrorNumber"))
    arguments = Filter(ALLOW)
    if unit.last("MemoryDenyWriteExecute") == "yes":
        both = PROT_WRITE | PROT_EXEC
        arguments.rule(refused, "mmap", Comparison(2, MASKED_EQ, both, both))
        for call in ("mprotect", "pkey_mprotect"):
            arguments.rule(refused, call, Comparison(2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
        arguments.rule(refused, "shmat", Comparison(2, MASKED_EQ, SHM_EXEC, SHM_EXEC))
    if unit.last("RestrictNamespaces") == "yes":
        for call in ("unshare", "setns"):
            arguments.rule(refused, call)
        for flag in NAMESPACES:
            arguments.rule(refused, "clone", Comparison(0, MASKED_EQ, flag, flag))
        arguments.rule(ERRNO | errno.ENOSYS, "clone3")
    families = sorted(int(getattr(socket, name)) for name in unit.last("RestrictAddressFamilies").split())
    outside = [Comparison(0, LT, families[0], 0), Comparison(0, GT, families[-1], 0)]
    outside += [Comparison(0, EQ, n, 0) for n in range(families[0] + 1, families[-1]) if n not in families]
    for comparison in outside:
        arguments.rule(ERRNO | errno.EAFNOSUPPORT, "socket", comparison)
    arguments.write(directory / "arguments.bpf")
    calls = Filter(refused)
    for call in sorted(allowed_calls(unit)):
        calls.rule(ALLOW, call)
    calls.write(directory / "calls.bpf")
    return ["arguments.bpf", "calls.bpf"]


def files_open_max(unit):
    """What the unit says, or what this machine lets root have."""
    return min(int(unit.last("LimitNOFILE")), resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def command_under(unit, root, inside, command):
    """`command` in the chroot `root` as the unit would run it. `inside`: where under_filters and the filters lie, a path in the chroot."""
    q = shlex.quote
    state = f"{root}/var/lib/{unit.last('StateDirectory')}" if unit.last("StateDirectory") else ""
    writable = [state] if state else []
    writable += [f"{root}{place.lstrip('-')}" for place in unit.last("ReadWritePaths").split()]
    steps = [f"mount --rbind {q(str(root))} {q(str(root))}", f"mount -o remount,bind,ro {q(str(root))}"]
    steps += [f"mount --bind {q(path)} {q(path)} && mount -o remount,bind,rw {q(path)}" for path in writable]
    steps += [f"mount -t tmpfs -o mode=1777 tmpfs {q(f'{root}/{place}')}" for place in ("tmp", "var/tmp")]
    steps += [f"mount -t proc -o hidepid={unit.last('ProtectProc')},subset={unit.last('ProcSubset')} proc {q(f'{root}/proc')}"]
    files = [f"{inside}/{name}" for name in write_filters(unit, root / inside.lstrip("/"))]
    limits = [f"--nofile={files_open_max(unit)}"] if unit.last("LimitNOFILE") else []
    limits += [f"--core={unit.last('LimitCORE')}"] if unit.last("LimitCORE") else []
    became = ["setpriv", f"--reuid={unit.last('User')}", f"--regid={unit.last('Group')}", "--init-groups", "--no-new-privs",
              "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", f"{inside}/under_filters", *files, "--", *command]
    steps += [f"umask {unit.last('UMask')}", f"exec prlimit {' '.join(limits)} chroot {q(str(root))} {shlex.join(became)}"]
    return ["unshare", "--mount", "--ipc", "--propagation", "private", "sh", "-c", " && ".join(steps)]
