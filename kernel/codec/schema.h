#pragma once
#include <cstdint>
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

// Reads events written under an older schema into today's variant. Built once a segment.
class EventReader {
   public:
    virtual ~EventReader() = default;
    // Decodes one event. Same shape: the positional fast path of the caller applies (`identical`). Otherwise field by name: added fields
    // keep their default, removed ones are skipped, `Renames` map old names to new.
    virtual bool identical(std::uint32_t number) const = 0;
    virtual std::uint32_t today(std::uint32_t number) const = 0;  // today's alternative for a written number
    virtual Result<void> decode(std::uint32_t number, std::string_view payload, void* variant, Sealer const* sealer) const = 0;
};
struct Rename {
    std::string_view record, from, to;  // "created", "title_text", "title"
};
// Fails with "event_type_unknown" / "event_shape_unreadable" naming the event type, field and both shapes, when an event type, an
// alternative or an enum value of the blob isn't known today (unless marked ignorable) or a field changed its type.
Result<std::unique_ptr<EventReader>> make_event_reader(std::string_view schema_blob, Type const& event_variant, std::span<Rename const> renames = {});

// One line a field, stable: what the golden file of a service's events holds. Its hash is the fingerprint.
std::string describe_shape(Type const& type);
std::uint64_t fingerprint(Type const& type);

// JSON Schema 2020-12 of a type, records under "#/components/schemas/<name>" collected into `components` (name → schema text).
std::string json_schema(Type const& type, std::map<std::string, std::string>& components);

}  // namespace gantry::codec
