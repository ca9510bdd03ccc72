#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/varint.h"
#include "kernel/codec/type.h"

// The positional binary form of events and rows (docs/log-format.md): varints, no names.
//   bool 1 byte · integers varint, zig-zag when signed · double 8 bytes · text, bytes: varint length + bytes · time, duration: zig-zag µs
//   enum: varint index in the schema · optional: 0 or 1 + value · list, map: varint count + items · record: its fields in order
//   variant: varint alternative + record · ref: varint position · secret: its inner value · raw JSON: varint length + text
//   personal: 0, subject, value (no sealer) or 1, subject, varint length + sealed bytes (seal.h), or 2, subject (erased)
namespace gantry::codec {

// How Personal<T> is sealed and opened while encoding and decoding; null: in clear under a leading 0 byte (tests, rows in memory).
// Sealed bytes don't decode without a sealer: a caller that has no keys passes one whose `open` gives nothing, and gets erased values.
// seal(subject, plain) gives the sealed bytes; open gives the plain bytes or empty optional once the subject's key is gone.
struct Sealer {
    std::function<std::string(std::string_view subject, std::string_view plain)> seal;
    std::function<std::optional<std::string>(std::string_view subject, std::string_view sealed)> open;
    std::function<bool()> has_room = {};  // for the keys of one command's new subjects; none: always
};

// By descriptor: every type, moderately fast.
void encode_binary(Type const& type, void const* value, std::string& out, Sealer const* sealer = nullptr);
// False when the bytes are malformed or end early; `out` is then partly written. `borrow`: Str members may point into the bytes.
// A count is held against the bytes that are left before anything is allocated.
bool decode_binary(Type const& type, void* out, ByteReader& in, Sealer const* sealer = nullptr, bool borrow = false);

// Whether two values have the same binary form (in clear). NaN equals itself, and 0.0 isn't -0.0.
bool equal(Type const& type, void const* a, void const* b);

// By template, for the hot path of replay and append: the same bytes. Falls back to the descriptor for kinds that aren't hot.
template <class T>
void put(std::string& out, T const& value, Sealer const* sealer = nullptr);
template <class T>
bool get(ByteReader& in, T& value, Sealer const* sealer = nullptr);  // Str members borrow

}  // namespace gantry::codec

#include "kernel/codec/binary_inline.h"
