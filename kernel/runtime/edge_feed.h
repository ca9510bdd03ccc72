#pragma once
#include <memory>
#include <string>

#include "kernel/http/server.h"
#include "kernel/net/net.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/feed.h"

namespace gantry::runtime {

// One request to a feed, on its IO thread: a page (application/json; cloudevents-batch+json: the events alone), which may wait for an
// event; all there is as lines (application/x-ndjson); or a stream of events that goes on for ever (text/event-stream; lines with `live`).
// It reads the log in small turns, never ahead of the client by more than a buffer.
class Edge::Feed : public std::enable_shared_from_this<Feed> {
   public:
    static constexpr Duration wait_max = Duration::seconds(60), heartbeat = Duration::seconds(15);
    static constexpr std::uint64_t examined_max = 1 << 14;  // events that one page looks at in search of those that are wanted

    // Problems of what was asked: 400 "request_invalid", 400 "after_ahead".
    static Result<std::shared_ptr<Feed>> make(Edge& edge, Asked const& asked);
    void open(http::Deferred deferred);
    // Something new is durable.
    void wake();
    void move();
    void drop_if_ended();  // its caller

   private:
    enum class Form { page, batch, lines, stream };
    Feed(Edge& edge, Asked const& asked);
    void step();
    void go_on(bool more);
    Result<std::span<log::BatchView const>> next_run();
    bool turn();  // false: nothing more for now
    void at_end();
    void park();
    void unpark();
    void later(std::function<void()> task);
    void write();
    void answer_page();
    void finish();
    void fail_with(Problem const& problem);
    bool is_page() const { return form_ == Form::page || form_ == Form::batch; }
    FeedEncoder::Frame frame() const;

    Edge& edge_;
    Host& host_;
    int io_thread_;
    EdgeCallerRef const caller_;
    FeedInput input_;
    Form form_ = Form::page;
    bool endless_ = false;
    FeedEncoder encoder_;
    std::string request_id_;
    http::Deferred deferred_;
    http::StreamWriter out_;
    std::string text_;
    std::unique_ptr<log::Log::Reader> reader_;
    std::span<log::BatchView const> run_;
    Position began_at_ = 0;
    std::uint64_t watcher_ = 0;  // 0: not parked
    net::Timer waiting_;
    bool done_ = false, complete_ = false, more_room_ = true, waits_for_rights_ = false, timed_ = false;
    std::optional<std::string> why_;
};

}  // namespace gantry::runtime
