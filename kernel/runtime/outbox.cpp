#include "kernel/runtime/outbox.h"

#include <algorithm>

namespace gantry {

void Outbox::requested(EffectId const& id, std::string_view kind, log::Position position, Time at) {
    if (rows_.find(id)) return;
    rows_.put(id, PendingEffect{.id = id, .kind = kind, .position = position, .requested_at = at, .next_at = at});
    lane_for(kind).due.set(id, at);
}

void Outbox::apply(EffectOutcome const& outcome, Time at) {
    auto const* row = rows_.find(outcome.id);
    if (!row) return;
    auto& due = lane_for(row->kind).due;
    if (outcome.step == EffectStep::done || outcome.step == EffectStep::dropped) {
        due.clear(outcome.id), rows_.erase(outcome.id);
        return;
    }
    bool const failed = outcome.step == EffectStep::failed || outcome.step == EffectStep::dead;
    std::optional<Time> next;
    if (outcome.step == EffectStep::failed) next = outcome.again_at.value_or(at);
    if (outcome.step == EffectStep::retried) next = at;
    rows_.change(outcome.id, [&](PendingEffect& changed) {
        changed.next_at = next;
        if (failed) ++changed.attempts, changed.last_error = outcome.error;
        if (!failed) changed.attempts = 0;
    });
    if (next)
        due.set(outcome.id, *next);
    else
        due.clear(outcome.id);
}

std::optional<Time> Outbox::first_due() const {
    std::optional<Time> first;
    for (auto const& lane : lanes_)
        if (auto const* entry = lane.due.first(); entry && (!first || entry->at < *first)) first = entry->at;
    return first;
}

std::optional<log::Position> Outbox::oldest() const {
    std::optional<log::Position> oldest;
    rows_.walk(nullptr, [&](EffectId const&, PendingEffect const& row) {
        if (!oldest || row.position < *oldest) oldest = row.position;
        return true;
    });
    return oldest;
}

void Outbox::set_salt(std::uint64_t salt) { rows_.set_salt(salt); }

std::size_t Outbox::memory_bytes() const {
    auto bytes = rows_.memory_bytes() + lanes_.capacity() * sizeof(Lane);
    for (auto const& lane : lanes_) bytes += lane.due.memory_bytes();
    return bytes;
}

void Outbox::save(state::Out& out) const {
    rows_.save(out);
    out.number(std::uint32_t(lanes_.size()));
    for (auto const& lane : lanes_) out.text(lane.kind), lane.due.save(out);
}

bool Outbox::load(state::In& in) {
    lanes_.clear();
    std::uint32_t count;
    if (!rows_.load(in) || !in.number(count) || count > in.left()) return false;
    for (; count > 0; --count) {
        Lane lane;
        if (!in.text(lane.kind) || lane_of(lane.kind) || !lane.due.load(in)) return false;
        bool known = true;
        lane.due.walk([&](auto const& entry) {
            auto const* row = rows_.find(entry.key);
            return known = row && row->kind.view() == lane.kind && row->next_at == entry.at;
        });
        if (!known) return false;
        lanes_.push_back(std::move(lane));
    }
    return true;
}

Outbox::Lane const* Outbox::lane_of(std::string_view kind) const {
    auto found = std::ranges::find(lanes_, kind, &Lane::kind);
    return found == lanes_.end() ? nullptr : &*found;
}

Outbox::Lane& Outbox::lane_for(std::string_view kind) {
    if (auto const* lane = lane_of(kind)) return const_cast<Lane&>(*lane);
    return lanes_.emplace_back(std::string(kind), Due<EffectId>{});
}

}  // namespace gantry
