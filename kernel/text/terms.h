#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/text/schema.h"

// How documents lie in the database: its terms, its slots and what it tells of itself. Inside kernel/text.
namespace Xapian {
class Error;
}
namespace gantry::text {

inline constexpr std::string_view format_now = "1";
inline constexpr char format_key[] = "gantry_format", schema_key[] = "gantry_schema", upto_key[] = "gantry_upto";
inline constexpr std::uint32_t slot_of_order = 0, slots_before_numbers = 1;

// Words of text field number i: 'a' + i, ':' and the word.
void put_word(std::string& out, std::size_t field, std::string_view word);
// "=name", 0x1f, value. A long value is its beginning and its hash, and then has no prefixes beyond that beginning.
inline constexpr std::size_t value_bytes_max = 150, name_bytes_max = 64;
std::string value_term(std::string_view name, std::string_view folded);
std::string value_prefix(std::string_view name, std::string_view folded);
std::string id_term(std::uint64_t id);
std::string key_term(std::string_view key);

// What results are ordered by: the time, then the id; greater is newer. Sixteen bytes that compare as they should.
std::string order_key(Time time, std::uint64_t id);
struct OrderKey {
    Time time{};
    std::uint64_t id = 0;
};
OrderKey read_order_key(std::string_view key);

std::string encode_upto(Upto const& upto);
Upto decode_upto(std::string_view bytes);

// "text_damaged", "text_outdated", "text_in_use", "text_disk_full", "text_read_only", "text_failed".
Problem problem_of(Xapian::Error const& error, std::string_view directory);

}  // namespace gantry::text
