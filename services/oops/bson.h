#pragma once
#include "kernel/service.h"

// BSON (bsonspec.org, version 1.1), read and written. What is read from a canonical document is written back to the same bytes.
namespace gantry::oops {

enum class BsonType : std::uint8_t {
    real = 0x01,
    text = 0x02,
    document = 0x03,
    array = 0x04,
    binary = 0x05,
    undefined = 0x06,
    object_id = 0x07,
    boolean = 0x08,
    datetime = 0x09,
    null = 0x0a,
    regex = 0x0b,
    db_pointer = 0x0c,
    code = 0x0d,
    symbol = 0x0e,
    scoped_code = 0x0f,
    int32 = 0x10,
    timestamp = 0x11,
    int64 = 0x12,
    decimal = 0x13,
    min_key = 0xff,
    max_key = 0x7f,
};
std::string_view name_of(BsonType type);  // "an array", for messages

// One value. `type` says which of the others is meant.
struct Bson {
    BsonType type = BsonType::null;
    double real = 0;
    std::int64_t integer = 0;  // int32, int64, boolean, datetime (ms since 1970), timestamp (its 64 bits)
    std::string text = {};     // text, symbol, code; bytes of binary, object_id (12), decimal (16); pattern of regex; id of db_pointer
    std::string more = {};     // options of regex, name of db_pointer's collection
    std::uint8_t subtype = 0;  // of binary
    std::vector<Bson> members = {};  // document, array (keys are kept as they are), scope of scoped_code
    std::string key = {};            // where this is a member
    bool operator==(Bson const&) const = default;

    static Bson of(std::string_view text) { return {.type = BsonType::text, .text = std::string(text)}; }
    static Bson of(std::int64_t n);  // int32 where it fits
    static Bson of(double d) { return {.type = BsonType::real, .real = d}; }
    static Bson of(bool b) { return {.type = BsonType::boolean, .integer = b}; }
    static Bson of(Time t) { return {.type = BsonType::datetime, .integer = t.us >= 0 ? t.us / 1000 : -((-t.us + 999) / 1000)}; }
    static Bson of(char const*) = delete;
    static Bson document() { return {.type = BsonType::document}; }
    static Bson array() { return {.type = BsonType::array}; }

    bool is(BsonType t) const { return type == t; }
    bool is_list() const { return type == BsonType::array; }
    // The first member of that name, or null.
    Bson const* find(std::string_view name) const;
    Bson& add(std::string_view name, Bson value);  // to a document
    Bson& push(Bson value);                        // to an array
};

struct BsonLimits {
    std::size_t bytes_max = 16 << 20;
    std::size_t depth_max = 32;
    std::size_t values_max = 100'000;
};

// One document of exactly these bytes. Problems: 400 "bson_invalid" naming the path and the byte ("timeline/3 at byte 412: …"),
// 413 "bson_too_large".
Result<Bson> read_bson(std::string_view bytes, BsonLimits const& limits = {});
// `document` is one. Keys, patterns and options end at a NUL inside them, for the format has no other way.
std::string write_bson(Bson const& document);

// As MongoDB's Extended JSON: what JSON has no type for becomes {"$numberLong": "…"}, {"$date": {…}}, {"$binary": {…}} and so on; int32 and
// finite reals stay numbers (a real always with a point or an exponent). bson_of_json is the way back.
void append_json(std::string& out, Bson const& value);
Bson bson_of_json(codec::JsonValue value);

}  // namespace gantry::oops
