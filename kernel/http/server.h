#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/http/message.h"
#include "kernel/net/net.h"

// The HTTP/1.1 server: one connection loop, answers in order, every wait and buffer bounded.
//
// Threads. A connection lives on one IO thread. Handler calls, Response, Exchange and StreamWriter::write happen there only; the
// handles Deferred and StreamWriter may be moved between threads and dropped on any. To finish many deferred answers at once, collect
// them by `Deferred::io_thread()` and `Server::post` one function a thread: it wakes each thread once, and each connection is written
// once, after the function returns.
namespace gantry::http {

class Connection;  // inside server.cpp

// A compressible body below this is sent as it is.
inline constexpr std::size_t compress_from_bytes = 1024;

// Limits, each with what happens beyond it.
struct Limits {
    std::size_t target_bytes = 8 * 1024;    // 414 uri_too_long
    std::size_t head_bytes = 32 * 1024;     // request line and headers; 431 header_too_large
    std::size_t header_count = 100;         // 431 header_too_large
    std::size_t chunk_line_bytes = 1024;    // a chunk's size line with its extensions; 400 bad_request
    std::size_t trailer_bytes = 8 * 1024;   // 431 header_too_large
    std::size_t discard_bytes = 64 * 1024;  // unwanted body read and thrown away to keep the connection; more: it closes
    std::size_t inflate_ratio = 200;        // gzip bombs: inflated size over received size (beyond the first 64 KiB); 413 body_too_large
    std::size_t write_buffer_bytes = 256 * 1024;     // above it a stream is told to wait, and no further pipelined request is started
    std::size_t pipelined = 64;                      // requests of one connection in flight; reading pauses
    std::size_t connections = 10'000;                // 503 overloaded, and close
    Duration head_timeout = Duration::seconds(10);   // from accept or the first byte of a request to its last header; 408 timeout
    Duration body_timeout = Duration::seconds(30);   // without one byte of the body; 408 timeout
    Duration idle_timeout = Duration::seconds(75);   // kept-alive connection without a request; closes silently
    Duration write_timeout = Duration::seconds(30);  // without one byte of the answer taken by the peer; closes
};

// What becomes of a request's body, decided from its head.
struct BodyPlan {
    enum class Kind : std::uint8_t {
        None,    // handle() at once; a body is discarded
        Whole,   // handle() when the body is complete; above `limit_bytes`: 413 body_too_large, before or after inflation
        Stream,  // handle() at once; it calls Exchange::receive
        Later,   // nothing more of the connection is read until Arrival::hold's handle is resumed; then arrive() is asked again
    } kind = Kind::None;
    std::uint64_t limit_bytes = 0;
    static BodyPlan none() { return {}; }
    static BodyPlan whole(std::uint64_t limit_bytes = 1024 * 1024) { return {Kind::Whole, limit_bytes}; }
    static BodyPlan stream(std::uint64_t limit_bytes) { return {Kind::Stream, limit_bytes}; }
    static BodyPlan later() { return {Kind::Later, 0}; }
};

struct Peer {
    std::string_view address;  // "127.0.0.1", "::1"
    std::uint16_t port = 0;
    bool is_loopback = false;
    // Of a client certificate that was verified (TlsFiles::client_ca_file): its common name, then its alternative names.
    std::span<std::string const> certificate_names = {};
};

// What became of one exchange.
struct Ended {
    int status = 0;               // 0: none was given
    std::uint64_t bytes = 0;      // of the answer, headers included, as they went to the connection
    std::int64_t arrived_us = 0;  // when its head was read, and when its answer was complete: of the steady clock
    std::int64_t ended_us = 0;
    bool cut = false;  // the connection went before the answer was complete
};
// What a handler keeps of one exchange from its arrival to its end. `finished` is called once, on the IO thread; then nobody holds it.
class Ticket {
   public:
    virtual void finished(Ended const& ended) = 0;
    // When an answer begins: may append headers, each with its line end.
    virtual void answering(int status, std::string& headers) { (void)status, (void)headers; }
    // When the answer turns out to be a stream, which may go on for hours.
    virtual void streaming() {}

   protected:
    ~Ticket() = default;
};

class StreamWriter;

// Writes one answer into the connection's output buffer, or, while earlier answers are outstanding, into one kept for its turn.
// Content-Length, Date, Connection and Content-Encoding are the server's business: don't write them. Call begin, header…, then
// exactly one of body, body_with, empty, stream. With HEAD the body is left out and the headers stay the same.
// gzip: applied when the client accepts it, the body has >= 1 KiB, Content-Type is compressible, and no `no_compression()` was said.
class Response {
   public:
    Response& begin(int status);
    Response& header(std::string_view name, std::string_view value);
    Response& header(std::string_view name, std::uint64_t value);
    Response& no_compression();
    Response& close();  // the connection closes after this answer
    void body(std::string_view bytes);
    // `append(out)` appends the body to `out`, after what is there; Content-Length is filled in afterwards.
    template <class Append>
    void body_with(Append&& append) {
        std::string& out = open_body();
        std::size_t const start = out.size();
        append(out);
        close_body(start);
    }
    void empty();  // no body: Content-Length: 0, or none at all for 1xx, 204 and 304
    // Only for HEAD, 206 and the like: headers with this length, no bytes.
    void empty_with_length(std::uint64_t content_length);
    // A body of unknown length: chunked, or until close for HTTP/1.0.
    StreamWriter stream();
    // A body of known length written piece by piece; ending short of it closes the connection.
    StreamWriter stream(std::uint64_t content_length);
    // Ready bytes from the status line to the end of the body, framing included. The caller answers for HEAD; Date is not added.
    void raw(std::string_view complete_answer);
    // A 200 whose headers and body were put together before: `rest` starts behind the Date, has Content-Length, and is not compressed.
    // The caller answers for HEAD. It is sent at the end of this turn of the loop, with those of other connections.
    void prepared(std::string_view rest);
    void problem(Problem const& problem);  // application/problem+json, with Retry-After when it says so

    bool is_head_request() const;
    bool answered() const;

   private:
    friend class Exchange;
    friend class Deferred;
    friend class Connection;
    Response(Connection* connection, std::uint64_t sequence) : connection_(connection), sequence_(sequence) {}
    std::string& open_body();
    void close_body(std::size_t start);
    Connection* connection_;
    std::uint64_t sequence_;
};

enum class Flow : std::uint8_t { Continue, Pause };

// Receives a streamed request body on the IO thread. After Pause nothing more comes until Deferred::resume_body. Exactly one of on_end,
// on_abort is called last. Data are inflated already when the client sent gzip.
class BodySink {
   public:
    virtual ~BodySink() = default;
    virtual Flow on_data(std::string_view bytes) = 0;
    virtual void on_end() = 0;
    virtual void on_abort(Problem const& why) = 0;  // disconnect, timeout, over the limit, malformed
};

// Sees one exchange go by: its body as a sink is given it, and the status of its answer. On the IO thread.
class Witness {
   public:
    virtual ~Witness() = default;
    virtual void on_body(std::string_view bytes) = 0;
    virtual void on_status(int status) = 0;
};

// The right and duty to answer one request later. Dropping it unanswered sends 500 `internal_error` (nothing when the client has gone).
class Deferred {
   public:
    Deferred() = default;
    Deferred(Deferred&& other) noexcept;
    Deferred& operator=(Deferred&& other) noexcept;
    ~Deferred();
    explicit operator bool() const { return connection_ != nullptr; }

    // Any thread.
    int io_thread() const;
    bool cancelled() const;  // the client has gone: the answer will most likely reach nobody (a half-closed client still gets it)
    void resume_body();
    Ticket* ticket() const;        // on the IO thread
    std::int64_t turn_us() const;  // the same: the steady clock, within Server::post when its function began
    // Answers from any thread: runs `answer` on the IO thread and gives up this handle. For many answers prefer Server::post.
    void complete(std::move_only_function<void(Response&)> answer) &&;

    // On the IO thread only.
    // Called once when the client goes before the answer is complete; at once when it has gone already.
    void on_cancel(std::function<void()> callback);
    Response response();

   private:
    friend class Exchange;
    friend class KeptExchange;
    Deferred(Connection* connection, std::uint64_t sequence) : connection_(connection), sequence_(sequence) {}
    void release();
    Connection* connection_ = nullptr;
    std::uint64_t sequence_ = 0;
};

// An answer's body that is written piece by piece. On the IO thread, except moving and dropping. Dropping without end() breaks the
// connection, so that the client sees that the body is not whole.
class StreamWriter {
   public:
    StreamWriter() = default;
    StreamWriter(StreamWriter&& other) noexcept;
    StreamWriter& operator=(StreamWriter&& other) noexcept;
    ~StreamWriter();
    explicit operator bool() const { return connection_ != nullptr; }

    int io_thread() const;   // any thread
    bool cancelled() const;  // any thread
    // False: the buffer is above its bound (or the client has gone); the bytes were taken all the same. Wait for on_drained.
    bool write(std::string_view bytes);
    // Sends what gzip may hold back. SSE is never compressed, so it needs none.
    void flush();
    std::size_t pending_bytes() const;
    // Called each time the buffer falls below its bound after write() returned false.
    void on_drained(std::function<void()> callback);
    void on_cancel(std::function<void()> callback);
    void end();
    // SSE: an event in one piece; a heartbeat comment is sent whenever nothing else was for `heartbeat` (Response::stream first).
    bool event(std::string_view event, std::string_view id, std::string_view data);
    void heartbeat_every(Duration period);

   private:
    friend class Response;
    StreamWriter(Connection* connection, std::uint64_t sequence) : connection_(connection), sequence_(sequence) {}
    void release();
    Connection* connection_ = nullptr;
    std::uint64_t sequence_ = 0;
};

// The right and duty to go on with a request whose plan was BodyPlan::later(). Any thread; dropping it resumes.
class HeldArrival {
   public:
    HeldArrival() = default;
    HeldArrival(HeldArrival&& other) noexcept;
    HeldArrival& operator=(HeldArrival&& other) noexcept;
    ~HeldArrival() { resume(); }
    void resume();

   private:
    friend class Arrival;
    explicit HeldArrival(Connection* connection) : connection_(connection) {}
    Connection* connection_ = nullptr;
};

// A request whose head is here, on the IO thread, for the length of Handler::arrive.
class Arrival {
   public:
    RequestHead const& head() const { return head_; }
    Peer const& peer() const { return peer_; }
    bool tls() const { return tls_; }
    int io_thread() const { return io_thread_; }
    std::int64_t arrived_us() const;
    // What the handler keeps with the connection, from one request to the next; null at first.
    std::shared_ptr<void>& seat();
    Ticket* ticket() const;
    void attach(Ticket& ticket);  // once
    HeldArrival hold();           // with BodyPlan::later()

   private:
    friend class Connection;
    Arrival(Connection* connection, std::uint64_t sequence, RequestHead const& head, Peer const& peer, bool tls, int io_thread)
        : connection_(connection), sequence_(sequence), head_(head), peer_(peer), tls_(tls), io_thread_(io_thread) {}
    Connection* connection_;
    std::uint64_t sequence_;
    RequestHead const& head_;
    Peer const& peer_;
    bool tls_;
    int io_thread_;
};

// One request, on the IO thread, for the length of Handler::handle. Everything it shows is gone when handle() returns: what a deferred
// answer needs later must be decoded or copied before. handle() must answer or defer.
class Exchange {
   public:
    RequestHead const& head() const { return head_; }
    // Whole: the body, inflated; 64 readable bytes follow it. Empty otherwise.
    std::string_view body() const { return body_; }
    Peer const& peer() const { return peer_; }
    bool tls() const { return tls_; }
    int io_thread() const { return io_thread_; }
    std::int64_t now_us() const { return now_us_; }  // the steady clock when it was handed over

    Ticket* ticket() const;
    // Before what may take its time: what was answered to others in this turn is sent now (Response::prepared).
    void send_waiting();
    // A header of the answer, whoever gives it; before it is begun.
    void add_header(std::string_view name, std::string_view value);

    Response response() { return Response(connection_, sequence_); }
    Deferred defer();
    // Stream: takes the body; call before handle() returns. The answer may be given before the body's end.
    void receive(std::shared_ptr<BodySink> sink);
    // Before whatever answers or receives.
    void watch(std::shared_ptr<Witness> witness);

   private:
    friend class Connection;
    friend class KeptExchange;
    Exchange(Connection* connection, std::uint64_t sequence, RequestHead const& head, std::string_view body, Peer const& peer, bool tls,
             int io_thread, std::int64_t now_us)
        : connection_(connection),
          sequence_(sequence),
          head_(head),
          body_(body),
          peer_(peer),
          tls_(tls),
          io_thread_(io_thread),
          now_us_(now_us) {}
    Connection* connection_;
    std::uint64_t sequence_;
    RequestHead const& head_;
    std::string_view body_;
    Peer const& peer_;
    bool tls_;
    int io_thread_;
    std::int64_t now_us_;
    bool kept_ = false;  // its body is here in whole, whatever was planned
};

class Handler {
   public:
    virtual ~Handler() = default;
    // From the head alone. Must not throw.
    virtual BodyPlan plan(RequestHead const& head) = 0;
    // The same for a handler that looks at the connection, too, or wants to wait.
    virtual BodyPlan arrive(Arrival& arrival) { return plan(arrival.head()); }
    // An exception answers 500 `internal_error`.
    virtual void handle(Exchange& exchange) = 0;
    // A request that was answered before it arrived: malformed, too large, too late.
    virtual void refused(Peer const& peer, int status, std::string_view code, int io_thread) {
        (void)peer, (void)status, (void)code, (void)io_thread;
    }
};

struct TlsFiles {
    std::string certificate_file;     // PEM, chain included
    std::string key_file;             // PEM
    std::string client_ca_file = {};  // PEM; set: a client may show a certificate, which must be of one of these
};

// When the first certificate of a PEM file ends; nothing when it can't be read.
std::optional<Time> certificate_ends(std::string const& certificate_file);

struct ListenAddress {
    std::string address = "127.0.0.1";  // an IP address; "::" and "0.0.0.0" for all
    std::uint16_t port = 0;             // 0: any free one
    bool tls = false;
    std::string mount = {};  // "/queue/sqs": what is asked for here is looked for below it, and nothing else is reached; empty: all is
};

struct ServerConfig {
    Limits limits;
    TlsFiles tls;                    // needed when a listener has tls
    Clock* clock = &system_clock();  // the Date header only; timeouts are real time
};

struct ServerStats {
    std::uint64_t connections_open = 0;
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_refused = 0;
    std::uint64_t requests = 0;
    std::uint64_t requests_refused = 0;  // before a handler saw them
    std::uint64_t timeouts = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
};

class Server {
   public:
    // `threads` and `handler` outlive the server.
    Server(net::IoThreads& threads, Handler& handler, ServerConfig config = {});
    ~Server();  // stop(0)
    Server(Server const&) = delete;
    Server& operator=(Server const&) = delete;

    // The bound port. 500 `listen_failed` (in use, no permission), 500 `tls_failed` (unreadable certificate or key, or they don't match).
    Result<std::uint16_t> listen(ListenAddress const& address);
    // Reads the certificate files again for new connections; the old ones stay in use when this fails.
    Result<void> reload_tls();

    // Runs `task` on an IO thread and then writes, once, every connection that it answered on.
    void post(int io_thread, net::Task task);

    // Stops accepting, closes idle connections (those in use until now a tenth of a second later: a proxy that keeps them may be about to
    // send the next request), lets what runs finish (its answers say `Connection: close`) for at most `limit`, then
    // cuts. Blocks until no connection is left; never from an IO thread. True when nothing had to be cut.
    bool stop(Duration limit);
    ServerStats stats() const;

    struct Impl;

   private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::http
