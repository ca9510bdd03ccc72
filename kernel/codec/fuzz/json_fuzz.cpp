// Any bytes as JSON: no crash, and what is accepted encodes to text that decodes to the same.
#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_check.h"
#include "kernel/codec/sample.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    using codec::sample::Transient;
    std::string_view text(reinterpret_cast<char const*>(data), size);
    if (auto raw = codec::from_json<codec::RawJson>(text)) GANTRY_ASSERT(!codec::check_json(raw->text, 32), "raw JSON stays JSON");
    auto value = codec::from_json<Transient>(text);
    if (!value) return 0;
    GANTRY_ASSERT(!codec::check_json(text, 32), "only JSON is accepted");
    std::string again = codec::to_json(*value);
    auto back = codec::from_json<Transient>(again);
    GANTRY_ASSERT(back && codec::to_json(*back) == again, "accepted values round trip");
    return 0;
}
