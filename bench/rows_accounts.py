"""A million accounts: what they take in memory, how long a restart with them takes, what recognising a token costs.

bench_accounts --dir D prints one line of JSON: `--do fill --count N` writes the facts of N accounts with passwords and of N/10 tokens
into a log; `--do snapshot` folds them and saves a snapshot; `--do restart --snapshot yes|no` times the way to a state that could answer,
and says what it holds; `--do tokens` asks the directory for tokens, as a new connection does, and an identity that a connection holds
already.
"""
from measure import median, rounds, row

COUNT = 1_000_000


def accounts(lab, count=3):
    log = lab.fresh("accounts")
    lab.run("accounts", do="fill", dir=log, count=COUNT)
    lab.run("accounts", do="snapshot", dir=log)
    got = rounds(count, {"snapshot": lambda: lab.run("accounts", do="restart", dir=log, snapshot="yes"),
                         "replay": lambda: lab.run("accounts", do="restart", dir=log, snapshot="no"),
                         "tokens": lambda: lab.run("accounts", do="tokens", dir=log)})
    middle = {name: lambda key, name=name: median([r[key] for r in got[name]]) for name in got}
    return [row("state of 1 M accounts", middle["replay"]("state_mb"), "MB", "lower", 300),
            row("restart with 1 M accounts, from a snapshot", middle["snapshot"]("seconds"), "s", "lower"),
            row("restart with 1 M accounts, by replay of 3.2 M events", middle["replay"]("seconds"), "s", "lower"),
            row("a token by the directory, with 1 M accounts", middle["tokens"]("lookup_ns"), "ns", "lower"),
            row("a token on a connection that was recognised", middle["tokens"]("cached_ns"), "ns", "lower")]
