// Any bytes as commands on accounts.
#include "kernel/testing/fuzz/steer.h"
#include "services/accounts/accounts.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry;
    accounts::Settings settings;
    settings.password_memory_mib = 1, settings.password_passes = 1;
    gantry::testing::steer<accounts::Service>(data, size, settings);
    return 0;
}
