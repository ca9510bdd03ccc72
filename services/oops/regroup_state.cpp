#include <algorithm>

#include "services/oops/state.h"

// How the state follows a regroup. Reports of a bucket are a chain from the newest to the oldest; a regroup goes through a project in the
// same order, and each bucket keeps how far it has come, so that all moves of one regroup together walk each chain once.
namespace gantry::oops {
namespace {

constexpr std::uint32_t several = UINT32_MAX;
std::uint32_t number(Project project) { return std::uint32_t(std::int64_t(project)); }

}  // namespace

void State::apply(RegroupBegun const& e, At const& at) {
    auto const project = number(e.project);
    RegroupRow row{.project = project, .since = e.since, .begun_at = at.time, .by = Person(at.caller.substr(0, 200)), .undoes = e.undoes};
    projects.change(project, [&](ProjectRow& p) {
        p.regroup = std::uint32_t(e.regroup.n);
        row.rules_at = p.rules_at, row.total = p.reports;
    });
    if (auto const* undone = e.undoes ? regroups.find(e.undoes->n) : nullptr) row.total = undone->moved;
    regroups.put(e.regroup.n, std::move(row));
    if (e.undoes) regroups.change(e.undoes->n, [&](RegroupRow& r) { r.undone_by = e.regroup; });
}

std::uint32_t State::newer_in(std::uint32_t n, std::uint32_t report_number, std::uint32_t regroup) {
    auto& bucket = buckets.mut(n - 1);
    if (bucket.cursor_of != regroup) bucket.cursor = 0, bucket.cursor_of = regroup;
    auto next = bucket.cursor != 0 ? report(bucket.cursor).older : bucket.newest;
    while (next > report_number) bucket.cursor = next, next = report(next).older;
    return bucket.cursor;
}

void State::take_out(std::uint32_t n, std::uint32_t regroup) {
    auto const row = report(n);
    auto const newer = newer_in(row.bucket, n, regroup);
    auto& bucket = buckets.mut(row.bucket - 1);
    (newer != 0 ? reports.mut(newer - 1).older : bucket.newest) = row.older;
    --bucket.count;
    if (bucket.first_us == row.received_us && newer != 0)
        bucket.first_us = report(newer).received_us, bucket.first_release = report(newer).release;
    if (bucket.last_us == row.received_us && bucket.newest != 0)
        bucket.last_us = report(bucket.newest).received_us, bucket.last_release = report(bucket.newest).release;
}

void State::put_into(std::uint32_t n, std::uint32_t to, std::uint32_t regroup) {
    auto const newer = newer_in(to, n, regroup);
    auto& bucket = buckets.mut(to - 1);
    auto& row = reports.mut(n - 1);
    auto& link = newer != 0 ? reports.mut(newer - 1).older : bucket.newest;
    row.older = link, row.bucket = to, link = n;
    if (bucket.count++ == 0) bucket.first_us = INT64_MAX, bucket.last_us = 0;
    if (row.received_us < bucket.first_us) bucket.first_us = row.received_us, bucket.first_release = row.release;
    if (row.received_us > bucket.last_us) bucket.last_us = row.received_us, bucket.last_release = row.release;
}

// What people said of a group whose reports all went to one other goes with them, unless they said something of that one.
void State::pass_on(std::uint64_t n) {
    auto const from = groups[n - 1];
    if (from.count != 0 || from.went_to == 0 || from.went_to == several) return;
    auto& to = groups.mut(from.went_to - 1);
    if (Status(to.status) == Status::open && to.assignee == 0 && to.bug == 0) {
        to.status = from.status, to.resolved_in = from.resolved_in, to.ignored_until_us = from.ignored_until_us;
        to.assignee = from.assignee, to.bug = from.bug;
    }
    groups.mut(n - 1).merged_into = from.went_to;
}

void State::apply(Regrouped const& e, At const& at) {
    // A single report is no regroup: what buckets keep of those is of no use for it.
    auto const regroup = e.regroup.n != 0 ? std::uint32_t(e.regroup.n) : std::uint32_t(at.position) | 0x80000000;
    std::vector<std::uint64_t> touched;
    auto const touch = [&](std::uint64_t group) {
        if (std::ranges::find(touched, group) == touched.end()) touched.push_back(group);
    };
    for (auto const& r : e.reports) {
        auto const row = report(r.report);
        auto to = std::uint32_t(r.to.n);
        if (to == 0) to = find_bucket(row.project, r.app, r.system);
        if (to == 0) to = open_bucket({row.project, r.app, r.system, r.title.view(), r.ruled_title, row.kind, row.level});
        if (to == row.bucket) continue;
        auto const from_group = bucket(row.bucket).group, to_group = bucket(to).group;
        take_out(r.report, regroup), put_into(r.report, to, regroup);
        touch(from_group), touch(to_group);
        if (from_group == to_group) continue;
        auto& from = groups.mut(from_group - 1);
        if (from.went_of != regroup) from.went_of = regroup, from.went_to = to_group;
        if (from.went_to != to_group) from.went_to = several;
    }
    for (auto const& t : e.buckets) {
        auto& bucket = buckets.mut(t.bucket.n - 1);
        bucket.title = phrases.intern(t.title.view()), bucket.ruled_title = t.ruled;
        touch(bucket.group);
    }
    for (auto const group : touched) gather(group), groups.mut(group - 1).merged_into = 0;
    for (auto const group : touched) pass_on(group);
    if (e.regroup.n == 0) return;
    regroups.change(e.regroup.n, [&](RegroupRow& r) {
        r.examined += e.examined, r.moved += e.reports.size(), r.unreadable += e.unreadable;
        if (!e.reports.empty() || !e.buckets.empty()) r.parts.push_back(at.position);
    });
}

void State::apply(RegroupEnded const& e, At const& at) {
    std::uint32_t project = 0;
    regroups.change(e.regroup.n, [&](RegroupRow& r) { r.status = e.status, r.ended_at = at.time, project = r.project; });
    projects.change(project, [](ProjectRow& p) { p.regroup = 0; });
}

}  // namespace gantry::oops
