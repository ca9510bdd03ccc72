#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/text/schema.h"

namespace gantry::text {

// What documents must be like.
struct Match {
    enum class Kind { everything, words, value, number, time, all_of, any_of, none_of };
    Kind kind = Kind::everything;
    std::string field;               // of words: empty for all text fields
    std::vector<std::string> words;  // folded; several: one after the other
    bool prefix = false;             // the last word, or the value, is only a beginning
    std::string value;               // folded
    std::optional<double> least, most;
    std::optional<Time> first, last;
    std::size_t at = 0;  // the character of the query, from 1; 0: it wasn't read from one
    std::vector<Match> of;
};

// For conditions of a service's own beside those that were typed.
Match everything();
Match value_is(std::string_view field, std::string_view value);
Match number_between(std::string_view field, std::optional<double> least, std::optional<double> most);
Match all_of(std::vector<Match> of);
Match any_of(std::vector<Match> of);
Match none_of(std::vector<Match> of);

struct ParseOptions {
    Time now{};                         // what "7d" counts back from
    std::string_view parameter = "?q";  // the pointer of a fault
};
inline constexpr std::size_t query_bytes_max = 2000, query_terms_max = 64, query_depth_max = 16, prefix_bytes_min = 2;

// Words that a document must have, in any of its texts, and more:
//
//     "one after the other"   -without   (this OR that)   begin*   field:word   field:"two words"
//     duration_ms:>=500   duration_ms:100..200   after:2026-01-31   before:2026-01-31T12:00:00Z   after:7d
//
// A field of the schema's texts holds the word; a number is compared; another is equal as a whole, but for case. Empty: everything. Fails
// with 400 "query_invalid", whose fault says the character and what would be right.
Result<Match> parse(std::string_view query, Schema const& schema, ParseOptions const& options);

// The same text for the same conditions; which times they name is left out, since "7d" moves on from page to page.
std::string describe(Match const& match);

}  // namespace gantry::text
