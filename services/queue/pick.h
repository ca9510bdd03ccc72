#pragma once
#include "services/queue/state.h"

// What runs next. Of a queue the key whose turn it is (fair shares, weighted), of that key the most urgent task; of several queues the most
// urgent of those tasks. Limits and rates hold for everything that is picked together.
namespace gantry::queue {

class Picker {
   public:
    // `queues`: names; those that nobody knows have nothing.
    Picker(State const& s, std::vector<std::string_view> queues, std::string_view worker, Time now);
    // The slot of the next task; State::none: nothing may start now.
    std::uint32_t next();

   private:
    struct Lane {
        std::uint64_t order = 0;
        std::uint32_t lane = 0;
        std::uint64_t step = 0;            // what a start adds to its share
        std::int64_t may_start = 0;        // by its limit and rate
        std::vector<std::uint32_t> heads;  // slots, the next one first; filled as needed
        std::size_t taken = 0;
    };
    struct Queue {
        QueueRow const* row = nullptr;
        std::int64_t may_start = 0;
        bool opened = false;
        std::vector<Lane> lanes;
    };
    // The lane whose turn it is; null: none.
    Lane* turn(Queue& queue);
    void open(Queue& queue);
    std::uint32_t head(Lane& lane);

    State const& s_;
    Time now_;
    std::vector<Queue> queues_;
};

}  // namespace gantry::queue
