#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernel/base/random.h"

// Who asked for this work: W3C Trace Context (traceparent of level 2, tracestate) and Sentry's older header. Nothing here allocates;
// what isn't exactly well-formed is treated as absent, and a trace begins here.
namespace gantry::observe {

struct TraceId {
    std::uint64_t high = 0, low = 0;
    auto operator<=>(TraceId const&) const = default;
    explicit operator bool() const { return (high | low) != 0; }
    // As logs keep it: 16 bytes, the first the highest.
    std::array<char, 16> bytes() const {
        std::array<char, 16> out;
        for (std::size_t i = 0; i < 8; ++i) out[i] = char(high >> (56 - 8 * i)), out[8 + i] = char(low >> (56 - 8 * i));
        return out;
    }
};
struct SpanId {
    std::uint64_t n = 0;
    auto operator<=>(SpanId const&) const = default;
    explicit operator bool() const { return n != 0; }
};

// Of 16 bytes, as bytes() gives them; nothing for others, and for zeros.
std::optional<TraceId> trace_id_of_bytes(std::string_view bytes);
// Never zero.
TraceId fresh_trace_id(Random& random);
SpanId fresh_span_id(Random& random);

// Lower-case hex digits.
std::array<char, 32> hex_of(TraceId id);
std::array<char, 16> hex_of(SpanId id);
// Exactly 32 (16) lower-case hex digits that aren't all zero.
std::optional<TraceId> parse_trace_id(std::string_view text);
std::optional<SpanId> parse_span_id(std::string_view text);

struct TraceContext {
    TraceId trace;
    SpanId span;  // the caller's: parent of what is done here
    bool sampled = false;
    bool random = false;  // the trace id is known to be random
    bool operator==(TraceContext const&) const = default;
};

// `00-<32 hex>-<16 hex>-<2 hex>`. Of a later version the first four fields are read, of their flags the two known ones; version ff, and
// more text in version 00, make it malformed.
std::optional<TraceContext> parse_traceparent(std::string_view value);
// Always of version 00.
std::array<char, 55> format_traceparent(TraceContext const& context);
// `<32 hex>-<16 hex>` and perhaps `-1` or `-0`; Sentry's way to say the same.
std::optional<TraceContext> parse_sentry_trace(std::string_view value);

// What other tracing systems want carried along, in their order. Views the text that it was parsed from.
class TraceState {
   public:
    static constexpr std::size_t members_max = 32, size_max = 512;
    // Several headers are joined by commas before. A bad key or value, a key twice, or more than 32 members drop all of it.
    static TraceState parse(std::string_view value);

    std::size_t size() const { return count_; }
    std::string_view value_of(std::string_view key) const;
    // Writes `key=value` of ours, then the others without an older one of ours, and returns what was written. When it gets too long or too
    // many, members of more than 128 characters go first, then the last ones. Empty if ours alone is malformed or too long.
    std::string_view format(std::string_view key, std::string_view value, std::span<char, size_max> out) const;

   private:
    struct Member {
        std::string_view key, value;
        std::size_t size() const { return key.size() + 1 + value.size(); }
    };
    static bool valid(Member const& member);
    std::array<Member, members_max> members_;
    std::size_t count_ = 0;
};

}  // namespace gantry::observe
