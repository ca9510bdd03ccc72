"""Goodput of a service at ten times its capacity, and what others see meanwhile.

bench_overload holds one IO thread and a service whose reads take 2 ms of it; the requests come whether answers do or not, each with a
deadline of a second, and only an answer 2xx within it counts.
"""
from measure import median, ratio, row

COST_US = 2000
SECONDS = 5
FACTOR = 10


def overload(lab, count=3):
    got = [lab.run("overload", **{"cost-us": COST_US, "seconds": SECONDS, "factor": FACTOR}) for _ in range(count)]
    value = {name: median([g[name] for g in got]) for name in got[0]}
    name = f"overload: {FACTOR} times the capacity of a service of {COST_US // 1000} ms"
    share = ratio([g["goodput_per_s"] for g in got], [g["peak_per_s"] for g in got])
    without = ratio([g["uncontrolled_per_s"] for g in got], [g["peak_per_s"] for g in got])
    return [row(f"{name}: goodput over the peak", share, "", "higher", 0.8, peers={"without load control": without}),
            row(f"{name}: goodput", value["goodput_per_s"], "answers/s", "higher", peers={"peak": value["peak_per_s"]}),
            row(f"{name}: p99 of what is served", value["p99_ms"], "ms", "lower"),
            row(f"{name}: processor time of a refusal", value["refusal_us"], "µs", "lower"),
            row(f"{name}: p99 of /health/live", value["health_p99_ms"], "ms", "lower", peers={"lost": value["health_lost"]})]
