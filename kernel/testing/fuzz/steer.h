#pragma once
#include <gtest/gtest.h>

#include <string_view>

#include "kernel/testing/harness.h"

namespace gantry::testing {

// A service under commands that a fuzzer's bytes steer; the laws are checked at the end. Whatever fails ends the process.
template <class Service>
void steer(std::uint8_t const* data, std::size_t size, auto const&... settings) {
    static constexpr std::size_t bytes_max = 1000;
    GTEST_FLAG_SET(break_on_failure, true);
    Harness<Service> harness(settings...);
    harness.commands_from({reinterpret_cast<char const*>(data), std::min(size, bytes_max)});
}

}  // namespace gantry::testing
