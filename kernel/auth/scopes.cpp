#include "kernel/auth/scopes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kernel/auth/names.h"
#include "kernel/codec/scalar.h"

namespace gantry::auth {
namespace {

bool is_part(std::string_view s) {
    return s == "*" ||
           (!s.empty() && std::ranges::all_of(s, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.'; }));
}

bool fits(std::string_view pattern, std::string_view part) { return pattern == "*" || pattern == part; }

}  // namespace

bool Scopes::is_pattern(std::string_view text) {
    auto const colon = text.find(':');
    if (text == "*") return true;
    return text.size() <= pattern_bytes_max && colon != text.npos && is_part(text.substr(0, colon)) && is_part(text.substr(colon + 1));
}

Result<Scopes> Scopes::parse(std::span<std::string const> patterns) {
    Scopes out;
    std::vector<Fault> faults;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        if (i == patterns_max) {
            faults.push_back({fmt::format("/{}", i), fmt::format("more than {} scopes", patterns_max)});
            break;
        }
        auto const& p = patterns[i];
        if (!is_pattern(p))
            faults.push_back({fmt::format("/{}", i), fmt::format("expected a scope like tracker:write, tracker:*, *:read or *, found {}",
                                                                 codec::detail::quoted(p))});
        out.all_ = out.all_ || p == "*" || p == "*:*";
    }
    if (!faults.empty()) return fail(Problem{400, "scope_invalid", faults.front().detail, faults});
    out.patterns_.assign(patterns.begin(), patterns.end());
    return out;
}

namespace {

std::optional<std::string_view> meet(std::string_view a, std::string_view b) {
    if (a == "*") return b;
    if (b == "*" || a == b) return a;
    return {};
}
std::pair<std::string_view, std::string_view> parts_of(std::string_view pattern) {
    auto const colon = pattern.find(':');
    if (colon == pattern.npos) return {"*", "*"};
    return {pattern.substr(0, colon), pattern.substr(colon + 1)};
}

}  // namespace

Scopes Scopes::both(Scopes const& a, Scopes const& b) {
    if (a.all_) return b;
    if (b.all_) return a;
    std::vector<std::string> out;
    for (auto const& p : a.patterns_)
        for (auto const& q : b.patterns_) {
            auto const [p_service, p_what] = parts_of(p);
            auto const [q_service, q_what] = parts_of(q);
            auto const service = meet(p_service, q_service), what = meet(p_what, q_what);
            if (!service || !what || out.size() == patterns_max) continue;
            if (auto text = fmt::format("{}:{}", *service, *what); std::ranges::find(out, text) == out.end())
                out.push_back(std::move(text));
        }
    return *parse(out);
}

bool Scopes::allow(std::string_view scope) const {
    if (all_) return true;
    auto const colon = scope.find(':');
    if (colon == scope.npos) return false;
    for (std::string_view pattern : patterns_) {
        auto const at = pattern.find(':');
        if (fits(pattern.substr(0, at), scope.substr(0, colon)) && fits(pattern.substr(at + 1), scope.substr(colon + 1))) return true;
    }
    return false;
}

}  // namespace gantry::auth
