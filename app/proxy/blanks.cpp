#include <fmt/format.h>

#include <algorithm>

#include "app/proxy/proxy.h"
#include "kernel/base/assert.h"

namespace gantry::app {

std::string const& Blanks::value(std::string_view name) const {
    auto const found = std::ranges::find(values_, name, [](auto const& v) -> std::string_view { return v.first; });
    GANTRY_ASSERT(found != values_.end(), "a blank without a value");
    return found->second;
}

bool Blanks::wanted(std::string_view& line) const {
    bool out = true;
    while (!line.empty() && (line[0] == '?' || line[0] == '!')) {
        auto const end = line.find('|');
        GANTRY_ASSERT(end != line.npos, "a condition without an end");
        out &= value(line.substr(1, end - 1)).empty() == (line[0] == '!');
        line.remove_prefix(end + 1);
    }
    return out;
}

std::string Blanks::fill(std::string_view text) const {
    std::string out;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!wanted(line)) continue;
        for (auto at = line.find("<<"); at != line.npos; at = line.find("<<")) {
            auto const end = line.find(">>", at);
            out.append(line.substr(0, at)).append(value(line.substr(at + 2, end - at - 2)));
            line.remove_prefix(end + 2);
        }
        out.append(line) += '\n';
    }
    return out;
}

std::string each(std::vector<std::string> const& parts, std::string_view before, std::string_view after) {
    std::string out;
    for (auto const& part : parts) out.append(before).append(part).append(after);
    return out;
}

std::string without_last_break(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

namespace {

std::string toml_list(std::vector<std::string> const& parts) {
    return fmt::format("[{}]", parts.empty() ? "" : fmt::format("\"{}\"", fmt::join(parts, "\", \"")));
}

// What the servers must know of the proxy, as comments.
constexpr std::string_view server_side = R"(#
# In gantry.toml of each server, so that it takes this proxy's word, and nobody else's:
#
#   [auth]
#   proxies = <<proxy_seen>>
#   proxy_address_header = "X-Forwarded-For"
?passwords|#   proxy_caller_header = "<<caller_header>>"
?allow|#   allow = <<allow_toml>>   # once more, by the client's address; add those of operators and monitoring
#
?passwords|# Each caller of the password file must be known there, too, with what it may do: gantry auth add NAME --scope ...
!passwords|# Callers and their tokens and passwords: gantry auth add NAME --scope ... [--password]
)";

}  // namespace

Blanks blanks_of(ProxyPlan const& plan) {
    Blanks out;
    auto const joined = [](std::vector<std::string> const& parts) { return fmt::format("{}", fmt::join(parts, " ")); };
    out.put("host", plan.host == "*" ? "" : plan.host);
    out.put("port", plan.port);
    out.put("certificate", plan.certificate);
    out.put("key", plan.key.empty() ? plan.certificate : plan.key);
    out.put("names", joined(plan.names));
    out.put("allow", joined(plan.allow));
    out.put("allow_toml", toml_list(plan.allow));
    out.put("passwords", plan.passwords);
    out.put("caller_header", plan.caller_header);
    out.put("proxy_seen", toml_list(plan.proxy_seen));
    out.put("writer", plan.commands_to_writer ? "yes" : "");
    out.put("gantry_toml", out.fill(server_side));
    return out;
}

}  // namespace gantry::app
