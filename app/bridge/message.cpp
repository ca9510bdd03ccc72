#include "app/bridge/message.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_check.h"
#include "kernel/codec/keyed_hash.h"
#include "kernel/codec/utf8.h"

namespace gantry::bridge {
namespace {

constexpr std::string_view types_header = "amqp-header-types", full_type_header = "amqp-content-type", timestamp_header = "amqp-timestamp";
constexpr std::string_view json_type = "application/json";
constexpr std::int64_t priority_of_none = 1000;
constexpr int depth_max = 24;                // less than a request may have, for the payload lies within one
constexpr std::size_t short_text_max = 255;  // of AMQP's properties

struct Property {
    std::string_view header;
    std::optional<std::string> Message::* member;
};
constexpr std::array properties = {
    Property{"amqp-message-id", &Message::message_id},
    Property{"amqp-correlation-id", &Message::correlation_id},
    Property{"amqp-reply-to", &Message::reply_to},
    Property{"amqp-expiration", &Message::expiration},
    Property{"amqp-type", &Message::type},
    Property{"amqp-app-id", &Message::app_id},
    Property{"amqp-content-encoding", &Message::content_encoding},
};

using Types = std::map<std::string, std::string>;

// JSON has no place for bytes that aren't text.
HeaderValue as_text(HeaderValue const& value) {
    if (value.kind == 'x' || codec::scan_utf8(value.text).valid()) return value;
    HeaderValue out{'x', {}};
    codec::append_base64(out.text, value.text);
    return out;
}

std::map<std::string, std::string> headers_of(Message const& message) {
    std::map<std::string, std::string> out;
    Types types;
    for (auto const& [name, value] : message.headers) {
        auto const text = as_text(value);
        if (text.kind != 'S') types[name] = std::string(1, text.kind);
        out[name] = text.text;
    }
    for (auto const& p : properties)
        if (auto const& value = message.*p.member) out[std::string(p.header)] = as_text({'S', *value}).text;
    if (message.user_id) out["amqp-user-id"] = as_text({'S', *message.user_id}).text;
    if (message.timestamp) out[std::string(timestamp_header)] = std::to_string(*message.timestamp);
    if (!types.empty()) out[std::string(types_header)] = codec::to_json(types);
    return out;
}

void member(std::string& out, std::string_view name) { out += fmt::format("{}\"{}\":", out.size() > 1 ? "," : "", name); }

bool is_json(Message const& message) {
    if (!message.content_type || message.content_encoding) return false;
    auto const type = std::string_view(*message.content_type);
    return (type == json_type || type.starts_with("application/json;")) && !codec::check_json(message.body, depth_max);
}

// A message that a bridge had taken out and that comes back is no repeat: its hops tell. A key has room for 200 characters.
std::string unique_key(Message const& message) {
    auto key = as_text({'S', *message.message_id}).text;
    if (auto hops = message.headers.find(std::string(hops_header)); hops != message.headers.end()) key += "#" + hops->second.text;
    if (key.size() <= 200) return key;
    auto const hash = codec::keyed_hash({}, key);
    std::string out = "blake2b:";
    codec::append_base64(out, {reinterpret_cast<char const*>(hash.data()), hash.size()});
    return out;
}

// RabbitMQ's own, which it writes anew.
bool is_brokers_own(std::string_view name) {
    return name == "x-death" || name.starts_with("x-first-death") || name.starts_with("x-last-death") || name == "x-delivery-count";
}

Result<void> check_short(Message const& message) {
    auto long_one = [](std::optional<std::string> const& text) { return text && text->size() > short_text_max; };
    for (auto const& p : properties)
        if (long_one(message.*p.member))
            return fail(422, "message_impossible", fmt::format("{} has more than {} bytes", p.header, short_text_max));
    if (long_one(message.content_type)) return fail(422, "message_impossible", "its content type has more than 255 bytes");
    for (auto const& [name, value] : message.headers)
        if (name.size() > short_text_max) return fail(422, "message_impossible", "the name of a header has more than 255 bytes");
    return {};
}

int hops_of(Lease const& lease) {
    auto const found = lease.headers.find(std::string(hops_header));
    int hops = 0;
    if (found != lease.headers.end()) std::from_chars(found->second.data(), found->second.data() + found->second.size(), hops);
    return hops;
}

// What stands in its headers, but for those that are the bridge's own.
void set_headers(Lease const& lease, Message& message) {
    Types types;
    if (auto found = lease.headers.find(std::string(types_header)); found != lease.headers.end())
        if (auto read = codec::from_json<Types>(found->second)) types = std::move(*read);
    for (auto const& [name, text] : lease.headers) {
        auto const property = std::ranges::find(properties, name, &Property::header);
        if (property != properties.end()) {
            message.*property->member = text;
        } else if (name == timestamp_header) {
            std::uint64_t seconds = 0;
            if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec == std::errc()) message.timestamp = seconds;
        } else if (name == full_type_header) {
            message.content_type = text;
        } else if (name != types_header && name != "amqp-user-id" && !is_brokers_own(name)) {
            auto const type = types.find(name);
            message.headers[name] = {type == types.end() || type->second.empty() ? 'S' : type->second.front(), text};
        }
    }
}

}  // namespace

std::string task_of(Message const& message, std::int64_t unique_ms) {
    std::string out = "{";
    auto headers = headers_of(message);
    if (is_json(message)) {
        member(out, "payload"), out += codec::minify_json(message.body);
        if (*message.content_type != json_type) headers[std::string(full_type_header)] = *message.content_type;
    } else {
        member(out, "payload_base64"), out += '"', codec::append_base64(out, message.body), out += '"';
        if (message.content_type && !message.content_type->empty() && codec::scan_utf8(*message.content_type).valid())
            member(out, "content_type"), codec::append_json_string(out, *message.content_type);
    }
    if (!headers.empty()) member(out, "headers"), codec::append_json(out, headers);
    if (message.priority) member(out, "priority"), out += std::to_string(priority_of_none - *message.priority);
    if (message.message_id && !message.message_id->empty()) {
        member(out, "unique"), out += "{\"key\":", codec::append_json_string(out, unique_key(message));
        out += fmt::format(R"(,"mode":"single_flight","window_ms":{}}})", unique_ms);
    }
    return out + "}";
}

Result<Message> message_of(Lease const& lease, std::string_view queue) {
    if (lease.payload_url) return fail(422, "message_impossible", "its payload lies elsewhere, under payload_url");
    Message out;
    out.content_type = lease.content_type.empty() ? std::optional<std::string>() : lease.content_type;
    if (lease.payload) out.body = lease.payload->text;
    if (lease.payload_base64) out.body = lease.payload_base64->data;
    set_headers(lease, out);
    if (lease.priority < priority_of_none) out.priority = std::uint8_t(std::min<std::int64_t>(255, priority_of_none - lease.priority));
    if (!out.message_id) out.message_id = fmt::format("gantry:{}:{}", queue, lease.task);
    auto const hops = hops_of(lease) + 1;
    if (hops > hops_max)
        return fail(422, "bridge_loop",
                    fmt::format("{} went through bridges {} times: one seems to bring back what another takes away", lease.task, hops - 1));
    out.headers[std::string(hops_header)] = {'I', std::to_string(hops)};
    out.headers.erase(std::string(attempt_header));
    if (lease.attempt > 1) out.headers[std::string(attempt_header)] = {'I', std::to_string(lease.attempt)};
    TRY_VOID(check_short(out));
    return out;
}

}  // namespace gantry::bridge
