"""A disk that is full: the data lies on a small tmpfs that a ballast fills. Commands get 507, reads go on; with the ballast gone commands
work again without a restart; a start on a full disk works, or says what is wrong."""
import os
import random
import signal
import subprocess
import time

from shared import Client, Crowd, Place, Promises, Server, Skipped, expect, verify_log, wait_for

DISK_MIB = 32
ROOM_MIB = 6  # beside the ballast: for a few segments, and not for the next one


class SmallDisk:
    def __init__(self, path):
        path.mkdir()
        out = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "gantry-full", str(path)], capture_output=True,
                             text=True)
        if out.returncode:
            raise Skipped(f"a tmpfs can't be mounted: {out.stderr.strip()}")
        self.path, self.ballast = path, path / "ballast"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    def leave(self, free_bytes):
        """Fills the disk up to that."""
        self.ballast.unlink(missing_ok=True)
        space = os.statvfs(self.path)
        with open(self.ballast, "wb") as out:
            os.posix_fallocate(out.fileno(), 0, space.f_bavail * space.f_frsize - free_bytes)

    def relieve(self):
        self.ballast.unlink()


def reads_go_on(crowd, server):
    before = crowd.reader.reads
    wait_for(lambda: crowd.reader.reads > before + 20, 10, "reads are answered while the disk is full")
    client = Client(server.url)
    status, _, body = client.ask("GET", "/health/ready")
    expect(status == 200, f"not ready while the disk is full: {status} {body}")
    client.close()


def fill_and_relieve(options, disk, crowd, rng):
    """One life through a full disk."""
    disk.leave(ROOM_MIB << 20)
    server = Server(options.gantry, disk.path / "data").listening()
    crowd.promises.audit(options.gantry, server)
    crowd.begin(server)
    wait_for(lambda: all(writer.full > 3 for writer in crowd.writers), 60, "every writer is refused with 507")
    reads_go_on(crowd, server)
    kept = len(crowd.promises.kept)
    time.sleep(rng.uniform(0.1, 0.5))
    expect(server.alive(), f"a full disk ended the server: {server.said()[-2000:]}")
    disk.relieve()
    wait_for(lambda: len(crowd.promises.kept) > kept + 100, 20, "commands work again")
    time.sleep(rng.uniform(0, 0.3))
    server.kill()
    crowd.end()
    verify_log(options.gantry, disk.path / "data")


def start_when_full(options, disk, crowd, free_bytes):
    """What was acknowledged is read, commands are refused, and work once there is room."""
    disk.leave(free_bytes)
    server = Server(options.gantry, disk.path / "data").listening()
    crowd.promises.audit(options.gantry, server)
    refused = crowd.refused_as_full()
    crowd.begin(server)
    wait_for(lambda: crowd.refused_as_full() > refused + 20, 60, "commands are refused after a start on a full disk")
    reads_go_on(crowd, server)
    disk.relieve()
    kept = len(crowd.promises.kept)
    wait_for(lambda: len(crowd.promises.kept) > kept + 100, 20, "commands work again after a start on a full disk")
    server.kill()
    crowd.end()
    server = Server(options.gantry, disk.path / "data").listening()
    crowd.finish(server)
    crowd.promises.audit(options.gantry, server, whole=True)
    server.kill()


def first_start_when_full(options, disk):
    disk.leave(0)
    server = Server(options.gantry, disk.path / "fresh")
    expect(not server.url, "an empty directory on a full disk was served")
    code, said = server.end(), server.said()
    expect(code == 1 and "disk is full" in said and "No space left on device" in said, f"a first start on a full disk: exit {code}, {said}")
    disk.relieve()
    server = Server(options.gantry, disk.path / "fresh").listening()
    expect(server.kill(signal.SIGTERM) == 0, "and its next start doesn't end in order")
    subprocess.run(["rm", "-r", str(disk.path / "fresh")], check=True)


def run(options):
    rng = random.Random(options.seed)
    rounds = options.rounds or 2
    refused = 0
    with Place() as place, SmallDisk(place / "disk") as disk:
        first_start_when_full(options, disk)
        for n in range(rounds):
            subprocess.run(["rm", "-rf", str(disk.path / "data")], check=True)
            crowd = Crowd(Promises(), options.seed + n)
            fill_and_relieve(options, disk, crowd, rng)
            start_when_full(options, disk, crowd, [0, 4096, 1 << 20][n % 3])
            refused += crowd.refused_as_full()
            if options.rounds:
                print(f"full {n + 1}: {crowd.promises.figures()}, {crowd.refused_as_full()} refused with 507", flush=True)
    return f"{rounds} times full, and at a start; {crowd.promises.figures()}; {refused} refused with 507"
