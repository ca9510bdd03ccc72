#include "services/oops/groups.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::oops {
namespace {

constexpr std::size_t examined_max = 100'000;  // groups of one list, under the service's lock
constexpr std::size_t buckets_shown_max = 1000;
constexpr std::size_t moved_max = 1000;
constexpr std::size_t alert_targets_max = 20;

std::uint32_t number(Project project) { return std::uint32_t(std::int64_t(project)); }
std::unexpected<Problem> no_project() { return fail(404, "project_not_found", "there is no project of this number"); }
std::unexpected<Problem> no_group() { return fail(404, "group_not_found", "there is no group with this id"); }

// https://gantry.example → https://KEY@gantry.example/oops/1
std::string dsn_of(std::string_view url, ProjectRow const& row, std::uint32_t project) {
    while (url.ends_with('/')) url.remove_suffix(1);
    auto const scheme = url.find("://");
    auto const host = scheme == url.npos ? 0 : scheme + 3;
    return fmt::format("{}{}@{}/oops/{}", url.substr(0, host), row.key.view(), url.substr(host), project);
}

ProjectView view_of(std::uint32_t project, ProjectRow const& row, Ctx const& cx) {
    ProjectView view{.project = project,
                     .name = row.name,
                     .key = row.key,
                     .dsn = {},
                     .made_at = row.made_at,
                     .alerts = row.alerts,
                     .limits = row.limits,
                     .reports = row.reports,
                     .counted_only = row.counted_only,
                     .client_dropped = row.client_dropped,
                     .items = row.items};
    if (auto const& url = cx.configured<Settings>().public_url) view.dsn = dsn_of(url->view(), row, project);
    return view;
}

bool holds(std::string_view text, std::string_view part) {
    auto const same = [](char a, char b) { return (a | 0x20) == (b | 0x20) && (a == b || ((a | 0x20) >= 'a' && (a | 0x20) <= 'z')); };
    return !std::ranges::search(text, part, same).empty();
}

bool answers(State const& s, GroupRow const& group, GroupListing const& in, Ctx const& cx) {
    if (in.status && State::status_of(group, cx.now) != *in.status) return false;
    if (in.level && group.level != std::uint8_t(*in.level)) return false;
    if (in.kind && group.kind != std::uint8_t(*in.kind)) return false;
    if (in.assignee && s.phrases.text(group.assignee) != in.assignee->view()) return false;
    return !in.title || holds(s.phrases.text(group.title), in.title->view());
}

MoveView view_of(BucketsMoved const& e) { return {e.move, e.kind, e.buckets.empty() ? GroupId{} : e.buckets.front().to, e.buckets}; }

Emit<MoveView, Event> emit(BucketsMoved e) {
    auto view = view_of(e);
    return {{std::move(e)}, std::move(view)};
}

}  // namespace

GroupView view_of(State const& s, GroupId id, Time now) {
    auto const& g = s.group(id.n);
    GroupView view{.id = id,
                   .project = g.project,
                   .title = std::string(s.phrases.text(g.title)),
                   .kind = ReportKind(g.kind),
                   .level = Level(g.level),
                   .status = State::status_of(g, now),
                   .count = g.count,
                   .first_seen = Time{g.first_us},
                   .last_seen = Time{g.last_us},
                   .first_release = std::string(s.phrases.text(g.first_release)),
                   .last_release = std::string(s.phrases.text(g.last_release)),
                   .resolved_in = std::string(s.phrases.text(g.resolved_in)),
                   .assignee = std::string(s.phrases.text(g.assignee)),
                   .bug = std::string(s.phrases.text(g.bug)),
                   .ignored_until = {},
                   .merged_into = {}};
    if (view.status == Status::ignored && g.ignored_until_us != 0) view.ignored_until = Time{g.ignored_until_us};
    if (g.merged_into != 0) view.merged_into = GroupId{g.merged_into};
    return view;
}

Result<Emit<ProjectView, Event>> make_project(State const& s, NewProject const& in, Ctx const& cx) {
    auto const project = std::uint32_t(s.projects.size() + 1);
    std::string const key = fmt::format("{:016x}{:016x}", cx.random.next(), cx.random.next());
    ProjectMade const made{Project(project), in.name, Str(key)};
    ProjectRow const row{.name = made.name, .key = made.key, .made_at = cx.now};
    auto view = view_of(project, row, cx);
    if (!view.dsn) view.dsn = dsn_of(cx.reached_at(), row, project);
    return Emit<ProjectView, Event>{{made}, std::move(view), 201};
}

Result<Emit<ProjectView, Event>> change_project(State const& s, ProjectChange const& in, Ctx const& cx) {
    auto const* row = s.projects.find(number(in.project));
    if (!row) return no_project();
    auto changed = *row;
    if (in.name) changed.name = *in.name;
    if (in.alerts) changed.alerts = *in.alerts;
    if (in.limits) changed.limits = *in.limits;
    if (changed.alerts.hooks.size() > alert_targets_max || changed.alerts.mails.size() > alert_targets_max)
        return fail({422,
                     "alert_targets_many",
                     "too many are to be told",
                     {{"/alerts", fmt::format("expected at most {} hooks and mails", alert_targets_max)}}});
    return Emit<ProjectView, Event>{{ProjectSet{in.project, changed.name, changed.alerts, changed.limits}},
                                    view_of(number(in.project), changed, cx)};
}

Result<ProjectView> show_project(State const& s, ByProject const& in, Ctx const& cx) {
    if (auto const* row = s.projects.find(number(in.project))) return view_of(number(in.project), *row, cx);
    return no_project();
}

Result<Page<ProjectView>> list_projects(State const& s, ProjectListing const& in, Ctx const& cx) {
    std::optional<std::uint32_t> after;
    if (in.cursor) {
        TRY_ASSIGN(after, read_cursor<std::uint32_t>(*in.cursor));
    }
    Page<ProjectView> page;
    s.projects.walk(after ? &*after : nullptr, [&](std::uint32_t project, ProjectRow const& row) {
        if (std::int64_t(page.items.size()) == in.limit)
            return page.complete = false, page.next = make_cursor(page.items.back().project), false;
        page.items.push_back(view_of(project, row, cx));
        return true;
    });
    return page;
}

Result<Page<GroupView>> list_groups(State const& s, GroupListing const& in, Ctx const& cx) {
    auto const project = number(in.project);
    if (!s.projects.contains(project)) return no_project();
    s.looked_at_project(project);
    Latest below{project + std::uint64_t(1), INT64_MIN, 0};
    if (in.cursor) {
        TRY_ASSIGN(below, read_cursor<Latest>(*in.cursor));
    }
    Page<GroupView> page;
    std::size_t examined = 0;
    Latest last = below;
    s.latest.descend(below, [&](Latest const& key) {
        if (key.project != project) return false;
        if (std::int64_t(page.items.size()) == in.limit || examined == examined_max) {
            page.complete = false, page.next = make_cursor(last);
            if (examined == examined_max) page.why = fmt::format("{} groups were examined: go on with next", examined_max);
            return false;
        }
        ++examined, last = key;
        if (answers(s, s.group(key.group), in, cx)) page.items.push_back(view_of(s, GroupId{key.group}, cx.now));
        return true;
    });
    return page;
}

Result<GroupWhole> show_group(State const& s, ByGroup const& in, Ctx const& cx) {
    if (!s.has_group(in.id.n)) return no_group();
    s.looked_at(in.id);
    GroupWhole whole{view_of(s, in.id, cx.now), {}, true};
    for (auto b = s.group(in.id.n).first_bucket; b != 0; b = s.bucket(b).next) {
        if (whole.buckets.size() == buckets_shown_max) {
            whole.buckets_complete = false;
            break;
        }
        auto const& row = s.bucket(b);
        whole.buckets.push_back({BucketId{b}, std::string(s.phrases.text(row.title)), row.count, Time{row.first_us}, Time{row.last_us}});
    }
    return whole;
}

Result<Emit<GroupView, Event>> change_group(State const& s, GroupChange const& in, Ctx const& cx) {
    if (!s.has_group(in.id.n)) return no_group();
    if (s.group(in.id.n).merged_into != 0)
        return fail(409, "group_merged", fmt::format("this group went into g_{}: change that one", s.group(in.id.n).merged_into));
    auto const status = in.status.value_or(Status(s.group(in.id.n).status));
    if (in.status == Status::regressed)
        return fail({422, "status_invalid", "a group regresses by a report", {{"/status", "expected open, resolved or ignored"}}});
    if (in.resolved_in && status != Status::resolved)
        return fail({422, "status_invalid", "a release belongs to what is resolved", {{"/resolved_in", "expected status resolved, too"}}});
    if (in.ignored_until && status != Status::ignored)
        return fail({422, "status_invalid", "a time belongs to what is ignored", {{"/ignored_until", "expected status ignored, too"}}});
    if (in.ignored_until && *in.ignored_until <= cx.now)
        return fail({422, "time_past", "ignored until a time that has passed", {{"/ignored_until", "expected a time in the future"}}});
    GroupChanged const changed{in.id, in.status, in.resolved_in, in.ignored_until, in.assignee, in.bug};
    auto view = view_of(s, in.id, cx.now);
    if (in.status) view.status = *in.status, view.resolved_in.clear(), view.ignored_until.reset();
    if (in.resolved_in) view.resolved_in = in.resolved_in->str();
    if (in.ignored_until) view.ignored_until = in.ignored_until;
    if (in.assignee) view.assignee = in.assignee->str();
    if (in.bug) view.bug = in.bug->str();
    return Emit<GroupView, Event>{{changed}, std::move(view)};
}

Result<Emit<MoveView, Event>> merge_groups(State const& s, Merge const& in, Ctx const&) {
    if (!s.has_group(in.id.n)) return no_group();
    auto const& into = s.group(in.id.n);
    if (into.merged_into != 0)
        return fail(409, "group_merged", fmt::format("this group went into g_{} itself: merge into that one", into.merged_into));
    BucketsMoved e{MoveId{s.moves.size() + 1}, MoveKind::merge, {}, {}};
    for (std::size_t i = 0; i < in.groups.size(); ++i) {
        auto const id = in.groups[i];
        auto const wrong = [&](std::string_view what) {
            return fail({422, "merge_invalid", "these groups can't be one", {{fmt::format("/groups/{}", i), std::string(what)}}});
        };
        if (!s.has_group(id.n)) return wrong("there is no such group");
        if (id == in.id) return wrong("a group isn't merged into itself");
        if (std::ranges::find(in.groups.begin(), in.groups.begin() + std::ptrdiff_t(i), id) != in.groups.begin() + std::ptrdiff_t(i))
            return wrong("this group is named twice");
        auto const& group = s.group(id.n);
        if (group.project != into.project) return wrong("it is of another project");
        if (group.merged_into != 0) return wrong(fmt::format("it went into g_{} already", group.merged_into));
        for (auto b = group.first_bucket; b != 0; b = s.bucket(b).next) e.buckets.push_back({BucketId{b}, id, in.id});
    }
    if (e.buckets.empty() || e.buckets.size() > moved_max)
        return fail(
            {422, "merge_invalid", "a merge moves 1 to 1000 buckets", {{"/groups", fmt::format("these have {}", e.buckets.size())}}});
    return emit(std::move(e));
}

Result<Emit<MoveView, Event>> split_group(State const& s, Split const& in, Ctx const&) {
    if (!s.has_group(in.id.n)) return no_group();
    BucketsMoved e{MoveId{s.moves.size() + 1}, MoveKind::split, {}, {}};
    GroupId const fresh{s.groups.size() + 1};
    std::size_t all = 0;
    for (auto b = s.group(in.id.n).first_bucket; b != 0; b = s.bucket(b).next) ++all;
    for (std::size_t i = 0; i < in.buckets.size() && i < moved_max; ++i) {
        auto const id = in.buckets[i];
        bool const twice = std::ranges::find(e.buckets, id, &Moved::bucket) != e.buckets.end();
        if (id.n == 0 || id.n > s.buckets.size() || s.bucket(id.n).group != in.id.n || twice)
            return fail({422,
                         "split_invalid",
                         "these can't be split off",
                         {{fmt::format("/buckets/{}", i), twice ? "this bucket is named twice" : "this is no bucket of the group"}}});
        e.buckets.push_back({id, in.id, fresh});
    }
    if (e.buckets.empty() || e.buckets.size() >= all)
        return fail({422,
                     "split_invalid",
                     "some of a group are split off",
                     {{"/buckets", fmt::format("expected 1 to {} of its {} buckets", all - 1, all)}}});
    return emit(std::move(e));
}

Result<Page<MoveTold>> list_moves(State const& s, MoveListing const& in, Ctx const&) {
    std::uint64_t below = s.moves.size() + 1;
    if (in.cursor) {
        TRY_ASSIGN(below, read_cursor<std::uint64_t>(*in.cursor));
    }
    (void)s.moves.find(s.moves.size() + 1);  // looked up, so that live readers are told of the next
    Page<MoveTold> page;
    std::size_t examined = 0;
    for (auto n = std::clamp<std::uint64_t>(below, 1, s.moves.size() + 1) - 1; n >= 1; --n) {
        if (std::int64_t(page.items.size()) == in.limit || ++examined > examined_max) {
            page.complete = false, page.next = make_cursor(n + 1);
            if (examined > examined_max) page.why = fmt::format("{} moves were examined: go on with next", examined_max);
            break;
        }
        auto const& move = *s.moves.find(n);
        auto const project = move.buckets.empty() ? 0 : s.bucket(move.buckets.front().bucket.n).project;
        if (in.project && project != number(*in.project)) continue;
        page.items.push_back({MoveId{n}, project, move.kind, move.buckets, move.at, move.by, move.undone_by});
    }
    return page;
}

Result<Emit<MoveView, Event>> undo_move(State const& s, ByMove const& in, Ctx const&) {
    auto const* move = s.moves.find(in.id.n);
    if (!move) return fail(404, "move_not_found", "there is no merge or split with this id");
    if (move->undone_by) return fail(409, "move_undone", fmt::format("mv_{} undid this already", move->undone_by->n));
    BucketsMoved e{MoveId{s.moves.size() + 1}, MoveKind::undo, in.id, {}};
    for (auto const& m : move->buckets) {
        if (s.bucket(m.bucket.n).group != m.to.n)
            return fail(409, "move_overtaken", fmt::format("b_{} has moved on since: undo what came later first", m.bucket.n));
        e.buckets.push_back({m.bucket, m.to, m.from});
    }
    return emit(std::move(e));
}

}  // namespace gantry::oops
