#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernel/codec/json.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/flag_answers.h"

namespace gantry::runtime {
namespace {

struct ListAsked {
    static constexpr bool has_defaults = true;
    std::optional<Time> as_of;
};
RECORD(ListAsked, as_of);
struct HistoryAsked {
    static constexpr bool has_defaults = true;
    Text<0, 200> flag;
    std::optional<std::uint64_t> before;
    Bounded<1, 1000> limit = 100;
};
RECORD(HistoryAsked, flag, before, limit);
// A query bound as a service's own would be.
template <class T>
Result<T> query_of(Admin::Asked const& asked) {
    static RouteDecl const route{.verb = "GET", .path = "/", .input = &codec::type_of<T>()};
    static Target const target{.route = &route};
    T out;
    Match const match{&target, {}, {}};
    TRY_VOID(bind_request(match, asked.query, {}, false, codec::type_of<T>(), &out));
    return T(out);  // a copy owns
}

FlagShown shown(Flags const& flags, std::string const& name, std::set<std::string> const& undeclared) {
    FlagShown out{.name = name, .declared = false, .read_undeclared = undeclared.contains(name)};
    auto const* decl = flags.set().decl(name);
    if (!decl) return out;
    out.declared = true, out.domain = decl->domain, out.doc = decl->doc, out.default_value = decl->fallback, out.owner = decl->owner;
    out.expires = decl->expires, out.expired = decl->expires && *decl->expires < flags.now();
    return out;
}

FlagsShown list(Flags const& flags, std::optional<Time> as_of) {
    auto const read = flags.set().undeclared();
    std::set<std::string> const undeclared(read.begin(), read.end());
    auto const rules = flags.rules(as_of);
    std::set<std::string> names(undeclared);
    for (auto const& decl : flags.set().decls()) names.insert(decl.name);
    for (auto const& one : rules) names.insert(one.flag);
    FlagsShown out{flags.version(), {}};
    for (auto const& name : names) {
        out.items.push_back(shown(flags, name, undeclared));
        auto const found = std::ranges::find(rules, name, &flags::FlagRules::flag);
        if (found != rules.end()) out.items.back().rules = found->rules;
    }
    return out;
}

Result<std::string> show_one(Flags const& flags, std::string const& name, std::optional<Time> as_of) {
    auto all = list(flags, as_of);
    std::vector<std::string_view> known;
    for (auto& one : all.items) {
        if (one.name == name) return codec::to_json(FlagShownAlone{all.version, std::move(one)});
        known.push_back(one.name);
    }
    auto const near = codec::nearest(name, known);
    return fail(
        404, "flag_unknown",
        fmt::format("no flag \"{}\" is declared, set or read{}", name, near.empty() ? "" : fmt::format(", did you mean {}?", near)));
}

Result<std::string> show_history(Flags const& flags, HistoryAsked const& asked) {
    FlagHistory out;
    auto const all = flags.history();
    for (auto change = all.rbegin(); change != all.rend(); ++change) {
        if (asked.before && change->version >= *asked.before) continue;
        if (!asked.flag.empty() && std::ranges::find(change->flags, asked.flag.view(), &FlagDiff::flag) == change->flags.end()) continue;
        if (out.items.size() == std::size_t(asked.limit)) {
            out.next = out.items.back().version, out.complete = false;
            break;
        }
        out.items.push_back(*change);
    }
    return codec::to_json(out);
}

Result<std::string> change(Flags& flags, Admin::Asked const& asked, std::string who) {
    TRY_ASSIGN(auto wanted, codec::from_json<FlagChangeAsked>(asked.body));
    if (wanted.undo && !wanted.flags.empty()) return fail(400, "request_invalid", "expected flags or undo, one of them");
    Flags::Wanted const given{std::move(wanted.flags), wanted.comment.str(), wanted.if_version};
    auto changed = wanted.undo ? flags.undo(*wanted.undo, given, std::move(who)) : flags.change(given, std::move(who));
    if (!changed) return std::unexpected(std::move(changed.error()));
    return codec::to_json(*changed);
}

Result<std::string> dry_run(Flags const& flags, Admin::Asked const& asked) {
    TRY_ASSIGN(auto wanted, codec::from_json<FlagDryRunAsked>(asked.body));
    TRY_ASSIGN(auto after, flags.would_be({wanted.flags, {}, {}}));
    auto const now = flags.set().with(flags.rules()), then = flags.set().with(after);
    FlagDryRun out{wanted.subjects.size(), {}};
    for (std::size_t i = 0; i < wanted.subjects.size(); ++i) {
        auto const& s = wanted.subjects[i];
        flags::Subject const subject{s.user, s.teams, s.site, s.service};
        for (auto const& one : wanted.flags) {
            auto const a = now.evaluate(one.flag, subject).value_or(flags::Verdict{});
            auto const b = then.evaluate(one.flag, subject).value_or(flags::Verdict{});
            if (a.value != b.value) out.affected.push_back({i, s.user, one.flag, a.value, b.value, a.scope, b.scope});
        }
    }
    return codec::to_json(out);
}

}  // namespace

std::vector<Admin::Route> flag_routes(Flags& flags, std::function<std::string(Admin::Asked const&)> who) {
    using enum Admin::Where;
    return {{http::Method::Get, "flags", at_once,
             [&](Admin::Asked const& asked) -> Result<std::string> {
                 TRY_ASSIGN(auto query, query_of<ListAsked>(asked));
                 return codec::to_json(list(flags, query.as_of));
             }},
            {http::Method::Get, "flags/", at_once,
             [&](Admin::Asked const& asked) -> Result<std::string> {
                 TRY_ASSIGN(auto query, query_of<ListAsked>(asked));
                 return show_one(flags, asked.rest, query.as_of);
             }},
            {http::Method::Put, "flags", house, [&, who](Admin::Asked const& asked) { return change(flags, asked, who(asked)); }},
            {http::Method::Get, "flags-history", at_once,
             [&](Admin::Asked const& asked) -> Result<std::string> {
                 TRY_ASSIGN(auto query, query_of<HistoryAsked>(asked));
                 return show_history(flags, query);
             }},
            {http::Method::Post, "flags-dry-run", at_once, [&](Admin::Asked const& asked) { return dry_run(flags, asked); }}};
}

}  // namespace gantry::runtime
