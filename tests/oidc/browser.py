"""What a browser does in this protocol: it goes where it is sent, keeps cookies by host and not by port, and shows a cookie that is
SameSite=Strict only where a page of the same site sent it."""
import base64
import dataclasses
import html
import http.client
import re
import urllib.parse

HOPS_MAX = 12


@dataclasses.dataclass
class Page:
    url: str
    status: int
    headers: object
    body: str


class Browser:
    def __init__(self):
        self.cookies = {}  # host → name → (value, strict)
        self.visited = []

    def show(self, host, cross_site):
        kept = self.cookies.get(host, {}).items()
        return "; ".join(f"{name}={value}" for name, (value, strict) in kept if not (strict and cross_site))

    def keep(self, host, headers):
        for line in headers.get_all("Set-Cookie") or []:
            pair, *attributes = line.split(";")
            name, value = pair.strip().split("=", 1)
            words = [a.strip().lower() for a in attributes]
            mine = self.cookies.setdefault(host, {})
            if "max-age=0" in words or "expires=thu, 01 jan 1970 00:00:00 gmt" in words:
                mine.pop(name, None)
            else:
                mine[name] = (value, "samesite=strict" in words)

    def ask(self, method, url, body=None, cross_site=False, **headers):
        parts = urllib.parse.urlsplit(url)
        here = "127.0.0.1" if parts.hostname.endswith("localhost") else parts.hostname
        connection = http.client.HTTPConnection(here, parts.port, timeout=30)
        shown = {"Host": parts.netloc, "Accept": "text/html,*/*;q=0.8"}
        shown.update({name.replace("_", "-"): value for name, value in headers.items()})
        if cookie := self.show(parts.hostname, cross_site):
            shown["Cookie"] = cookie
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request(method, target, body, shown)
        reply = connection.getresponse()
        page = Page(url, reply.status, reply.headers, reply.read().decode(errors="replace"))
        connection.close()
        self.keep(parts.hostname, reply.headers)
        return page

    def go(self, url, from_site=None, stop=("http://localhost:9/",)):
        """Goes there as a page of `from_site` (a host) sends it, and on until something is shown."""
        cross_site = from_site is not None and from_site != urllib.parse.urlsplit(url).hostname
        for _ in range(HOPS_MAX):
            self.visited.append(url)
            if url.startswith(stop) or "#/" in url:
                return Page(url, 0, {}, "")
            host = urllib.parse.urlsplit(url).hostname
            page = self.ask("GET", url, cross_site=cross_site)
            if page.status in (301, 302, 303, 307):
                # A cookie that is Strict isn't shown on a way that began at, or led over, another site.
                url = urllib.parse.urljoin(url, page.headers["Location"])
                cross_site = cross_site or urllib.parse.urlsplit(url).hostname != host
            elif refresh := re.search(r'<meta http-equiv="refresh" content="0;url=([^"]*)"', page.body):
                url = urllib.parse.urljoin(url, html.unescape(refresh[1]))
                cross_site = urllib.parse.urlsplit(url).hostname != host
            else:
                return page
        raise AssertionError("in circles: " + "\n".join(self.visited[-HOPS_MAX:]))

    def sign_in(self, page, name, password):
        """On the console's page that one was sent to."""
        way = re.match(r"(.*)/#/signin/(once|anew)/(.+)$", page.url)
        assert way, page.url
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        signed_in = self.ask("POST", way[1] + "/_gantry/v1/session", Authorization="Basic " + basic)
        assert signed_in.status == 200, signed_in.body
        return self.go(f"{way[1]}/accounts/oidc/authorize?{urllib.parse.unquote(way[3])}", urllib.parse.urlsplit(way[1]).hostname)
