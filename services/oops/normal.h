#pragma once
#include <cstdint>
#include <string>
#include <string_view>

// Texts without what differs each time: two failures for one reason read the same.
namespace gantry::oops {

inline constexpr std::size_t normal_chars_max = 1000;

// Addresses become <address>, then <uuid>, <time>, <url>, <email>, <ip>, <hash> and <int>; a text that is SQL goes through normal_sql. A
// text longer than 1000 characters loses its middle ("…"). White space is collapsed.
//     "<Foo object at 0x7f01>: 3 of 12 at https://a/b" → "<Foo object at <address>>: <int> of <int> at <url>"
std::string normal_text(std::string_view text);

// Literals become $STRING and $INT, lists of them ($INT, …) one: "SELECT * FROM t WHERE id IN ($INT, …)".
std::string normal_sql(std::string_view sql);
bool looks_like_sql(std::string_view text);

}  // namespace gantry::oops
