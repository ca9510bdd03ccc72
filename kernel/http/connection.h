#pragma once
// The connection and what its thread shares. Inside kernel/http: connection.cpp reads, response.cpp writes, server.cpp accepts.
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/http/gzip.h"
#include "kernel/http/head_reader.h"
#include "kernel/http/parse.h"
#include "kernel/http/server.h"
#include "kernel/http/tls.h"
#include "kernel/net/asio.h"

namespace gantry::http {
namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using LoopTimer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

inline std::int64_t steady_now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Written by one thread, read by any.
struct Counters {
    std::atomic<std::uint64_t> accepted{0}, refused{0}, requests{0}, requests_refused{0}, timeouts{0}, received{0}, sent{0};
};
inline void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

struct Core;

// What the connections of one IO thread share. Touched on that thread alone, but for `open`.
struct Shard {
    Core* core = nullptr;
    int index = 0;
    asio::io_context* context = nullptr;
    Connection* first = nullptr;  // intrusive list
    std::vector<Connection*> dirty;
    std::vector<Connection*> flushing;
    bool batching = false;
    bool flush_scheduled = false;
    std::int64_t turn_us = 0;  // while `batching`: when it began
    std::string date_line;     // "Date: …\r\n"
    std::int64_t date_at_us = INT64_MIN / 2;
    std::string scratch;  // a body before its compression
    std::string ignored;  // what is written to a connection that has gone
    std::atomic<std::size_t> open{0};
    Counters counters;

    void refresh_date(std::int64_t now_us);
    void flush_dirty();
    template <class Act>
    void each(Act act);
};

// What outlives the Server as long as a connection or handle does.
struct Core : std::enable_shared_from_this<Core> {
    net::IoThreads& threads;
    Handler& handler;
    ServerConfig config;
    std::vector<std::unique_ptr<Shard>> shards;
    std::atomic<bool> stopping{false};
    std::atomic<std::size_t> open{0};  // connections, refused ones included
    std::atomic<bool> cut{false};      // stop() had to cut a connection
    std::mutex mutex;
    std::condition_variable none_open;
    TlsContext tls;  // guarded by mutex

    Core(net::IoThreads& t, Handler& h, ServerConfig c) : threads(t), handler(h), config(std::move(c)) {}
};

// Bytes received and not yet used, in one piece, with 64 readable bytes behind.
class ReadBuffer {
   public:
    std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t n) { begin_ += n; }
    char* room(std::size_t wanted);  // may move what is held
    std::size_t room_size() const { return capacity_ - end_; }
    void received(std::size_t n) { end_ += n; }
    std::size_t size() const { return end_ - begin_; }
    void rest();  // between requests: give back an unusually large buffer
    void clear() { begin_ = end_ = 0; }
    void release() { data_.reset(), begin_ = end_ = capacity_ = 0; }

   private:
    std::unique_ptr<char[]> data_;
    std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

// One request in flight and its answer.
struct Slot {
    enum class Phase : std::uint8_t { Open, Begun, Streaming, Done };
    Phase phase = Phase::Open;
    bool head_request = false, http10 = false, keep_alive = true, accepts_gzip = false;
    bool compressible = false, no_compression = false;
    bool chunked = false, until_close = false, wants_drained = false;
    bool deferred = false;
    int status = 0;
    std::uint64_t remaining = 0;  // of a stream of known length
    std::int64_t heartbeat_us = 0, next_heartbeat_us = 0;
    std::string out;  // the answer while it is not its turn
    std::unique_ptr<Deflater> deflater;
    std::function<void()> on_cancel, on_drained;
    std::shared_ptr<Witness> witness;
    Ticket* ticket = nullptr;
    std::int64_t arrived_us = 0;
    std::size_t begun_at = 0;  // of `out`
    std::uint64_t bytes = 0;
    std::string added;  // headers
    void reset();
};

class Connection {
   public:
    Connection(std::shared_ptr<Core> core, Shard& shard, Socket socket, TlsContext tls, bool refused);
    ~Connection();

    void start();
    // Before start(): all targets are below it.
    void mount_at(std::shared_ptr<std::string const> mount) { mount_ = std::move(mount); }
    void ref() { ++references_; }
    void unref() {  // on the thread
        if (--references_ == 0) delete this;
    }

    // --- answers (response.cpp) ---
    Slot* slot(std::uint64_t sequence) { return sequence - first_ < next_ - first_ ? &ring_[sequence & (ring_.size() - 1)] : nullptr; }
    std::string& target(std::uint64_t sequence) {
        if (sequence == first_) return out_;
        Slot* s = slot(sequence);
        return s ? s->out : (shard_.ignored.clear(), shard_.ignored);
    }
    void finish(std::uint64_t sequence);
    void end_headers(Slot& s, std::string& out);
    std::size_t pending_bytes(std::uint64_t sequence);
    void release_handle(std::uint64_t sequence, bool writer);
    void problem(std::uint64_t sequence, Problem const& problem, bool close);
    void mark_dirty();
    void flush();
    void flush_unless_advancing() {  // it flushes at its end
        if (!advancing_) flush();
    }
    // Its last answer may be sent at the end of this turn of the loop, with those of others.
    void let_wait() { may_wait_ = true; }
    void wake();
    void kill();
    void resume_body();
    void resume_arrival();
    std::shared_ptr<void>& seat() { return seat_; }
    // Where no request is here, nor came within `quiet`.
    void close_when_idle(Duration quiet = {});
    void tick(std::int64_t now_us);
    void heartbeat(std::int64_t now_us);
    bool gone() const { return gone_.load(std::memory_order_relaxed); }
    Shard& shard() { return shard_; }
    Core& core() { return *core_; }
    bool on_thread() const { return core_->threads.current() == shard_.index; }
    std::shared_ptr<Core> const& shared_core() const { return core_; }
    int thread_index() const { return shard_.index; }

    Connection* next = nullptr;
    Connection** link = nullptr;

    void set_sink(std::uint64_t sequence, std::shared_ptr<BodySink> sink);
    Connection* pin() { return ref(), this; }
    bool dirty = false;

   private:
    enum class Reading : std::uint8_t { Head, Held, Whole, Stream, Discard, Linger };
    using Awaitable = asio::awaitable<void, Executor>;

    // What it calls is not inlined: locals of what is would stay in its frame for as long as the connection is open.
    Awaitable run();
    [[gnu::noinline]] bool wants_input() const;
    [[gnu::noinline]] bool may_be_silent() const;
    [[gnu::noinline]] void rest();
    [[gnu::noinline]] asio::mutable_buffer room_to_read();
    [[gnu::noinline]] void on_read(boost::system::error_code const& error, std::size_t n);
    [[gnu::noinline]] void go_on();
    void on_bytes(std::size_t n);
    void decrypt(std::string_view cipher);
    void advance();
    bool step();
    bool read_head();
    bool parse_head(std::size_t head_size);
    void start_request();
    void plan_request();
    void start_body(BodyPlan plan);
    bool start_inflater(std::uint64_t limit_bytes);
    void start_whole();
    void start_stream();
    void start_unwanted();
    void keep_head();
    void mount_head();
    void say_continue();
    bool read_body();
    bool read_in_place();
    Refusal take(std::string_view data);
    Refusal body_finished();
    void dispatch(std::string_view body);
    void end_request();
    void refuse(Refusal const& refusal);
    void abort_body(Refusal const& refusal);
    void stop_reading();
    void peer_closed();
    void timed_out();
    void pop_ready();
    std::uint64_t new_slot();
    void update_deadline(bool progress);
    void send_some();
    void flush_with_others();
    void wait_writable();
    bool encrypt_some();
    void drained();
    void finish_close();
    void cancel_slots();
    void end_ticket(Slot& slot, bool cut);
    void abort_sink(Problem const& why);
    std::size_t unsent() const { return out_.size() - sent_ + cipher_.size() - cipher_sent_; }

    std::shared_ptr<Core> core_;
    Shard& shard_;
    Limits const& limits_;
    Socket socket_;
    LoopTimer pause_;
    bool paused_ = false;
    std::unique_ptr<TlsFilter> tls_;
    std::string raw_in_;  // cipher text as received
    std::atomic<int> references_{0};

    ReadBuffer in_;
    HeadScanner scanner_;
    HeadReader reader_;
    RequestHead head_;
    BodyDecoder decoder_;
    std::optional<Inflater> inflater_;
    std::string body_;
    Reading reading_ = Reading::Head;
    std::size_t head_size_ = 0;
    std::string head_kept_;                     // the head while its body is read
    std::shared_ptr<std::string const> mount_;  // null: none
    std::string mounted_;                       // the target of the request being read, below it
    std::uint64_t body_limit_ = 0, body_bytes_ = 0;
    bool in_place_ = false;  // the body of known size stays in the read buffer
    std::shared_ptr<BodySink> sink_;
    bool sink_paused_ = false, sink_resumed_ = false;
    std::uint64_t current_ = 0;  // the request being read

    std::vector<Slot> ring_;  // a power of two
    std::uint64_t first_ = 0, next_ = 0;

    std::string out_, cipher_;
    std::size_t sent_ = 0, cipher_sent_ = 0;
    bool write_waiting_ = false;
    bool advancing_ = false;
    bool last_request_ = false;  // no further request is read
    bool closing_ = false;       // close once everything is sent
    bool shut_ = false;          // our side is closed, the peer's rest is thrown away
    bool refused_ = false;
    bool dead_ = false;
    bool peer_eof_ = false;
    bool got_request_ = false;
    std::atomic<bool> gone_{false};
    bool head_started_ = false;
    std::int64_t read_deadline_us_ = INT64_MAX, write_deadline_us_ = INT64_MAX;
    std::int64_t now_us_ = 0;
    bool now_is_now_ = false;  // nothing has taken time since
    bool may_wait_ = false;

    std::string peer_address_;
    std::vector<std::string> certificate_names_;
    Peer peer_;
    std::shared_ptr<void> seat_;
    bool arrival_resumed_ = false;
};

// Any of them may end any other meanwhile.
template <class Act>
void Shard::each(Act act) {
    std::vector<Connection*> all;
    for (Connection* c = first; c; c = c->next) c->ref(), all.push_back(c);
    for (Connection* c : all) {
        act(*c);
        c->unref();
    }
}

}  // namespace gantry::http
