"""A RabbitMQ of one's own, beside the machine's: its directory, its port, its epmd. Used by the measurements and by tests/queue_bridge."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in sbin changes the user and drops the environment
START_S = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class RabbitMq:
    """Runs in `directory`, which outlives `end`: `start` again finds its queues. On its port with guest:guest. `settings`: more lines."""

    def __init__(self, directory, settings=""):
        self.directory = pathlib.Path(directory)
        self.port, self.node_port, self.epmd_port = free_port(), free_port(), free_port()
        self.process = self.epmd = None
        (self.directory / "home").mkdir(parents=True, exist_ok=True)
        (self.directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users = none\n{settings}")
        (self.directory / "plugins").write_text("[].\n")

    @staticmethod
    def installed():
        return os.path.exists(PROGRAM) and shutil.which("epmd") is not None

    def environment(self):
        at = self.directory
        return {**os.environ, "HOME": str(at / "home"), "RABBITMQ_NODENAME": f"gantry{self.port}@localhost",
                "RABBITMQ_MNESIA_BASE": str(at / "data"), "RABBITMQ_LOG_BASE": str(at / "log"), "RABBITMQ_LOGS": str(at / "log.txt"),
                "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "plugins"),
                "RABBITMQ_PID_FILE": str(at / "pid"), "RABBITMQ_DIST_PORT": str(self.node_port), "ERL_EPMD_PORT": str(self.epmd_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1", "RUNNING_UNDER_SYSTEMD": "true",  # the program is the process that was started
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}

    def start(self):
        environment = self.environment()
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if self.epmd is None:  # a node starts one that outlives it if none is there
            self.epmd = subprocess.Popen(["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"], env=environment, **quiet)
            wait_for(lambda: listens(self.epmd_port), self.epmd, "epmd")
        self.process = subprocess.Popen([PROGRAM], env=environment, **quiet)
        wait_for(lambda: listens(self.port), self.process, "RabbitMQ")
        return self

    def end(self, signal_name="terminate"):
        """terminate: it stops in order; kill: it is gone."""
        if self.process and self.process.poll() is None:
            getattr(self.process, signal_name)()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.end("kill")
        if self.epmd:
            self.epmd.kill()
            self.epmd.wait()


def wait_for(ready, process, name):
    deadline = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not start")
        time.sleep(0.02)
