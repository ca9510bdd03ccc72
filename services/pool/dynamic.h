#pragma once
#include "services/pool/desk.h"

// Types whose resources are made and destroyed by hooks.
namespace gantry::pool {

// Asks for more where there are fewer than the minimum, or fewer than wait, up to the maximum.
void grow(Desk& desk, std::uint32_t type);
// Gives a resource up: by the hook where the type has one, else at once.
void destroy(Desk& desk, std::uint32_t resource, Reason const& reason);
// Of a type that is drained for good: it is free, and no more given.
void retire(Desk& desk, std::uint32_t resource);

// What the hook that makes answered: a resource.
struct MadeOne {
    std::string name;
    Labels labels;
    Numbers numbers;
    std::string data;
    std::string fault;  // not empty: what the answer is instead
};
RECORD(MadeOne, name, labels, numbers, data, fault);
MadeOne read_made(std::string_view body);
Result<MadeOne> make_one(MakeOne const& args, Outside& outside);
std::vector<Event> one_made(State const& s, MakeOne const& args, Result<MadeOne> const& made, Ctx const& cx);
struct DestroyedOne {};
EMPTY_RECORD(DestroyedOne);
Result<DestroyedOne> destroy_one(DestroyOne const& args, Outside& outside);
std::vector<Event> one_destroyed(State const& s, DestroyOne const& args, Result<DestroyedOne> const& done, Ctx const& cx);

}  // namespace gantry::pool
