#include <fmt/format.h>

#include "app/proxy/proxy.h"

namespace gantry::app {
namespace {

constexpr std::string_view text = R"conf(# Gantry behind Apache httpd, 2.4.53 or later, with mpm_event.
# Printed by `gantry proxy-config apache`; /etc/apache2/sites-available/gantry.conf:
#   a2enmod proxy proxy_http proxy_balancer proxy_hcheck lbmethod_bybusyness slotmem_shm headers authz_core authz_host reqtimeout
?certificate|#   a2enmod ssl
?passwords|#   a2enmod auth_basic authn_core authn_file authz_user
#   a2ensite gantry && apachectl configtest && systemctl reload apache2
<<gantry_toml>>
?listen|Listen <<listen>>
?listen|
?names|# Hosts of other names.
?names|<VirtualHost <<address>>>
?names|    ServerName other.invalid
?names|?certificate|    SSLEngine on
?names|?certificate|    SSLCertificateFile "<<certificate>>"
?names|?certificate|    SSLCertificateKeyFile "<<key>>"
?names|    <Location "/">
?names|        Require all denied
?names|    </Location>
?names|</VirtualHost>
?names|
!certificate|# Plain HTTP: passwords and tokens can be read on the way. Only inside a network that is trusted.
<VirtualHost <<address>>>
?names|    # The first label of a host names a site (docs/operations.md, Sites).
?names|    ServerName <<first_name>>
?other_names|    ServerAlias <<other_names>>
?certificate|    SSLEngine on
?certificate|    SSLCertificateFile "<<certificate>>"
?certificate|    SSLCertificateKeyFile "<<key>>"
?certificate|    SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1
?certificate|    Header edit Set-Cookie "$" "; Secure"

    # As [http] target_bytes, head_bytes, header_count, head_timeout, body_timeout and idle_timeout. The size of a body is the server's to
    # limit.
    LimitRequestLine 8300
    LimitRequestFieldSize 32768
    LimitRequestFields 100
    LimitRequestBody 0
    RequestReadTimeout header=10 body=30,MinRate=500
    KeepAliveTimeout 75
    MaxKeepAliveRequests 0
    Timeout 30

    # A server that drains or starts answers 503 at /health/ready: within a second nothing new is sent to it, and what runs is finished. A
    # live stream holds a worker (MaxRequestWorkers) as long as it lasts, and carries a sign of life each 15 s; long polls wait for at most
    # 60 s. Connections rest for less than [http] idle_timeout. For commands to the writer alone take HAProxy.
    <Proxy "balancer://gantry">
<<servers>>
        ProxySet lbmethod=bybusyness
    </Proxy>

    # Paths pass as they came, bodies are streamed. Only a request that couldn't be sent at all goes to another server.
    AllowEncodedSlashes NoDecode
    ProxyRequests Off
    ProxyPreserveHost On
    ProxyPass "/" "balancer://gantry/" nocanon

    <Location "/">
!guarded|        Require all granted
?passwords|        # This proxy checks passwords, at each request: choose hashes that take a millisecond, or leave it to the servers,
?passwords|        # which remember what they verified. Tokens pass, for the servers to check.
?passwords|        AuthType Basic
?passwords|        AuthName "gantry"
?passwords|        AuthBasicProvider file
?passwords|        AuthUserFile "<<passwords>>"
?guarded|        <RequireAll>
?allow|            # From where clients may come.
?allow|            Require ip <<allow>>
?passwords|            <RequireAny>
?passwords|                Require valid-user
?passwords|                Require expr "%{HTTP:Authorization} =~ /^Bearer /i"
?passwords|            </RequireAny>
?guarded|        </RequireAll>

        # What a client says of itself isn't believed; mod_proxy adds the client's address to what stands in X-Forwarded-For. With another
        # trusted proxy in front: name it in [auth] proxies, and leave the first line out.
        RequestHeader unset X-Forwarded-For
        RequestHeader unset <<caller_header>>
?passwords|        RequestHeader set <<caller_header>> "expr=%{REMOTE_USER}" "expr=-n %{REMOTE_USER}"
?passwords|        RequestHeader unset Authorization "expr=-n %{REMOTE_USER}"
?certificate|        RequestHeader set X-Forwarded-Proto https
        # Apache reads of no answer before a body is sent: results of a bulk upload wait for its end.
        RequestHeader set Gantry-Answer after-body
    </Location>
    # Draining is for those at the server.
    <LocationMatch "^/health/(?!(live|ready|writer)$)">
        Require all denied
    </LocationMatch>
</VirtualHost>
)conf";

constexpr std::string_view member =
    " connectiontimeout=2 timeout=90 ttl=60 retry=1 flushpackets=on \\\n"
    "            hcmethod=GET hcuri=/health/ready hcinterval=500ms hcpasses=1 hcfails=2\n";

}  // namespace

std::string apache_config(ProxyPlan const& plan) {
    auto blanks = blanks_of(plan);
    auto const address = fmt::format("{}:{}", plan.host, plan.port);
    bool const listened = plan.host == "*" && (plan.port == "80" || plan.port == "443");  // by Debian's ports.conf
    blanks.put("address", address);
    blanks.put("listen", listened ? "" : plan.host == "*" ? plan.port : address);
    blanks.put("first_name", plan.names.empty() ? "" : plan.names.front());
    blanks.put("other_names", plan.names.size() < 2 ? "" : fmt::format("{}", fmt::join(plan.names.begin() + 1, plan.names.end(), " ")));
    blanks.put("guarded", plan.allow.empty() && plan.passwords.empty() ? "" : "yes");
    blanks.put("servers", without_last_break(each(plan.servers, "        BalancerMember http://", member)));
    return blanks.fill(text);
}

}  // namespace gantry::app
