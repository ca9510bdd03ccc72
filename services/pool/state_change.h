#pragma once
#include "services/pool/state.h"

// The one way in which the fold changes a resource: what is counted, ordered and due by it goes along.
namespace gantry::pool {

template <class Change>
void State::change(std::string_view name, At const& at, Change&& change, History history) {
    auto const number = names.find(name);
    if (number == unknown || number == 0) return;
    bool was = false, is = false, was_stuck = false, is_stuck = false, was_troubled = false;
    FreeKey before, after;
    std::uint32_t from = 0, to = 0;
    bool const there = resources.change(number, [&](Resource& r) {
        was = can_be_given(r), before = free_key(0, number, r), from = r.state, was_stuck = r.stuck, was_troubled = is_troubled(r);
        change(r);
        if (history == History::told) remember(r, at), r.position = at.position;
        is = can_be_given(r), after = free_key(0, number, r), to = r.state, is_stuck = r.stuck;
        set_alarm(number, r);
    });
    if (!there) return;
    auto const& r = *resources.find(number);
    auto const type = r.type;
    if (was != is || (is && before != after))
        each_kind(number, r, [&](std::uint32_t kind) {
            before.kind = after.kind = kind;
            bool const indexed = (kind & name_bit) == 0;
            if (was && indexed) free.erase(before);
            if (is && indexed) free.insert(after);
            if (was != is && (indexed || kinds.contains(kind))) count_kind(type, kind, 0, is ? 1 : -1, 0);
        });
    if (was_troubled && !is_troubled(r)) troubled.erase({type, number});
    if (!was_troubled && is_troubled(r)) troubled.insert({type, number});
    if (from != to || was_stuck != is_stuck)
        types.change(type, [&](TypeRow& row) {
            if (std::max(from, to) >= row.counts.size()) row.counts.resize(std::max(from, to) + 1);
            --row.counts[from], ++row.counts[to];
            row.stuck += std::uint64_t(is_stuck) - std::uint64_t(was_stuck);
        });
    marks.changed(number);
}

}  // namespace gantry::pool
