#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/codec/binary.h"

namespace gantry::codec {

// Events as JSON by the schema that they were written with, without today's types: for tools that read a log alone. The JSON is that of
// the service, but for what a schema doesn't hold or keep: a sequence number has no prefix, and a personal value that isn't opened is
// {"sealed": subject} or {"erased": subject}.
class EventPrinter {
   public:
    // "event_schema_malformed" when the blob can't be read.
    static Result<EventPrinter> make(std::string_view schema_blob);
    EventPrinter(EventPrinter&&) noexcept;
    EventPrinter& operator=(EventPrinter&&) noexcept;
    ~EventPrinter();

    std::string_view name(std::uint32_t number) const;  // of an event type; empty: the schema has none of this number
    // Appends one object. False when the payload isn't what the schema says; `out` is then as before. No sealer: nothing is opened.
    bool append_json(std::uint32_t number, std::string_view payload, std::string& out, Sealer const* sealer = nullptr) const;

   private:
    struct Events;
    explicit EventPrinter(std::unique_ptr<Events> events);
    std::unique_ptr<Events> events_;
};

}  // namespace gantry::codec
