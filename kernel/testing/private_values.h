#pragma once
#include <string>
#include <vector>

#include "kernel/codec/type.h"

namespace gantry::testing {

// The Secret and Personal texts of requests, to look for where they must not be. Texts below `chars_min` bytes are in anything.
struct PrivateValues {
    static constexpr std::size_t chars_min = 4;
    std::vector<std::string> secrets, personal;
    void learn(codec::Type const& type, void const* value);
};

}  // namespace gantry::testing
