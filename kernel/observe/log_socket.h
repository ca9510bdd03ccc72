#pragma once
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

// Frames to a socket of another program, without ever waiting for it: a bounded queue, non-blocking calls, and back-off where nobody
// answers. One thread at a time.
namespace gantry::observe {

struct SocketAddress {
    enum class Kind : std::uint8_t { unix_datagram, udp, tcp };
    Kind kind = Kind::unix_datagram;
    sockaddr_storage address = {};
    socklen_t length = 0;
    std::string text;  // as it was written
};
// A path of at most 107 bytes.
Result<SocketAddress> unix_address(std::string_view path);
// "HOST:PORT" or "[IPv6]:PORT". A name is looked up here and now, which may take seconds, and never again.
Result<SocketAddress> network_address(SocketAddress::Kind kind, std::string_view host_and_port);

class LogSocket {
   public:
    // What becomes of a datagram that is too large: `by_memfd` sends it as a sealed file, as journald takes them.
    enum class Oversize : std::uint8_t { lose, by_memfd };
    static constexpr std::size_t pending_bytes_max = 1 << 20;
    static constexpr Duration backoff_min = Duration::millis(250), backoff_max = Duration::seconds(30);
    static constexpr Duration connect_time_max = Duration::seconds(10);

    LogSocket(Clock const& clock, SocketAddress address, Oversize oversize = Oversize::lose);
    ~LogSocket();
    LogSocket(LogSocket const&) = delete;
    LogSocket& operator=(LogSocket const&) = delete;

    // Queues a frame: a datagram, or bytes of a stream. When the queue is full it is lost, and counted.
    void add(std::string_view frame);
    // Sends what goes without waiting. A frame of which a part was sent when the connection broke is sent again, whole. What the other
    // side's machine had taken by then may be lost uncounted.
    void flush();
    // flush(), waiting for up to `patience` in all.
    void flush(Duration patience);
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

   private:
    static constexpr std::size_t frames_a_call = 64;
    enum class Sent : std::uint8_t { some, not_now, broken };
    struct Batch;
    bool is_stream() const { return address_.kind == SocketAddress::Kind::tcp; }
    bool has_pending() const { return front_ < pending_.size(); }
    std::string_view frame_at(std::size_t at) const;
    bool connected();
    bool begin_connecting();
    bool peer_is_gone() const;
    void break_off();
    Sent send_frames(Batch& batch);
    Sent send_stream(Batch& batch);
    Sent send_datagrams(Batch& batch);
    bool send_as_memfd(std::string_view frame);
    void drop_front();

    Clock const& clock_;
    SocketAddress const address_;
    Oversize const oversize_;
    int descriptor_ = -1;
    bool connecting_ = false;
    std::int64_t next_try_ns_ = 0, give_up_ns_ = 0;
    Duration backoff_ = backoff_min;
    std::string pending_;         // each frame behind its length, 32 bits
    std::size_t front_ = 0;       // where the first frame begins that was not sent whole
    std::size_t front_sent_ = 0;  // bytes of it that were; of a stream
    std::atomic<std::uint64_t> lost_{0};
};

}  // namespace gantry::observe
