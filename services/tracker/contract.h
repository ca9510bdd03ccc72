#pragma once
#include "services/tracker/facts.h"

// What other services may know of the tracker: its name and its facts.
namespace gantry::tracker {

struct Source {
    using Event = tracker::Event;
    static constexpr std::string_view name = "tracker";
};

}  // namespace gantry::tracker
