#include "services/pool/desk.h"

#include <algorithm>
#include <queue>

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

void Desk::came_free(std::uint32_t resource) {
    gone_.erase(resource);
    if (std::ranges::find(fresh_, resource) == fresh_.end()) fresh_.push_back(resource);
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
    std::map<std::uint32_t, std::uint64_t> wanted;
    for (auto const& want : asker.wants) wanted[s_.type_number(want.type)] += std::uint64_t(std::int64_t(want.count));
    return std::ranges::all_of(wanted, [&](auto const& w) {
        auto const* type = s_.types.find(w.first);
        auto const quota = type ? std::uint64_t(std::int64_t(type->settings.quota)) : 0;
        return quota == 0 || held(w.first, hash64(asker.owner)) + w.second <= quota;
    });
}

bool Desk::can_give(std::uint32_t resource) const {
    if (gone_.contains(resource) || claimed_.contains(resource)) return false;
    auto const* r = s_.resources.find(resource);
    if (!r) return false;
    auto const* type = s_.types.find(r->type);
    if (!type || type->drained) return false;
    return State::can_be_given(*r) || std::ranges::find(fresh_, resource) != fresh_.end();
}

// By health, then as the type prefers; what this decision frees was used last.
void Desk::offer(std::uint32_t type, std::function<bool(std::uint32_t)> const& visit) const {
    auto const* row = s_.types.find(type);
    if (!row || row->drained) return;
    bool const warm = row->settings.prefer == Preference::warm;
    for (std::uint32_t weak = 0; weak < 4; ++weak) {
        bool going = true;
        auto show = [&](std::uint32_t resource) {
            if (claimed_.contains(resource) || gone_.contains(resource)) return true;
            return going = visit(resource);
        };
        auto show_fresh = [&] {
            for (auto resource : fresh_) {
                auto const* r = s_.resources.find(resource);
                if (going && r && r->type == type && weakness(*r) == weak && !State::can_be_given(*r)) show(resource);
            }
        };
        if (warm) show_fresh();
        FreeKey const from{type, weak, 0, 0}, below{type, weak + 1, 0, 0};
        auto step = [&](FreeKey const& key) { return going && key.type == type && key.weak == weak && show(std::uint32_t(key.resource)); };
        if (warm)
            s_.free.descend(below, step);
        else
            s_.free.ascend(from, step);
        if (!warm) show_fresh();
        if (!going) return;
    }
}

Picked Desk::pick_for(Asker const& asker) const {
    return pick(
        s_, asker.wants, [this](std::uint32_t type, auto const& visit) { offer(type, visit); },
        [this](std::uint32_t resource) { return can_give(resource); });
}

void Desk::give(Asker const& asker, Picked const& picked) {
    Leased out{LeaseId{next_fence()}, asker.ticket, asker.owner, asker.reason, {}, "in_use", {}, asker.lease_ms, asker.alike};
    std::int64_t heartbeat_ms = 0;
    for (auto resource : picked.resources) {
        auto const type = s_.resources.find(resource)->type;
        std::int64_t const beat = s_.types.find(type)->settings.heartbeat_ms;
        if (beat > 0 && (heartbeat_ms == 0 || beat < heartbeat_ms)) heartbeat_ms = beat;
        out.resources.emplace_back(s_.names.text(resource));
        gone_.insert(resource);
        ++held_[held_key(type, hash64(asker.owner))];
    }
    out.until = cx_.now + Duration::millis(heartbeat_ms > 0 ? std::min(heartbeat_ms, asker.lease_ms) : asker.lease_ms);
    if (asker.seq != 0) served_.insert(asker.seq);
    record(std::move(out));
}

// Those who wait for the types, by their number. Where one ticket wants several types, a claim on one of them counts for all.
std::map<std::uint64_t, WaitKey> Desk::gather(std::vector<std::uint32_t> const& types) const {
    std::map<std::uint64_t, WaitKey> out;
    auto take = [&](WaitKey const& key) {
        if (!served_.contains(key.seq)) out.try_emplace(key.seq, key);
        return true;
    };
    if (s_.totals[State::mixed] > 0 || types.size() > 1) {
        s_.waiting.ascend(WaitKey{}, take);
        return out;
    }
    for (auto type : types) s_.waiting.ascend(WaitKey{.type = type}, [&](WaitKey const& key) { return key.type == type && take(key); });
    return out;
}

bool Desk::nothing_left(std::vector<std::uint32_t> const& types) const {
    return std::ranges::all_of(types, [&](std::uint32_t type) {
        bool found = false;
        offer(type, [&](std::uint32_t) { return found = true, false; });
        return !found;
    });
}

bool Desk::is_worth_it(std::vector<std::uint32_t> const& types) const {
    auto const waits = [&](std::uint32_t type) {
        auto const* row = s_.types.find(type);
        return row && row->waiting > 0;
    };
    return std::ranges::any_of(types, waits) && !nothing_left(types);
}

Asker Desk::asker_of(WaitKey const& key) const {
    Ticket const ticket(s_.line.find(key.seq)->ticket);
    auto const& row = *s_.tickets.find(ticket);
    return {ticket, row.owner, row.reason, row.wants, row.seq, row.priority, row.lease_ms, row.firm_at.us, row.from, row.alike};
}

bool Desk::match(std::vector<std::uint32_t> const& types, Asker const* newcomer) {
    claimed_.clear();
    if (!is_worth_it(types)) {
        if (!newcomer || !has_quota(*newcomer)) return false;
        auto const picked = pick_for(*newcomer);
        if (picked.complete) give(*newcomer, picked);
        return picked.complete;
    }
    auto const waiting = gather(types);
    using Entry = std::pair<Turn, std::uint64_t>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> order;
    for (auto const& [seq, key] : waiting) order.emplace(turn_of(key), seq);
    constexpr std::uint64_t last = ~std::uint64_t(0);
    if (newcomer) order.emplace(Turn{1, newcomer->priority, held(types.front(), hash64(newcomer->owner)), last}, last);
    std::set<std::uint64_t> failed;
    bool was_served = false;
    for (std::size_t looked_at = 0; !order.empty(); ++looked_at) {
        auto const [turn, seq] = order.top();
        order.pop();
        if (looked_at % 64 == 0 && s_.totals[State::mixed] == 0 && nothing_left(types)) break;
        if (seq != last && turn.soft == 1)
            if (auto const now = turn_of(waiting.at(seq)); now != turn) {  // its owner was given something meanwhile
                order.emplace(now, seq);
                continue;
            }
        auto const asker = seq == last ? *newcomer : asker_of(waiting.at(seq));
        bool const firm = turn.soft == 0, early = asker.from && cx_.now < *asker.from;
        if ((!firm && failed.contains(asker.alike)) || (early && !firm) || !has_quota(asker)) continue;
        auto const picked = pick_for(asker);
        if (picked.complete && !early) {
            give(asker, picked);
            was_served = was_served || seq == last;
            looked_at = ~std::size_t(0);  // looks at once whether something is left
        } else if (firm) {
            claimed_.insert(picked.resources.begin(), picked.resources.end());
            looked_at = ~std::size_t(0);
        } else {
            failed.insert(asker.alike);
        }
    }
    claimed_.clear();
    return was_served;
}

std::uint64_t Desk::place_of(TicketRow const& row) const {
    std::uint64_t most = 0;
    for (auto type : types_of(s_, row.wants)) {
        auto const own = turn_of({type, row.seq, row.priority, hash64(row.owner), row.firm_at.us});
        std::uint64_t before = 0;
        s_.waiting.ascend(WaitKey{.type = type}, [&](WaitKey const& key) {
            if (key.type != type) return false;
            before += key.seq != row.seq && turn_of(key) < own;
            return true;
        });
        most = std::max(most, before);
    }
    return most;
}

}  // namespace gantry::pool
