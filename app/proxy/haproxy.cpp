#include <fmt/format.h>

#include "app/proxy/proxy.h"

namespace gantry::app {
namespace {

constexpr std::string_view text =
    R"conf(# Gantry behind HAProxy, 2.6 or later. Printed by `gantry proxy-config haproxy`; the whole of /etc/haproxy/haproxy.cfg:
#   haproxy -c -f haproxy.cfg && systemctl reload haproxy
<<gantry_toml>>
global
    log /dev/log local0
    user haproxy
    group haproxy
    # A request line and headers of 32 KiB, as [http] head_bytes, and room for what is added. What is longer is 400 here.
    tune.bufsize 49152
    tune.maxrewrite 4096
    # A header or two are added to the 100 of [http] header_count.
    tune.http.maxhdr 101

defaults
    mode http
    log global
    option httplog
    option dontlognull
    # As [http] head_timeout, idle_timeout, body_timeout and write_timeout. A live stream carries a sign of life each 15 s, so that no
    # time-out of silence meets it, and there is none for a stream as a whole. Long polls wait for at most 60 s.
    timeout connect 2s
    timeout http-request 10s
    timeout http-keep-alive 75s
    timeout client 45s
    timeout server 90s
    timeout tunnel 1h

frontend gantry
?certificate|    bind <<bind>> ssl crt <<certificate>> ssl-min-ver TLSv1.2 alpn h2,http/1.1
!certificate|    # Plain HTTP: passwords and tokens can be read on the way. Only inside a network that is trusted.
!certificate|    bind <<bind>>
?writer|    acl is_read method GET HEAD OPTIONS

?allow|    # From where clients may come.
?allow|    http-request deny deny_status 403 unless { src <<allow>> }
?names|    # The first label of a host names a site (docs/operations.md, Sites).
?names|    http-request deny deny_status 421 unless { req.hdr(host),host_only -i -m str <<names>> }
    # Health is this proxy's own business, but for who watches it.
    http-request deny deny_status 404 if { path,url_dec -i -m beg /health/ } !{ path /health/live /health/ready /health/writer }

    # What a client says of itself isn't believed. With another trusted proxy in front: name it in [auth] proxies, and put
    # `http-request add-header X-Forwarded-For %[src]` instead of the first line.
    http-request set-header X-Forwarded-For %[src]
    http-request del-header <<caller_header>>
?certificate|    http-request set-header X-Forwarded-Proto https
?certificate|    http-response replace-header Set-Cookie (.*) "\1; Secure"
?passwords|
?passwords|    # This proxy checks passwords, at each request: choose hashes that take a millisecond ($5$, $6$), or leave it to the
?passwords|    # servers, which remember what they verified. Tokens pass, for the servers to check.
?passwords|    acl has_token req.hdr(authorization) -i -m beg "bearer "
?passwords|    http-request auth realm gantry if !has_token !{ http_auth(gantry_callers) }
?passwords|    http-request set-header <<caller_header>> %[http_auth_user] if !has_token
?passwords|    http-request del-header Authorization if !has_token

?writer|    # Commands go to the one server that writes.
?writer|    use_backend gantry_writer unless is_read
    default_backend gantry

# A server that drains or starts answers 503 at /health/ready: within a second nothing new is sent to it, and what runs is finished.
# Servers count as up until the first check. Bodies are streamed both ways.
backend gantry
    balance leastconn
    option httpchk
    http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    # Anything may be tried on another server that couldn't be reached; once it was sent, only what changes nothing.
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless { method GET HEAD OPTIONS }
    http-reuse safe
    default-server check inter 500ms fall 2 rise 1
<<servers>>
?writer|
?writer|backend gantry_writer
?writer|    option httpchk
?writer|    http-check send meth GET uri /health/writer ver HTTP/1.1 hdr Host localhost
?writer|    http-check expect status 200
?writer|    retries 3
?writer|    option redispatch 1
?writer|    retry-on conn-failure
?writer|    http-reuse safe
?writer|    default-server check inter 200ms fall 2 rise 1
?writer|<<servers>>
?passwords|
?passwords|userlist gantry_callers
?passwords|<<users>>
)conf";

}  // namespace

std::string haproxy_config(ProxyPlan const& plan) {
    auto blanks = blanks_of(plan);
    std::string servers, users;
    for (std::size_t i = 0; i < plan.servers.size(); ++i) servers += fmt::format("    server gantry{} {}\n", i + 1, plan.servers[i]);
    for (auto const& user : plan.users) {
        auto const colon = user.find(':');
        users += fmt::format("    user {} password {}\n", user.substr(0, colon), user.substr(colon + 1));
    }
    blanks.put("bind", plan.host == "*" ? fmt::format(":::{} v4v6", plan.port) : fmt::format("{}:{}", plan.host, plan.port));
    blanks.put("servers", without_last_break(servers));
    blanks.put("users", without_last_break(users));
    return blanks.fill(text);
}

}  // namespace gantry::app
