// Any bytes as BSON: no crash; what is accepted is written to a document that reads the same, as BSON and as JSON; a report made of it
// round trips.
#include "services/oops/oops_dict.h"

namespace gantry::oops {
namespace {

void round_trips(std::string_view bytes) {
    auto const read = read_bson(bytes, {.values_max = 2000});
    if (!read) return;
    auto const written = write_bson(*read);
    auto const again = read_bson(written);
    GANTRY_ASSERT(again && write_bson(*again) == written, "a document round trips");
    std::string json;
    append_json(json, *read);
    GANTRY_ASSERT(codec::JsonTree::read(json, {.depth_max = 256}), "its JSON is JSON");
    auto const report = report_of_oops(*read, {});
    if (!report) return;
    auto const back = report_of_oops(oops_of_report(*report), {});
    GANTRY_ASSERT(back && codec::to_json(*back) == codec::to_json(*report), "a report round trips");
}

}  // namespace
}  // namespace gantry::oops

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    gantry::oops::round_trips({reinterpret_cast<char const*>(data), size});
    return 0;
}
