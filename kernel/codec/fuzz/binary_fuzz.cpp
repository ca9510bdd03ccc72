// Any bytes as a record, and as an event schema: no crash, both readers agree, and what is accepted has one encoding.
#include "kernel/base/assert.h"
#include "kernel/codec/sample.h"
#include "kernel/codec/schema.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    using codec::sample::All;
    std::string_view bytes(reinterpret_cast<char const*>(data), size);
    (void)codec::make_event_reader(bytes, codec::type_of<std::variant<All>>());
    All a, b;
    ByteReader in(bytes), in2(bytes);
    bool ok = codec::get(in, a) && in.done();
    bool ok2 = codec::decode_binary(codec::type_of<All>(), &b, in2) && in2.done();
    GANTRY_ASSERT(ok == ok2, "both readers agree");
    if (!ok) return 0;
    std::string again;
    codec::put(again, a);
    GANTRY_ASSERT(again == bytes, "one value, one encoding");
    return 0;
}
