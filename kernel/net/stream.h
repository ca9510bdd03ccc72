#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/net/endpoint.h"
#include "kernel/net/net.h"

// A TCP server for protocols that aren't HTTP: connections are streams of bytes to sessions. A connection lives on one IO thread, where all
// that is said here happens unless another thread is named.
namespace gantry::net {

// Each with what happens beyond it.
struct StreamLimits {
    std::size_t connections = 1000;                    // `full` is said, and the connection closed
    std::size_t held_bytes = 256 * 1024;               // that came and weren't taken: nothing more is read
    std::size_t write_buffer_bytes = 256 * 1024;       // that the peer doesn't take: the session is given nothing more
    Duration idle_timeout = {};                        // without a byte, while the session isn't busy: closes. 0: never
    Duration partial_timeout = Duration::seconds(30);  // without a byte, in the middle of something: closes
    Duration write_timeout = Duration::seconds(30);    // without a byte taken by the peer: it is cut
    std::string full = {};
};

// One connection, as its session holds it.
class Stream {
   public:
    virtual ~Stream() = default;
    virtual int io_thread() const = 0;
    virtual std::string const& peer_address() const = 0;  // "127.0.0.1", "::1"
    // What is written in one turn goes out together. Nothing happens once the connection has ended.
    virtual void write(std::string_view bytes) = 0;
    // Once all that was written is sent. Nothing is received from here on.
    virtual void close() = 0;
    // More than StreamLimits::write_buffer_bytes wait for the peer.
    virtual bool is_full() const = 0;
    // receive() is asked again about what it didn't take. Within receive(): once it returns.
    virtual void resume() = 0;
};

class StreamSession {
   public:
    virtual ~StreamSession() = default;
    // What came and wasn't taken yet; says how much of it is done with. `last`: the peer sends no more, and the session must close the
    // stream once everything is answered. Never called again for the same bytes unless more came, or after Stream::resume.
    virtual std::size_t receive(std::string_view bytes, bool last) = 0;
    // Something is under way, so that a silent peer isn't idle.
    virtual bool busy() const = 0;
    // The server stops: ends what waits, finishes what runs, then closes the stream.
    virtual void stop() = 0;
    // The connection has gone, whoever ended it. Called once; nothing else is called after it.
    virtual void ended() = 0;
};

class StreamServer {
   public:
    using MakeSession = std::function<std::shared_ptr<StreamSession>(std::shared_ptr<Stream>)>;
    // `threads` outlive it; `make` is called on IO threads, by several at once. Null: the connection ends.
    StreamServer(IoThreads& threads, StreamLimits limits, MakeSession make);
    ~StreamServer();  // stop(0)
    StreamServer(StreamServer const&) = delete;
    StreamServer& operator=(StreamServer const&) = delete;

    // The bound port. 500 "listen_failed".
    Result<std::uint16_t> listen(Endpoint const& at);
    // Accepts no more, tells each session to stop, and cuts what is left after `limit`. Not from an IO thread. True: nothing was cut.
    bool stop(Duration limit);

    // Any thread.
    struct Stats {
        std::uint64_t open = 0, accepted = 0, refused = 0, timeouts = 0, received_bytes = 0, sent_bytes = 0;
    };
    Stats stats() const;

    struct Impl;

   private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::net
