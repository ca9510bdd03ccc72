#pragma once
#include "services/queue/enqueue.h"
#include "services/queue/facts.h"

// What other services may know of the queue: its name, its facts, and how an effect puts a task into it.
namespace gantry::queue {

struct Source {
    using Event = queue::Event;
    static constexpr std::string_view name = "queue";
};

}  // namespace gantry::queue
