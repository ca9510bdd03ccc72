"""The real proxies, each with what `gantry proxy-config` prints: in the foreground, as nobody, with all that they write in a directory of
their own."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from shared import NOBODY, as_nobody, eventually, free_port, gantry, listens

MODULES = pathlib.Path("/usr/lib/apache2/modules")
APACHE_MODULES = ("mpm_event authz_core authz_host authz_user authn_core authn_file auth_basic headers reqtimeout proxy proxy_http "
                  "proxy_balancer proxy_hcheck lbmethod_bybusyness slotmem_shm socache_shmcb ssl").split()
# What Debian's own apache2.conf and nginx.conf say, as far as it matters here.
APACHE = """ServerRoot "{place}"
ServerName front.invalid
PidFile {place}/pid
DefaultRuntimeDir {place}
Mutex file:{place}
ErrorLog {place}/log
{modules}
Include {config}
"""
NGINX = """daemon off;
pid {place}/pid;
error_log {place}/log;
worker_processes 2;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxied;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    include {config};
}}
"""


class Proxy:
    """`gantry proxy-config` with these options, started."""
    name = ""
    program = ""
    refuses_name = 421  # a host that isn't served
    stop_signal = signal.SIGTERM

    def __init__(self, place, servers, *options, tls=False):
        self.place = pathlib.Path(tempfile.mkdtemp(dir=place))
        self.port = free_port()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        named = [part for server in servers for part in ("--server", server.address)]
        self.printed = gantry("proxy-config", self.name, *named, "--listen", f"127.0.0.1:{self.port}", *options)
        config = self.place / "gantry.conf"
        config.write_text(self.fitted(self.printed))
        command = [str(part) for part in self.command(config)]
        if os.geteuid() == 0:
            shutil.chown(self.place, NOBODY, NOBODY)
        self.said = open(self.place / "said", "w+")
        self.process = subprocess.Popen(command, stdout=self.said, stderr=self.said, cwd=self.place, start_new_session=True, **as_nobody())
        try:
            eventually(f"{self.name} listens", self.listening)
        except AssertionError as late:
            self.stop()
            raise AssertionError(f"{late}\n{self.complaints()}") from None

    def listening(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}")
        return listens(self.port)

    def complaints(self):
        return "".join(path.read_text() for path in (self.place / "said", self.place / "log") if path.exists())

    def fitted(self, config):
        return config

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:  # Apache waits for its clients
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)
        self.said.close()

    @classmethod
    def absent(cls):
        """Why it can't be run here; None: it can."""
        return None if shutil.which(cls.program, path=os.environ["PATH"] + ":/usr/sbin") else f"{cls.program} is not installed"


class HAProxy(Proxy):
    name, program = "haproxy", "haproxy"

    def fitted(self, config):
        # It isn't started by root here.
        return re.sub(r"^    (user haproxy|group haproxy|log /dev/log local0)$\n", "", config, flags=re.M)

    def command(self, config):
        return ["haproxy", "-db", "-f", config]


class Apache(Proxy):
    name, program, refuses_name = "apache", "apache2", 403

    def command(self, config):
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in APACHE_MODULES)
        whole = self.place / "apache2.conf"
        whole.write_text(APACHE.format(place=self.place, modules=modules, config=config))
        return ["apache2", "-D", "FOREGROUND", "-f", whole]


class Nginx(Proxy):
    name, program, stop_signal = "nginx", "nginx", signal.SIGTERM

    def command(self, config):
        whole = self.place / "nginx.conf"
        whole.write_text(NGINX.format(place=self.place, config=config))
        return ["nginx", "-p", self.place, "-c", whole, "-e", self.place / "log"]
