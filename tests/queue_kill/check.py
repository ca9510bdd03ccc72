"""What has to hold at the end, told from three sides: the log (events, in their order), the record of what everybody said and heard, and
the store that the workers wrote into. `check` gives the first promise that was not kept; `FORGERIES` are runs in which one was broken."""
import copy


class Broken(AssertionError):
    pass


def demand(holds, what):
    if not holds:
        raise Broken(what)


ENDINGS = {"completed": "complete", "deleted": "complete", "failed": "fail", "released": "release"}


class Task:
    def __init__(self, put):
        self.put = put
        self.holder = None  # the fence of who has it
        self.fences = []
        self.until = ""
        self.ended = None   # position
        self.words = {}     # fence → what its holder said, by the log


def replay(events):
    """The tasks that the log tells of; what it says must be possible."""
    tasks, groups = {}, {}
    for event in events:
        kind, position, data, time = event["type"], event["position"], event["data"], event["time"]
        if kind == "put":
            tasks[data["id"]] = Task(event)
            if data["group"]:
                groups.setdefault((data["queue"], data["group"]), []).append(data["id"])
            continue
        for name in data.get("ids") or [data.get("id")]:
            if name in tasks:
                follow(tasks, groups, tasks[name], name, kind, position, data, time)
    return tasks


def follow(tasks, groups, task, name, kind, position, data, time):
    if kind == "reserved":
        demand(task.ended is None, f"{name} ran again, at {position}, after it had ended at {task.ended}")
        demand(task.holder is None, f"{name} has two live holders: since {task.holder} and since {position}")
        demand(not task.fences or position > task.fences[-1], f"a fence of {name} didn't grow: {position} after {task.fences}")
        group = groups.get((task.put["data"]["queue"], task.put["data"]["group"]), [])
        for earlier in group[:group.index(name)] if name in group else []:
            demand(tasks[earlier].ended is not None, f"{name} ran at {position} before {earlier} of its group had ended")
        task.holder, task.until = position, data["until"]
        task.fences.append(position)
    elif kind == "extended":
        demand(task.holder is not None, f"{name} was extended at {position}, and nobody had it")
        task.until = data["until"]
        task.words.setdefault(task.holder, set()).add(("extend", data["until"]))
    elif kind in ENDINGS:
        if kind == "failed" and data["ending"] == "expired":
            demand(time >= task.until, f"the lease of {name} ran out at {time}, and held until {task.until}")
        elif not data.get("gone"):
            task.words.setdefault(task.holder, set()).add(ENDINGS[kind])
        if kind in ("completed", "deleted"):
            task.ended = position
        task.holder = None


def check_puts(tasks, records):
    named = {}
    for name, task in tasks.items():
        named.setdefault(task.put["name"], []).append(name)
    for name, ids in named.items():
        demand(len(ids) == 1, f"{name} was put {len(ids)} times: {ids}")
    for record in records:
        if record["kind"] == "acknowledged":
            demand(record["task"] in named, f"{record['task']} was acknowledged, and the log knows no such put")
            demand(record["word"] in ("", named[record["task"]][0]), f"{record['task']} was told to be {record['word']}")
    for name, task in tasks.items():
        demand(task.ended is not None, f"{name} was put and never done")


def check_words(tasks, records):
    """Whatever a worker was told, the log says; and the log says nothing of a worker that it didn't say."""
    said = {(r["task"], r["fence"], r["word"]) for r in records if r["kind"] == "says"}
    completed = {}
    for record in records:
        task, fence, word = tasks.get(record["task"]), record["fence"], record["word"]
        if record["kind"] == "took":
            demand(task and fence in task.fences, f"{record['task']} was given with fence {fence}, and the log knows of no such lease")
            done_by = completed.get(record["task"])
            demand(done_by is None or fence <= done_by, f"{record['task']} was acknowledged as done by {done_by}, and given to {fence}")
        demand(record["status"] != 404, f"{record['task']} was given under {fence}, and then never put")
        if record["kind"] == "heard" and record["status"] == 200:
            what = ("extend", record["more"]) if word == "extend" else word
            demand(what in task.words.get(fence, ()), f"{record['task']}: {word} under {fence} was acknowledged, and is not in the log")
            if word == "complete":
                completed[record["task"]] = fence
    for name, task in tasks.items():
        for fence, words in task.words.items():
            for word in words:
                word = word[0] if isinstance(word, tuple) else word
                demand(fence is None or (name, fence, word) in said, f"the log says {word} of {name} under {fence}, and nobody said so")
    return completed


def check_world(tasks, completed, world):
    for name, fence in completed.items():
        demand(fence == tasks[name].fences[-1], f"{name} was done under {fence}, and given again under {tasks[name].fences[-1]}")
        demand(world.get(name) == fence, f"{name} was done under {fence}, and the store has {world.get(name)} of it")
    for name in tasks:
        demand(name in world, f"{name} is done, and nobody did it")


def check_store(records):
    newest = {}
    for record in records:
        if record["kind"] == "wrote":
            demand(record["fence"] >= newest.get(record["task"], 0), f"the store took an older fence of {record['task']}")
            newest[record["task"]] = record["fence"]


def check(run):
    """`run`: {events, records, world}."""
    tasks = replay(run["events"])
    check_puts(tasks, run["records"])
    completed = check_words(tasks, run["records"])
    check_world(tasks, completed, run["world"])
    check_store(run["records"])
    return tasks, completed


# --- forgeries -------------------------------------------------------------------------------------------------------------------------


def first(items, wanted):
    return next(i for i, item in enumerate(items) if wanted(item))


def of(kind):
    return lambda event: event["type"] == kind


def lost_put(run):
    acknowledged = {r["task"] for r in run["records"] if r["kind"] == "acknowledged"}
    run["events"].pop(first(run["events"], lambda e: e["type"] == "put" and e["name"] in acknowledged))


def put_twice(run):
    again = copy.deepcopy(run["events"][first(run["events"], of("put"))])
    again["data"]["id"], again["data"]["group"] = "t_999999", ""
    run["events"].append(again)


def never_done(run):
    run["events"].pop(len(run["events"]) - 1 - first(run["events"][::-1], of("completed")))


def runs_again(run):
    again = copy.deepcopy(run["events"][first(run["events"], of("completed"))])
    run["events"].append({**again, "type": "reserved", "position": 10**9, "data": {**again["data"], "until": "9"}})


def two_holders(run):
    at = first(run["events"], of("reserved"))
    run["events"].insert(at + 1, {**copy.deepcopy(run["events"][at]), "position": run["events"][at]["position"] + 1})


def fence_back(run):
    tasks = replay(run["events"])
    task = next(task for task in tasks.values() if len(task.fences) > 1)
    at = first(run["events"], lambda e: e["position"] == task.fences[1])
    run["events"][at] = {**run["events"][at], "position": task.fences[0]}


def out_of_order(run):
    put = {e["data"]["id"]: e["data"] for e in run["events"] if e["type"] == "put"}
    members = {}
    for name, data in put.items():
        if data["group"]:
            members.setdefault((data["queue"], data["group"]), []).append(name)
    name = next(names for names in members.values() if len(names) > 2)[1]
    at = first(run["events"], lambda e: e["type"] == "put" and e["data"]["id"] == name)
    early = {"type": "reserved", "position": run["events"][at]["position"], "time": "0", "data": {"id": name, "until": "9"}}
    run["events"].insert(at + 1, early)


def ran_out_early(run):
    at = first(run["events"], lambda e: e["type"] == "failed" and e["data"]["ending"] == "expired")
    run["events"][at] = {**run["events"][at], "time": "2000-01-01T00:00:00Z"}


def acknowledged_word_lost(run):
    at = first(run["records"], lambda r: r["kind"] == "heard" and r["word"] == "extend" and r["status"] == 200)
    run["records"][at] = {**run["records"][at], "more": "2000-01-01T00:00:00Z"}


def done_by_nobody(run):
    at = first(run["records"], lambda r: r["kind"] == "says" and r["word"] == "complete")
    gone = run["records"][at]
    run["records"] = [r for r in run["records"] if not (r["kind"] == "says" and r["task"] == gone["task"] and r["word"] == "complete")]


def given_after_done(run):
    done = run["records"][first(run["records"], lambda r: r["kind"] == "heard" and r["word"] == "complete" and r["status"] == 200)]
    run["records"].append({**done, "kind": "took", "fence": 10**9})


def store_took_older(run):
    wrote = run["records"][first(run["records"], lambda r: r["kind"] == "wrote")]
    run["records"].append({**wrote, "fence": 1})


def undone_in_the_world(run):
    run["world"].pop(next(iter(run["world"])))


FORGERIES = (lost_put, put_twice, never_done, runs_again, two_holders, fence_back, out_of_order, ran_out_early, acknowledged_word_lost,
             done_by_nobody, given_after_done, store_took_older, undone_in_the_world)


def check_the_check(run):
    """Every forgery of this run is noticed."""
    for forge in FORGERIES:
        forged = {"events": list(run["events"]), "records": list(run["records"]), "world": dict(run["world"])}
        forge(forged)  # it puts changed copies in the place of what it changes
        try:
            check(forged)
        except Broken:
            continue
        raise SystemExit(f"a forged run is taken for a good one: {forge.__name__}")
