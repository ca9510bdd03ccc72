"""Debian's Apache with mod_auth_openidc: a tool that knows its users by the provider alone."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

MODULES = pathlib.Path("/usr/lib/apache2/modules")
NOBODY = 65534
LOADED = "mpm_event authn_core authz_core authz_user headers auth_openidc".split()
CONFIG = """ServerRoot "{place}"
ServerName localhost
PidFile {place}/pid
DefaultRuntimeDir {place}
Mutex file:{place}
ErrorLog {place}/log
LogLevel auth_openidc:info
Listen 127.0.0.1:{port}
DocumentRoot {place}/pages
{modules}
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client}
OIDCClientSecret {secret}
OIDCRedirectURI http://localhost:{port}/callback
OIDCDefaultLoggedOutURL http://localhost:{port}/public/bye
OIDCCryptoPassphrase of-this-test
OIDCCookie session_{port}
OIDCStateCookiePrefix state_{port}_
OIDCPKCEMethod S256
OIDCScope "openid profile email groups"
OIDCRemoteUserClaim email
OIDCPassClaimsAs environment
OIDCResponseType code
<Location />
    ForceType text/html
    AuthType openid-connect
    Require valid-user
    Header always set X-User "%{{OIDC_CLAIM_sub}}e %{{OIDC_CLAIM_email}}e"
</Location>
<Location /public>
    AuthType none
    Require all granted
</Location>
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def absent():
    """Why it can't be run here; None: it can."""
    if not (MODULES / "mod_auth_openidc.so").exists():
        return "libapache2-mod-auth-openidc is not installed"
    return None if shutil.which("apache2", path=os.environ["PATH"] + ":/usr/sbin") else "apache2 is not installed"


class Apache:
    def __init__(self, place, port, issuer, client, secret):
        self.port, self.url, self.place = port, f"http://localhost:{port}", pathlib.Path(place)
        (self.place / "pages/public").mkdir(parents=True)
        (self.place / "pages/page").write_text("<title>The tool</title><h1>The tool</h1>")
        (self.place / "pages/public/bye").write_text("<title>Bye</title>")
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        config = self.place / "apache2.conf"
        config.write_text(CONFIG.format(place=self.place, port=port, modules=modules, issuer=issuer, client=client, secret=secret))
        as_nobody = {}
        if os.geteuid() == 0:
            for path in [self.place, *self.place.rglob("*")]:
                shutil.chown(path, NOBODY, NOBODY)
            as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.said = open(self.place / "said", "w+")
        self.process = subprocess.Popen(["apache2", "-D", "FOREGROUND", "-f", config], stdout=self.said, stderr=self.said, cwd=self.place,
                                        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}, start_new_session=True, **as_nobody)
        end = time.monotonic() + 20
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError("apache2 doesn't listen\n" + self.complaints())
            time.sleep(0.02)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def complaints(self):
        return "".join(path.read_text() for path in (self.place / "said", self.place / "log") if path.exists())

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:  # it waits for its clients
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)
        self.said.close()
