"""The directory of waiting reports: durable, bounded, shared."""
import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest
from unittest import mock

import shared
from shared import Case, until

import gantry_oops
from gantry_oops.drain import Drainer

WRITER = """
import json, sys
import gantry_oops
spool = gantry_oops.Spool(sys.argv[1])
number = 0
while True:
    report = {"id": gantry_oops.fresh_id(), "value": "x" * (number * 7919 % 200_000)}
    spool.put(report["id"], json.dumps(report).encode())
    sys.stdout.write(report["id"] + "\\n")
    sys.stdout.flush()
    number += 1
"""
MANY = """
import sys
import gantry_oops
config = gantry_oops.Config(sys.argv[1], spool=sys.argv[2], backoff=gantry_oops.Backoff(0.05, 0.2), exit_s=0, block_ms=20_000)
for n in range(int(sys.argv[3])):
    print(config.file(value=f"{n}", exc_info=ValueError(n)), flush=True)
config.flush(float(sys.argv[4]))
"""


def body(number=0, size=0):
    return f"OOPS-{number:032x}", json.dumps({"id": f"OOPS-{number:032x}", "value": "x" * size}).encode()


class TheSpool(Case):
    def test_a_file_is_on_disk_before_its_name_is_and_the_name_before_it_is_told(self):
        calls = []
        spool = gantry_oops.Spool(self.spool).prepare()
        real_sync, real_rename = os.fsync, os.rename

        def sync(handle):
            calls.append("directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
            real_sync(handle)

        def rename(a, b):
            calls.append("rename")
            real_rename(a, b)

        with mock.patch("os.fsync", sync), mock.patch("os.rename", rename):
            spool.put(*body())
        self.assertEqual(calls, ["file", "rename", "directory"])

    def test_its_files_are_for_their_owner_alone(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        name = gantry_oops.Spool(self.spool).put(*body())
        self.assertEqual(oct((self.spool / name).stat().st_mode & 0o777), "0o600")
        self.assertEqual(oct(self.spool.stat().st_mode & 0o777), "0o700")

    def test_names_sort_by_time_and_hold_no_path(self):
        spool = gantry_oops.Spool(self.spool)
        for oops_id in ("z", "a", "../../etc/x", "b" * 500):
            spool.put(oops_id, b"{}")
            time.sleep(0.001)
        self.assertEqual([n[19:] for n in self.waiting()], ["z.json", "a.json", "______etc_x.json", "b" * 80 + ".json"])
        self.assertEqual(list(self.place.iterdir()), [self.spool])

    def test_it_is_bounded_in_files_and_the_newest_is_refused(self):
        spool = gantry_oops.Spool(self.spool, files_max=3)
        kept = [spool.put(*body(n)) for n in range(3)]
        with self.assertRaises(gantry_oops.SpoolFull):
            spool.put(*body(3))
        self.assertEqual(self.waiting(), kept)
        spool.remove(kept[0])
        spool.put(*body(4))

    def test_it_is_bounded_in_bytes(self):
        size = len(body(0, 100)[1])
        spool = gantry_oops.Spool(self.spool, bytes_max=3 * size)
        for n in range(3):
            spool.put(*body(n, 100))
        with self.assertRaises(gantry_oops.SpoolFull):
            spool.put(*body(3))
        with self.assertRaises(gantry_oops.SpoolFull):
            gantry_oops.Spool(self.place / "other", bytes_max=size - 1).put(*body(0, 100))

    def test_it_sees_what_others_wrote(self):
        ours, theirs = (gantry_oops.Spool(self.spool, files_max=10) for _ in range(2))
        ours.put(*body(0))
        for n in range(9):
            theirs.put(*body(n))
        with mock.patch("gantry_oops.spool.time.monotonic", return_value=time.monotonic() + 2), self.assertRaises(gantry_oops.SpoolFull):
            ours.put(*body(10))

    def test_a_failing_disk_leaves_nothing(self):
        spool = gantry_oops.Spool(self.spool).prepare()
        for broken in ("os.write", "os.fsync", "os.rename"):
            with self.subTest(broken), mock.patch(broken, side_effect=OSError(errno.EIO, "no")), self.assertRaises(OSError):
                spool.put(*body())
            self.assertEqual(list(self.spool.iterdir()), [])

    def test_short_writes_are_gone_on_with(self):
        real = os.write
        with mock.patch("os.write", lambda handle, rest: real(handle, rest[:7])):
            name = gantry_oops.Spool(self.spool).put(*body(1, 1000))
        self.assertEqual((self.spool / name).read_bytes(), body(1, 1000)[1])

    def test_counts_of_the_lost_survive_and_are_damaged_harmlessly(self):
        spool = gantry_oops.Spool(self.spool).prepare()
        self.assertEqual(spool.lost(), {})
        spool.change_lost({"spool_full": 1000})
        spool.change_lost({"spool_full": 2, "damaged": 1})
        self.assertEqual(gantry_oops.Spool(self.spool).lost(), {"spool_full": 1002, "damaged": 1})
        spool.change_lost({"spool_full": -1000, "damaged": -5})
        self.assertEqual(spool.lost(), {"spool_full": 2})
        (self.spool / "lost").write_bytes(b"\xff{")
        spool.change_lost({"spool_full": 1})
        self.assertEqual(spool.lost(), {"spool_full": 1})

    def test_old_unfinished_files_go_and_young_ones_stay(self):
        spool = gantry_oops.Spool(self.spool).prepare()
        for name, age_s in (("old.json.1.tmp", 3700), ("young.json.1.tmp", 10)):
            (self.spool / name).write_text("{")
            os.utime(self.spool / name, (time.time() - age_s,) * 2)
        spool.tidy()
        self.assertEqual([p.name for p in self.spool.iterdir()], ["young.json.1.tmp"])

    def test_one_process_sends_at_a_time_and_a_child_does_not_keep_the_lock(self):
        spool = gantry_oops.Spool(self.spool).prepare()
        with spool.sole_sender() as ours:
            with gantry_oops.Spool(self.spool).sole_sender() as theirs:
                self.assertEqual((ours, theirs), (True, False))
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            os.close(reader)
        with gantry_oops.Spool(self.spool).sole_sender() as theirs:
            self.assertTrue(theirs)
        os.close(writer)
        os.waitpid(child, 0)

    def test_what_is_set_aside_is_bounded(self):
        spool = gantry_oops.Spool(self.spool)
        with mock.patch("gantry_oops.spool.ASIDE_MAX", 3):
            for n in range(5):
                spool.reject(spool.put(*body(n)), {"status": 400, "answer": "no"})
        aside = sorted(p.name[-6:] for p in (self.spool / "rejected").iterdir())
        self.assertEqual(len(aside), 6)


class Killed(Case):
    def test_what_was_told_as_written_is_there_and_whole(self):
        told = []
        for wait_s in (0.01, 0.02, 0.03, 0.05, 0.08, 0.13):
            child = subprocess.Popen(["/usr/bin/python3", "-c", WRITER, str(self.spool)], stdout=subprocess.PIPE, text=True,
                                     env=shared.ENVIRONMENT)
            told.append(child.stdout.readline().strip())
            time.sleep(wait_s)
            child.send_signal(signal.SIGKILL)
            told += [line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            child.wait()
            child.stdout.close()
        self.assertGreater(len(told), 12)
        spool = gantry_oops.Spool(self.spool)
        there = {spool.read(name)["id"] for name in spool.waiting()}
        self.assertLessEqual(set(told), there)
        config = self.config()
        config.start()
        self.arrived(there)
        self.assertEqual(list(self.spool.glob("damaged/*")), [])


    def test_whoever_is_killed_while_sending_leaves_the_rest_to_others(self):
        self.serve()
        told = []
        for wait_s in (0.01, 0.03, 0.06, 0.1):
            child = subprocess.Popen(["/usr/bin/python3", "-c", MANY, self.front.dsn, str(self.spool), "1000000", "0"],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=shared.ENVIRONMENT)
            told.append(child.stdout.readline().strip())
            time.sleep(wait_s)
            child.send_signal(signal.SIGKILL)
            told += [line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            child.wait()
            child.stdout.close()
        self.config().start()
        self.assertTrue(until(lambda: not self.waiting()))
        self.assertLessEqual(set(told), set(self.front.reports))
        self.arrived(set(self.front.reports))


class Together(Case):
    def test_four_processes_write_and_send_and_each_report_arrives_once(self):
        self.serve()
        self.front.go_away()
        several = [subprocess.Popen(["/usr/bin/python3", "-c", MANY, self.front.dsn, str(self.spool), "25", "15"], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True, env=shared.ENVIRONMENT) for _ in range(4)]
        ids = [several[0].stdout.readline().strip()]
        self.front.come_back()
        for process in several:
            ids += process.stdout.read().split()
            process.stdout.close()
        for process in several:
            self.assertEqual(process.wait(), 0)
        self.assertEqual(len(set(ids)), 100)
        config = self.config()
        config.start()
        self.arrived(ids)
        if self.stand_in:  # the lock let one send at a time
            self.assertEqual(set(self.stand_in.posts.values()), {1})

    def test_a_child_of_a_fork_reports_for_itself_and_repeats_nothing(self):
        config = self.config()
        ours = config.file(exc_info=ValueError("parent"))
        self.assertTrue(config.flush(10))
        config.publisher.lost.add("rate")
        children = []
        for n in range(3):
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                os.write(writer, (config.file(exc_info=ValueError(n)) or "").encode())
                config.flush(10)
                os._exit(0)
            os.close(writer)
            with os.fdopen(reader) as said:
                children.append(said.read())
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        more = config.file(exc_info=ValueError("parent again"))
        self.arrived([ours, *children, more])
        self.assertEqual([r.get("lost") for r in self.front.reports.values()], [None] * 4 + [{"rate": 1}])
        if self.stand_in:
            self.assertEqual(set(self.stand_in.posts.values()), {1})

    def test_another_interpreter_sends_what_this_one_left(self):
        newer = [p for p in ("/usr/bin/python3.12", "/usr/bin/python3.13", *other_interpreters()) if os.access(p, os.X_OK)]
        if not newer:
            self.skipTest("no other python of 3.11 or later is on PATH")
        self.serve()
        oops_id, text = body(7)
        gantry_oops.Spool(self.spool).put(oops_id, text)
        done = self.python("import sys; from gantry_oops.__main__ import main; sys.exit(main())", "drain", self.spool, interpreter=newer[0],
                           env={"GANTRY_OOPS_DSN": self.front.dsn})
        self.assertEqual((done.returncode, done.stdout), (0, "1 sent, 0 refused, 0 damaged, 0 left\n"), done.stderr)
        self.arrived([oops_id])

    def test_a_second_interpreter_in_one_process_reports_too(self):
        self.serve()
        done = self.python("""
import sys
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    print("none"); sys.exit()
inside = interpreters.create(isolated=False)
code = f'''
import sys
sys.argv = ["inside"]
sys.path[:] = {sys.path!r}
import gantry_oops
config = gantry_oops.Config({sys.argv[1]!r}, spool={sys.argv[2]!r}, exit_s=0)
print(config.file(exc_info=ValueError("inside")), config.flush(10), flush=True)
'''
interpreters.run_string(inside, code)
import os
os._exit(0)
""", self.front.dsn, self.spool)
        if done.stdout == "none\n":
            self.skipTest("this python makes no second interpreter")
        oops_id, flushed = done.stdout.split()
        self.assertEqual(flushed, "True", done.stderr)
        self.arrived([oops_id])


def other_interpreters():
    found = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = pathlib.Path(folder, "python3")
        if os.access(path, os.X_OK) and path.resolve() != pathlib.Path("/usr/bin/python3").resolve():
            asked = subprocess.run([path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], capture_output=True)
            found += [str(path)] if asked.returncode == 0 else []
    return found


class BadDisks(Case):
    def mount(self, options):
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small disk")
        disk = self.place / "disk"
        disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"mount isn't allowed here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        return disk

    def test_a_full_disk_keeps_reports_in_memory_and_sends_them(self):
        disk = self.mount("size=64k")
        self.serve()
        self.front.go_away()
        config = self.config(spool=disk / "spool")
        on_disk = [config.file(message="first", filler=1)]
        (disk / "filler").write_bytes(b"")
        with open(disk / "filler", "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(b"x" * 4096)
        in_memory = [config.file(exc_info=ValueError(n)) for n in range(3)]
        self.assertNotIn(None, in_memory)
        self.assertEqual(self.told.count("can't be written to disk"), 1)
        self.assertEqual(len(gantry_oops.Spool(disk / "spool").waiting()), 1)
        self.front.come_back()
        self.arrived(on_disk + in_memory)
        self.assertEqual(gantry_oops.Spool(disk / "spool").waiting(), [])

    def test_what_is_in_memory_goes_to_the_disk_when_there_is_room_again(self):
        disk = self.mount("size=64k")
        self.serve()
        self.front.go_away()
        (disk / "spool").mkdir()
        with open(disk / "filler", "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(b"x" * 4096)
        config = self.config(spool=disk / "spool")
        oops_id = config.file(exc_info=ValueError())
        self.assertTrue(until(lambda: self.told.count("can't be written")))
        (disk / "filler").unlink()
        self.assertTrue(until(lambda: gantry_oops.Spool(disk / "spool").waiting()))
        self.front.come_back()
        self.arrived([oops_id])

    def test_a_spool_that_cannot_be_written_costs_nothing_but_durability(self):
        if os.geteuid() == 0:
            disk = self.mount("size=64k")
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        else:
            disk = self.place / "disk"
            disk.mkdir(mode=0o500)
        config = self.config(spool=disk)
        oops_id = config.file(exc_info=ValueError())
        self.arrived([oops_id])
        self.assertEqual(self.told.count("can't be written to disk"), 1)

    def test_so_does_one_that_is_a_file_or_somebody_elses(self):
        (self.place / "file").write_text("")
        config = self.config(spool=self.place / "file")
        self.arrived([config.file(exc_info=ValueError())])

    def test_the_default_directory_is_ours_alone(self):
        dsn = gantry_oops.Dsn("http://k@h:80/oops/shop")
        with mock.patch.dict(os.environ, GANTRY_OOPS_SPOOL=str(self.place)):
            self.assertEqual(gantry_oops.default_spool(dsn), self.place / "h-80-oops-api-shop")
        with mock.patch.dict(os.environ, STATE_DIRECTORY=f"{self.place}:/other"):
            self.assertEqual(gantry_oops.default_spool(dsn), self.place / "oops" / "h-80-oops-api-shop")
        theirs = mock.Mock(st_uid=os.geteuid() + 1, st_mode=0o40700)
        with mock.patch.object(pathlib.Path, "mkdir"), mock.patch.object(pathlib.Path, "lstat", return_value=theirs), \
                self.assertRaises(PermissionError):
            gantry_oops.default_spool(dsn)
        with mock.patch("gantry_oops.client.default_spool", side_effect=PermissionError("theirs")):
            config = self.config(spool=None)
        self.arrived([config.file(exc_info=ValueError())])


class Draining(Case):
    """The drainer alone, without threads."""

    def setUp(self):
        super().setUp()
        self.serve()
        self.waits = gantry_oops.Spool(self.spool)
        self.drainer = Drainer(self.waits, gantry_oops.Transport(gantry_oops.Dsn(self.front.dsn), timeout_s=5))

    def drain(self):
        done = self.drainer.run()
        return done.sent, done.rejected, done.damaged, done.left

    def put(self, count):
        """Their ids."""
        numbers = range(count, 0, -1)
        for n in numbers:
            self.waits.put(*body(n))
        return [body(n)[0] for n in numbers]

    def test_the_oldest_is_first(self):
        ids = self.put(5)
        self.assertEqual(self.drain(), (5, 0, 0, 0))
        self.assertEqual(list(self.front.reports), ids)

    def test_what_is_no_report_is_set_aside_and_counted(self):
        self.waits.prepare()
        bad = {"1.json": b"", "2.json": b'{"id":"OOPS-1', "3.json": b"[]", "4.json": b'{"id":7}', "5.json": b"\xff",
               "6.json": b"[" * 100_000}
        for name, text in bad.items():
            (self.spool / name).write_bytes(text)
        (self.spool / "7.json").mkdir()
        os.mkfifo(self.spool / "8.json")
        (self.spool / "half.json.1.tmp").write_text('{"id":')
        with open(self.spool / "9.json", "wb") as file:
            file.truncate(17 * 1024 * 1024)
        ids = self.put(1)
        self.assertEqual(self.drain(), (1, 0, 9, 0))
        self.assertEqual(sorted(p.name for p in self.spool.glob("damaged/*")), [f"{n}.json" for n in range(1, 10)])
        self.arrived(ids)
        self.waits.put(*body(7))
        self.drain()
        self.assertEqual(self.front.reports[body(7)[0]]["lost"], {"damaged": 9})
        self.assertEqual(self.waits.lost(), {})

    def test_a_report_that_is_bad_is_rejected_with_the_answer_beside_it(self):
        for status in (400, 413, 415, 422):
            with self.subTest(status):
                [_] = self.put(1)
                self.front.faults.append((status, [], b'{"code":"no"}'))
                self.assertEqual(self.drain(), (0, 1, 0, 0))
                answers = sorted((self.spool / "rejected").glob("*.answer"))
                self.assertEqual(json.loads(answers[-1].read_text()), {"status": status, "answer": '{"code":"no"}'})
                self.assertTrue(answers[-1].with_suffix(".json").exists())
        self.assertEqual(self.front.reports, {})

    def test_a_bad_key_and_a_stranger_keep_the_reports(self):
        ids = self.put(2)
        page = (200, [("Content-Type", "text/html")], b"<html>Log in to the hotel's network</html>")
        for fault in ((401, [], b""), (403, [], b""), (404, [], b""), (302, [("Location", "/")], b""), page, (200, [], b"{}"),
                      (200, [], b'{"id":7}'), (429, [("Retry-After", "7")], b""), (503, [], b""), (502, [], b""), "drop"):
            with self.subTest(fault):
                self.front.faults.append(fault)
                self.assertEqual(self.drain(), (0, 0, 0, 2))
        self.assertEqual(self.drain(), (2, 0, 0, 0))
        self.arrived(ids)

    def test_one_that_the_service_fails_at_does_not_hold_up_the_others(self):
        ids = self.put(6)
        self.front.faults += [(500, [], b"")]
        self.assertEqual(self.drain(), (5, 0, 0, 1))
        self.assertEqual(list(self.front.reports), ids[1:])
        self.assertEqual(self.drain(), (1, 0, 0, 0))
        ids = self.put(8)
        self.front.always = lambda report: (500, [], b"") if report["id"] in ids[:5] else None
        for _ in range(3):
            self.drain()
        self.assertLessEqual(set(ids[5:]), set(self.front.reports))
        self.front.always = (500, [], b"")
        before = len(self.front.requests)
        self.assertEqual(self.drain(), (0, 0, 0, 5))
        self.assertEqual(len(self.front.requests) - before, 3)

    def test_an_answer_that_got_lost_makes_no_second_report(self):
        ids = self.put(3)
        self.front.faults.append("cut")
        self.assertEqual(self.drain()[3], 3)
        self.assertEqual(self.drain(), (3, 0, 0, 0))
        self.arrived(ids)
        if self.stand_in:
            self.assertEqual(self.stand_in.posts[ids[0]], 2)

    def test_a_connection_that_the_service_closed_between_two_reports_is_made_again(self):
        ids = self.put(3)
        self.front.faults += [None, "drop"]
        self.assertEqual(self.drain(), (3, 0, 0, 0))
        self.arrived(ids)

    def test_long_reports_go_packed_and_plain_where_that_is_not_understood(self):
        oops_id, text = body(1, 20_000)
        self.waits.put(oops_id, text)
        self.assertEqual(self.drain(), (1, 0, 0, 0))
        self.assertEqual(self.front.requests[-1]["Content-Encoding"], "gzip")
        self.assertEqual(self.front.reports[oops_id]["value"], "x" * 20_000)
        self.waits.put(*body(2, 20_000))
        self.front.faults.append((415, [], b""))
        self.assertEqual(self.drain(), (1, 0, 0, 0))
        self.assertNotIn("Content-Encoding", self.front.requests[-1])

    def test_retry_after_is_a_number_or_a_date_and_never_absurd(self):
        from gantry_oops.transport import seconds_of
        for text, seconds in (("7", 7), ("0", 0), ("-5", 0), ("99999999999", 3600), ("x", 0), (None, 0),
                              ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), ("1e400", 0)):
            with self.subTest(text):
                self.assertEqual(seconds_of(text), seconds)

    def test_the_waits_double_within_their_bounds(self):
        backoff = gantry_oops.Backoff(1, 300)
        waits = [backoff.failed() for _ in range(40)]
        for n, wait_s in enumerate(waits):
            whole = min(300, 2 ** n)
            self.assertTrue(whole / 2 <= wait_s <= whole, (n, wait_s))
        self.assertTrue(60 <= backoff.failed(60) <= 90)
        backoff.succeeded()
        self.assertLessEqual(backoff.failed(), 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
