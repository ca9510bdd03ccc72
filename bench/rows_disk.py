"""The disk alone, and the log against it."""
from measure import Missing, median, ratio, round_to, rounds, row

IN_FLIGHT = (1, 64, 1024)
SECONDS = 0.4  # what is written counts against the disk's own limits, and then against the next measurement


def idle_disk(lab):
    """Absolute figures; a busy neighbour shows as one scheduler tick (4 ms at 250 Hz), so both priorities are told."""
    plain = lab.run("floor_sync", dir=lab.data, bytes=4096, seconds=1)
    found = [row("fdatasync of 4 KiB on the idle disk, p50", plain["sync_p50_us"], "µs", "lower"),
             row("fdatasync of 4 KiB on the idle disk, p99", plain["sync_p99_us"], "µs", "lower")]
    try:
        urgent = lab.run("floor_sync", dir=lab.data, bytes=4096, seconds=1, prefix=["chrt", "-f", "1"])
        found.append(row("the same at real-time priority, p50", urgent["sync_p50_us"], "µs", "lower"))
    except (Missing, OSError):
        lab.note("no right to real-time priority: that row is left out")
    return found


def group_commit(lab, count=3):
    """The log with N commands in flight, against a bare loop that writes as many bytes for as many commands a sync."""
    found = []
    for in_flight in IN_FLIGHT:
        shape = {}

        def ours():
            got = lab.run("log", dir=lab.fresh("group"), inflight=in_flight, seconds=SECONDS)
            shape.update(bytes=max(1, round(got["bytes_per_sync"])), records=got["commands_per_sync"])
            return got

        def floor(**more):
            return lab.run("floor_sync", dir=lab.data, seconds=SECONDS, **shape, **more)

        ours()  # to know the shape, and to warm up
        got = rounds(count, {"ours": ours, "floor": floor, "cached": lambda: floor(cached="yes")})
        speed = [g["commands_per_s"] for g in got["ours"]]
        bare = [g["records_per_s"] for g in got["floor"]]
        name = f"group commit, {in_flight} in flight"
        found += [row(f"{name}, against a bare write+fdatasync loop at equal batch", ratio(speed, bare), "×", "higher", 0.8),
                  row(name, median(speed), "commands/s", "higher",
                      peers={"bare loop": median(bare), "bare loop over cached pages": median([g["records_per_s"] for g in got["cached"]])
                      }),
                  row(f"{name}: commands a sync", round_to(median([g["commands_per_sync"] for g in got["ours"]]), 3), "commands", "higher"),
                  row(f"{name}: sync p50", median([g["sync_p50_us"] for g in got["floor"]]), "µs", "lower"),
                  row(f"{name}: sync p99", median([g["sync_p99_us"] for g in got["floor"]]), "µs", "lower")]
    return found
