#include "services/oops/bson.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace gantry::oops {
namespace {

constexpr std::size_t object_id_bytes = 12, decimal_bytes = 16;

class Reader {
   public:
    Reader(std::string_view bytes, BsonLimits const& limits) : bytes_(bytes), limits_(limits) {}

    Result<Bson> run() {
        if (bytes_.size() > limits_.bytes_max)
            return fail(413, "bson_too_large",
                        fmt::format("a document has at most {} bytes, this one {}", limits_.bytes_max, bytes_.size()));
        Bson out = Bson::document();
        if (!document(out, 0)) return fail(400, "bson_invalid", problem_);
        if (at_ != bytes_.size()) return fail(400, "bson_invalid", fmt::format("{} bytes behind the document", bytes_.size() - at_));
        return out;
    }

   private:
    bool refuse(std::string_view why) {
        std::string path;
        for (auto const& key : path_) path.append(path.empty() ? "" : "/").append(key);
        problem_ = fmt::format("{} at byte {}: {}", path.empty() ? "the document" : path, at_, why);
        return false;
    }
    std::size_t left() const { return end_ - at_; }
    bool take(std::size_t n, std::string_view& out) {
        if (n > left()) return refuse(fmt::format("{} bytes are needed, {} are left", n, left()));
        out = bytes_.substr(at_, n), at_ += n;
        return true;
    }
    template <class T>
    bool fixed(T& out) {
        std::string_view raw;
        if (!take(sizeof out, raw)) return false;
        std::memcpy(&out, raw.data(), sizeof out);
        return true;
    }
    bool cstring(std::string& out) {
        auto const nul = bytes_.find('\0', at_);
        if (nul == bytes_.npos || nul >= end_) return refuse("a name without its NUL");
        out = bytes_.substr(at_, nul - at_), at_ = nul + 1;
        return true;
    }
    bool string(std::string& out) {
        std::int32_t size = 0;
        if (!fixed(size)) return false;
        std::string_view raw;
        if (size < 1) return refuse(fmt::format("a text of {} bytes; its NUL counts, so 1 is the least", size));
        if (!take(std::size_t(size), raw)) return false;
        if (raw.back() != '\0') return refuse("a text without its NUL");
        out = raw.substr(0, raw.size() - 1);
        return true;
    }

    bool document(Bson& out, std::size_t depth) {
        if (depth > limits_.depth_max) return refuse(fmt::format("nested more than {} deep", limits_.depth_max));
        auto const from = at_, outer_end = end_;
        std::int32_t size = 0;
        if (!fixed(size)) return false;
        if (size < 5 || std::size_t(size) > outer_end - from)
            return at_ = from, refuse(fmt::format("a document of {} bytes where {} are left", size, outer_end - from));
        end_ = from + std::size_t(size);
        if (!members(out, depth)) return false;
        if (at_ != end_) return refuse(fmt::format("the document ends {} bytes before its size says", end_ - at_));
        end_ = outer_end;
        return true;
    }
    bool members(Bson& out, std::size_t depth) {
        for (;;) {
            std::uint8_t type = 0;
            if (!fixed(type)) return false;
            if (type == 0) return true;
            if (++values_ > limits_.values_max) return refuse(fmt::format("more than {} values", limits_.values_max));
            auto& member = out.members.emplace_back();
            if (!cstring(member.key)) return false;
            path_.emplace_back(member.key);
            if (!value(member, type, depth)) return false;
            path_.pop_back();
        }
    }

    bool value(Bson& out, std::uint8_t type, std::size_t depth) {
        out.type = BsonType(type);
        switch (out.type) {
            case BsonType::real: return fixed(out.real);
            case BsonType::text:
            case BsonType::code:
            case BsonType::symbol: return string(out.text);
            case BsonType::document:
            case BsonType::array: return document(out, depth + 1);
            case BsonType::binary: return binary(out);
            case BsonType::undefined:
            case BsonType::null:
            case BsonType::min_key:
            case BsonType::max_key: return true;
            case BsonType::object_id: return bytes(out, object_id_bytes);
            case BsonType::boolean: return boolean(out);
            case BsonType::datetime:
            case BsonType::timestamp:
            case BsonType::int64: return fixed(out.integer);
            case BsonType::regex: return cstring(out.text) && cstring(out.more);
            case BsonType::db_pointer: return string(out.more) && bytes(out, object_id_bytes);
            case BsonType::scoped_code: return scoped_code(out, depth);
            case BsonType::int32: return int32(out);
            case BsonType::decimal: return bytes(out, decimal_bytes);
        }
        return refuse(fmt::format("no value has the type 0x{:02x}", type));
    }
    bool bytes(Bson& out, std::size_t n) {
        std::string_view raw;
        if (!take(n, raw)) return false;
        out.text = raw;
        return true;
    }
    bool int32(Bson& out) {
        std::int32_t n = 0;
        if (!fixed(n)) return false;
        out.integer = n;
        return true;
    }
    bool boolean(Bson& out) {
        std::uint8_t b = 0;
        if (!fixed(b)) return false;
        out.integer = b;
        return b < 2 || refuse(fmt::format("a boolean is 0 or 1, not {}", b));
    }
    bool binary(Bson& out) {
        std::int32_t size = 0;
        std::string_view raw;
        if (!fixed(size) || !fixed(out.subtype)) return false;
        if (size < 0) return refuse(fmt::format("{} bytes of binary", size));
        if (!take(std::size_t(size), raw)) return false;
        out.text = raw;
        return true;
    }
    bool scoped_code(Bson& out, std::size_t depth) {
        auto const from = at_;
        std::int32_t size = 0;
        if (!fixed(size) || !string(out.text) || !document(out, depth + 1)) return false;
        return at_ - from == std::size_t(size) || refuse("code and its scope are of another size than told");
    }

    std::string_view bytes_;
    BsonLimits const& limits_;
    std::size_t at_ = 0, end_ = bytes_.size(), values_ = 0;
    std::vector<std::string> path_;
    std::string problem_;
};

template <class T>
void put_fixed(std::string& out, T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}
void put_cstring(std::string& out, std::string_view s) { out.append(s.substr(0, s.find('\0'))).append(1, '\0'); }
void put_string(std::string& out, std::string_view s) {
    put_fixed(out, std::int32_t(s.size() + 1));
    out.append(s).append(1, '\0');
}
void put_size(std::string& out, std::size_t from) {
    auto const size = std::int32_t(out.size() - from);
    std::memcpy(out.data() + from, &size, sizeof size);
}

void put_document(std::string& out, Bson const& value);
void put_value(std::string& out, Bson const& v) {
    switch (v.type) {
        case BsonType::real: return put_fixed(out, v.real);
        case BsonType::text:
        case BsonType::code:
        case BsonType::symbol: return put_string(out, v.text);
        case BsonType::document:
        case BsonType::array: return put_document(out, v);
        case BsonType::binary: put_fixed(out, std::int32_t(v.text.size())), put_fixed(out, v.subtype), out += v.text; return;
        case BsonType::undefined:
        case BsonType::null:
        case BsonType::min_key:
        case BsonType::max_key: return;
        case BsonType::object_id:
        case BsonType::decimal: out += v.text; return;
        case BsonType::boolean: return put_fixed(out, std::uint8_t(v.integer != 0));
        case BsonType::datetime:
        case BsonType::timestamp:
        case BsonType::int64: return put_fixed(out, v.integer);
        case BsonType::regex: put_cstring(out, v.text), put_cstring(out, v.more); return;
        case BsonType::db_pointer: put_string(out, v.more), out += v.text; return;
        case BsonType::scoped_code: {
            auto const from = out.size();
            put_fixed(out, std::int32_t(0)), put_string(out, v.text), put_document(out, v);
            return put_size(out, from);
        }
        case BsonType::int32: return put_fixed(out, std::int32_t(v.integer));
    }
}
void put_document(std::string& out, Bson const& value) {
    auto const from = out.size();
    put_fixed(out, std::int32_t(0));
    for (auto const& member : value.members) {
        out += char(member.type);
        put_cstring(out, member.key);
        put_value(out, member);
    }
    out += '\0';
    put_size(out, from);
}

// JSON

std::string hex(std::string_view bytes) {
    std::string out;
    for (char c : bytes) out += fmt::format("{:02x}", std::uint8_t(c));
    return out;
}
std::string unhex(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        unsigned byte = 0;
        std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
        out += char(byte);
    }
    return out;
}
// As JSON text must be UTF-8, bytes that aren't go in as what they are in Latin-1, marked.
void append_text(std::string& out, std::string_view text) {
    if (codec::scan_utf8(text).valid()) return codec::append_json_string(out, text);
    std::string base64;
    codec::append_base64(base64, text);
    out += fmt::format("{{\"$text\":\"{}\"}}", base64);
}
void append_real(std::string& out, double d) {
    if (std::isnan(d)) return void(out += "{\"$numberDouble\":\"NaN\"}");
    if (std::isinf(d)) return void(out += d < 0 ? "{\"$numberDouble\":\"-Infinity\"}" : "{\"$numberDouble\":\"Infinity\"}");
    char buffer[32];
    std::string_view const text(buffer, std::size_t(std::to_chars(buffer, buffer + sizeof buffer, d).ptr - buffer));
    out += text;
    if (text.find_first_of(".e") == text.npos) out += ".0";
}
void append_wrapped(std::string& out, std::string_view name, std::string_view value) {
    out += fmt::format("{{\"{}\":", name);
    codec::append_json_string(out, value);
    out += '}';
}
void append_members(std::string& out, Bson const& value, bool object) {
    out += object ? '{' : '[';
    bool first = true;
    for (auto const& member : value.members) {
        if (!std::exchange(first, false)) out += ',';
        // A name that isn't UTF-8 becomes one that says so.
        if (object)
            codec::append_json_string(out, codec::scan_utf8(member.key).valid() ? member.key : "$hex:" + hex(member.key)), out += ':';
        append_json(out, member);
    }
    out += object ? '}' : ']';
}

struct Wrapper {
    std::string_view name;
    BsonType type;
};
constexpr std::array<Wrapper, 14> wrappers = {{{"$numberDouble", BsonType::real},
                                               {"$text", BsonType::text},
                                               {"$binary", BsonType::binary},
                                               {"$undefined", BsonType::undefined},
                                               {"$oid", BsonType::object_id},
                                               {"$date", BsonType::datetime},
                                               {"$regularExpression", BsonType::regex},
                                               {"$dbPointer", BsonType::db_pointer},
                                               {"$symbol", BsonType::symbol},
                                               {"$timestamp", BsonType::timestamp},
                                               {"$numberLong", BsonType::int64},
                                               {"$numberDecimal", BsonType::decimal},
                                               {"$minKey", BsonType::min_key},
                                               {"$maxKey", BsonType::max_key}}};

std::int64_t long_of(codec::JsonValue v) {
    std::int64_t n = 0;
    auto const s = v.text();
    std::from_chars(s.data(), s.data() + s.size(), n);
    return n;
}
std::string padded(std::string bytes, std::size_t size) { return bytes.resize(size, '\0'), bytes; }

Bson unwrapped(BsonType type, codec::JsonValue v) {
    Bson out{.type = type};
    switch (type) {
        case BsonType::real:
            out.real = v.text() == "NaN" ? std::numeric_limits<double>::quiet_NaN()
                                         : std::numeric_limits<double>::infinity() * (v.text().starts_with('-') ? -1 : 1);
            break;
        case BsonType::text: out.text = codec::decode_base64(v.text()).value_or(""); break;
        case BsonType::binary:
            out.text = codec::decode_base64(v["base64"].text()).value_or("");
            out.subtype = std::uint8_t(padded(unhex(v["subType"].text()), 1)[0]);
            break;
        case BsonType::object_id: out.text = padded(unhex(v.text()), object_id_bytes); break;
        case BsonType::decimal: out.text = padded(unhex(v.text()), decimal_bytes); break;
        case BsonType::datetime: out.integer = long_of(v["$numberLong"]); break;
        case BsonType::timestamp:
        case BsonType::int64: out.integer = long_of(v); break;
        case BsonType::regex: out.text = v["pattern"].text(), out.more = v["options"].text(); break;
        case BsonType::db_pointer: out.more = v["$ref"].text(), out.text = padded(unhex(v["$id"].text()), object_id_bytes); break;
        case BsonType::symbol: out.text = v.text(); break;
        default: break;
    }
    return out;
}

Bson of_object(codec::JsonValue value) {
    if (value.size() == 1)
        for (auto const& wrapper : wrappers)
            if ((*value.begin()).key() == wrapper.name) return unwrapped(wrapper.type, *value.begin());
    if (auto const code = value["$code"]; code && value.size() <= 2) {
        Bson out{.type = value["$scope"] ? BsonType::scoped_code : BsonType::code, .text = std::string(code.text())};
        if (value["$scope"]) out.members = bson_of_json(value["$scope"]).members;
        return out;
    }
    Bson out = Bson::document();
    for (auto member : value)
        out.add(member.key().starts_with("$hex:") ? unhex(member.key().substr(5)) : std::string(member.key()), bson_of_json(member));
    return out;
}

Bson of_number(codec::JsonValue value) {
    auto const token = value.token();
    if (token.find_first_of(".eE") == token.npos)
        if (auto const n = value.integer()) return Bson::of(*n);
    return Bson::of(value.number().value_or(0));
}

}  // namespace

std::string_view name_of(BsonType type) {
    switch (type) {
        case BsonType::real: return "a real";
        case BsonType::text: return "text";
        case BsonType::document: return "a document";
        case BsonType::array: return "an array";
        case BsonType::binary: return "binary";
        case BsonType::undefined: return "undefined";
        case BsonType::object_id: return "an object id";
        case BsonType::boolean: return "a boolean";
        case BsonType::datetime: return "a datetime";
        case BsonType::null: return "null";
        case BsonType::regex: return "a regular expression";
        case BsonType::db_pointer: return "a database pointer";
        case BsonType::code: return "code";
        case BsonType::symbol: return "a symbol";
        case BsonType::scoped_code: return "code with a scope";
        case BsonType::int32: return "an int32";
        case BsonType::timestamp: return "a timestamp";
        case BsonType::int64: return "an int64";
        case BsonType::decimal: return "a decimal";
        case BsonType::min_key: return "a min key";
        case BsonType::max_key: return "a max key";
    }
    return "an unknown type";
}

Bson Bson::of(std::int64_t n) {
    bool const small = n >= std::numeric_limits<std::int32_t>::min() && n <= std::numeric_limits<std::int32_t>::max();
    return {.type = small ? BsonType::int32 : BsonType::int64, .integer = n};
}

Bson const* Bson::find(std::string_view name) const {
    for (auto const& member : members)
        if (member.key == name) return &member;
    return nullptr;
}
Bson& Bson::add(std::string_view name, Bson value) {
    value.key = name;
    return members.emplace_back(std::move(value));
}
Bson& Bson::push(Bson value) { return add(std::to_string(members.size()), std::move(value)); }

Result<Bson> read_bson(std::string_view bytes, BsonLimits const& limits) { return Reader(bytes, limits).run(); }

std::string write_bson(Bson const& document) {
    std::string out;
    put_document(out, document);
    return out;
}

void append_json(std::string& out, Bson const& v) {
    switch (v.type) {
        case BsonType::real: return append_real(out, v.real);
        case BsonType::text: return append_text(out, v.text);
        case BsonType::document: return append_members(out, v, true);
        case BsonType::array: return append_members(out, v, false);
        case BsonType::binary: {
            std::string base64;
            codec::append_base64(base64, v.text);
            out += fmt::format("{{\"$binary\":{{\"base64\":\"{}\",\"subType\":\"{:02x}\"}}}}", base64, v.subtype);
            return;
        }
        case BsonType::undefined: out += "{\"$undefined\":true}"; return;
        case BsonType::object_id: return append_wrapped(out, "$oid", hex(v.text));
        case BsonType::boolean: out += v.integer ? "true" : "false"; return;
        case BsonType::datetime: out += fmt::format("{{\"$date\":{{\"$numberLong\":\"{}\"}}}}", v.integer); return;
        case BsonType::null: out += "null"; return;
        case BsonType::regex:
            out += "{\"$regularExpression\":{\"pattern\":", append_text(out, v.text), out += ",\"options\":", append_text(out, v.more);
            out += "}}";
            return;
        case BsonType::db_pointer:
            out += "{\"$dbPointer\":{\"$ref\":", append_text(out, v.more), out += fmt::format(",\"$id\":\"{}\"}}}}", hex(v.text));
            return;
        case BsonType::code: out += "{\"$code\":", append_text(out, v.text), out += '}'; return;
        case BsonType::symbol: out += "{\"$symbol\":", append_text(out, v.text), out += '}'; return;
        case BsonType::scoped_code:
            out += "{\"$code\":", append_text(out, v.text), out += ",\"$scope\":", append_members(out, v, true), out += '}';
            return;
        case BsonType::int32: out += std::to_string(v.integer); return;
        case BsonType::timestamp: return append_wrapped(out, "$timestamp", std::to_string(v.integer));
        case BsonType::int64: return append_wrapped(out, "$numberLong", std::to_string(v.integer));
        case BsonType::decimal: return append_wrapped(out, "$numberDecimal", hex(v.text));
        case BsonType::min_key: out += "{\"$minKey\":1}"; return;
        case BsonType::max_key: out += "{\"$maxKey\":1}"; return;
    }
}

Bson bson_of_json(codec::JsonValue value) {
    using codec::JsonKind;
    switch (value.kind()) {
        case JsonKind::absent:
        case JsonKind::null: return {};
        case JsonKind::boolean: return Bson::of(*value.boolean());
        case JsonKind::number: return of_number(value);
        case JsonKind::text: return Bson::of(value.text());
        case JsonKind::object: return of_object(value);
        case JsonKind::list: break;
    }
    Bson out = Bson::array();
    for (auto item : value) out.push(bson_of_json(item));
    return out;
}

}  // namespace gantry::oops
