#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/flag_answers.h"

namespace gantry::app {
namespace {

struct FlagsOptions {
    ServerOption server;
    std::string name, value, scope = "default", comment, as_of, site, service;
    std::vector<std::string> users, teams;
    std::optional<std::int64_t> priority;
    std::uint64_t version = 0;
    bool whole = false, json = false;
};
constexpr std::int64_t priority_step = 10;  // leaves room between two rules

std::string encoded(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool const plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
        plain ? void(out += c) : void(out += fmt::format("%{:02X}", static_cast<unsigned char>(c)));
    }
    return out;
}

template <class T>
Result<T> asked(FlagsOptions const& o, std::string method, std::string path, std::string body = {}) {
    TRY_ASSIGN(auto answer, ask({o.server, std::move(method), "/_gantry/v1/" + path, std::move(body)}));
    return read_answer<T>(answer);
}

int failed(Problem const& problem) { return complain(problem), exit_of(problem); }

std::string as_of(FlagsOptions const& o) { return o.as_of.empty() ? "" : "?as_of=" + encoded(o.as_of); }

std::string note(runtime::FlagShown const& flag) {
    if (flag.read_undeclared) return "read by the code, declared nowhere";
    if (!flag.declared) return "no code declares it";
    return flag.expired ? "past its expiry" : "";
}

int list(FlagsOptions const& o) {
    auto told = asked<runtime::FlagsShown>(o, "GET", "flags" + as_of(o));
    if (!told) return failed(told.error());
    if (o.json) return print(codec::to_json(*told) + "\n") ? exit_ok : exit_failed;
    std::vector<std::vector<std::string>> rows;
    for (auto const& flag : told->items) {
        auto const everywhere = std::ranges::find(flag.rules, "default", &flags::Rule::scope);
        auto const& value = everywhere == flag.rules.end() ? flag.default_value : everywhere->value;
        rows.push_back({flag.name, value.empty() ? "-" : value, std::to_string(flag.rules.size()), flag.owner.empty() ? "-" : flag.owner,
                        flag.expires ? format_time(*flag.expires) : "-", note(flag)});
    }
    if (rows.empty()) return print("there are no flags\n") ? exit_ok : exit_failed;
    return print(table({"FLAG", "VALUE", "RULES", "OWNER", "EXPIRES", "NOTE"}, rows)) ? exit_ok : exit_failed;
}

int show(FlagsOptions const& o) {
    auto told = asked<runtime::FlagShownAlone>(o, "GET", "flags/" + encoded(o.name) + as_of(o));
    if (!told) return failed(told.error());
    if (o.json) return print(codec::to_json(*told) + "\n") ? exit_ok : exit_failed;
    auto const& flag = told->flag;
    std::string out = flag.name;
    if (flag.declared)
        out += fmt::format(": {}\n{}; \"{}\" where no rule is active; owner {}{}", flag.doc, flag.domain, flag.default_value, flag.owner,
                           flag.expires ? "; expires " + format_time(*flag.expires) : "");
    if (auto said = note(flag); !said.empty()) out += fmt::format("\n{}", said);
    std::vector<std::vector<std::string>> rows;
    for (auto const& rule : flag.rules) rows.push_back({std::to_string(rule.priority), rule.scope, rule.value});
    out += rows.empty() ? "\nno rules\n" : "\n\n" + table({"PRIORITY", "SCOPE", "VALUE"}, rows);
    return print(out) ? exit_ok : exit_failed;
}

struct Current {
    std::uint64_t version = 0;
    flags::FlagRules rules;
};
Result<Current> current(FlagsOptions const& o) {
    TRY_ASSIGN(auto told, asked<runtime::FlagsShown>(o, "GET", "flags"));
    Current out{told.version, {o.name, {}}};
    for (auto& flag : told.items)
        if (flag.name == o.name) out.rules.rules = std::move(flag.rules);
    return out;
}

// The rule of this scope gets the value; a new one goes above all others, but that for everybody below.
void put_rule(FlagsOptions const& o, std::vector<flags::Rule>& rules) {
    auto const same = std::ranges::find(rules, o.scope, &flags::Rule::scope);
    if (same != rules.end()) {
        same->value = o.value, same->priority = o.priority.value_or(same->priority);
        return;
    }
    std::int64_t highest = 0;
    for (auto const& rule : rules) highest = std::max(highest, rule.priority);
    rules.push_back({o.scope, o.priority.value_or(o.scope == "default" ? 0 : highest + priority_step), o.value});
}

int told_change(FlagsOptions const& o, Result<runtime::FlagChange> const& change) {
    if (!change) return failed(change.error());
    if (o.json) return print(codec::to_json(*change) + "\n") ? exit_ok : exit_failed;
    if (change->flags.empty()) return print("nothing changes\n") ? exit_ok : exit_failed;
    std::string names;
    for (auto const& diff : change->flags) names += (names.empty() ? "" : ", ") + diff.flag;
    return print(fmt::format("change {}: {}; undo it with: gantry flags undo {}\n", change->version, names, change->version)) ? exit_ok
                                                                                                                              : exit_failed;
}

int change(FlagsOptions const& o, runtime::FlagChangeAsked body) {
    body.comment = o.comment;
    return told_change(o, asked<runtime::FlagChange>(o, "PUT", "flags", codec::to_json(body)));
}

int set(FlagsOptions const& o) {
    auto now = current(o);
    if (!now) return failed(now.error());
    put_rule(o, now->rules.rules);
    return change(o, {.flags = {now->rules}, .if_version = now->version});
}

int unset(FlagsOptions const& o) {
    auto now = current(o);
    if (!now) return failed(now.error());
    auto& rules = now->rules.rules;
    auto const of_scope = [&](flags::Rule const& rule) { return o.whole || rule.scope == o.scope; };
    if (std::ranges::none_of(rules, of_scope))
        return complain(fmt::format("{} has no rule{}: gantry flags show {}", o.name, o.whole ? "" : " for " + o.scope, o.name)),
               exit_failed;
    std::erase_if(rules, of_scope);
    return change(o, {.flags = {now->rules}, .if_version = now->version});
}

int undo(FlagsOptions const& o) { return change(o, {.undo = o.version}); }

std::string told_rules(std::vector<flags::Rule> const& rules, std::string_view sign) {
    std::string out;
    for (auto const& rule : rules) out += fmt::format("    {} {} {} \"{}\"\n", sign, rule.priority, rule.scope, rule.value);
    return out;
}

std::string told(runtime::FlagChange const& change) {
    auto out = fmt::format("{} {} by {}: {}{}\n", change.version, format_time(change.at), change.who, change.comment,
                           change.undoes ? fmt::format(" (undoes {})", *change.undoes) : "");
    for (auto diff : change.flags) {
        auto const kept = diff.after;
        std::erase_if(diff.after, [&](auto const& rule) { return std::ranges::find(diff.before, rule) != diff.before.end(); });
        std::erase_if(diff.before, [&](auto const& rule) { return std::ranges::find(kept, rule) != kept.end(); });
        out += fmt::format("  {}\n{}{}", diff.flag, told_rules(diff.before, "-"), told_rules(diff.after, "+"));
    }
    return out;
}

int log(FlagsOptions const& o) {
    std::string const of_flag = o.name.empty() ? "" : "&flag=" + encoded(o.name);
    std::string before;
    for (;;) {
        auto page = asked<runtime::FlagHistory>(o, "GET", "flags-history?limit=100" + of_flag + before);
        if (!page) return failed(page.error());
        std::string out;
        for (auto const& one : page->items) out += o.json ? codec::to_json(one) + "\n" : told(one);
        if (!print(out)) return exit_failed;
        if (!page->next) return exit_ok;
        before = fmt::format("&before={}", *page->next);
    }
}

int attempt(FlagsOptions const& o) {
    auto now = current(o);
    if (!now) return failed(now.error());
    put_rule(o, now->rules.rules);
    runtime::FlagDryRunAsked body{{now->rules}, {}};
    for (auto const& user : o.users) body.subjects.push_back({user, o.teams, o.site, o.service});
    if (o.users.empty()) body.subjects.push_back({"", o.teams, o.site, o.service});
    auto told = asked<runtime::FlagDryRun>(o, "POST", "flags-dry-run", codec::to_json(body));
    if (!told) return failed(told.error());
    if (o.json) return print(codec::to_json(*told) + "\n") ? exit_ok : exit_failed;
    std::vector<std::vector<std::string>> rows;
    for (auto const& one : told->affected)
        rows.push_back({one.user.empty() ? "(nobody)" : one.user, one.before.empty() ? "-" : one.before,
                        one.after.empty() ? "-" : one.after, one.after_scope});
    auto const sum = fmt::format("{} of {} would get another value; nothing was changed\n", rows.size(), told->subjects);
    return print((rows.empty() ? "" : table({"USER", "BEFORE", "AFTER", "BY"}, rows)) + sum) ? exit_ok : exit_failed;
}

class Commands {
   public:
    Commands(CLI::App& parent, Action& action) : parent_(parent), action_(action) {}
    CLI::App* add(std::string const& name, std::string const& about, int (*run)(FlagsOptions const&)) {
        auto* sub = parent_.add_subcommand(name, about);
        auto o = options;
        add_server_option(*sub, o->server);
        sub->add_flag("--json", o->json, "For programs: JSON.");
        sub->callback([&action = action_, o, run] { action = [o, run] { return run(*o); }; });
        return sub;
    }
    std::shared_ptr<FlagsOptions> options = std::make_shared<FlagsOptions>();

   private:
    CLI::App& parent_;
    Action& action_;
};

void add_rule(CLI::App& sub, FlagsOptions& o) {
    sub.add_option("FLAG", o.name, "Its name.")->required();
    sub.add_option("VALUE", o.value, "Its value there; empty is false.")->required();
    sub.add_option("--scope", o.scope, "Where: default, site:NAME, team:NAME, user:NAME, service:NAME, server:NAME, percent:N.")
        ->capture_default_str();
    sub.add_option("--priority", o.priority, "The active rule of the highest one wins; without: above all others, for default below.")
        ->type_name("N");
}

void add_looks(Commands& commands) {
    auto& o = *commands.options;
    auto* ls = commands.add("ls", "All flags: declared, set, or read though nobody declared them.", list);
    auto* one = commands.add("show", "One flag with its rules.", show);
    one->add_option("FLAG", o.name, "Its name.")->required();
    for (auto* sub : {ls, one}) sub->add_option("--as-of", o.as_of, "As it was then.")->type_name("TIME");
    commands.add("log", "Who changed what, when and why; the newest first.", log)->add_option("FLAG", o.name, "Of this flag alone.");
    auto* dry = commands.add("try", "Say who would get another value by gantry flags set; changes nothing.", attempt);
    add_rule(*dry, o);
    dry->add_option("--user", o.users, "For whom; may be repeated.")->type_name("NAME");
    dry->add_option("--team", o.teams, "Teams of these users.")->type_name("NAME");
    dry->add_option("--site", o.site, "On this site.")->type_name("NAME");
    dry->add_option("--service", o.service, "In this service.")->type_name("NAME");
}

void add_changes(Commands& commands) {
    auto& o = *commands.options;
    auto* put = commands.add("set", "Give a flag a value, in effect at once.", set);
    add_rule(*put, o);
    auto* take = commands.add("unset", "Take a rule from a flag.", unset);
    take->add_option("FLAG", o.name, "Its name.")->required();
    auto* scope = take->add_option("--scope", o.scope, "The rule for this scope.")->capture_default_str();
    take->add_flag("--all", o.whole, "All of its rules.")->excludes(scope);
    auto* back = commands.add("undo", "Give the flags of a change the rules from before it.", undo);
    back->add_option("CHANGE", o.version, "Its number, as gantry flags log shows it.")->required();
    for (auto* sub : {put, take, back}) sub->add_option("--comment", o.comment, "Why, for the record.")->required();
}

}  // namespace

void add_flags(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("flags", "Feature flags: what the program does for whom, changed while it runs.");
    command->require_subcommand(1);
    Commands commands(*command, action);
    add_looks(commands);
    add_changes(commands);
}

}  // namespace gantry::app
