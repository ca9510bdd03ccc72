#pragma once
#include "services/pool/types.h"

// Draining a type, or the whole pool: nothing of it is given out, and, if that is wanted, each resource is retired as it becomes free.
namespace gantry::pool {

struct TypeDrain {
    TypeName type;
    std::optional<bool> on;
    std::optional<bool> retire;
    std::optional<Reason> reason;
};
RECORD(TypeDrain, type, on, retire, reason);
struct PoolDrain {
    static constexpr bool has_defaults = true;
    std::optional<bool> on;
    std::optional<bool> retire;
    std::optional<Reason> reason;
};
RECORD(PoolDrain, on, retire, reason);
struct NoInput {};
EMPTY_RECORD(NoInput);
// `left`: resources of the drained types that are not retired; `held` of them by somebody.
struct DrainProgress {
    std::uint64_t types = 0, drained = 0, left = 0, held = 0, retired = 0;
    bool done = false;  // all types are drained, and nothing is left to be retired, or to be given back
};
RECORD(DrainProgress, types, drained, left, held, retired, done);

Result<Emit<TypeView, Event>> drain_type(State const& s, TypeDrain const& in, Ctx const& cx);
Result<Emit<DrainProgress, Event>> drain_pool(State const& s, PoolDrain const& in, Ctx const& cx);
Result<DrainProgress> show_drain(State const& s, NoInput const& in, Ctx const& cx);
// Retires what is free of a type that is drained for that, some at a time. True: there is more.
bool retire_free(Desk& desk, std::uint32_t type);

}  // namespace gantry::pool
