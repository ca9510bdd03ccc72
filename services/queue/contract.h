#pragma once
#include "services/queue/facts.h"

// What other services may know of the queue: its name and its facts.
namespace gantry::queue {

struct Source {
    using Event = queue::Event;
    static constexpr std::string_view name = "queue";
};

}  // namespace gantry::queue
