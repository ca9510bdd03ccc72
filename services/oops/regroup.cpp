#include "services/oops/regroup.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "services/oops/fingerprint.h"
#include "services/oops/groups.h"
#include "services/oops/maps.h"

namespace gantry::oops {
namespace {

constexpr std::size_t tried_max = 20'000;  // reports of one try, by one request
constexpr std::size_t changes_max = 200;
constexpr std::size_t part_reports = 1000;

std::uint32_t number(Project project) { return std::uint32_t(std::int64_t(project)); }
std::unexpected<Problem> no_project() { return fail(404, "project_not_found", "there is no project of this number"); }
std::unexpected<Problem> no_regroup() { return fail(404, "regroup_not_found", "there is no regroup with this id"); }

// Of the project of `from`, it and older ones, down to a time; the rest begins at the number that is given back, 0 for none.
std::uint32_t collect(State const& s, std::uint32_t from, std::size_t max, std::optional<Time> since, Position durable,
                      std::vector<ReportAt>& out) {
    for (; from != 0; from = s.report(from).older_of_project) {
        auto const& row = s.report(from);
        if (since && row.received_us < since->us) return 0;
        if (out.size() == max) return from;
        if (row.position <= durable) out.push_back({from, row.position});
    }
    return 0;
}

Result<Prints> prints_of(std::vector<ReportAt> const& reports, std::vector<MapAt> const& maps, Rules const& rules, Events<Event>& events) {
    Prints out;
    MapReader reader(events, maps);
    for (auto const& one : reports) {
        TRY_ASSIGN(auto const* event, events.at(one.position));
        auto const* reported = reported_in(event);
        if (!reported) {
            ++out.unreadable;
            continue;
        }
        if (maps.empty()) {
            out.of.push_back(print_of(one.report, reported->report, rules));
            continue;
        }
        auto report = reported->report;
        TRY_VOID(reader.rewrite(report));
        out.of.push_back(print_of(one.report, report, rules));
    }
    return out;
}

RegroupView view_of(RegroupId id, RegroupRow const& row) {
    return {id,           Project(row.project), row.status, row.since,  row.total,    row.examined, row.moved, row.unreadable,
            row.begun_at, row.ended_at,         row.by,     row.undoes, row.undone_by};
}

std::unexpected<Problem> running(ProjectRow const& row) {
    return fail(409, "regroup_running", fmt::format("rg_{} of this project is at work: wait for its end, or cancel it", row.regroup));
}

// The part of `some` that begins at `next`.
Event next_part(State const& s, RegroupSome some, std::optional<Time> since, Ctx const& cx) {
    if (some.undoes == 0) some.next = collect(s, some.next, part_reports, since, UINT64_MAX, some.reports);
    if (!some.reports.empty()) some.maps = maps_of(s, s.report(some.reports.front().report).project);
    return Effect<RegroupSome>{cx.fresh("e_"), std::move(some)};
}

}  // namespace

Print print_of(std::uint32_t number, Report const& report, Rules const& rules) {
    auto const print = fingerprint(report, rules);
    auto const ruled = ruled_title(report, rules);
    auto const title = ruled ? *ruled : title_of(report);
    return {number, print.app, print.system, Title(title.substr(0, 300)), ruled.has_value()};
}

Result<Emit<RulesView, Event>> set_rules(State const& s, NewRules const& in, Ctx const&) {
    auto const* row = s.projects.find(number(in.project));
    if (!row) return no_project();
    TRY_VOID(Rules::parse(in.text.view()));
    RulesView view{in.project, in.text};
    if (row->rules == in.text) return Emit<RulesView, Event>{{}, std::move(view)};
    return Emit<RulesView, Event>{{RulesSet{in.project, in.text}}, std::move(view)};
}

Result<RulesView> show_rules(State const& s, ByProject const& in, Ctx const&) {
    auto const* row = s.projects.find(number(in.project));
    if (!row) return no_project();
    return RulesView{in.project, row->rules};
}

Result<TryLook> look_for_try(State const& s, RulesTry const& in, Ctx const& cx) {
    auto const* row = s.projects.find(number(in.project));
    if (!row) return no_project();
    TRY_VOID(Rules::parse(in.text.view()));
    TryLook look{.maps = maps_of(s, number(in.project)), .rules = in.text.str()};
    look.complete = collect(s, row->newest, tried_max, cx.now - Duration::days(in.days), cx.durable, look.reports) == 0;
    return look;
}

Result<Prints> print_for_try(TryLook const& look, RulesTry const&, Events<Event>& events) {
    TRY_ASSIGN(auto prints, prints_of(look.reports, look.maps, rules_of(look.rules), events));
    prints.complete = look.complete;
    return prints;
}

Result<Emit<Tried, Event>> tell_try(State const& s, RulesTry const& in, Prints const& prints, Ctx const&) {
    Tried tried{.examined = prints.of.size(), .unreadable = prints.unreadable, .complete = prints.complete};
    std::map<std::pair<std::uint64_t, std::uint64_t>, Change> changes;  // by the group of now, and the group or the fingerprint to be
    for (auto const& print : prints.of) {
        auto const now = s.report(print.report).bucket;
        auto const to = s.find_bucket(number(in.project), print.app, print.system);
        if (to == now) continue;
        auto const group = s.bucket(now).group;
        auto& change = changes[{group, to != 0 ? s.bucket(to).group : mix64(print.app)}];
        if (change.reports++ == 0) {
            change.from = GroupId{group}, change.from_title = std::string(s.phrases.text(s.group(group).title));
            if (to != 0) change.to = GroupId{s.bucket(to).group};
            change.to_title = to != 0 ? std::string(s.phrases.text(s.group(s.bucket(to).group).title)) : print.title.str();
        }
        ++tried.moved;
    }
    for (auto& [key, change] : changes) tried.changes.push_back(std::move(change));
    std::ranges::sort(tried.changes, std::ranges::greater(), &Change::reports);
    if (tried.changes.size() > changes_max) tried.changes.resize(changes_max), tried.changes_complete = false;
    return Emit<Tried, Event>{{}, std::move(tried)};
}

Result<Emit<RegroupView, Event>> begin_regroup(State const& s, NewRegroup const& in, Ctx const& cx) {
    auto const* row = s.projects.find(number(in.project));
    if (!row) return no_project();
    if (row->regroup != 0) return running(*row);
    RegroupId const id{s.regroups.size() + 1};
    std::optional<Time> since;
    if (in.days) since = cx.now - Duration::days(*in.days);
    RegroupRow const begun{.project = number(in.project),
                           .since = since,
                           .total = row->reports,
                           .begun_at = cx.now,
                           .by = Person(cx.caller().view().substr(0, 200))};
    RegroupSome const some{.regroup = id, .rules = row->rules_at, .next = row->newest};
    std::vector<Event> events{RegroupBegun{id, in.project, since, {}}, next_part(s, some, since, cx)};
    return Emit<RegroupView, Event>{std::move(events), view_of(id, begun), 202};
}

Result<Emit<RegroupView, Event>> undo_regroup(State const& s, ByRegroup const& in, Ctx const& cx) {
    auto const* undone = s.regroups.find(in.id.n);
    if (!undone) return no_regroup();
    auto const* project = s.projects.find(undone->project);
    if (project->regroup != 0) return running(*project);
    if (undone->undone_by) return fail(409, "regroup_undone", fmt::format("rg_{} undid this already", undone->undone_by->n));
    for (auto later = in.id.n + 1; later <= s.regroups.size(); ++later) {
        auto const* row = s.regroups.find(later);
        if (row->project == undone->project && !row->undone_by && !row->undoes && row->moved != 0)
            return fail(409, "regroup_overtaken", fmt::format("rg_{} came later: undo that one first", later));
    }
    RegroupId const id{s.regroups.size() + 1};
    RegroupRow const begun{.project = undone->project,
                           .total = undone->moved,
                           .begun_at = cx.now,
                           .by = Person(cx.caller().view().substr(0, 200)),
                           .undoes = in.id};
    std::vector<Event> events{RegroupBegun{id, Project(undone->project), {}, in.id}};
    if (undone->parts.empty())
        events.push_back(RegroupEnded{id, RegroupStatus::done});
    else
        events.push_back(next_part(
            s, {.regroup = id, .undoes = undone->parts.front(), .next = std::uint32_t(undone->parts.size() > 1 ? 1 : 0)}, {}, cx));
    auto view = view_of(id, begun);
    if (undone->parts.empty()) view.status = RegroupStatus::done, view.ended_at = cx.now;
    return Emit<RegroupView, Event>{std::move(events), std::move(view), 202};
}

Result<Emit<RegroupView, Event>> cancel_regroup(State const& s, ByRegroup const& in, Ctx const& cx) {
    auto const* row = s.regroups.find(in.id.n);
    if (!row) return no_regroup();
    auto view = view_of(in.id, *row);
    if (row->status == RegroupStatus::cancelled) return Emit<RegroupView, Event>{{}, std::move(view)};
    if (row->status == RegroupStatus::done) return fail(409, "regroup_ended", "this regroup has ended: undo it instead");
    view.status = RegroupStatus::cancelled, view.ended_at = cx.now;
    return Emit<RegroupView, Event>{{RegroupEnded{in.id, RegroupStatus::cancelled}}, std::move(view)};
}

Result<RegroupView> show_regroup(State const& s, ByRegroup const& in, Ctx const&) {
    if (auto const* row = s.regroups.find(in.id.n)) return view_of(in.id, *row);
    return no_regroup();
}

Result<Page<RegroupView>> list_regroups(State const& s, RegroupListing const& in, Ctx const&) {
    std::optional<std::uint64_t> after;
    if (in.cursor) {
        TRY_ASSIGN(after, read_cursor<std::uint64_t>(*in.cursor));
    }
    Page<RegroupView> page;
    s.regroups.walk(after ? &*after : nullptr, [&](std::uint64_t n, RegroupRow const& row) {
        if (in.project && row.project != number(*in.project)) return true;
        if (std::int64_t(page.items.size()) == in.limit)
            return page.complete = false, page.next = make_cursor(page.items.back().id.n), false;
        page.items.push_back(view_of(RegroupId{n}, row));
        return true;
    });
    return page;
}

Result<RegroupPart> regroup_some(RegroupSome const& some, Outside& outside) {
    auto events = outside.events<Event>();
    RegroupPart part;
    if (some.undoes != 0) {
        TRY_ASSIGN(auto const* event, events.at(some.undoes));
        auto const* regrouped = event ? std::get_if<Regrouped>(event) : nullptr;
        if (!regrouped) return fail(422, "regroup_forgotten", "the log has no more what this regroup moved: group anew by other rules");
        part.back = regrouped->reports, part.titles_back = regrouped->buckets;
        return part;
    }
    std::string text;
    if (some.rules != 0) {
        TRY_ASSIGN(auto const* event, events.at(some.rules));
        auto const* rules = event ? std::get_if<RulesSet>(event) : nullptr;
        if (!rules) return fail(422, "rules_forgotten", "the log has no more the rules that this regroup began with: begin another one");
        text = rules->text.str();
    }
    TRY_ASSIGN(part.prints, prints_of(some.reports, some.maps, rules_of(text), events));
    return part;
}

namespace {

Regrouped by_prints(State const& s, RegroupRow const& row, Prints const& prints) {
    Regrouped out{.examined = std::uint32_t(prints.of.size()), .unreadable = prints.unreadable};
    std::vector<std::uint64_t> opened;
    for (auto const& print : prints.of) {
        auto const now = s.report(print.report).bucket;
        auto const to = s.find_bucket(row.project, print.app, print.system);
        if (to == now) {
            auto const& bucket = s.bucket(now);
            auto const title = s.phrases.text(bucket.title);
            bool const other = print.ruled_title ? title != print.title.view() : bucket.ruled_title != 0;
            if (other && std::ranges::find(out.buckets, BucketId{now}, &Retitled::bucket) == out.buckets.end())
                out.buckets.push_back({BucketId{now}, print.title, Title(std::string(title)), print.ruled_title, bucket.ruled_title != 0});
            continue;
        }
        Replaced replaced{print.report, BucketId{now}, BucketId{to}, print.app, print.system, {}, false};
        if (to == 0 && std::ranges::find(opened, print.app) == opened.end())
            opened.push_back(print.app), replaced.title = print.title, replaced.ruled_title = print.ruled_title;
        out.reports.push_back(std::move(replaced));
    }
    return out;
}

Regrouped back(State const& s, RegroupPart const& part) {
    Regrouped out{.examined = std::uint32_t(part.back.size())};
    for (auto const& r : part.back)
        if (auto const now = s.report(r.report).bucket; now != r.from.n)
            out.reports.push_back({r.report, BucketId{now}, r.from, 0, 0, {}, false});
    for (auto const& t : part.titles_back) out.buckets.push_back({t.bucket, t.before, t.title, t.ruled_before, t.ruled});
    return out;
}

}  // namespace

std::vector<Event> regrouped_some(State const& s, RegroupSome const& some, Result<RegroupPart> const& part, Ctx const& cx) {
    auto const* row = s.regroups.find(some.regroup.n);
    if (!row || row->status != RegroupStatus::running) return {};
    if (!part) return {RegroupEnded{some.regroup, RegroupStatus::cancelled}};  // the effect's outcome says why
    auto regrouped = some.undoes != 0 ? back(s, *part) : by_prints(s, *row, part->prints);
    regrouped.regroup = some.regroup;
    std::vector<Event> events{std::move(regrouped)};
    if (some.next == 0) {
        events.push_back(RegroupEnded{some.regroup, RegroupStatus::done});
        return events;
    }
    RegroupSome next{.regroup = some.regroup, .rules = some.rules, .next = some.next};
    if (some.undoes != 0) {
        auto const& parts = s.regroups.find(row->undoes->n)->parts;
        next.undoes = parts[some.next], next.next = some.next + 1 < parts.size() ? some.next + 1 : 0;
    }
    events.push_back(next_part(s, std::move(next), row->since, cx));
    return events;
}

}  // namespace gantry::oops
