#pragma once
#include <functional>
#include <memory>
#include <utility>

#include "kernel/base/result.h"
#include "kernel/log/log.h"

namespace gantry {

// Events of a service's own log, read one after another at positions that its state points at. None may be beyond `Ctx::durable`: nobody
// was told of what comes after it.
template <class Event>
class Events {
   public:
    using Read = std::function<Result<std::shared_ptr<void const>>(log::Position)>;
    explicit Events(Read read) : read_(std::move(read)) {}

    // Stands until the next one is read; null: the log has it no more. Fails with what makes the log unreadable.
    Result<Event const*> at(log::Position position) {
        TRY_ASSIGN(held_, read_(position));
        return static_cast<Event const*>(held_.get());
    }

   private:
    Read read_;
    std::shared_ptr<void const> held_;
};

}  // namespace gantry
