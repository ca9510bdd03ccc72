"""The edge: what a GET costs, and how many durable commands pass."""
import subprocess

from measure import LOAD_CPU, SERVER_CPU, Server, fetch, median, ratio, rounds, row, sync_percentiles

PACKAGES = 1000
STAGES = 5
GET = "/tracker/v1/packages/pkg7"


def report(package, packages):
    return (f'{{"package":"{package}{{n%{packages}}}","version":"1.0-1","arch":"amd64","series":"trixie","stage":"stage{{n%7}}",'
            '"reporter":"bench"}')


# What is read stays as it is while others are reported: the answers of all rounds are the same.
READ, REPORTED = report("pkg", PACKAGES), report("load", 50_000)
JSON = "Content-Type: application/json"


def serve(lab, name, **options):
    return serve_data(lab, lab.fresh(name), name, **options)


def serve_data(lab, data, name, flags=(), program=None, callers=False, **options):
    """`callers`: the server asks who calls, and the load shows a token of one who may."""
    shown = [token(lab, data)] if callers else []
    command = [program or lab.program("gantry"), "serve", "tracker", "--data", data, "--listen", "127.0.0.1:0", *flags]
    server = Server(lab, command, "listening http://", name=name, **options)
    server.shown = shown
    return server


def token(lab, data):
    add = [lab.program("gantry"), "auth", "add", "bench", "--token", "--scope", "*", "--data", data]
    made = subprocess.run([*map(str, add)], capture_output=True, text=True, check=True)
    return f"Authorization: Bearer {made.stdout.strip()}"


def fill(lab, server):
    post(lab, server, READ, requests=STAGES * PACKAGES, connections=8)


def post(lab, server, body=REPORTED, **flags):
    return accepted(lab.run("load", port=server.port, target="/tracker/v1/reports", body=body, header=[JSON, *server.shown], **flags))


def get(lab, server, target=GET, **flags):
    shown = {"header": server.shown} if server.shown else {}
    return accepted(lab.run("load", port=server.port, target=target, **shown, **flags))


def accepted(got):
    """A refused request is fast and measures nothing."""
    if got["non_2xx"] or got["errors"] or not got["requests"]:
        refused = f"{got['non_2xx']} got status {got['non_2xx_status']}, {got['errors']} were cut off"
        raise RuntimeError(f"of {got['requests']} requests {refused}")
    return got


def cpu_of_get(lab, count=5):
    """User and system time a request, server and load each on a CPU of its own, against the bare loop with the very same bytes."""
    with serve(lab, "cpu", cpu=SERVER_CPU) as ours:
        fill(lab, ours)
        answer = fetch(ours.port, f"GET {GET} HTTP/1.1\r\nHost: 127.0.0.1:{ours.port}\r\n\r\n")
        (lab.data / "answer").write_bytes(answer)
        bare = [lab.program("floor_http"), "--file", lab.data / "answer"]
        with Server(lab, bare, "listening http://", cpu=SERVER_CPU, name="floor") as floor:

            def measure(server):
                before = server.cpu_s()
                got = get(lab, server, connections=64, seconds=1.5, cpu=LOAD_CPU)
                return (server.cpu_s() - before) / got["asked"] * 1e6, got["per_s"]

            got = rounds(count, {"ours": lambda: measure(ours), "floor": lambda: measure(floor)})
    cpu = {name: [g[0] for g in results] for name, results in got.items()}
    times = ratio(cpu["ours"], cpu["floor"])
    # 1.4 for the edge alone, and a fifth of that for who calls, what is logged, counted and traced.
    return [row("CPU of a GET of one package, against a bare epoll loop with the same bytes", times, "×", "lower", 1.68),
            row("CPU of a GET of one package", median(cpu["ours"]), "µs", "lower", peers={"bare epoll loop": median(cpu["floor"])}),
            row("GET of one package, one CPU for the server", median([g[1] for g in got["ours"]]), "requests/s", "higher",
                peers={"bare epoll loop": median([g[1] for g in got["floor"]])}),
            row("size of that answer", len(answer), "bytes", "lower")]


def durable_commands(lab, count=3):
    """What passes, against what edge and disk allow: min(half the GET rate, in flight ÷ p50 of the server's own syncs meanwhile)."""
    found = []
    for in_flight in (64, 1024):
        with serve(lab, f"commands{in_flight}", probe=True) as server:
            fill(lab, server)

            def commands():
                before = server.syncs()
                got = post(lab, server, connections=in_flight, seconds=2, warmup=0.3)
                return got, sync_percentiles(before, server.syncs())

            def reads():
                return get(lab, server, connections=in_flight, seconds=1.5, warmup=0.3)["per_s"]

            got = rounds(count, {"commands": commands, "reads": reads})
        found += judge_commands(f"durable commands over HTTP, {in_flight} in flight", in_flight, got)
    return found


def judge_commands(name, in_flight, got):
    rates = [g["per_s"] for g, _ in got["commands"]]
    syncs = [s for _, s in got["commands"]]
    if None in syncs:
        raise RuntimeError("the server made no sync that the probe saw")
    allowed = [min(reads / 2, in_flight / (s[0] / 1e6)) for reads, s in zip(got["reads"], syncs)]
    limits = {"half the GET rate": median(got["reads"]) / 2,
              "in flight ÷ sync p50": median([in_flight / (s[0] / 1e6) for s in syncs])}
    return [row(f"{name}, against what edge and disk allow", ratio(rates, allowed), "×", "higher", 0.8),
            row(name, median(rates), "commands/s", "higher", peers=limits),
            row(f"{name}: latency p50", median([g["p50_us"] for g, _ in got["commands"]]), "µs", "lower"),
            row(f"{name}: latency p99", median([g["p99_us"] for g, _ in got["commands"]]), "µs", "lower"),
            row(f"{name}: sync p50 under that load", median([s[0] for s in syncs]), "µs", "lower"),
            row(f"{name}: sync p99 under that load", median([s[1] for s in syncs]), "µs", "lower")]
