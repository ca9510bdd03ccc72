#include "kernel/runtime/log_stream.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "kernel/log/file/tools.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

constexpr auto reader_may_rest = std::chrono::seconds(60);

// Between the thread that reads the log and the one that has the connection: at most the connection's own buffer is under way.
class Pipe : public std::enable_shared_from_this<Pipe> {
   public:
    Pipe(http::StreamWriter out, LogStreams const& streams) : out_(std::move(out)), post_(streams.post), io_thread_(out_.io_thread()) {}
    // On the connection's thread, once.
    void open() {
        out_.on_drained([self = weak_from_this()] {
            if (auto pipe = self.lock()) pipe->set(pipe->has_room_);
        });
        out_.on_cancel([self = weak_from_this()] {
            if (auto pipe = self.lock()) pipe->set(pipe->gone_);
        });
    }
    // On the reader's thread.
    Result<void> write(std::string_view bytes) {
        std::unique_lock lock(mutex_);
        has_room_ = false;
        post_(io_thread_, [self = shared_from_this(), piece = std::string(bytes)] {
            if (self->out_ && self->out_.write(piece)) self->set(self->has_room_);
        });
        if (!changed_.wait_for(lock, reader_may_rest, [&] { return has_room_ || gone_; }))
            return fail(503, "client_gone", "the reader of a log took nothing for a minute");
        return gone_ ? Result<void>(fail(499, "client_gone", "the reader of a log has gone")) : Result<void>();
    }
    void end(bool whole) {
        post_(io_thread_, [self = shared_from_this(), whole] {
            if (whole && self->out_) self->out_.end();
            self->out_ = {};  // without an end the connection breaks, and the reader sees that it isn't whole
        });
    }

   private:
    void set(bool& what) {
        std::lock_guard guard(mutex_);
        what = true;
        changed_.notify_all();
    }
    http::StreamWriter out_;
    std::function<void(int, std::move_only_function<void()>)> post_;
    int io_thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool has_room_ = false, gone_ = false;
};

}  // namespace

std::vector<Admin::Route> routes_of(LogStreams const& streams) {
    auto send = [streams](Admin::Asked const& asked, http::Exchange& exchange) {
        auto const directory = streams.directory_of(asked.rest);
        if (directory.empty())
            return exchange.response().problem({404, "log_not_found", "this site has no service of this name with a log on a disk"});
        auto out = exchange.response().begin(200).header("Content-Type", "application/octet-stream").no_compression().stream();
        auto pipe = std::make_shared<Pipe>(std::move(out), streams);
        pipe->open();
        streams.background([pipe, directory, &disk = streams.disk] {
            auto sent = log::export_log(disk, directory, [&](std::string_view bytes) { return pipe->write(bytes); });
            if (!sent)
                observe::log_line(observe::Level::warning, "log", "a log was not sent whole",
                                  {{"directory", directory}, {"code", sent.error().code}, {"cause", sent.error().cause}});
            pipe->end(sent.has_value());
        });
    };
    return {{http::Method::Get, "logs/", Admin::Where::at_once, {}, send}};
}

}  // namespace gantry::runtime
