#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/codec/any_value.h"
#include "kernel/runtime/host.h"

// The event feed: what a service recorded, in order, as CloudEvents 1.0 in JSON. An event's id is its position; its type is the service's
// name and the event's; its subject is the first member of the event, which for most is the id of what it happened to.
namespace gantry::runtime {

// What a request to /<service>/v1/events may say.
struct FeedInput {
    static constexpr bool has_defaults = true;
    std::optional<std::string> after;  // a position: events behind it; absent: from the beginning
    Limit limit = 100;                 // of a page
    std::vector<std::string> type;     // only these
    std::optional<std::string> subject;
    Duration wait = {};  // a page without events waits so long for one; at most a minute
    BOOST_DESCRIBE_CLASS(FeedInput, (), (after, limit, type, subject, wait), (), ())
};

struct CloudEvent {
    std::string specversion, id, source, type;
    std::optional<std::string> subject;
    Time time = {};
    codec::RawJson data;
    BOOST_DESCRIBE_CLASS(CloudEvent, (), (specversion, id, source, type, subject, time, data), (), ())
};

// The position in a text as Gantry-Position gives it; nothing: it is none.
std::optional<Position> position_of(std::string_view text);

// Turns batches into events, as far as a filter and the viewer's rights let them through. One thread.
class FeedEncoder {
   public:
    FeedEncoder(Host& host, Viewer viewer);

    // 400 "request_invalid" for a type that the service doesn't have.
    Result<void> filter(FeedInput const& input);
    // Appends up to `limit` events of a batch behind position(), each followed by `separator`; false when the batch has more. Fails like a
    // replay does.
    enum class Frame { array, lines, sse };
    Result<bool> take(log::BatchView const& batch, Frame frame, std::uint64_t limit, std::string& out);
    // Appends the event that says what is missing: `reason` is "retention" or "history".
    void gap(std::string_view reason, std::string_view after, Position next, Frame frame, std::string& out);

    // Where to begin to read behind `after` ("": what the log begins with), with a gap in front where what was asked for is not there.
    // 400 "request_invalid", 400 "after_ahead".
    Result<Position> begin_behind(std::string_view after, Frame frame, std::string& out);
    // Values that are about a person are left out.
    void mask_personal() { masks_personal_ = true; }
    // Events carry who caused them, too, as "gantrycaller": for followers.
    void tell_callers() { tells_callers_ = true; }

    Position position() const { return position_; }  // of the last event that was looked at
    void start_behind(Position position) { position_ = position; }
    std::uint64_t count() const { return count_; }  // events appended so far
    // The newest state by which it was judged what the viewer may see: durable before anything is told.
    Position rights_at() const { return rights_at_; }

   private:
    Result<void> know(log::BatchView const& batch);
    Result<bool> decode(std::uint32_t number, std::string_view payload);  // into event_; false: it may be skipped
    bool is_wanted(std::size_t alternative);
    bool is_visible();
    void append(Position position, std::size_t alternative, Frame frame, std::string& out);
    void begin_frame(std::string_view name, Position position, Frame frame, std::string& out) const;
    static void end_frame(Frame frame, std::string& out);

    Host& host_;
    Viewer const viewer_;
    codec::AnyValue event_;
    std::string const start_;         // of an event's text, up to the position in its id
    std::vector<std::string> kinds_;  // by alternative: its source and type
    std::unique_ptr<codec::EventReader> reader_;
    std::uint64_t reader_id_ = 0;
    std::vector<bool> types_;  // by alternative; empty: all
    std::optional<std::string> subject_;
    bool tells_callers_ = false, masks_personal_ = false;
    std::string subject_now_, time_text_;
    std::string_view caller_;  // of the batch at hand
    Time time_{-1};
    Position position_ = 0;
    std::uint64_t count_ = 0;
    Position rights_at_ = 0;
};

}  // namespace gantry::runtime
