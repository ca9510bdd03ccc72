#include "kernel/config/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <set>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"
#include "kernel/codec/utf8.h"

namespace gantry::flags {
namespace {

constexpr std::array<std::string_view, 5> false_words = {"", "false", "off", "no", "0"};
constexpr std::array<std::string_view, 4> true_words = {"true", "on", "yes", "1"};
constexpr std::string_view one_of = "one of ";

bool is_in(std::span<std::string_view const> words, std::string_view word) { return std::ranges::find(words, word) != words.end(); }

std::optional<std::int64_t> as_integer(std::string_view text) {
    std::int64_t n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
    return n;
}

bool fit_name(std::string_view name) {
    auto fit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'; };
    return !name.empty() && name.size() <= name_bytes_max && name[0] >= 'a' && name[0] <= 'z' && std::ranges::all_of(name, fit);
}

bool fit_text(std::string_view text, std::size_t bytes_max) {
    auto const control = [](char c) { return (c >= 0 && c < ' ') || c == 127; };
    return text.size() <= bytes_max && codec::scan_utf8(text).valid() && std::ranges::none_of(text, control);
}

bool fit_scope(std::string_view scope) {
    if (scope == "default") return true;
    auto const colon = scope.find(':');
    if (colon == scope.npos || colon + 1 == scope.size() || !fit_text(scope, scope_bytes_max)) return false;
    auto const kind = scope.substr(0, colon), rest = scope.substr(colon + 1);
    if (kind == "percent") {
        auto const n = as_integer(rest);
        return n && *n >= 0 && *n <= 100;
    }
    return kind == "site" || kind == "team" || kind == "user" || kind == "server" || kind == "service";
}

// "expected …", or empty.
std::string unfit(FlagDecl const& decl, std::string_view value) {
    if (value.empty() || decl.domain == "text") return {};
    if (decl.domain == "boolean") {
        bool const known = is_in(false_words, value) || is_in(true_words, value);
        return known ? "" : "expected true or false";
    }
    if (decl.domain == "integer") return as_integer(value) ? "" : "expected an integer";
    std::string_view rest = std::string_view(decl.domain).substr(one_of.size());
    while (!rest.empty()) {
        auto const space = std::min(rest.find(' '), rest.size());
        if (rest.substr(0, space) == value) return {};
        rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    return "expected " + decl.domain;
}

bool known_domain(std::string_view domain) {
    return domain == "boolean" || domain == "integer" || domain == "text" || (domain.starts_with(one_of) && domain.size() > one_of.size());
}

std::vector<Fault> faults_of(FlagRules const& rules, FlagDecl const* decl) {
    std::vector<Fault> faults;
    auto say = [&](std::string where, std::string what) { faults.push_back({std::move(where), std::move(what)}); };
    if (!fit_name(rules.flag))
        say("/flag", fmt::format("expected a name of [a-z0-9_.-] that begins with a letter, {} characters at most", name_bytes_max));
    if (rules.rules.size() > rules_of_a_flag_max) say("/rules", fmt::format("a flag has {} rules at most", rules_of_a_flag_max));
    std::set<std::int64_t> priorities;
    for (std::size_t i = 0; i < rules.rules.size(); ++i) {
        auto const& rule = rules.rules[i];
        auto const at = [&](std::string_view member) { return fmt::format("/rules/{}/{}", i, member); };
        if (!fit_scope(rule.scope))
            say(at("scope"),
                "expected default, site:NAME, team:NAME, user:NAME, service:NAME, server:NAME or percent:N with N from 0 to 100");
        if (rule.priority < 0 || rule.priority > priority_max) say(at("priority"), fmt::format("expected 0 to {}", priority_max));
        if (!priorities.insert(rule.priority).second)
            say(at("priority"), fmt::format("{} is the priority of another rule of the flag, too", rule.priority));
        if (!fit_text(rule.value, value_bytes_max))
            say(at("value"), fmt::format("expected one line of text, {} bytes at most", value_bytes_max));
        if (decl)
            if (auto why = unfit(*decl, rule.value); !why.empty()) say(at("value"), std::move(why));
    }
    return faults;
}

}  // namespace

Result<void> check(FlagRules& rules, FlagDecl const* decl) {
    auto faults = faults_of(rules, decl);
    if (!faults.empty())
        return fail(
            Problem{400, "flag_rules_invalid", fmt::format("the rules of the flag \"{}\" have faults", rules.flag), std::move(faults)});
    std::ranges::sort(rules.rules, std::greater(), &Rule::priority);
    return {};
}

Rules::Rules(std::span<FlagDecl const> decls, std::span<FlagRules const> all, std::string server) : server_(std::move(server)) {
    for (auto const& decl : decls) flags_[decl.name].decl = &decl;
    for (auto const& of_flag : all)
        for (auto const& rule : of_flag.rules) flags_[of_flag.flag].rules.push_back(ready(rule));
}

Rules::Ready Rules::ready(Rule const& rule) {
    auto const colon = std::min(rule.scope.find(':'), rule.scope.size());
    auto const kind = std::string_view(rule.scope).substr(0, colon);
    Ready out{.kind = Kind::everywhere, .name = rule.scope.substr(std::min(colon + 1, rule.scope.size())), .rule = rule};
    if (kind == "site") out.kind = Kind::site;
    if (kind == "team") out.kind = Kind::team;
    if (kind == "user") out.kind = Kind::user;
    if (kind == "server") out.kind = Kind::server;
    if (kind == "service") out.kind = Kind::service;
    if (kind == "percent") out.kind = Kind::percent, out.percent = as_integer(out.name).value_or(0);
    return out;
}

bool Rules::active(Ready const& rule, std::string_view flag, Subject const& subject) const {
    switch (rule.kind) {
        case Kind::everywhere: return true;
        case Kind::site: return subject.site == rule.name;
        case Kind::team: return std::ranges::find(subject.teams, rule.name) != subject.teams.end();
        case Kind::user: return subject.user == rule.name;
        case Kind::server: return server_ == rule.name;
        case Kind::service: return subject.service == rule.name;
        // A hash of the flag, too: else it would be the same users who try everything first.
        case Kind::percent: return !subject.user.empty() && std::int64_t(hash64(subject.user, hash64(flag)) % 100) < rule.percent;
    }
    return false;
}

std::optional<Verdict> Rules::evaluate(std::string_view flag, Subject const& subject) const {
    auto const found = flags_.find(flag);
    if (found == flags_.end()) return {};
    bool const declared = found->second.decl != nullptr;
    for (auto const& rule : found->second.rules)
        if (active(rule, flag, subject)) return Verdict{rule.rule.value, rule.rule.scope, declared};
    return Verdict{declared ? found->second.decl->fallback : std::string(), {}, declared};
}

FlagSet::FlagSet(std::vector<FlagDecl> decls, std::string server) : decls_(std::move(decls)), server_(std::move(server)) {
    std::set<std::string_view> names;
    for (auto const& decl : decls_) {
        GANTRY_ASSERT(fit_name(decl.name) && names.insert(decl.name).second, "a flag is declared once, by a name that rules can have");
        GANTRY_ASSERT(!decl.doc.empty() && !decl.owner.empty(), "a flag has a sentence and an owner");
        GANTRY_ASSERT(known_domain(decl.domain) && unfit(decl, decl.fallback).empty(), "a flag has a domain, and its default is in it");
    }
    set({});
}

FlagSet::~FlagSet() {
    for (auto& name : undeclared_) delete name.load();
}

Verdict FlagSet::evaluate(std::string_view flag, Subject const& subject) const {
    auto verdict = rules_.read([&](Rules const& rules) { return rules.evaluate(flag, subject); });
    if (!verdict || !verdict->declared) note_undeclared(flag);
    return verdict ? std::move(*verdict) : Verdict{};
}

bool FlagSet::on(std::string_view flag, Subject const& subject) const { return !is_in(false_words, evaluate(flag, subject).value); }

std::int64_t FlagSet::integer(std::string_view flag, Subject const& subject, std::int64_t otherwise) const {
    if (auto n = as_integer(evaluate(flag, subject).value)) return *n;
    auto const* declared = decl(flag);
    return (declared ? as_integer(declared->fallback) : std::nullopt).value_or(otherwise);
}

void FlagSet::set(std::span<FlagRules const> all) { rules_.set(Rules(decls_, all, server_)); }

FlagDecl const* FlagSet::decl(std::string_view flag) const {
    auto found = std::ranges::find(decls_, flag, &FlagDecl::name);
    return found == decls_.end() ? nullptr : &*found;
}

std::vector<std::string> FlagSet::undeclared() const {
    std::vector<std::string> out;
    for (auto const& name : undeclared_)
        if (auto const* known = name.load()) out.push_back(*known);
    std::ranges::sort(out);
    return out;
}

// The first free place of a table that only fills: two threads with one name meet at the same place.
void FlagSet::note_undeclared(std::string_view flag) const {
    std::unique_ptr<std::string const> fresh;
    for (auto& place : undeclared_) {
        auto const* known = place.load();
        if (!known) {
            if (!fresh) fresh = std::make_unique<std::string const>(flag);
            if (place.compare_exchange_strong(known, fresh.get())) return void(fresh.release());
        }
        if (*known == flag) return;
    }
}

}  // namespace gantry::flags
