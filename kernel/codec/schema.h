#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/codec/binary.h"
#include "kernel/codec/type.h"

// The shape of types as data: written at the head of each segment, read back to read old events into today's structs, hashed into a
// fingerprint, and rendered as JSON Schema for OpenAPI.
namespace gantry::codec {

struct EventType {
    std::uint32_t number;  // the alternative's index in the service's Event variant when it was written; what a batch carries
    std::string name;      // snake_case of the struct
    bool ignorable = false;
};

// The schema blob of a service's events: for each event type its number, name, and the full shape of its record (and all it holds).
// Self-contained and versioned (grammar in docs/log-format.md).
std::string encode_event_schema(Type const& event_variant);

// Reads events written under an older schema into today's variant. Built once a segment; immutable, so any thread may use it.
class EventReader {
   public:
    static constexpr std::uint32_t none = ~std::uint32_t(0);
    virtual ~EventReader() = default;
    // Decodes one event. Same shape: the positional fast path of the caller applies (`identical`). Otherwise field by name: added fields
    // keep their default, removed ones are skipped, `Renames` map old names to new.
    virtual bool identical(std::uint32_t number) const = 0;
    virtual std::uint32_t today(std::uint32_t number) const = 0;  // today's alternative for a written number; `none` when there is none
    virtual bool ignorable(std::uint32_t number) const = 0;       // unknown today, but its writer said that it may be skipped
    virtual Result<void> decode(std::uint32_t number, std::string_view payload, void* variant, Sealer const* sealer) const = 0;
};
// A field of a record, a value of an enum or an alternative of a nested variant changed its name; `record` is today's name of the struct or
// enum in snake_case ("" for alternatives and for event types): {"created", "title_text", "title"}, {"", "made", "created"}. Rows of the
// state are read by the same renames when they come from a baseline; {"state", "old", "new"} is for a member of the State itself.
struct Rename {
    std::string_view record, from, to;
};
// Fails with "event_shape_unreadable" naming the event type, field and both shapes, when an alternative or an enum value of the blob isn't
// known today or a field changed its type. An event type that isn't known today (unless marked ignorable) is told by decode, as
// "event_type_unknown": a release that may record it, and didn't, is no obstacle. Fine are: integers into
// wider ones, other bounds, T into optional<T>, other prefixes. "event_schema_malformed": the blob can't be read.
Result<std::unique_ptr<EventReader>> make_event_reader(std::string_view schema_blob, Type const& event_variant,
                                                       std::span<Rename const> renames = {});

// The same for values of one type of any kind, such as rows: their schema, and a reader of values that were written under an older one.
std::string encode_schema(Type const& type);
class ValueReader {
   public:
    virtual ~ValueReader() = default;
    virtual bool identical() const = 0;  // the positional fast path of the caller applies
    // Reads one value into an object of today's type. False: the bytes don't follow the schema.
    virtual bool decode(ByteReader& in, void* value, Sealer const* sealer) const = 0;
};
// Fails with "event_shape_unreadable" or "schema_malformed"; `what` then names the values. The name of a record that is itself the type may
// have changed.
Result<std::unique_ptr<ValueReader>> make_value_reader(std::string_view schema, Type const& type, std::string_view what,
                                                       std::span<Rename const> renames = {});

// What is written about one event type, for tools that read a log without its service.
Result<std::vector<EventType>> event_types(std::string_view schema_blob);

// One line a field, stable: what the golden file of a service's events holds. Its hash is the fingerprint.
std::string describe_shape(Type const& type);
std::uint64_t fingerprint(Type const& type);

// Whether JSON without a field of this type is at fault, where the record doesn't say `has_defaults`.
bool must_be_present(Type const& type);

// JSON Schema 2020-12 of a type, records under "#/components/schemas/<name>" collected into `components` (name → schema text).
std::string json_schema(Type const& type, std::map<std::string, std::string>& components);

}  // namespace gantry::codec
