#include "kernel/runtime/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kernel/codec/json.h"
#include "kernel/log/lines.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

std::vector<flags::Rule> rules_of(std::vector<flags::FlagRules> const& all, std::string_view flag) {
    auto found = std::ranges::find(all, flag, &flags::FlagRules::flag);
    return found == all.end() ? std::vector<flags::Rule>() : found->rules;
}

std::vector<flags::FlagRules> folded(std::vector<FlagChange> const& history, std::optional<Time> as_of) {
    std::map<std::string, std::vector<flags::Rule>> all;
    for (auto const& change : history)
        if (!as_of || change.at <= *as_of)
            for (auto const& diff : change.flags) all[diff.flag] = diff.after;
    std::vector<flags::FlagRules> out;
    for (auto& [flag, rules] : all)
        if (!rules.empty()) out.push_back({flag, std::move(rules)});
    return out;
}

std::vector<flags::FlagRules> with(std::vector<flags::FlagRules> all, std::vector<FlagDiff> const& diffs) {
    for (auto const& diff : diffs) {
        std::erase_if(all, [&](flags::FlagRules const& one) { return one.flag == diff.flag; });
        if (!diff.after.empty()) all.push_back({diff.flag, diff.after});
    }
    std::ranges::sort(all, {}, &flags::FlagRules::flag);
    return all;
}

}  // namespace

Result<std::unique_ptr<Flags>> Flags::open(Parts parts) {
    std::unique_ptr<Flags> out(new Flags(std::move(parts)));
    TRY_ASSIGN(out->history_, log::read_lines<FlagChange>(out->parts_.disk, out->parts_.file,
                                                          {500, "flags_damaged", "The record of feature flags can't be read."}));
    out->set_.set(folded(out->history_, {}));
    out->warn_of_expired();
    return out;
}

void Flags::warn_of_expired() const {
    for (auto const& decl : set_.decls())
        if (decl.expires && *decl.expires < parts_.clock.wall())
            observe::log_line(observe::Level::warning, "runtime", "a feature flag is past its expiry",
                              {{"flag", decl.name}, {"owner", decl.owner}, {"expires", format_time(*decl.expires)}});
}

std::uint64_t Flags::version() const {
    std::lock_guard lock(state_mutex_);
    return history_.empty() ? 0 : history_.back().version;
}

std::vector<FlagChange> Flags::history() const {
    std::lock_guard lock(state_mutex_);
    return history_;
}

std::vector<flags::FlagRules> Flags::rules(std::optional<Time> as_of) const { return folded(history(), as_of); }

Result<std::vector<FlagDiff>> Flags::diff(Wanted const& wanted, std::vector<flags::FlagRules> const& now) const {
    if (wanted.flags.empty()) return fail(400, "request_invalid", "expected flags, each with the rules that it shall have");
    std::vector<FlagDiff> out;
    for (auto one : wanted.flags) {
        if (auto fit = flags::check(one, set_.decl(one.flag)); !fit) {
            for (auto& fault : fit.error().faults) fault.pointer = fmt::format("/flags/{}{}", out.size(), fault.pointer);
            return std::unexpected(std::move(fit.error()));
        }
        if (std::ranges::find(out, one.flag, &FlagDiff::flag) != out.end())
            return fail(400, "request_invalid", fmt::format("the flag \"{}\" is given twice", one.flag));
        out.push_back({one.flag, rules_of(now, one.flag), std::move(one.rules)});
    }
    std::erase_if(out, [](FlagDiff const& d) { return d.before == d.after; });
    if (with(now, out).size() > flags_max)
        return fail(507, "flags_full",
                    fmt::format("{} flags are set, which is the most: unset some that nothing reads any more", flags_max));
    return out;
}

Result<std::vector<flags::FlagRules>> Flags::would_be(Wanted const& wanted) const {
    auto now = rules();
    TRY_ASSIGN(auto diffs, diff(wanted, now));
    return with(std::move(now), diffs);
}

Result<FlagChange> Flags::change(Wanted wanted, std::string who) {
    std::lock_guard one_at_a_time(changing_);
    TRY_ASSIGN(auto diffs, diff(wanted, rules()));
    return record({.who = std::move(who), .comment = std::move(wanted.comment), .flags = std::move(diffs)}, wanted.if_version);
}

Result<FlagChange> Flags::undo(std::uint64_t version, Wanted const& wanted, std::string who) {
    std::lock_guard one_at_a_time(changing_);
    auto const all = history();
    auto const found = std::ranges::find(all, version, &FlagChange::version);
    if (found == all.end())
        return fail(404, "flag_change_unknown", fmt::format("there is no change {}: `gantry flags log` lists them", version));
    FlagChange change{.who = std::move(who), .comment = wanted.comment, .undoes = version};
    for (auto const& diff : found->flags) {
        for (auto later = found + 1; later != all.end(); ++later)
            if (std::ranges::find(later->flags, diff.flag, &FlagDiff::flag) != later->flags.end())
                return fail(409, "flag_changed_since",
                            fmt::format("the change {} gave \"{}\" other rules again: undo that one first, or set the flag", later->version,
                                        diff.flag));
        change.flags.push_back({diff.flag, diff.after, diff.before});
    }
    return record(std::move(change), wanted.if_version);
}

Result<FlagChange> Flags::record(FlagChange change, std::optional<std::uint64_t> if_version) {
    if (change.comment.empty() || change.comment.size() > comment_bytes_max)
        return fail(400, "request_invalid", fmt::format("expected a comment that says why, {} bytes at most", comment_bytes_max));
    auto all = history();
    auto const current = all.empty() ? 0 : all.back().version;
    if (if_version && *if_version != current)
        return fail(412, "precondition_failed", fmt::format("the flags have version {} now: read them again and decide anew", current));
    change.version = current, change.at = std::max(parts_.clock.wall(), all.empty() ? Time{} : all.back().at);
    if (change.flags.empty()) return change;
    ++change.version;
    all.push_back(change);
    TRY_VOID(log::write_lines(parts_.disk, parts_.file, all));
    {
        std::lock_guard lock(state_mutex_);
        history_ = all;
    }
    set_.set(folded(all, {}));
    observe::log_line(observe::Level::info, "runtime", "feature flags changed",
                      {{"version", change.version}, {"who", change.who}, {"comment", change.comment}});
    return change;
}

}  // namespace gantry::runtime
