#include "services/tracker/state.h"

namespace gantry::tracker {
namespace {

std::uint64_t key_hash(std::uint32_t package, std::uint32_t trigger, std::uint16_t arch, std::uint16_t series) {
    return mix64(mix64(std::uint64_t(package) << 32 | trigger) ^ (std::uint64_t(arch) << 16 | series));
}

}  // namespace

ReportHash hash_of(std::string_view reporter, std::string_view id) {
    auto const seed = hash64(reporter);
    return {hash64(id, seed), hash64(id, ~seed)};
}

std::uint32_t State::find_key(std::string_view package, std::string_view arch, std::string_view series, std::string_view trigger) const {
    auto const p = packages.find(package), t = phrases.find(trigger), a = words.find(arch), s = words.find(series);
    if (p == unknown || t == unknown || a == unknown || s == unknown) return 0;
    auto row = key_index.find(key_hash(p, t, std::uint16_t(a), std::uint16_t(s)), [&](std::uint32_t i) {
        auto const& k = keys[i];
        return k.package == p && k.trigger == t && k.arch == a && k.series == s;
    });
    return row == unknown ? 0 : row + 1;
}

bool State::knows(ReportHash const& id) const {
    return id_index.find(id.a, [&](std::uint32_t i) { return ids[i] == id; }) != unknown;
}

void State::prefetch(Event const& event) const {
    auto const* e = std::get_if<Reported>(&event);
    if (!e) return;
    if (e->run.n <= runs.size())
        runs.prefetch(e->run.n - 1);
    else
        packages.prefetch(hash64(e->package)), phrases.prefetch(hash64(e->version));
    if (!e->id.empty()) id_index.prefetch(hash_of(e->reporter, e->id).a);
}

void State::apply(Reported const& e, At const& at) {
    auto const n = e.run.n;
    RunRow& run = n > runs.size() ? open(e) : runs.mut(n - 1);
    if (run.key == 0) return;  // evicted: the decision opens a new one, so this is a log of another order
    run.position = at.position;
    totals.add(reports, 1);
    hours.change_or_put(hour_of(e.at.us), [](Hour& h) { ++h.reports; });
    add_step(run, e, at);
    if (!e.result.empty()) complete(run, e);
    if (!e.id.empty()) {
        auto const id = hash_of(e.reporter, e.id);
        id_index.insert(id.a, std::uint32_t(ids.size()));
        ids.push_back(id);
    }
    marks.changed(hash64(e.package));
}

std::uint32_t State::key_for(Reported const& e) {
    auto const package = packages.intern(e.package);
    if (package > package_rows.size()) {
        package_rows.push_back({});
        by_name.insert(package, [&](std::uint32_t n) { return packages.text(n); });
    }
    KeyRow key{package, phrases.intern(e.trigger), std::uint16_t(words.intern(e.arch)), std::uint16_t(words.intern(e.series)), 0, 0, 0};
    auto const hash = key_hash(key.package, key.trigger, key.arch, key.series);
    auto row = key_index.find(hash, [&](std::uint32_t i) {
        auto const& k = keys[i];
        return k.package == key.package && k.trigger == key.trigger && k.arch == key.arch && k.series == key.series;
    });
    if (row != unknown) return row + 1;
    auto& first = package_rows.mut(package - 1).first_key;
    key.next = first;
    keys.push_back(key);
    first = std::uint32_t(keys.size());
    key_index.insert(hash, first - 1);
    return first;
}

RunRow& State::open(Reported const& e) {
    auto const n = std::uint32_t(runs.size() + 1);
    RunRow run{.key = key_for(e),
               .version = phrases.intern(e.version),
               .source = phrases.intern(e.source),
               .started_us = e.at.us,
               .updated_us = e.at.us};
    KeyRow& key = keys.mut(run.key - 1);
    ++key.runs;
    if (e.past && key.newest != 0) {
        RunRow& newest = runs.mut(key.newest - 1);
        run.older = newest.older, newest.older = n;
        run.flags = run_superseded, run.ended_us = e.at.us;
        ended.insert({e.at.us, n});
        totals.add(superseded, 1);
    } else {
        run.older = key.newest, key.newest = n;
        in_flight.insert(n);
    }
    return runs.push_back(run);
}

void State::add_step(RunRow& run, Reported const& e, At const& at) {
    bool const extra = !e.url.empty() || !e.note.empty() || e.who;
    StepRow step{e.at.us,
                 std::uint32_t(at.time.us / 1'000'000),
                 0,
                 std::uint16_t(words.intern(e.stage)),
                 std::uint16_t(words.intern(e.reporter)),
                 std::uint16_t(words.intern(e.result)),
                 extra};
    ++run.steps;
    std::uint32_t number;
    if (run.last_step == 0 || e.at.us >= run.updated_us) {
        step.older = run.last_step;
        run.last_step = number = steps.add(step);
        if (run.ended_us == 0) {
            if (run.stage != 0) by_stage.add(run.stage, -1);
            by_stage.add(step.stage, 1);
        }
        run.stage = step.stage, run.reporter = step.reporter, run.updated_us = e.at.us;
    } else {
        auto newer = run.last_step;
        while (steps[newer].older != 0 && steps[steps[newer].older].at_us > e.at.us) newer = steps[newer].older;
        step.older = steps[newer].older;
        number = steps.add(step);
        steps.change(newer).older = number;
    }
    if (e.at.us < run.started_us) run.started_us = e.at.us;
    if (extra) extras.put(number, Extra{e.url.str(), e.note.str(), e.who});
}

void State::leave_flight(RunRow& run, std::uint64_t n) {
    in_flight.erase(n);
    if (run.stage != 0) by_stage.add(run.stage, -1);
}

void State::complete(RunRow& run, Reported const& e) {
    auto const n = e.run.n;
    auto const result = std::uint16_t(words.intern(e.result));
    if (run.result != 0) {  // told again: the latest holds
        if (e.at.us < run.ended_us) return;
        by_result.add(run.result, -1), ended.erase({run.ended_us, n});
    } else {
        if (run.ended_us != 0)
            ended.erase({run.ended_us, n}), totals.add(superseded, -1);
        else
            leave_flight(run, n);
        totals.add(completed, 1);
        hours.change_or_put(hour_of(e.at.us), [](Hour& h) { ++h.completed; });
    }
    run.result = result, run.ended_us = e.at.us;
    by_result.add(result, 1);
    ended.insert({e.at.us, n});
}

void State::apply(Superseded const& e, At const& at) {
    if (!has_run(e.run.n)) return;
    RunRow& run = runs.mut(e.run.n - 1);
    if (run.ended_us != 0) return;
    leave_flight(run, e.run.n);
    run.flags |= run_superseded, run.ended_us = e.at.us, run.position = at.position;
    ended.insert({e.at.us, e.run.n});
    totals.add(superseded, 1);
    mark(run);
}

void State::apply(ImportMoved const& e, At const& at) {
    if (!imports.contains(e.import)) imports.put(e.import, {});
    imports.change(e.import, [&](ImportRow& row) {
        row.at = e.to.str(), row.updated_at = at.time;
        ++row.chunks, row.reports += e.reports, row.repeated += e.repeated;
    });
}

void State::apply(Evicted const& e, At const&) {
    for (auto id : e.runs)
        if (has_run(id.n)) forget(id.n);
    std::vector<std::int64_t> old;
    hours.walk(nullptr, [&](std::int64_t hour, Hour const&) { return hour < hour_of(e.before.us) ? (old.push_back(hour), true) : false; });
    for (auto hour : old) hours.erase(hour);
}

void State::unlink(std::uint64_t n) {
    RunRow const& run = runs[n - 1];
    KeyRow& key = keys.mut(run.key - 1);
    --key.runs;
    if (key.newest == n) return void(key.newest = run.older);
    auto newer = key.newest;
    while (newer != 0 && runs[newer - 1].older != n) newer = runs[newer - 1].older;
    if (newer != 0) runs.mut(newer - 1).older = run.older;
}

void State::forget(std::uint64_t n) {
    unlink(n);
    RunRow& run = runs.mut(n - 1);
    mark(run);
    for (auto step = run.last_step; step != 0;) {
        auto const older = steps[step].older;
        if (steps[step].has_extra) extras.erase(step);
        steps.remove(step);
        step = older;
    }
    if (run.ended_us != 0)
        ended.erase({run.ended_us, n});
    else
        leave_flight(run, n);
    if (run.result != 0)
        by_result.add(run.result, -1), totals.add(completed, -1);
    else if (run.flags & run_superseded)
        totals.add(superseded, -1);
    totals.add(evicted, 1);
    run = {};
}

void State::mark(RunRow const& run) { marks.changed(hash64(packages.text(key(run.key).package))); }

}  // namespace gantry::tracker
