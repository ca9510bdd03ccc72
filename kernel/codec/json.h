#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/codec/type.h"

// JSON in and out, by descriptor. In: simdjson's on-demand parser, fields in any order, strict: an unknown field is a fault that
// names the nearest known one; a missing field is a fault unless its type is optional, list or map, or it has a default (`Presence`).
namespace gantry::codec {

struct JsonLimits {
    std::size_t depth_max = 32;
    std::size_t items_max = 100'000;  // elements of one list or map
    bool lenient = false;             // as stored events are read: an unknown field is skipped, an absent one keeps its initialiser
};

// Decodes one JSON value into `out`, which is as it was made. All faults found (up to 20) come in one Problem, 400 "body_invalid", each
// with a JSON pointer, what was expected and what was found; text that isn't JSON is one fault with the byte offset. The input needs no
// padding of its own if `padded` (64 readable bytes behind it). Str members may borrow from a buffer of this thread that the next decode
// overwrites: decide copies what it keeps. Members of the bits of `bound`, by their index, have their value from elsewhere (a path): they
// may be absent, and must be.
Result<void> decode_json(Type const& type, void* out, std::string_view json, bool padded = false, JsonLimits limits = {},
                         std::uint64_t bound = 0);
template <class T>
Result<T> from_json(std::string_view json, JsonLimits limits = {}) {
    T out{};
    if (auto r = decode_json(type_of<T>(), &out, json, false, limits); !r) return std::unexpected(std::move(r.error()));
    T owned = out;  // a copy owns
    return owned;
}

// Appends compact JSON; absent optionals are left out; no DOM, numbers by to_chars, text escaped as RFC 8259 demands (invalid UTF-8 can't
// be inside). Shortest round-trip for doubles.
void encode_json(Type const& type, void const* value, std::string& out);
template <class T>
void append_json(std::string& out, T const& value) {
    encode_json(type_of<T>(), &value, out);
}
template <class T>
std::string to_json(T const& value) {
    std::string out;
    append_json(out, value);
    return out;
}
void append_json_string(std::string& out, std::string_view text);

// Sets a scalar (or an optional, or a list from comma-separated parts) from a path segment, a query parameter, a flag or an environment
// variable: "17", "true", "in-flight" (an enum value's '_' may be written '-'), RFC 3339, "r_17".
// The Fault's detail says what was expected and found; its pointer is left to the caller.
Result<void> decode_scalar(Type const& type, void* out, std::string_view text);
// The reverse, for cursors and command lines.
std::string encode_scalar(Type const& type, void const* value);
void append_scalar(std::string& out, Type const& type, void const* value);

// The known name nearest to a wrong one, or empty when nothing is near (Damerau-Levenshtein ≤ 1 + length/4).
std::string_view nearest(std::string_view wrong, std::span<std::string_view const> known);

// Re-indents JSON for people (the CLI). Invalid JSON comes back unchanged.
std::string pretty_json(std::string_view json);

}  // namespace gantry::codec
