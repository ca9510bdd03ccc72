#include "services/oops/sentry_envelope.h"

#include <fmt/format.h>

#include <cmath>

namespace gantry::oops {
namespace {
using codec::JsonKind;
using codec::JsonTree;

std::unexpected<Problem> invalid(std::string_view place, std::string_view why) {
    return fail(400, "envelope_invalid", fmt::format("{}: {}", place, why));
}
std::unexpected<Problem> too_large(std::string_view place, std::string_view why) {
    return fail(413, "envelope_too_large", fmt::format("{}: {}", place, why));
}

// Takes a line off the front; its line feed goes with it.
std::string_view take_line(std::string_view& rest) {
    auto const end = rest.find('\n');
    auto const line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

Result<JsonTree> header(std::string_view line, std::string_view place, EnvelopeLimits const& limits) {
    if (line.size() > limits.header_bytes_max)
        return too_large(place, fmt::format("a header has at most {} bytes", limits.header_bytes_max));
    auto tree = JsonTree::read(line, {.depth_max = 8, .values_max = 1000});
    if (!tree) return invalid(place, "its header is " + tree.error().detail);
    if (!tree->root().is(JsonKind::object))
        return invalid(place, fmt::format("its header is {}, not an object", name_of(tree->root().kind())));
    return tree;
}

Result<void> read_head(codec::JsonValue head, Envelope& out) {
    if (auto const id = head["event_id"]; id && !id.is(JsonKind::null)) {
        out.event_id = sentry_id(id.text());
        if (out.event_id.empty()) return invalid("the envelope", "event_id is 32 hex digits");
    }
    if (auto const dsn = head["dsn"]; dsn && !dsn.is(JsonKind::text) && !dsn.is(JsonKind::null))
        return invalid("the envelope", fmt::format("dsn is text, not {}", name_of(dsn.kind())));
    out.dsn = head["dsn"].text();
    out.sent_at = sentry_time(head["sent_at"]);
    auto const sdk = head["sdk"];
    if (!sdk["name"].text().empty()) out.sdk = fmt::format("{}/{}", sdk["name"].text(), sdk["version"].text());
    return {};
}

std::size_t bytes_max(std::string_view type, EnvelopeLimits const& limits) {
    if (type == "attachment" || type.starts_with("replay") || type.starts_with("profile")) return limits.attachment_bytes_max;
    return type == "check_in" ? limits.check_in_bytes_max : limits.event_bytes_max;
}

Result<std::string_view> take_payload(codec::JsonValue head, std::string_view& rest, std::string_view place) {
    auto const told = head["length"];
    if (!told || told.is(JsonKind::null)) return take_line(rest);
    auto const length = told.integer();
    if (!length || *length < 0) return invalid(place, "length is a number of bytes, from 0");
    if (std::uint64_t(*length) > rest.size()) return invalid(place, fmt::format("length is {}, but {} bytes follow", *length, rest.size()));
    auto const payload = rest.substr(0, std::size_t(*length));
    rest.remove_prefix(payload.size());
    if (rest.starts_with("\r\n")) rest.remove_prefix(1);
    if (!rest.empty() && rest[0] != '\n') return invalid(place, fmt::format("no line feed after {} bytes: length is wrong", *length));
    if (!rest.empty()) rest.remove_prefix(1);
    return payload;
}

Result<EnvelopeItem> take_item(std::string_view line, std::string_view& rest, std::string_view place, EnvelopeLimits const& limits) {
    TRY_ASSIGN(auto const tree, header(line, place, limits));
    auto const head = tree.root();
    EnvelopeItem item;
    item.type = head["type"].text();
    if (item.type.empty()) return invalid(place, "its header has no type");
    if (item.type.size() > 100) return invalid(place, "a type has at most 100 bytes");
    TRY_ASSIGN(item.payload, take_payload(head, rest, place));
    if (auto const most = bytes_max(item.type, limits); item.payload.size() > most)
        return too_large(place, fmt::format("{} has {} bytes; {} are allowed", item.type, item.payload.size(), most));
    item.filename = head["filename"].text();
    item.content_type = head["content_type"].text();
    item.attachment_type = head["attachment_type"].text();
    item.item_count = std::size_t(std::max<std::int64_t>(0, head["item_count"].integer().value_or(0)));
    return item;
}

}  // namespace

Result<Envelope> split_envelope(std::string_view body, EnvelopeLimits const& limits) {
    Envelope out;
    auto rest = body;
    TRY_ASSIGN(auto const head, header(take_line(rest), "the envelope", limits));
    TRY_VOID(read_head(head.root(), out));
    std::size_t sessions = 0;
    while (!rest.empty()) {
        auto const line = take_line(rest);
        if (line.empty()) continue;
        auto const place = fmt::format("item {}", out.items.size() + 1);
        if (out.items.size() == limits.items_max)
            return too_large(place, fmt::format("an envelope has at most {} items", limits.items_max));
        TRY_ASSIGN(auto item, take_item(line, rest, place, limits));
        sessions += item.type == "session";
        if (sessions > limits.sessions_max)
            return too_large(place, fmt::format("an envelope has at most {} sessions", limits.sessions_max));
        out.items.push_back(std::move(item));
    }
    return out;
}

std::optional<Time> sentry_time(codec::JsonValue value) {
    if (auto const seconds = value.number()) {
        if (!(*seconds > -62'000'000'000.0 && *seconds < 253'000'000'000.0)) return {};
        return Time{std::int64_t(std::llround(*seconds * 1e6))};
    }
    auto const text = value.text();
    if (text.size() < 19) return {};
    auto time = parse_time(text);
    if (!time) time = parse_time(fmt::format("{}Z", text));
    return time ? std::optional(*time) : std::nullopt;
}

std::string sentry_id(std::string_view text) {
    std::string out;
    if (text.size() > 36) return {};
    for (char c : text) {
        if (c >= 'A' && c <= 'F') c = char(c | 0x20);
        if (c == '-') continue;
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return {};
        out += c;
    }
    return out.size() == 32 ? out : std::string();
}

}  // namespace gantry::oops
