#pragma once
#include "services/pool/types.h"

// The inventory: what the outside knows of the resources of a type. When the log is lost, who holds what comes back from it.
namespace gantry::pool {

inline constexpr std::size_t inventory_max = 20'000;  // resources of one answer

// One resource, as the hook tells it: a list of [{"name", "state", "owner", "touched_at", "labels"}], and if it knows them numbers, data,
// and the ticket and fence of its lease.
struct Told {
    std::string name, state, owner, ticket, reason, data;
    std::uint64_t fence = 0;
    std::optional<Time> touched_at;
    Labels labels;
    Numbers numbers;
};
RECORD(Told, name, state, owner, ticket, reason, data, fence, touched_at, labels, numbers);
// `code`: the answer can't be believed, for `detail`; then there are no items.
struct Inventory {
    std::string code, detail;
    std::vector<Told> items;
};
RECORD(Inventory, code, detail, items);

// What an answer says: all of it, or what is wrong with it.
Inventory read_inventory(std::string_view body);
Result<Inventory> ask_inventory(AskInventory const& args, Outside& outside);
// Resources that the pool doesn't know are taken in as they are told, held ones with a lease; where the pool knows another truth its own
// stands, and the difference is counted.
std::vector<Event> inventory_told(State const& s, AskInventory const& args, Result<Inventory> const& told, Ctx const& cx);
Result<Emit<TypeView, Event>> sync_inventory(State const& s, ByType const& in, Ctx const& cx);

}  // namespace gantry::pool
