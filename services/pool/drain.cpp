#include "services/pool/drain.h"

#include <fmt/format.h>

#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

constexpr std::size_t retired_at_once_max = 100;

void add(DrainProgress& out, TypeRow const& row, bool drained) {
    ++out.types;
    if (!drained) return;
    ++out.drained, out.left += row.total(), out.held += row.leased, out.retired += row.count(retired);
}
bool is_done(TypeRow const& row) { return row.drained && (row.retires ? row.total() == 0 : row.leased == 0); }

// As it is, or as it is once all are drained, or none.
DrainProgress progress_of(State const& s, std::optional<bool> drained = {}) {
    DrainProgress out;
    out.done = true;
    s.types.walk(nullptr, [&](std::uint32_t, TypeRow const& row) {
        if (!row.removed) add(out, row, drained.value_or(row.drained)), out.done = out.done && !drained && is_done(row);
        return true;
    });
    return out;
}

}  // namespace

Result<Emit<TypeView, Event>> drain_type(State const& s, TypeDrain const& in, Ctx const& cx) {
    auto const* row = s.type(in.type);
    if (!row) return fail(404, "type_not_found", fmt::format("there is no type \"{}\"", in.type.view()));
    bool const on = in.on.value_or(true), retire = on && in.retire.value_or(false);
    auto reply = view_of(s, s.type_number(in.type), *row);
    if (row->drained == on && row->retires == retire) return Emit<TypeView, Event>{{}, std::move(reply)};
    reply.drained = on, reply.drain.reset();
    if (on) reply.drain = DrainView{row->drained ? row->drained_at : cx.now, retire, row->total(), row->leased, row->count(retired)};
    return Emit<TypeView, Event>{{TypeDrained{in.type, on, in.reason.value_or(Reason{}), retire}}, std::move(reply)};
}

Result<Emit<DrainProgress, Event>> drain_pool(State const& s, PoolDrain const& in, Ctx const&) {
    bool const on = in.on.value_or(true), retire = on && in.retire.value_or(false);
    std::vector<Event> events;
    s.types.walk(nullptr, [&](std::uint32_t number, TypeRow const& row) {
        if (!row.removed && (row.drained != on || row.retires != retire))
            events.push_back(TypeDrained{TypeName(s.type_names.text(number)), on, in.reason.value_or(Reason{}), retire});
        return true;
    });
    auto const reply = events.empty() ? progress_of(s) : progress_of(s, on);
    return Emit<DrainProgress, Event>{std::move(events), reply, 202};
}

Result<DrainProgress> show_drain(State const& s, NoInput const&, Ctx const&) {
    s.marks.looked_at_all();
    return progress_of(s);
}

bool retire_free(Desk& desk, std::uint32_t type) {
    State const& s = desk.state();
    auto const* row = s.types.find(type);
    if (!row || !row->drained || !row->retires) return false;
    std::vector<std::uint32_t> found;
    s.free.ascend(FreeKey{.kind = type}, [&](FreeKey const& key) {
        if (key.kind != type) return false;
        found.push_back(std::uint32_t(key.resource));
        return found.size() < retired_at_once_max;
    });
    for (auto number : found) retire(desk, number);
    return found.size() == retired_at_once_max;
}

}  // namespace gantry::pool
