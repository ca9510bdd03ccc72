#pragma once
// One connection of a StreamServer, and what connections share. Inside kernel/net: stream.cpp accepts, stream_connection.cpp reads and
// writes.
#include <atomic>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kernel/net/asio.h"
#include "kernel/net/stream.h"

namespace gantry::net {

using StreamSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
inline std::int64_t steady_now_us() { return system_clock().steady_ns() / 1000; }
inline void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) { counter.fetch_add(by, std::memory_order_relaxed); }

class StreamConnection;

// What outlives the server as long as a connection does.
struct StreamCore {
    IoThreads& threads;
    StreamLimits const limits;
    StreamServer::MakeSession const make;
    std::vector<std::set<StreamConnection*>> shards;  // each of its IO thread alone
    std::vector<std::unique_ptr<std::atomic<std::size_t>>> open_on;
    std::atomic<std::uint64_t> open{0}, accepted{0}, refused{0}, timeouts{0}, received{0}, sent{0};
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::condition_variable none_open;

    StreamCore(IoThreads& t, StreamLimits l, StreamServer::MakeSession m) : threads(t), limits(std::move(l)), make(std::move(m)) {
        shards.resize(std::size_t(t.count()));
        for (int i = 0; i < t.count(); ++i) open_on.push_back(std::make_unique<std::atomic<std::size_t>>(0));
    }
};

class StreamConnection final : public Stream, public std::enable_shared_from_this<StreamConnection> {
   public:
    StreamConnection(std::shared_ptr<StreamCore> core, int thread, StreamSocket socket)
        : core_(std::move(core)), thread_(thread), socket_(std::move(socket)), heard_us_(steady_now_us()), taken_us_(heard_us_) {}

    void start(bool refused);
    void stop() {
        if (shut_) return end();
        if (session_) session_->stop();
    }
    void tick(std::int64_t at_us);
    void end();

    int io_thread() const override { return thread_; }
    std::string const& peer_address() const override { return address_; }
    void write(std::string_view bytes) override;
    void close() override;
    bool is_full() const override { return unsent() > core_->limits.write_buffer_bytes; }
    void resume() override;

   private:
    std::size_t unsent() const { return out_.size() - sent_; }
    bool reads() const { return !dead_ && !eof_ && (shut_ || (!closing_ && held().size() < core_->limits.held_bytes && !is_full())); }
    std::string_view held() const { return std::string_view(in_).substr(taken_); }  // that came and wasn't taken
    void wait_readable();
    void read_some();
    void take(std::string_view fresh);
    void deliver();
    void forget_taken();
    void flush();
    void wait_writable();
    void shut();

    std::shared_ptr<StreamCore> core_;
    int thread_;
    StreamSocket socket_;
    std::shared_ptr<StreamSession> session_;
    std::string address_, in_, out_;
    std::size_t sent_ = 0, taken_ = 0;  // of out_, of in_
    bool reading_ = false, writing_ = false, flush_posted_ = false, delivering_ = false, again_ = false;
    bool eof_ = false, closing_ = false, shut_ = false, dead_ = false;
    std::int64_t heard_us_, taken_us_, shut_us_ = 0;
};

}  // namespace gantry::net
