#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/codec/schema_json.h"
#include "kernel/log/log.h"

namespace gantry::app {

// A place in a log as people give it: a position, or a time.
struct LogPlace {
    std::optional<log::Position> position;
    std::optional<Time> time;
};
Result<LogPlace> parse_log_place(std::string_view text);  // "17" or RFC 3339

struct EventFilter {
    LogPlace from, to;               // both inclusive
    std::vector<std::string> types;  // empty: all
    bool without_events = false;     // show batches that hold none, too: a writer's turn, a new history, a checkpoint
};

enum class LineForm { json, people };

// Events of a log as lines, each decoded by the schema of its segment.
//   json:   {"position":1,"time":"…","caller":"u_ann","request_id":"…","type":"created","data":{…}}
//   people: the same in columns
// An event that its own schema doesn't explain has "payload" in base64 instead of "data", and counts as unreadable.
class EventLines {
   public:
    EventLines(EventFilter filter, LineForm form) : filter_(std::move(filter)), form_(form) {}
    // Calls `line` for each line that the filter lets through; false as soon as that returns false, or when nothing behind can match.
    template <class Line>
    bool batch(log::BatchView const& batch, Line&& line) {
        if (past_end(batch)) return false;
        if (batch.count == 0) return !filter_.without_events || !lets_through(batch, batch.first) || line(without_events(batch));
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            auto number = std::uint32_t(in.varint());
            auto payload = in.string();
            auto text = event(batch, batch.first + i, number, payload);
            if (!text.empty() && !line(text)) return false;
        }
        return true;
    }
    std::uint64_t unreadable() const { return unreadable_; }

   private:
    bool past_end(log::BatchView const& batch) const;
    bool lets_through(log::BatchView const& batch, log::Position position) const;
    std::string event(log::BatchView const& batch, log::Position position, std::uint32_t number, std::string_view payload);
    std::string without_events(log::BatchView const& batch) const;
    codec::EventPrinter const* printer(log::BatchView const& batch);  // null: its schemas can't be read
    EventFilter filter_;
    LineForm form_;
    std::map<std::uint64_t, std::optional<codec::EventPrinter>> printers_;  // by schemas_id
    std::uint64_t unreadable_ = 0;
};

}  // namespace gantry::app
