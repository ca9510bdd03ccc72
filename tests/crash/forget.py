"""The machine dies: the server lies on a file system that forgets what was not synced, all of it or a random part of sectors and names."""
import os
import pathlib
import random
import subprocess
import time

from shared import Broken, Crowd, Place, Promises, Server, Skipped, expect, tracing_refused, verify_log


class Forgetful:
    """The file system of forgetful.cpp, mounted."""

    def __init__(self, tools, mountpoint):
        program = pathlib.Path(tools) / "forgetful"
        if not program.exists():
            raise Skipped("the file system was not built: libfuse3-dev is missing")
        if not os.path.exists("/dev/fuse"):
            raise Skipped("there is no /dev/fuse")
        mountpoint.mkdir()
        self.mountpoint = mountpoint
        self.process = subprocess.Popen([program, str(mountpoint)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline() != "mounted\n":
            raise Skipped(f"a FUSE file system can't be mounted: {self.process.stderr.read().strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process.stderr.close()

    def _tell(self, line, answer):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline().split()
        expect(said and said[0] == answer, f"the file system said {said}")
        return said[1:]

    def cut(self):
        """The power goes under a server that runs: a sync that is under way won't be done."""
        self._tell("cut", "cut")

    def forget(self, seed, keep):
        """(sectors, of them kept, changes of names, of them kept) of what was not synced."""
        return [int(word) for word in self._tell(f"forget {seed} {keep}", "forgot")]


def write_file(path, content, synced):
    with open(path, "wb") as out:
        out.write(content)
        out.flush()
        if synced:
            os.fsync(out.fileno())


def sync_names(directory):
    handle = os.open(directory, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def check_that_it_forgets(disk):
    """Otherwise the scenario would show nothing."""
    place = disk.mountpoint / "check"
    place.mkdir()
    sync_names(disk.mountpoint)
    write_file(place / "kept", b"k" * 5000, synced=True)
    write_file(place / "content", b"c", synced=False)
    sync_names(place)
    write_file(place / "name", b"n", synced=True)
    os.rename(place / "kept", place / "renamed")
    disk.forget(1, 0)
    expect(sorted(os.listdir(place)) == ["content", "kept"], f"it remembers names: {os.listdir(place)}")
    expect((place / "kept").read_bytes() == b"k" * 5000 and (place / "content").read_bytes() == b"", "it mixes up what was synced")


def one_life(gantry, data, crowd, disk, rng):
    if rng.random() < 0.2:
        dying = Server(gantry, data, wait=False)
        time.sleep(rng.uniform(0, 0.08))
        disk.cut()
        dying.kill()
        disk.forget(rng.randrange(1 << 30), rng.choice([0, 0.5, 0.9]))
    server = Server(gantry, data).listening()
    crowd.promises.audit(gantry, server)
    crowd.begin(server)
    time.sleep(rng.uniform(0.05, 0.5))
    if rng.random() < 0.8:
        disk.cut()
        time.sleep(rng.uniform(0, 0.02))
    server.kill()
    crowd.end()
    forgotten = disk.forget(rng.randrange(1 << 30), rng.choice([0, 0.5, 0.9]))
    verify_log(gantry, data)
    return forgotten


def a_disk_that_lies(gantry, place, tools):
    """The audit notices what is lost if the syncs of the log are not done: so it would notice if the server forgot to sync."""
    promises = Promises()
    crowd = Crowd(promises, 1)
    with Forgetful(tools, place / "lying") as disk:
        lying = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:retval=0:when=20+"]
        server = Server(gantry, disk.mountpoint / "data", before=lying).listening()
        crowd.begin(server)
        time.sleep(0.5)
        server.kill()
        crowd.end()
        disk.forget(1, 0)
        server = Server(gantry, disk.mountpoint / "data")
        try:
            promises.audit(gantry, server.listening())
        except Broken:
            return  # by the server at its start, or by the audit
        finally:
            server.kill()
    raise Broken("nothing was synced, and the audit noticed nothing")


def run(options):
    rng = random.Random(options.seed)
    promises = Promises()
    crowd = Crowd(promises, options.seed)
    total = [0, 0, 0, 0]
    rounds = options.rounds or 20
    with Place() as place, Forgetful(options.tools, place / "disk") as disk:
        check_that_it_forgets(disk)
        if not tracing_refused():
            a_disk_that_lies(options.gantry, place, options.tools)
        data = disk.mountpoint / "data"
        for n in range(rounds):
            forgotten = one_life(options.gantry, data, crowd, disk, rng)
            total = [a + b for a, b in zip(total, forgotten)]
            if options.rounds:
                print(f"cut {n + 1}: {promises.figures()}, forgot {forgotten[0] - forgotten[1]} of {forgotten[0]} sectors", flush=True)
        server = Server(options.gantry, data).listening()
        crowd.finish(server)
        promises.audit(options.gantry, server, whole=True)
        server.kill()
    expect(total[0] > total[1] > 0, f"too little was forgotten, or all: {total}")
    return f"{rounds} power cuts; {promises.figures()}; kept {total[1]} of {total[0]} sectors and {total[3]} of {total[2]} names not synced"
