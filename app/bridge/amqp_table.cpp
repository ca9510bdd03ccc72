#include "app/bridge/amqp_table.h"

#include <fmt/format.h>

#include <charconv>

#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"

namespace gantry::bridge {
namespace {

std::string json_of(amqp_field_value_t const& value);

std::string base64(amqp_bytes_t bytes) {
    std::string out;
    codec::append_base64(out, view_of(bytes));
    return out;
}

std::string text_of(amqp_field_value_t const& value) {
    switch (value.kind) {
        case AMQP_FIELD_KIND_BOOLEAN: return value.value.boolean ? "true" : "false";
        case AMQP_FIELD_KIND_I8: return std::to_string(value.value.i8);
        case AMQP_FIELD_KIND_U8: return std::to_string(value.value.u8);
        case AMQP_FIELD_KIND_I16: return std::to_string(value.value.i16);
        case AMQP_FIELD_KIND_U16: return std::to_string(value.value.u16);
        case AMQP_FIELD_KIND_I32: return std::to_string(value.value.i32);
        case AMQP_FIELD_KIND_U32: return std::to_string(value.value.u32);
        case AMQP_FIELD_KIND_I64: return std::to_string(value.value.i64);
        case AMQP_FIELD_KIND_U64:
        case AMQP_FIELD_KIND_TIMESTAMP: return std::to_string(value.value.u64);
        case AMQP_FIELD_KIND_F32: return fmt::format("{}", value.value.f32);
        case AMQP_FIELD_KIND_F64: return fmt::format("{}", value.value.f64);
        case AMQP_FIELD_KIND_DECIMAL: return fmt::format("{}e-{}", value.value.decimal.value, value.value.decimal.decimals);
        case AMQP_FIELD_KIND_UTF8: return std::string(view_of(value.value.bytes));
        case AMQP_FIELD_KIND_BYTES: return base64(value.value.bytes);
        case AMQP_FIELD_KIND_ARRAY:
        case AMQP_FIELD_KIND_TABLE: return json_of(value);
        default: return {};
    }
}

// Lists and tables, for people: they don't go back as such.
std::string json_of(amqp_field_value_t const& value) {
    std::string out;
    if (value.kind == AMQP_FIELD_KIND_ARRAY) {
        for (int i = 0; i < value.value.array.num_entries; ++i) out += (i ? "," : "") + json_of(value.value.array.entries[i]);
        return "[" + out + "]";
    }
    if (value.kind == AMQP_FIELD_KIND_TABLE) {
        for (int i = 0; i < value.value.table.num_entries; ++i) {
            auto const& entry = value.value.table.entries[i];
            if (i) out += ',';
            codec::append_json_string(out, view_of(entry.key));
            out += ':' + json_of(entry.value);
        }
        return "{" + out + "}";
    }
    auto const text = text_of(value);
    bool const bare = value.kind == AMQP_FIELD_KIND_BOOLEAN || std::string_view("bBsuIilL").contains(char(value.kind));
    if (bare) return text;
    codec::append_json_string(out, text);
    return out;
}

template <class T>
bool set_number(std::string const& text, T& to) {
    auto const end = text.data() + text.size();
    return std::from_chars(text.data(), end, to).ptr == end;
}

// False: the text isn't one of that kind, or the kind isn't one that goes back.
bool set_value(char kind, std::string const& text, amqp_field_value_t& out) {
    out.kind = std::uint8_t(kind);
    switch (kind) {
        case AMQP_FIELD_KIND_BOOLEAN: return out.value.boolean = text == "true", true;
        case AMQP_FIELD_KIND_I8: return set_number(text, out.value.i8);
        case AMQP_FIELD_KIND_U8: return set_number(text, out.value.u8);
        case AMQP_FIELD_KIND_I16: return set_number(text, out.value.i16);
        case AMQP_FIELD_KIND_U16: return set_number(text, out.value.u16);
        case AMQP_FIELD_KIND_I32: return set_number(text, out.value.i32);
        case AMQP_FIELD_KIND_U32: return set_number(text, out.value.u32);
        case AMQP_FIELD_KIND_I64: return set_number(text, out.value.i64);
        case AMQP_FIELD_KIND_U64:
        case AMQP_FIELD_KIND_TIMESTAMP: return set_number(text, out.value.u64);
        case AMQP_FIELD_KIND_F32: return set_number(text, out.value.f32);
        case AMQP_FIELD_KIND_F64: return set_number(text, out.value.f64);
        case AMQP_FIELD_KIND_VOID: return true;
        default: return false;
    }
}

struct TextProperty {
    amqp_flags_t flag;
    amqp_bytes_t amqp_basic_properties_t::* there;
    std::optional<std::string> Message::* here;
};
constexpr TextProperty text_properties[] = {
    {AMQP_BASIC_CONTENT_TYPE_FLAG, &amqp_basic_properties_t::content_type, &Message::content_type},
    {AMQP_BASIC_CONTENT_ENCODING_FLAG, &amqp_basic_properties_t::content_encoding, &Message::content_encoding},
    {AMQP_BASIC_CORRELATION_ID_FLAG, &amqp_basic_properties_t::correlation_id, &Message::correlation_id},
    {AMQP_BASIC_REPLY_TO_FLAG, &amqp_basic_properties_t::reply_to, &Message::reply_to},
    {AMQP_BASIC_EXPIRATION_FLAG, &amqp_basic_properties_t::expiration, &Message::expiration},
    {AMQP_BASIC_MESSAGE_ID_FLAG, &amqp_basic_properties_t::message_id, &Message::message_id},
    {AMQP_BASIC_TYPE_FLAG, &amqp_basic_properties_t::type, &Message::type},
    {AMQP_BASIC_USER_ID_FLAG, &amqp_basic_properties_t::user_id, &Message::user_id},
    {AMQP_BASIC_APP_ID_FLAG, &amqp_basic_properties_t::app_id, &Message::app_id},
};

}  // namespace

void read_properties(amqp_basic_properties_t const& from, Message& to) {
    for (auto const& p : text_properties)
        if (from._flags & p.flag) to.*p.here = std::string(view_of(from.*p.there));
    if (from._flags & AMQP_BASIC_PRIORITY_FLAG) to.priority = from.priority;
    if (from._flags & AMQP_BASIC_TIMESTAMP_FLAG) to.timestamp = from.timestamp;
    if (!(from._flags & AMQP_BASIC_HEADERS_FLAG)) return;
    for (int i = 0; i < from.headers.num_entries; ++i) {
        auto const& entry = from.headers.entries[i];
        to.headers[std::string(view_of(entry.key))] = {char(entry.value.kind), text_of(entry.value)};
    }
}

WrittenProperties::WrittenProperties(Message const& message) {
    for (auto const& p : text_properties) {
        if (!(message.*p.here)) continue;
        properties_._flags |= p.flag;
        properties_.*p.there = bytes_of(*(message.*p.here));
    }
    if (message.priority) properties_._flags |= AMQP_BASIC_PRIORITY_FLAG, properties_.priority = *message.priority;
    if (message.timestamp) properties_._flags |= AMQP_BASIC_TIMESTAMP_FLAG, properties_.timestamp = *message.timestamp;
    properties_._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    properties_.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    decoded_.reserve(message.headers.size());
    for (auto const& [name, value] : message.headers) add_header(name, value);
    properties_.headers = {int(entries_.size()), entries_.data()};
}

void WrittenProperties::add_header(std::string const& name, HeaderValue const& value) {
    amqp_table_entry_t entry{.key = bytes_of(name), .value = {}};
    if (value.kind == AMQP_FIELD_KIND_BYTES) {
        if (auto bytes = codec::decode_base64(value.text)) {
            entry.value.kind = AMQP_FIELD_KIND_BYTES;
            entry.value.value.bytes = bytes_of(decoded_.emplace_back(std::move(*bytes)));
            entries_.push_back(entry);
            return;
        }
    }
    if (value.kind == AMQP_FIELD_KIND_UTF8 || !set_value(value.kind, value.text, entry.value)) {
        entry.value.kind = AMQP_FIELD_KIND_UTF8;
        entry.value.value.bytes = bytes_of(value.text);
    }
    entries_.push_back(entry);
}

}  // namespace gantry::bridge
