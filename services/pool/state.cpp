#include "services/pool/state.h"

#include <algorithm>

#include "services/pool/state_change.h"

namespace gantry::pool {
namespace {

constexpr std::string_view phases[] = {"free", "reserved", "in_use", "dirty", "cleaning", "quarantined", "retired"};

}  // namespace

std::optional<Phase> phase_of(std::string_view name) {
    for (std::uint32_t i = 0; i < further; ++i)
        if (phases[i] == name) return Phase(i);
    return {};
}

bool knows_state(TypeSettings const& settings, std::string_view name) {
    return phase_of(name) || std::ranges::any_of(settings.states, [&](StateRule const& rule) { return rule.name.view() == name; });
}

bool may_go(TypeSettings const& settings, std::string_view from, std::string_view to) {
    auto const known = phase_of(from);
    if (known && (to == "quarantined" || to == "retired" || to == "dirty")) return from != to;
    return std::ranges::any_of(settings.states, [&](StateRule const& rule) {
        return rule.name.view() == from && std::ranges::any_of(rule.to, [&](Word const& word) { return word.view() == to; });
    });
}

std::uint32_t weakness(Resource const& r) { return r.health >= 75 ? 0 : r.health >= 50 ? 1 : r.health >= 25 ? 2 : 3; }
FreeKey free_key(std::uint32_t kind, std::uint32_t number, Resource const& r) { return {kind, weakness(r), r.used, number}; }

std::uint64_t TypeRow::total() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) sum += i == retired ? 0 : counts[i];
    return sum;
}

Resource const* State::resource(std::string_view name) const {
    auto const number = names.find(name);
    return number == unknown || number == 0 ? nullptr : resources.find(number);
}
std::uint32_t State::type_number(std::string_view name) const {
    auto const number = type_names.find(name);
    if (number == unknown || number == 0) return 0;
    auto const* row = types.find(number);
    return row && !row->removed ? number : 0;
}
TypeRow const* State::type(std::string_view name) const {
    auto const number = type_number(name);
    return number == 0 ? nullptr : types.find(number);
}
std::uint32_t State::state_number(std::string_view name) const {
    if (auto const phase = phase_of(name)) return *phase;
    auto const number = words.find(name);
    return number == unknown || number == 0 ? unknown : further + number;
}
std::string State::state_name(std::uint32_t state) const {
    return std::string(state < further ? phases[state] : words.text(state - further));
}

std::uint32_t State::state_for(std::string_view name) {
    if (auto const phase = phase_of(name)) return *phase;
    return further + words.intern(name);
}

void State::enter(Resource& r, std::uint32_t state, At const& at) const {
    if (r.state == state && r.since.us != 0) return;
    r.state = state, r.since = at.time, r.stuck = false, r.alert_at = r.until = r.idle_at = {}, r.unverified = false;
    r.by.clear(), r.reason.clear();
    auto const* row = types.find(r.type);
    if (!row) return;
    std::int64_t alert_ms = 0;
    if (state == dirty) alert_ms = row->settings.dirty_alert_ms;
    if (state == cleaning) alert_ms = row->settings.cleaning_alert_ms;
    if (alert_ms > 0) r.alert_at = at.time + Duration::millis(alert_ms);
    if (state != free_) return;
    r.task.clear(), r.trouble.clear();
    if (std::int64_t const idle_ms = row->settings.idle_ms; idle_ms > 0 && r.origin == Origin::made)
        r.idle_at = at.time + Duration::millis(idle_ms);
}

void State::remember(Resource& r, At const& at) {
    auto const step = steps.add({at.position, at.time.us, 0});
    if (r.last_step != 0) steps.change(r.last_step).newer = step;
    if (r.first_step == 0) r.first_step = step;
    r.last_step = step;
    if (++r.steps <= steps_max) return;
    auto const oldest = r.first_step;
    r.first_step = std::uint32_t(steps[oldest].newer), --r.steps;
    steps.remove(oldest);
}

// The first of what is due about a resource.
void State::set_alarm(std::uint32_t number, Resource const& r) {
    Time first{};
    auto consider = [&](Time at) {
        if (at.us != 0 && (first.us == 0 || at < first)) first = at;
    };
    consider(r.until), consider(r.alert_at), consider(r.idle_at), consider(r.drained ? Time{} : r.dies_at);
    auto const key = alarm(Alarm::resource, number);
    if (first.us == 0)
        due.clear(key);
    else if (due.find(key) != first)
        due.set(key, first);
}

void State::count(std::uint32_t type, std::uint32_t state, std::int64_t by) {
    types.change(type, [&](TypeRow& row) {
        if (state >= row.counts.size()) row.counts.resize(state + 1);
        row.counts[state] += std::uint64_t(by);
    });
}

void State::count_hour(std::uint32_t type, Time at, std::uint64_t Hour::* what) {
    auto const hour = at.us / hour_us;
    auto const key = hour_key(type, hour);
    if (hours.change(key, [&](Hour& h) { ++(h.*what); })) return;
    Hour fresh;
    ++(fresh.*what);
    hours.put(key, fresh);
    std::vector<std::uint64_t> old;
    auto const before = hour_key(type, 0);
    hours.walk(&before, [&](std::uint64_t k, Hour const&) {
        if (k + hours_max >= key || old.size() == 8) return false;
        return old.push_back(k), true;
    });
    for (auto k : old) hours.erase(k);
}

// Soon the timer looks at who waits for it, and at how many there are.
void State::look_soon(std::uint32_t type, Time at) {
    auto const* row = types.find(type);
    if (!row || (row->waiting == 0 && row->settings.max == 0)) return;
    auto const key = alarm(Alarm::type, type);
    if (auto const when = due.find(key); !when || *when > at) due.set(key, at);
}

void State::apply(TypeSet const& e, At const& at) {
    for (auto const& rule : e.settings.states) state_for(rule.name);
    auto const number = type_names.intern(e.type);
    types.change_or_put(number, [&](TypeRow& row) { row.settings = e.settings, row.removed = false; });
    look_soon(number, at.time);
    marks.changed(0);
}
void State::apply(TypeDrained const& e, At const& at) {
    auto const number = type_names.intern(e.type);
    bool goes_on = false;
    types.change(number, [&](TypeRow& row) {
        goes_on = row.drained && row.retires;
        if (!row.drained && e.on) row.drained_at = at.time;
        row.drained = e.on, row.retires = e.on && e.retire, row.drain_reason = e.on ? e.reason.str() : "";
    });
    if (!e.on) look_soon(number, at.time);
    if (e.on && e.retire) due.set(alarm(Alarm::type, number), at.time + Duration::millis(goes_on ? 1 : 0));
    marks.changed(0);
}
void State::apply(TypeRemoved const& e) {
    auto const number = type_names.intern(e.type);
    due.clear(alarm(Alarm::type, number));
    if (types.contains(number)) types.put(number, TypeRow{.removed = true});
    marks.changed(0);
}

void State::apply(Added const& e, At const& at) {
    auto const number = names.intern(e.name), type = type_names.intern(e.type);
    if (resources.contains(number) || !types.contains(type)) return;
    Resource r{.type = type, .fence = e.fence, .used = at.position, .position = at.position, .added_at = at.time};
    r.labels = e.labels, r.numbers = e.numbers, r.data = e.data, r.origin = e.origin;
    enter(r, state_for(e.state), at);
    auto const& settings = types.find(type)->settings;
    if (e.origin == Origin::made && settings.lifetime_ms > 0) r.dies_at = at.time + Duration::millis(settings.lifetime_ms);
    remember(r, at);
    count(type, r.state, 1);
    index(number, r);
    if (is_troubled(r)) troubled.insert({type, number});
    set_alarm(number, r);
    resources.put(number, std::move(r));
    look_soon(type, at.time);
    marks.changed(number);
}
void State::apply(Changed const& e, At const& at) {
    auto const* r = resource(e.name);
    if (!r) return;
    auto const number = names.find(e.name);
    bool const other_kinds = r->labels != e.labels || r->numbers != e.numbers;
    if (other_kinds) unindex(number, *r);
    change(e.name, at, [&](Resource& row) { row.labels = e.labels, row.numbers = e.numbers, row.data = e.data; });
    if (other_kinds) index(number, *resources.find(number));
    look_soon(resources.find(number)->type, at.time);
}
void State::apply(Removed const& e, At const& at) {
    auto const number = names.intern(e.name);
    auto const* r = resources.find(number);
    if (!r) return;
    unindex(number, *r);
    if (is_troubled(*r)) troubled.erase({r->type, number});
    for (auto step = r->first_step; step != 0;) {
        auto const next = std::uint32_t(steps[step].newer);
        steps.remove(step), step = next;
    }
    count(r->type, r->state, -1);
    if (r->stuck) types.change(r->type, [](TypeRow& row) { --row.stuck; });
    due.clear(alarm(Alarm::resource, number));
    look_soon(r->type, at.time);
    resources.erase(number);
    marks.changed(number);
}
void State::apply(Drained const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { r.drained = e.on, r.reason = e.reason.str(); });
    if (auto const* r = resource(e.name); r && !e.on) look_soon(r->type, at.time);
}

void State::apply(Moved const& e, At const& at) {
    auto const to = state_for(e.to);
    change(e.name, at, [&](Resource& r) {
        enter(r, to, at);
        r.by = at.caller, r.reason = e.reason.str();
        if (e.fence != 0) r.fence = e.fence;
        if (to == quarantined || to == dirty) r.used = at.position;
    });
}
void State::apply(Kept const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { enter(r, reserved, at), r.by = e.owner.str(), r.reason = e.reason.str(), r.until = e.until; });
}

void State::apply(CleaningBegan const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { enter(r, cleaning, at), r.by = e.worker.str(), r.until = e.until; });
}
void State::apply(CleaningHeard const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { r.until = e.until, r.reason = e.progress.str(); }, History::untold);
}
void State::apply(CleanedUnverified const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { enter(r, cleaning, at), r.unverified = true, r.until = e.until, r.reason = e.detail.str(); });
}
void State::apply(Cleaned const& e, At const& at) {
    change(e.name, at, [&](Resource& r) {
        enter(r, free_, at);
        r.clean_failures = 0;
    });
    if (auto const* r = resource(e.name)) count_hour(r->type, at.time, &Hour::freed);
}
void State::apply(CleanFailed const& e, At const& at) {
    auto const to = state_for(e.to);
    std::uint32_t type = 0;
    change(e.name, at, [&](Resource& r) {
        enter(r, to, at);
        r.since = at.time, r.reason = e.reason.str(), r.task.clear(), r.trouble.clear(), r.unverified = false;
        r.fence = e.fence, ++r.clean_failures, r.health -= std::min(r.health, 15u), type = r.type;
    });
    if (type != 0) types.change(type, [](TypeRow& row) { ++row.clean_failures; });
}
void State::apply(CleanTask const& e, At const& at) {
    auto const told = [&](Resource& r) {
        if (r.fence == e.fence) r.task = e.task, r.trouble = e.reason.str();
    };
    change(e.name, at, told, History::untold);
}
// Its history says so once.
void State::apply(Stuck const& e, At const& at) {
    auto const* r = resource(e.name);
    auto const* row = r ? types.find(r->type) : nullptr;
    if (!row) return;
    std::int64_t const again_ms = r->state == dirty ? row->settings.dirty_alert_ms : row->settings.cleaning_alert_ms;
    auto const again_at = again_ms > 0 ? at.time + Duration::millis(again_ms) : Time{};
    change(e.name, at, [&](Resource& one) { one.stuck = true, one.alert_at = again_at; }, r->stuck ? History::untold : History::told);
}
void State::apply(IdleKept const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { r.idle_at = e.until; }, History::untold);
}

void State::apply(InventoryRead const& e, At const& at) {
    types.change(type_names.intern(e.type), [&](TypeRow& row) {
        row.inventory_at = at.time, row.inventory_code = e.code, row.inventory_detail = e.detail;
        row.inventory_told = e.told, row.inventory_taken = e.taken, row.inventory_differ = e.differ, row.inventory_missing = e.missing;
    });
}
void State::apply(FencesRaised const& e) {
    if (std::int64_t(e.base) > totals[fence_base]) totals.add(fence_base, std::int64_t(e.base) - totals[fence_base]);
}

void State::apply(Effect<MakeOne> const& e) { making.put(e.id, {type_names.intern(e.args.type)}); }
void State::apply(EffectOutcome const& e) {
    if (e.step == EffectStep::done || e.step == EffectStep::dead || e.step == EffectStep::dropped) making.erase(e.id);
}
void State::apply(MakeFailed const& e) {
    auto const number = type_names.intern(e.type);
    types.change(number, [&](TypeRow& row) { row.make_trouble = e.reason.str(), row.make_again_at = e.again_at; });
    due.set(alarm(Alarm::type, number), e.again_at);
}
void State::apply(TypeLooked const& e) {
    auto const number = type_names.intern(e.type);
    types.change(number, [&](TypeRow& row) { row.make_again_at = {}; });
    due.clear(alarm(Alarm::type, number));
}
void State::apply(DestroyBegan const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { enter(r, retired, at), r.destroying = true, r.reason = e.reason.str(), r.dies_at = {}; });
}
void State::apply(DestroyFailed const& e, At const& at) {
    change(e.name, at, [&](Resource& r) { r.trouble = e.reason.str(); });
}

}  // namespace gantry::pool
