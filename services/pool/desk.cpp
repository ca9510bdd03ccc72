#include "services/pool/desk.h"

#include <algorithm>

namespace gantry::pool {

std::vector<std::uint32_t> types_of(State const& s, std::span<Want const> wants) {
    std::vector<std::uint32_t> out;
    for (auto const& want : wants)
        if (auto const type = s.type_number(want.type); type != 0 && std::ranges::find(out, type) == out.end()) out.push_back(type);
    return out;
}

void Desk::raise_fences(std::uint64_t base) {
    if (base <= base_) return;
    record(FencesRaised{base});
    base_ = base;
}

bool Desk::is_fresh(std::uint32_t resource) const { return std::ranges::find(fresh_, resource) != fresh_.end(); }
bool Desk::is_offered(std::uint32_t resource) const {
    if (gone_.contains(resource) || claimed_.contains(resource)) return false;
    auto const* r = s_.resources.find(resource);
    return r && (State::can_be_given(*r) || is_fresh(resource));
}
bool Desk::is_given_out(std::uint32_t type) const {
    auto const* row = s_.types.find(type);
    return row && !row->drained;
}

// What is left of each kind is counted for those who wait; without them nobody asks.
template <class Change>
void Desk::change_offer(std::uint32_t resource, Change&& change) {
    auto const* r = s_.resources.find(resource);
    if (s_.line.size() == 0 || !r) return change();
    bool const was = is_offered(resource);
    change();
    bool const is = is_offered(resource);
    if (was != is) s_.each_kind(resource, *r, [&](std::uint32_t kind) { offers_[kind] += is ? 1 : -1; });
}
void Desk::came_free(std::uint32_t resource) {
    change_offer(resource, [&] {
        gone_.erase(resource);
        if (!is_fresh(resource)) fresh_.push_back(resource);
    });
}
void Desk::is_gone(std::uint32_t resource) {
    change_offer(resource, [&] { gone_.insert(resource); });
}
void Desk::unclaim() {
    for (auto resource : std::vector(claimed_.begin(), claimed_.end())) change_offer(resource, [&] { claimed_.erase(resource); });
}
std::int64_t Desk::left(std::uint32_t kind) const {
    auto const* row = s_.kinds.find(kind);
    auto const change = offers_.find(kind);
    return std::int64_t(row ? row->free : 0) + (change == offers_.end() ? 0 : change->second);
}

std::uint64_t Desk::held(std::uint64_t type, std::uint64_t owner) const {
    auto const key = held_key(type, owner);
    auto const* row = s_.held.find(key);
    auto const change = held_.find(key);
    return std::uint64_t(std::int64_t(row ? row->n : 0) + (change == held_.end() ? 0 : change->second));
}

Turn Desk::turn_of(WaitKey const& key) const {
    if (is_firm(key.firm_us, cx_)) return {0, 0, 0, key.seq};
    return {1, key.priority, held(key.type, key.owner), key.seq};
}

bool Desk::has_quota(Asker const& asker) const {
    return std::ranges::all_of(asker.wants, [&](Want const& want) {
        auto const number = s_.type_number(want.type);
        auto const* type = s_.types.find(number);
        auto const quota = type ? std::uint64_t(std::int64_t(type->settings.quota)) : 0;
        return quota == 0 || held(number, hash64(asker.owner)) + wanted_of(asker.wants, want.type) <= quota;
    });
}

// By health, then as the type prefers; what this decision frees was used last. False: the visitor has enough.
bool Desk::offer_kind(std::uint32_t kind, bool warm, Visit const& visit) const {
    bool going = true;
    auto show = [&](std::uint32_t resource) { return ++looked_at, !is_offered(resource) || (going = visit(resource)); };
    auto is_of = [&](std::uint32_t resource, Resource const& r) {
        bool found = false;
        s_.each_kind(resource, r, [&](std::uint32_t k) { found = found || k == kind; });
        return found;
    };
    for (std::uint32_t weak = 0; weak < 4 && going; ++weak) {
        auto show_fresh = [&] {
            for (auto resource : fresh_) {
                auto const* r = s_.resources.find(resource);
                if (going && r && weakness(*r) == weak && !State::can_be_given(*r) && is_of(resource, *r)) show(resource);
            }
        };
        if (warm) show_fresh();
        FreeKey const from{kind, weak, 0, 0}, below{kind, weak + 1, 0, 0};
        auto step = [&](FreeKey const& key) { return going && key.kind == kind && key.weak == weak && show(std::uint32_t(key.resource)); };
        if (warm)
            s_.free.descend(below, step);
        else
            s_.free.ascend(from, step);
        if (!warm) show_fresh();
    }
    return going;
}

// The same order, of some.
bool Desk::offer_these(std::vector<std::uint32_t> const& resources, bool warm, Visit const& visit) const {
    std::vector<FreeKey> keys;
    for (auto resource : resources) {
        if (++looked_at, !is_offered(resource)) continue;
        auto key = free_key(0, resource, *s_.resources.find(resource));
        if (is_fresh(resource)) key.used = ~std::uint64_t(0);
        keys.push_back(key);
    }
    std::ranges::sort(keys, [&](FreeKey const& a, FreeKey const& b) {
        if (a.weak != b.weak) return a.weak < b.weak;
        return warm ? b < a : a < b;
    });
    return std::ranges::all_of(keys, [&](FreeKey const& key) { return visit(std::uint32_t(key.resource)); });
}

// Of the rarest of the labels. Where the first ones are in none of the ranges, those of the narrowest range.
void Desk::offer(Want const& want, Visit const& visit) const {
    auto const type = s_.type_number(want.type);
    auto const kind = narrowest(s_, want, &KindRow::free);
    if (kind == 0 || !is_given_out(type)) return;
    bool const warm = s_.types.find(type)->settings.prefer == Preference::warm;
    auto const* row = s_.kinds.find(kind);
    auto const count = (row ? row->free : 0) + fresh_.size();
    if (want.ranges.empty() || count <= tried_first) return void(offer_kind(kind, warm, visit));
    std::set<std::uint32_t> seen;
    bool enough = false;
    offer_kind(kind, warm, [&](std::uint32_t resource) {
        enough = !visit(resource);
        return seen.insert(resource), !enough && seen.size() < tried_first;
    });
    if (enough) return;
    auto const visit_others = [&](std::uint32_t resource) { return seen.contains(resource) || visit(resource); };
    if (auto const resources = in_narrowest_range(s_, want, count, looked_at))
        offer_these(*resources, warm, visit_others);
    else
        offer_kind(kind, warm, visit_others);
}

Picked Desk::pick_for(Asker const& asker) const {
    return pick(
        s_, asker.wants, [this](Want const& want, Visit const& visit) { offer(want, visit); },
        [this](std::uint32_t resource) { return ++looked_at, is_offered(resource) && is_given_out(s_.resources.find(resource)->type); });
}

void Desk::give(Asker const& asker, Picked const& picked) {
    Leased out{LeaseId{next_fence()}, asker.ticket, asker.owner,   asker.reason, {}, "in_use", {},
               asker.lease_ms,        asker.alike,  asker.bound_to};
    std::int64_t heartbeat_ms = 0;
    for (auto resource : picked.resources) {
        auto const type = s_.resources.find(resource)->type;
        std::int64_t const beat = s_.types.find(type)->settings.heartbeat_ms;
        if (beat > 0 && (heartbeat_ms == 0 || beat < heartbeat_ms)) heartbeat_ms = beat;
        out.resources.emplace_back(s_.names.text(resource));
        is_gone(resource);
        ++held_[held_key(type, hash64(asker.owner))];
    }
    out.until = cx_.now + Duration::millis(heartbeat_ms > 0 ? std::min(heartbeat_ms, asker.lease_ms) : asker.lease_ms);
    if (asker.seq != 0) served_.insert(asker.seq);
    record(std::move(out));
}

// The kinds that somebody waits for and that something is left of, of these types. Where a ticket in line wants several types, a claim on
// one of them counts for all, so all are gone through.
Desk::Kinds Desk::kinds_to_serve(std::vector<std::uint32_t> const& types) const {
    Kinds out;
    bool const all = s_.totals[State::mixed] > 0;
    auto add = [&](std::uint32_t type, std::uint32_t kind) {
        ++looked_at;
        if ((all || std::ranges::find(types, type) != types.end()) && is_given_out(type) && left(kind) > 0) out.insert(kind);
    };
    for (auto type : all ? std::vector<std::uint32_t>{0} : types)
        s_.ripe.ascend(Ripe{type, 0}, [&](Ripe const& r) { return (all || r.type == type) && (add(r.type, r.kind), true); });
    for (auto resource : fresh_)
        if (auto const* r = s_.resources.find(resource))
            s_.each_kind(resource, *r, [&](std::uint32_t kind) {
                if (auto const* row = s_.kinds.find(kind); row && row->waiting > 0) add(r->type, kind);
            });
    return out;
}

std::vector<Desk::Entry> Desk::gather(Kinds const& kinds) const {
    std::vector<Entry> out;
    std::set<std::uint64_t> seen;  // a ticket may wait for several kinds
    for (auto kind : kinds) {
        auto const type = s_.kinds.find(kind)->type;
        s_.waiting.ascend(WaitKey{.type = type, .kind = kind}, [&](WaitKey const& key) {
            if (key.type != type || key.kind != kind) return false;
            if (!served_.contains(key.seq) && (key.kinds == 1 || seen.insert(key.seq).second)) out.push_back({turn_of(key), key});
            return true;
        });
    }
    std::ranges::make_heap(out, std::less<>{});
    return out;
}

bool Desk::any_left(Kinds const& kinds) const {
    return std::ranges::any_of(kinds, [&](std::uint32_t kind) { return left(kind) > 0; });
}

// Whether something of what it wants is left: of each kind for who is to be served now, of any for who may set it aside.
bool Desk::can_use(Entry const& entry) const {
    if (left(entry.key.kind) > 0) return true;
    if (entry.key.kinds == 1 || entry.turn.soft == 1) return false;
    auto const& kinds = s_.tickets.find(s_.line.find(entry.key.seq)->ticket)->kinds;
    return std::ranges::any_of(kinds, [&](std::uint32_t kind) { return left(kind) > 0; });
}

Asker Desk::asker_of(WaitKey const& key) const {
    auto const ticket = s_.ticket_in_line(key.seq);
    auto const& row = *s_.ticket(ticket);
    return {ticket,       row.owner,      row.reason, row.wants, row.seq,     row.priority,
            row.lease_ms, row.firm_at.us, row.from,   row.alike, row.bound_to};
}

bool Desk::give_to(Asker const* newcomer) {
    if (!newcomer || !has_quota(*newcomer)) return false;
    auto const picked = pick_for(*newcomer);
    if (picked.complete) give(*newcomer, picked);
    return picked.complete;
}

bool Desk::match(std::vector<std::uint32_t> const& types, Asker const* newcomer) {
    unclaim();
    auto const kinds = s_.line.size() == 0 ? Kinds{} : kinds_to_serve(types);
    auto line = gather(kinds);
    if (line.empty()) return give_to(newcomer);
    Turn newcomers{.soft = 1, .seq = ~std::uint64_t(0)};
    if (newcomer) newcomers.priority = newcomer->priority, newcomers.share = held(types.front(), hash64(newcomer->owner));
    bool newcomer_waits = newcomer != nullptr, newcomer_served = false, anything = true;
    std::set<std::uint64_t> failed, barren;  // wishes for which there is not enough, and nothing at all
    while (!line.empty() && anything) {
        std::ranges::pop_heap(line, std::less<>{});
        auto const entry = line.back();
        line.pop_back();
        bool const firm = entry.turn.soft == 0;
        if (auto const now = turn_of(entry.key); !firm && now != entry.turn) {  // its owner was given something meanwhile
            line.push_back({now, entry.key});
            std::ranges::push_heap(line, std::less<>{});
            continue;
        }
        if (newcomer_waits && newcomers < entry.turn) newcomer_waits = false, newcomer_served = give_to(newcomer);
        if (!can_use(entry)) continue;
        ++looked_at;
        auto const asker = asker_of(entry.key);
        bool const early = asker.from && cx_.now < *asker.from;
        if (barren.contains(asker.alike) || (!firm && (early || failed.contains(asker.alike))) || !has_quota(asker)) continue;
        auto const picked = pick_for(asker);
        if (picked.complete && !early)
            give(asker, picked);
        else if (firm)
            for (auto resource : picked.resources) change_offer(resource, [&] { claimed_.insert(resource); });
        else
            failed.insert(asker.alike);
        if (picked.resources.empty()) barren.insert(asker.alike);
        anything = any_left(kinds);
    }
    if (newcomer_waits) newcomer_served = give_to(newcomer);
    unclaim();
    return newcomer_served;
}

std::uint64_t Desk::place_of(TicketRow const& row) const {
    std::uint64_t most = 0;
    for (auto type : types_of(s_, row.wants)) {
        auto const own =
            turn_of({.type = type, .seq = row.seq, .priority = row.priority, .owner = hash64(row.owner), .firm_us = row.firm_at.us});
        std::uint64_t before = 0;
        std::set<std::uint64_t> counted;  // a ticket may wait for several kinds
        s_.waiting.ascend(WaitKey{.type = type}, [&](WaitKey const& key) {
            if (key.type != type) return false;
            if (key.seq == row.seq || (key.kinds > 1 && !counted.insert(key.seq).second)) return true;
            return before += turn_of(key) < own, true;
        });
        most = std::max(most, before);
    }
    return most;
}

}  // namespace gantry::pool
