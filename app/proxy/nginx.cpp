#include <fmt/format.h>

#include "app/proxy/proxy.h"

namespace gantry::app {
namespace {

constexpr std::string_view text =
    R"conf(# Gantry behind nginx, 1.22 or later. Printed by `gantry proxy-config nginx`; a file of the http block,
# /etc/nginx/conf.d/gantry.conf:
#   nginx -t && systemctl reload nginx
<<gantry_toml>>
# nginx has no health checks of its own: a server that can't be reached, or that answers a read with 503 since it starts, is left out for
# two seconds, and the read asked of another. It doesn't see that a server drains: mark it `down` here and reload before it is stopped.
# For commands to the writer alone take HAProxy.
upstream gantry {
    zone gantry_servers 128k;
    least_conn;
<<servers>>
    # Shorter than [http] idle_timeout, so that no request meets a connection that is just being closed.
    keepalive 64;
    keepalive_timeout 60s;
}
?passwords|
?passwords|# This proxy checks passwords, at each request: choose hashes that take a millisecond, or leave it to the servers,
?passwords|# which remember what they verified. Tokens pass, for the servers to check.
?passwords|map $http_authorization $gantry_realm {
?passwords|    default      gantry;
?passwords|    "~*^bearer " off;
?passwords|}
?passwords|map $gantry_realm $gantry_caller {
?passwords|    default $remote_user;
?passwords|    off     "";
?passwords|}
?passwords|map $gantry_realm $gantry_authorization {
?passwords|    default "";
?passwords|    off     $http_authorization;
?passwords|}
?names|
?names|# Hosts of other names.
?names|server {
?names|<<listen_default>>
?names|?certificate|    ssl_certificate <<certificate>>;
?names|?certificate|    ssl_certificate_key <<key>>;
?names|    return 421;
?names|}

server {
!certificate|    # Plain HTTP: passwords and tokens can be read on the way. Only inside a network that is trusted.
<<listen>>
?names|    # The first label of a host names a site (docs/operations.md, Sites).
?names|    server_name <<names>>;
?certificate|    ssl_certificate <<certificate>>;
?certificate|    ssl_certificate_key <<key>>;
?certificate|    ssl_protocols TLSv1.2 TLSv1.3;
?certificate|    ssl_session_cache shared:gantry:1m;
?certificate|    proxy_cookie_flags ~ secure;
?allow|
?allow|    # From where clients may come.
?allow|<<allows>>
?allow|    deny all;
?passwords|
?passwords|    auth_basic $gantry_realm;
?passwords|    auth_basic_user_file <<passwords>>;

    # As [http] target_bytes, head_bytes, head_timeout, body_timeout, write_timeout and idle_timeout. The size of a body is the server's to
    # limit.
    large_client_header_buffers 4 8k;
    client_header_timeout 10s;
    client_body_timeout 30s;
    client_max_body_size 0;
    send_timeout 30s;
    keepalive_timeout 75s;

    # Nothing is held back: uploads and live streams pass as they come. A live stream carries a sign of life each 15 s; long polls wait for
    # at most 60 s.
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_connect_timeout 2s;
    proxy_send_timeout 30s;
    proxy_read_timeout 90s;

    # What a client says of itself isn't believed. With another trusted proxy in front: name it in [auth] proxies, and put
    # $proxy_add_x_forwarded_for for $remote_addr.
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    # nginx stops sending a body when an answer begins: results of a bulk upload wait for its end.
    proxy_set_header Gantry-Answer after-body;
?passwords|    proxy_set_header <<caller_header>> $gantry_caller;
?passwords|    proxy_set_header Authorization $gantry_authorization;
!passwords|    proxy_set_header <<caller_header>> "";

    # Anything may be tried on another server that couldn't be reached; once it was sent, only what changes nothing. nginx would send PUT
    # and DELETE twice, too.
    proxy_next_upstream error timeout http_503;
    proxy_next_upstream_tries 2;

    location / {
        error_page 418 = @once;
        if ($request_method ~ ^(PUT|DELETE)$) {
            return 418;
        }
        proxy_pass http://gantry;
    }
    location @once {
        proxy_next_upstream off;
        proxy_pass http://gantry;
    }
    # Draining is for those at the server.
    location ~ ^/health/(?!(live|ready|writer)$) {
        return 404;
    }
}
)conf";

std::string listen_lines(ProxyPlan const& plan, std::string_view flags) {
    auto const all = fmt::format("{}{}", plan.certificate.empty() ? "" : " ssl http2", flags);
    if (plan.host == "*") return fmt::format("    listen {0}{1};\n    listen [::]:{0}{1};", plan.port, all);
    return fmt::format("    listen {}:{}{};", plan.host, plan.port, all);
}

}  // namespace

std::string nginx_config(ProxyPlan const& plan) {
    auto blanks = blanks_of(plan);
    blanks.put("listen", listen_lines(plan, ""));
    blanks.put("listen_default", listen_lines(plan, " default_server"));
    blanks.put("servers", without_last_break(each(plan.servers, "    server ", " max_fails=1 fail_timeout=2s;\n")));
    blanks.put("allows", without_last_break(each(plan.allow, "    allow ", ";\n")));
    return blanks.fill(text);
}

}  // namespace gantry::app
