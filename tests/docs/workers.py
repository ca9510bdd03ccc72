"""The workers of docs/services/queue.md, each run as it stands there against a server: it does what there is, refuses what can't be done,
goes on when the server comes back, and ends when it is told to."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from sessions import free_port

WORKER = re.compile(r"^<!-- worker: (\S+) -->\n\n```\w+\n(.*?)^```", re.S | re.M)
RUN_BY = {".py": "python3", ".mjs": "node", ".sh": "bash"}
TEXTS = {"one": 1, "to be or not to be": 6, "": 0, "Zoë's  two\nlines": 3}


def workers_of(page):
    return dict(WORKER.findall(pathlib.Path(page).read_text()))


class Server:
    def __init__(self, gantry, place):
        self.command = [gantry, "serve", "queue", "--data", f"{place}/data", "--listen", f"127.0.0.1:{free_port()}"]
        self.url = "http://" + self.command[-1]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline().startswith("listening")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def put(self, payload):
        return self.call("/queue/v1/queues/texts/tasks", {"payload": payload})["id"]

    def ended(self, task, seconds=30):
        """The task once it is done or dead."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.call(f"/queue/v1/tasks/{task}")
            if found["task"]["state"] in ("done", "dead") or time.monotonic() > deadline:
                return found
            time.sleep(0.02)


def findings(gantry, name, source):
    """What is wrong with one of them; nothing if it is as the page says."""
    program = shutil.which(RUN_BY[pathlib.Path(name).suffix])
    if not program:
        print(f"docs: workers: {name} was not run: {RUN_BY[pathlib.Path(name).suffix]} is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="gantry-docs-") as place:
        (pathlib.Path(place) / name).write_text(source)
        with Server(gantry, place) as server:
            worker = subprocess.Popen([program, f"{place}/{name}"], env={"QUEUE_URL": server.url, "PATH": "/usr/local/bin:/usr/bin:/bin"},
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                yield from tried(server, name)
                server.__exit__()
                server.__enter__()
                yield from tried(server, f"{name}, after the server was killed")
                worker.send_signal(signal.SIGTERM)
                if worker.wait(20) != 0:
                    yield f"{name}: exit {worker.returncode} after SIGTERM: {worker.stdout.read()}"
            except (AssertionError, OSError, subprocess.TimeoutExpired) as fault:
                worker.kill()
                yield f"{name}: {fault!r}: {worker.stdout.read()}"
            finally:
                worker.kill()
                worker.wait()
                worker.stdout.close()


def tried(server, name):
    tasks = {server.put({"text": text}): words for text, words in TEXTS.items()}
    wrong = server.put({"no": "text"})
    for task, words in tasks.items():
        found = server.ended(task)
        if found.get("result") != {"words": words}:
            yield f"{name}: {task} is {found['task']['state']} with {found.get('result')}, not {words} words"
    found = server.ended(wrong)
    if found["task"]["state"] != "dead" or len(found["history"]) != 1:
        yield f"{name}: a task without a text is {found['task']['state']} after {len(found['history'])} attempts"
