// Any bytes as an envelope and as an event: no crash; views lie inside of the body; a report holds to its limits, is stored as it was read,
// and has a fingerprint.
#include "services/oops/classify.h"
#include "services/oops/fingerprint.h"
#include "services/oops/oops_dict.h"
#include "services/oops/sentry_auth.h"
#include "services/oops/sentry_intake.h"

namespace gantry::oops {
namespace {

void stored(Report report) {
    if (report.id.empty()) report.id = "OOPS-1X1";  // as the service gives one
    std::string bytes;
    codec::put(bytes, report);
    Report back;
    ByteReader in(bytes);
    GANTRY_ASSERT(codec::get(in, back) && back == report, "a report is stored as it is");
    auto const json = codec::to_json(report);
    GANTRY_ASSERT(codec::from_json<Report>(json, {.depth_max = 256}), "a report keeps to its limits");
    GANTRY_ASSERT(fingerprint(report) == fingerprint(back), "a fingerprint is a function");
    facts_of(report);
    title_of(report);
}

void envelope(std::string_view body) {
    auto const read = split_envelope(body);
    if (!read) return;
    for (auto const& item : read->items) {
        bool const inside = item.payload.empty() || (item.payload.data() >= body.data() && item.payload.end() <= body.end());
        GANTRY_ASSERT(inside, "a payload is of the body");
    }
    for (auto const& report : read_items(*read, {}).reports) stored(report);
    (void)sentry_caller(body, body, read->dsn);
}

}  // namespace
}  // namespace gantry::oops

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const body(reinterpret_cast<char const*>(data), size);
    gantry::oops::envelope(body);
    if (auto const report = gantry::oops::read_sentry_event(body, {})) gantry::oops::stored(*report);
    return 0;
}
