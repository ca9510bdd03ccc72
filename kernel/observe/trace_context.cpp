#include "kernel/observe/trace_context.h"

#include <algorithm>

namespace gantry::observe {
namespace {

// The number that `text`, all of it lower-case hex digits, stands for.
template <std::size_t digits>
std::optional<std::uint64_t> hex_number(std::string_view text) {
    static_assert(digits <= 16);
    if (text.size() != digits) return std::nullopt;
    std::uint64_t n = 0;
    for (char c : text) {
        if (c >= '0' && c <= '9')
            n = n << 4 | std::uint64_t(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | std::uint64_t(c - 'a' + 10);
        else
            return std::nullopt;
    }
    return n;
}

void write_hex(char* out, std::uint64_t n) {
    for (int shift = 60; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[n >> shift & 15];
}

std::string_view trimmed(std::string_view s) {
    auto const first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t");
    return first == s.npos ? std::string_view() : s.substr(first, last - first + 1);
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::optional<TraceId> trace_id_of_bytes(std::string_view bytes) {
    if (bytes.size() != 16) return {};
    TraceId id;
    for (std::size_t i = 0; i < 8; ++i) {
        id.high = id.high << 8 | static_cast<unsigned char>(bytes[i]);
        id.low = id.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
    }
    return id ? std::optional(id) : std::nullopt;
}

TraceId fresh_trace_id(Random& random) {
    TraceId id;
    while (!id) id = {random.next(), random.next()};
    return id;
}

SpanId fresh_span_id(Random& random) {
    SpanId id;
    while (!id) id = {random.next()};
    return id;
}

std::array<char, 32> hex_of(TraceId id) {
    std::array<char, 32> out;
    write_hex(out.data(), id.high), write_hex(out.data() + 16, id.low);
    return out;
}

std::array<char, 16> hex_of(SpanId id) {
    std::array<char, 16> out;
    write_hex(out.data(), id.n);
    return out;
}

std::optional<TraceId> parse_trace_id(std::string_view text) {
    if (text.size() != 32) return std::nullopt;
    auto const high = hex_number<16>(text.substr(0, 16)), low = hex_number<16>(text.substr(16));
    if (!high || !low || (*high | *low) == 0) return std::nullopt;
    return TraceId{*high, *low};
}

std::optional<SpanId> parse_span_id(std::string_view text) {
    auto const n = hex_number<16>(text);
    return n && *n != 0 ? std::optional(SpanId{*n}) : std::nullopt;
}

std::optional<TraceContext> parse_traceparent(std::string_view value) {
    if (value.size() < 55 || value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
    auto const version = hex_number<2>(value.substr(0, 2)), flags = hex_number<2>(value.substr(53, 2));
    auto const trace = parse_trace_id(value.substr(3, 32));
    auto const span = parse_span_id(value.substr(36, 16));
    if (!version || *version == 0xff || !flags || !trace || !span) return std::nullopt;
    if (value.size() > 55 && (*version == 0 || value[55] != '-')) return std::nullopt;
    return TraceContext{*trace, *span, (*flags & 1) != 0, (*flags & 2) != 0};
}

std::array<char, 55> format_traceparent(TraceContext const& context) {
    std::array<char, 55> out;
    out[0] = out[1] = out[53] = '0', out[2] = out[35] = out[52] = '-';
    write_hex(&out[3], context.trace.high), write_hex(&out[19], context.trace.low), write_hex(&out[36], context.span.n);
    out[54] = char('0' + int(context.sampled) + 2 * int(context.random));
    return out;
}

std::optional<TraceContext> parse_sentry_trace(std::string_view value) {
    value = trimmed(value);
    bool const flagged = value.size() == 51;
    if (value.size() != 49 && !flagged) return std::nullopt;
    if (value[32] != '-' || (flagged && (value[49] != '-' || (value[50] != '0' && value[50] != '1')))) return std::nullopt;
    auto const trace = parse_trace_id(value.substr(0, 32));
    auto const span = parse_span_id(value.substr(33, 16));
    if (!trace || !span) return std::nullopt;
    return TraceContext{*trace, *span, flagged && value[50] == '1', false};
}

bool TraceState::valid(Member const& m) {
    if (m.key.empty() || m.key.size() > 256 || m.value.empty() || m.value.size() > 256) return false;
    auto in_key = [](char c) { return is_lower_or_digit(c) || std::string_view("_-*/@").find(c) != std::string_view::npos; };
    auto in_value = [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; };
    return is_lower_or_digit(m.key[0]) && std::ranges::all_of(m.key, in_key) && std::ranges::all_of(m.value, in_value) &&
           m.value.back() != ' ';
}

TraceState TraceState::parse(std::string_view value) {
    TraceState state;
    while (!value.empty()) {
        auto const comma = std::min(value.find(','), value.size());
        auto const text = trimmed(value.substr(0, comma));
        value.remove_prefix(std::min(comma + 1, value.size()));
        if (text.empty()) continue;  // the standard allows empty members
        auto const equals = text.find('=');
        if (equals == text.npos || state.count_ == members_max) return {};
        Member const member{text.substr(0, equals), text.substr(equals + 1)};
        if (!valid(member) || !state.value_of(member.key).empty()) return {};
        state.members_[state.count_++] = member;
    }
    return state;
}

std::string_view TraceState::value_of(std::string_view key) const {
    for (std::size_t i = 0; i < count_; ++i)
        if (members_[i].key == key) return members_[i].value;
    return {};
}

std::string_view TraceState::format(std::string_view key, std::string_view value, std::span<char, size_max> out) const {
    std::array<Member, members_max> kept;
    Member const ours{key, value};
    if (!valid(ours) || ours.size() > size_max) return {};
    kept[0] = ours;
    std::size_t count = 1, total = ours.size();
    for (std::size_t i = 0; i < count_ && count < members_max; ++i)
        if (members_[i].key != key) kept[count++] = members_[i], total += members_[i].size() + 1;
    for (std::size_t i = count; i-- > 1 && total > size_max;) {  // the long ones first, from the end
        if (kept[i].size() <= 128) continue;
        total -= kept[i].size() + 1;
        std::copy(&kept[i] + 1, kept.data() + count, &kept[i]), --count;
    }
    while (total > size_max) total -= kept[--count].size() + 1;
    char* at = out.data();
    auto put = [&](std::string_view text) { at = std::ranges::copy(text, at).out; };
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) put(",");
        put(kept[i].key), put("="), put(kept[i].value);
    }
    return {out.data(), at};
}

}  // namespace gantry::observe
