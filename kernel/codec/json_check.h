#pragma once
#include <optional>
#include <string>
#include <string_view>

// The grammar of JSON (RFC 8259) alone, with exact byte offsets: where simdjson only says that something is wrong, and for values that
// are passed on unread.
namespace gantry::codec {

struct JsonSyntaxError {
    std::size_t offset = 0;
    std::string what;  // "expected ',' or '}', found 'x'"
    bool too_deep = false;
    bool not_utf8 = false;
};
// Nothing when `json` is one JSON value whose lists and objects nest at most `depth_max` deep. Escaped surrogates must pair up.
// `compact`: whether minify_json would leave it as it is.
std::optional<JsonSyntaxError> check_json(std::string_view json, std::size_t depth_max, bool* compact = nullptr);

// Without insignificant white space. The text must be JSON.
std::string minify_json(std::string_view json);

}  // namespace gantry::codec
