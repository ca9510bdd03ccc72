#pragma once
#include <functional>
#include <span>

#include "services/pool/state.h"

// Which resources answer to a wish: pure functions of the state. Sets are all or nothing.
namespace gantry::pool {

inline constexpr std::size_t wants_max = 20, resources_per_ticket_max = 200;

// Whether a resource is of the kind that is wanted, whoever has it.
bool fits(std::string_view name, Resource const& r, Want const& want);

// How many of a type are wanted in all.
std::uint64_t wanted_of(std::span<Want const> wants, std::string_view type);

using Visit = std::function<bool(std::uint32_t)>;
// Visits each that may be given and could fit the want, once, in the order in which it should be; stops when `visit(number)` says false.
using Offer = std::function<void(Want const& want, Visit const& visit)>;
// Whether one may be given now.
using IsFree = std::function<bool(std::uint32_t)>;

struct Picked {
    std::vector<std::uint32_t> resources;
    bool complete = false;
};
// The whole set, or as much of it as there is (`complete` false). Where several wants are for one type it finds a set whenever there is
// one (augmenting paths), but for `avoid.same`, of which it looks at the first resource of each value.
Picked pick(State const& s, std::span<Want const> wants, Offer const& offer, IsFree const& is_free);

// Of the wanted labels the kind of which the fewest are, by a count of KindRow; the type if none is wanted. 0: nothing is of one of them.
std::uint32_t narrowest(State const& s, Want const& want, std::uint64_t KindRow::* count);
// The resources in that one of the wanted ranges in which the fewest are, if that is fewer than `below`. `looked_at` counts the steps.
std::optional<std::vector<std::uint32_t>> in_narrowest_range(State const& s, Want const& want, std::uint64_t below,
                                                             std::uint64_t& looked_at);
// How many of a type there are that fit, whoever has them, as far as `enough`. By index: of the rarest label, or in the rarest range, where
// the first ones don't do.
std::uint64_t count_fitting(State const& s, Want const& want, std::uint64_t enough, std::uint64_t& looked_at);
// Before ranges are looked up, so many are looked at as they come: mostly they do.
inline constexpr std::uint64_t tried_first = 64;
// Equal for wishes that are equal.
std::uint64_t alike_of(std::span<Want const> wants);

}  // namespace gantry::pool
