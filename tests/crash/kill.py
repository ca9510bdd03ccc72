"""SIGKILL at random moments: while writers write, while the server starts, while it stops in order."""
import random
import signal
import time

from shared import Crowd, Place, Promises, Server, verify_log


def one_life(gantry, data, crowd, rng):
    """The server starts, is audited and written to, and dies."""
    if rng.random() < 0.2:
        dying = Server(gantry, data, wait=False)
        time.sleep(rng.uniform(0, 0.05))
        dying.kill()
    server = Server(gantry, data).listening()
    crowd.promises.audit(gantry, server)
    crowd.begin(server)
    time.sleep(rng.uniform(0.05, 0.6))
    if rng.random() < 0.2:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(rng.uniform(0, 0.05))
    server.kill()
    crowd.end()
    verify_log(gantry, data)


def run(options):
    rng = random.Random(options.seed)
    promises = Promises()
    crowd = Crowd(promises, options.seed)
    with Place() as place:
        for n in range(options.rounds or 30):
            one_life(options.gantry, place / "data", crowd, rng)
            if options.rounds:
                print(f"kill {n + 1}: {promises.figures()}, {len(promises.unanswered())} unanswered", flush=True)
        server = Server(options.gantry, place / "data").listening()
        crowd.finish(server)
        promises.audit(options.gantry, server, whole=True)
        server.kill()
    return f"{options.rounds or 30} kills; {promises.figures()}; {crowd.reader.reads} reads"
