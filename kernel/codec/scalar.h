#pragma once
#include <string>
#include <string_view>

#include "kernel/codec/type.h"

// Scalars from text, shared by JSON and by paths, queries, flags and environment. Each setter gives the fault's detail ("expected …,
// found …"), or empty text when the value was set. `quiet` leaves what was found out: it may be a secret.
namespace gantry::codec::detail {

struct ScalarOptions {
    bool borrow = false;
    bool quiet = false;
};
// Kinds that JSON writes as strings: text, sequence, bytes, time, duration, enumeration.
std::string set_from_text(Type const& type, void* out, std::string_view text, ScalarOptions options);
// Kinds that JSON writes as numbers: integer, ref, real. `token` must follow JSON's grammar of numbers.
std::string set_from_number(Type const& type, void* out, std::string_view token, bool quiet);

// "an integer from 1 to 1000", "text of 1 to 120 characters", "one of red, green".
std::string expectation(Type const& type);
// "expected …, found …"; `found` is said as it is, or not at all when quiet.
std::string mismatch(Type const& type, std::string_view found, bool quiet);
// The text in quotes, cut after 40 characters.
std::string quoted(std::string_view text);
// `, did you mean "x"?` or `; known are a, b, c` or nothing.
std::string suggestion(std::string_view wrong, std::span<std::string_view const> known);

}  // namespace gantry::codec::detail
