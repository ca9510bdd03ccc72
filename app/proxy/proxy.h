#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Configurations of the proxies that may stand in front, for `gantry proxy-config`.
namespace gantry::app {

// What a deployment needs said. All texts are checked: none breaks out of the word that it is written as.
struct ProxyPlan {
    std::vector<std::string> servers;     // "10.0.0.5:8080"
    std::string host, port;               // to listen on; "*", "0.0.0.0", "[::1]"
    std::string certificate, key;         // empty: plain HTTP
    std::vector<std::string> names;       // of hosts that are served; none: all
    std::vector<std::string> allow;       // addresses and blocks; none: all
    std::string passwords;                // file of the callers' passwords; empty: the servers check them
    std::vector<std::string> users;       // what stands in it: "ann:$6$…"
    std::string caller_header;            // by which a caller is named to the servers
    std::vector<std::string> proxy_seen;  // addresses from which the servers see the proxy
    bool commands_to_writer = false;      // HAProxy alone
};

std::string haproxy_config(ProxyPlan const& plan);
std::string apache_config(ProxyPlan const& plan);
std::string nginx_config(ProxyPlan const& plan);

// A configuration with blanks: `<<name>>` is replaced by its value, and a line that begins with "?name|" stands there only when that value
// isn't empty, one with "!name|" only when it is. Several such conditions may stand in a row. A value may have several lines.
class Blanks {
   public:
    void put(std::string_view name, std::string value) { values_.emplace_back(name, std::move(value)); }
    std::string fill(std::string_view text) const;

   private:
    std::string const& value(std::string_view name) const;
    bool wanted(std::string_view& line) const;
    std::vector<std::pair<std::string, std::string>> values_;
};

// Of what is the same for all: listen addresses, names, lists, the lines for gantry.toml.
Blanks blanks_of(ProxyPlan const& plan);
// Each part between `before` and `after`.
std::string each(std::vector<std::string> const& parts, std::string_view before, std::string_view after);
std::string without_last_break(std::string text);

}  // namespace gantry::app
