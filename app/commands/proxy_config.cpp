#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/proxy/proxy.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "kernel/auth/address.h"
#include "kernel/auth/names.h"

namespace gantry::app {
namespace {

struct ProxyOptions {
    std::vector<std::string> servers{"127.0.0.1:8080"};
    std::string listen, certificate, key, passwords;
    std::string caller_header = "X-Gantry-Caller";
    std::vector<std::string> names, allow, proxy_seen;
    bool commands_to_writer = false;
};
constexpr std::size_t passwords_bytes_max = 1 << 20;

enum class Proxy { haproxy, apache, nginx };

std::unexpected<Problem> wrong(std::string_view option, std::string_view detail) {
    return fail(400, "proxy_config_invalid", fmt::format("{}: {}", option, detail));
}

// What stands in a configuration as one word, whatever the proxy's quoting.
bool is_word(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127 && !std::string_view("\"'\\#;{}$`%<>").contains(c); });
}

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() <= 253 && text.front() != '-' && text.front() != '.' && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

Result<void> check_file_name(std::string_view option, std::string const& path) {
    if (path.empty() || (path.starts_with('/') && is_word(path))) return {};
    return wrong(option, "expected an absolute path without spaces, quotes and signs that mean something to a proxy");
}

Result<std::pair<std::string, std::string>> listen_of(ProxyOptions const& o) {
    if (o.listen.empty()) return std::pair("*", o.certificate.empty() ? "80" : "443");
    bool const any = o.listen.starts_with("*:");
    auto const parsed = parse_listen(any ? "0.0.0.0" + o.listen.substr(1) : o.listen);
    if (!parsed || parsed->port == 0 || (!any && !auth::parse_address(parsed->host)))
        return wrong("--listen", "expected ADDR:PORT, [ADDR6]:PORT or *:PORT");
    auto const host = any ? "*" : parsed->host.contains(':') ? fmt::format("[{}]", parsed->host) : parsed->host;
    return std::pair(host, std::to_string(parsed->port));
}

// The lines of an htpasswd file. HAProxy has no file of its own for them, and crypt(3) alone to check them.
Result<std::vector<std::string>> users_of(std::string const& path) {
    std::ifstream file(path);
    std::string text(passwords_bytes_max + 1, '\0');
    file.read(text.data(), std::streamsize(text.size()));
    if (!file.is_open() || file.bad()) return wrong("--passwords", fmt::format("{} can't be read", path));
    text.resize(std::size_t(file.gcount()));
    if (text.size() > passwords_bytes_max) return wrong("--passwords", fmt::format("{} has more than 1 MiB", path));
    std::vector<std::string> out;
    for (std::size_t number = 1, at = 0; at < text.size(); ++number) {
        auto const end = std::min(text.find('\n', at), text.size());
        auto line = text.substr(at, end - at);
        at = end + 1;
        if (line.ends_with('\r')) line.pop_back();
        if (line.empty() || line.starts_with('#')) continue;
        auto const refuse = [&](std::string_view why) { return wrong("--passwords", fmt::format("{}:{}: {}", path, number, why)); };
        auto const colon = line.find(':');
        if (colon == line.npos || !auth::is_caller_name(line.substr(0, colon)))
            return refuse(fmt::format("expected NAME:HASH with a caller's name: {}", auth::caller_name_rule));
        auto const hash = std::string_view(line).substr(colon + 1);
        bool const sound = std::ranges::all_of(hash, [](char c) { return c > ' ' && c < 127 && !std::string_view("\"'\\#").contains(c); });
        if (!hash.starts_with('$') || hash.starts_with("$apr1$") || !sound)
            return refuse("HAProxy checks hashes of crypt(3) alone: make one with mkpasswd or openssl passwd -6");
        out.push_back(std::move(line));
    }
    if (out.empty()) return wrong("--passwords", fmt::format("{} names nobody", path));
    return out;
}

bool all_on_loopback(std::vector<std::string> const& servers) {
    return std::ranges::all_of(servers, [](std::string const& server) {
        auto const parsed = parse_listen(server);
        auto const address = parsed ? auth::parse_address(parsed->host) : std::nullopt;
        return parsed && (parsed->host == "localhost" || (address && address->is_loopback()));
    });
}

Result<void> check_servers(ProxyOptions const& o) {
    for (auto const& server : o.servers) {
        auto const parsed = parse_listen(server);
        if (!parsed || parsed->port == 0 || (!auth::parse_address(parsed->host) && !is_host_name(parsed->host)))
            return wrong("--server", fmt::format("expected ADDR:PORT like 10.0.0.5:8080, found \"{}\"", server));
    }
    return {};
}

Result<void> check_addresses(std::string_view option, std::vector<std::string> const& texts) {
    auto const parsed = auth::AddressList::parse(texts);
    if (parsed) return {};
    auto const& faults = parsed.error().faults;
    return wrong(option, faults.empty() ? parsed.error().detail : faults.front().detail);
}

Result<void> check_words(ProxyOptions const& o) {
    TRY_VOID(check_file_name("--certificate", o.certificate));
    TRY_VOID(check_file_name("--key", o.key));
    TRY_VOID(check_file_name("--passwords", o.passwords));
    for (auto const& name : o.names)
        if (!is_host_name(name)) return wrong("--name", fmt::format("expected the name of a host, found \"{}\"", name));
    if (!is_host_name(o.caller_header) || o.caller_header.contains('.'))
        return wrong("--caller-header", "expected the name of a header: letters, digits and -");
    if (!o.key.empty() && o.certificate.empty()) return wrong("--key", "wants --certificate, too");
    TRY_VOID(check_addresses("--allow", o.allow));
    return check_addresses("--proxy", o.proxy_seen);
}

Result<void> check_for(Proxy proxy, ProxyOptions const& o) {
    if (proxy == Proxy::haproxy && !o.key.empty())
        return wrong("--key", "HAProxy wants the key in the file of the certificate: cat CERTIFICATE KEY > FILE");
    if (proxy != Proxy::haproxy && o.commands_to_writer)
        return wrong("--commands-to-writer", "only HAProxy can choose a server by a check of its own");
    return {};
}

Result<std::string> config_of(Proxy proxy, ProxyOptions const& o) {
    TRY_VOID(check_for(proxy, o));
    TRY_VOID(check_servers(o));
    TRY_VOID(check_words(o));
    TRY_ASSIGN(auto const listen, listen_of(o));
    ProxyPlan plan{o.servers, listen.first,    listen.second, o.certificate,       o.key, o.names, o.allow, o.passwords,
                   {},        o.caller_header, o.proxy_seen,  o.commands_to_writer};
    if (plan.proxy_seen.empty() && !all_on_loopback(o.servers))
        return wrong("--proxy", "say from which address the servers will see the proxy: theirs are not on this machine");
    if (plan.proxy_seen.empty()) plan.proxy_seen = {"127.0.0.1", "::1"};
    if (proxy == Proxy::haproxy && !o.passwords.empty()) {
        TRY_ASSIGN(plan.users, users_of(o.passwords));
    }
    return proxy == Proxy::haproxy ? haproxy_config(plan) : proxy == Proxy::apache ? apache_config(plan) : nginx_config(plan);
}

int show(Proxy proxy, ProxyOptions const& o) {
    auto const text = config_of(proxy, o);
    if (!text) return complain(text.error()), exit_usage;
    return print(*text) ? exit_ok : exit_failed;
}

void add_proxy(CLI::App& parent, Action& action, std::string const& name, std::string const& about, Proxy proxy) {
    auto o = std::make_shared<ProxyOptions>();
    auto* sub = parent.add_subcommand(name, about);
    sub->add_option("--server", o->servers, "A server behind it; repeat it for more.")->type_name("ADDR:PORT")->capture_default_str();
    sub->add_option("--listen", o->listen,
                    "Where it listens: ADDR:PORT, [ADDR6]:PORT, *:PORT. Not said: *:443 with a certificate, else *:80.")
        ->type_name("ADDR:PORT");
    sub->add_option("--certificate", o->certificate, "PEM file of its certificate and chain, and of the key unless --key says otherwise.")
        ->type_name("FILE");
    sub->add_option("--key", o->key, "PEM file of the certificate's key.")->type_name("FILE");
    sub->add_option("--name", o->names, "A name of a host that is served; none named: all. The first label names a site.")
        ->type_name("HOST");
    sub->add_option("--allow", o->allow, "Addresses and blocks from which clients may come; none named: all.")->type_name("CIDR");
    sub->add_option("--passwords", o->passwords,
                    "It checks passwords by this file (NAME:HASH, as of htpasswd), and tells the servers the caller. Not said: they check.")
        ->type_name("FILE");
    sub->add_option("--caller-header", o->caller_header, "The header by which it does; a client's own is taken out.")
        ->capture_default_str();
    sub->add_option("--proxy", o->proxy_seen, "From where the servers see it. Not said: this machine, if they are on it.")
        ->type_name("CIDR");
    if (proxy == Proxy::haproxy)
        sub->add_flag("--commands-to-writer", o->commands_to_writer,
                      "Send commands only to the server that answers 200 at /health/writer.");
    sub->callback([&action, o, proxy] { action = [o, proxy] { return show(proxy, *o); }; });
}

}  // namespace

void add_proxy_config(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("proxy-config", "Print a configuration for the proxy in front, with what gantry.toml needs for it.");
    command->require_subcommand(1);
    add_proxy(*command, action, "haproxy", "A whole haproxy.cfg.", Proxy::haproxy);
    add_proxy(*command, action, "apache", "A site of Apache httpd.", Proxy::apache);
    add_proxy(*command, action, "nginx", "A file of nginx's http block.", Proxy::nginx);
}

}  // namespace gantry::app
