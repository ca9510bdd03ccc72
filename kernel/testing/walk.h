#pragma once
#include <functional>
#include <string_view>

#include "kernel/codec/type.h"

namespace gantry::testing {

// Visits a value and everything inside it, the outermost first. `field` is the name of the record's member nearest around it.
using Visit = std::function<void(codec::Type const&, void* value, std::string_view field)>;
void walk(codec::Type const& type, void* value, Visit const& visit, std::string_view field = {});
// The same for a value that the visitor only reads.
using Look = std::function<void(codec::Type const&, void const* value, std::string_view field)>;
void walk(codec::Type const& type, void const* value, Look const& look, std::string_view field = {});

}  // namespace gantry::testing
