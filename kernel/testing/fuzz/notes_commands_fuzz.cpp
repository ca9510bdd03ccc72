// Any bytes as commands on the notes of the kernel's tests.
#include "kernel/runtime/notes_for_test.h"
#include "kernel/testing/fuzz/steer.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    gantry::testing::steer<gantry::notes::Service>(data, size);
    return 0;
}
