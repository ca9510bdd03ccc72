// Any bytes as a record of today, and as an event under a schema that comes with it: no crash, both readers agree, what is accepted has one
// encoding, and what is read under an old schema is a value of today like any other.
#include "kernel/base/assert.h"
#include "kernel/codec/json_check.h"
#include "kernel/codec/sample.h"
#include "kernel/codec/schema.h"
#include "kernel/codec/schema_json.h"

namespace gantry::codec {
namespace {

using sample::All;
using Event = std::variant<All, sample::Inner, sample::Moved>;
constexpr Rename renames[] = {{"inner", "label", "name"}, {"", "shifted", "moved"}};

// Every subject's key is the same and changes nothing; that of "u_gone" is erased.
Sealer const sealer{[](std::string_view, std::string_view plain) { return std::string(plain); },
                    [](std::string_view subject, std::string_view sealed) {
                        return subject == "u_gone" ? std::optional<std::string>() : std::string(sealed);
                    }};

void as_record(std::string_view bytes) {
    All a, b;
    ByteReader in(bytes), in2(bytes);
    bool const ok = get(in, a) && in.done();
    bool const ok2 = decode_binary(type_of<All>(), &b, in2) && in2.done();
    GANTRY_ASSERT(ok == ok2, "both readers agree");
    if (!ok) return;
    std::string again;
    put(again, a);
    GANTRY_ASSERT(again == bytes, "one value, one encoding");
}

// What was read is written as today's type is, and stays what it is.
void is_stable(Type const& type, void const* value, void* scratch) {
    std::string first, second;
    encode_binary(type, value, first);
    ByteReader in(first);
    GANTRY_ASSERT(decode_binary(type, scratch, in) && in.done(), "what was read can be written and read");
    encode_binary(type, scratch, second);
    GANTRY_ASSERT(first == second, "and stays the same");
}

// bytes = size of a schema blob, the blob, number of an event type, payload
void as_event(std::string_view bytes) {
    ByteReader in(bytes);
    auto const blob = in.string();
    auto const number = std::uint32_t(in.varint());
    auto const payload = in.bytes(in.left());
    if (auto printer = EventPrinter::make(blob)) {
        for (auto const* open : {static_cast<Sealer const*>(nullptr), &sealer}) {
            std::string json = "[";
            bool const printed = printer->append_json(number, payload, json, open);
            GANTRY_ASSERT(printed ? !check_json(json + "]", 1000) : json == "[", "what is printed is JSON");
        }
    }
    auto reader = make_event_reader(blob, type_of<Event>(), renames);
    if (!reader) return;
    Event event, again;
    if ((*reader)->decode(number, payload, &event, &sealer)) is_stable(type_of<Event>(), &event, &again);
}

// bytes = size of a schema, the schema, values
void as_values(std::string_view bytes) {
    ByteReader in(bytes);
    auto reader = make_value_reader(in.string(), type_of<All>(), "rows", renames);
    if (!reader) return;
    for (int n = 0; n < 20 && !in.done(); ++n) {
        All value, again;
        if (!(*reader)->decode(in, &value, &sealer)) return;
        is_stable(type_of<All>(), &value, &again);
    }
}

}  // namespace
}  // namespace gantry::codec

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const bytes(reinterpret_cast<char const*>(data), size);
    gantry::codec::as_record(bytes);
    gantry::codec::as_event(bytes);
    gantry::codec::as_values(bytes);
    return 0;
}
