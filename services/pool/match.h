#pragma once
#include <functional>
#include <span>

#include "services/pool/state.h"

// Which resources answer to a wish: pure functions of the state. Sets are all or nothing.
namespace gantry::pool {

inline constexpr std::size_t wants_max = 20, resources_per_ticket_max = 200;

// Whether a resource is of the kind that is wanted, whoever has it.
bool fits(std::string_view name, Resource const& r, Want const& want);

// Visits what may be given, in the order in which it should be; stops when `visit(number)` says false.
using Offer = std::function<void(std::uint32_t type, std::function<bool(std::uint32_t)> const& visit)>;
// Whether one may be given now.
using IsFree = std::function<bool(std::uint32_t)>;

struct Picked {
    std::vector<std::uint32_t> resources;
    bool complete = false;
};
// The whole set, or as much of it as there is (`complete` false). Where several wants are for one type it finds a set whenever there is
// one (augmenting paths), but for `avoid.same`, of which it looks at the first resource of each value.
Picked pick(State const& s, std::span<Want const> wants, Offer const& offer, IsFree const& is_free);

// How many of a type there are that fit, whoever has them, as far as `enough`.
std::uint64_t count_fitting(State const& s, Want const& want, std::uint64_t enough);
// Equal for wishes that are equal.
std::uint64_t alike_of(std::span<Want const> wants);

}  // namespace gantry::pool
