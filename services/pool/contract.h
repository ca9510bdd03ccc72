#pragma once
#include "services/pool/facts.h"

// What other services may know of the pool: its name and its facts.
namespace gantry::pool {

struct Source {
    using Event = pool::Event;
    static constexpr std::string_view name = "pool";
};

}  // namespace gantry::pool
