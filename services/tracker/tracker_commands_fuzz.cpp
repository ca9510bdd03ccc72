// Any bytes as commands on the tracker, with a window, so that time takes runs away, and without.
#include "kernel/testing/fuzz/steer.h"
#include "services/tracker/tracker.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    if (size == 0) return 0;
    tracker::Settings settings;
    if (data[0] & 1) settings.window = Duration::seconds(600);
    gantry::testing::steer<tracker::Service>(data + 1, size - 1, settings);
    return 0;
}
