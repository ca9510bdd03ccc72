#include <charconv>
#include <cstring>

#include "kernel/base/assert.h"
#include "kernel/http/connection.h"

// Answers: Response, Deferred and StreamWriter over the slots of a connection.
namespace gantry::http {
namespace {

constexpr std::size_t length_width = 10;
constexpr std::size_t shift_up_to_bytes = 16 * 1024;

void append_number(std::string& out, std::uint64_t value) {
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

bool forbids_body(int status) { return status < 200 || status == 204 || status == 304; }

// Header text may come from a caller: a line break in it would be a second answer.
void append_clean(std::string& out, std::string_view text) {
    bool bad = false;
    for (unsigned char c : text) bad |= (c < 0x20 && c != '\t') | (c == 0x7f);
    if (!bad) return void(out.append(text));
    for (unsigned char c : text) out += (c < 0x20 && c != '\t') || c == 0x7f ? '?' : char(c);
}

// Whether this body is compressed; says Vary whenever that depends on the client.
bool negotiate_gzip(Slot& s, std::string& out) {
    if (!s.compressible || s.no_compression || forbids_body(s.status)) return false;
    out.append("Vary: Accept-Encoding\r\n");
    if (s.accepts_gzip) out.append("Content-Encoding: gzip\r\n");
    return s.accepts_gzip;
}

void append_chunk(std::string& out, std::string_view data) {
    if (data.empty()) return;
    char digits[16];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, data.size(), 16).ptr).append("\r\n").append(data).append("\r\n");
}

}  // namespace

Response& Response::begin(int status) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return *this;
    GANTRY_ASSERT(s->phase == Slot::Phase::Open, "an answer was begun twice");
    s->phase = Slot::Phase::Begun, s->status = status;
    if (s->witness) s->witness->on_status(status);
    std::string& out = connection_->target(sequence_);
    s->begun_at = out.size();
    if (status == 200) {
        out.append("HTTP/1.1 200 OK\r\n");
    } else {
        out.append("HTTP/1.1 ");
        append_number(out, std::uint64_t(status));
        out.append(" ").append(reason_phrase(status)).append("\r\n");
    }
    out.append(connection_->shard().date_line);
    if (!s->added.empty()) out.append(s->added);
    if (s->ticket) s->ticket->answering(status, out);
    return *this;
}

Response& Response::header(std::string_view name, std::string_view value) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return *this;
    std::string& out = connection_->target(sequence_);
    append_clean(out, name);
    out.append(": ");
    append_clean(out, value);
    out.append("\r\n");
    if (name.size() == 12 && equals_ignoring_case(name, "Content-Type")) s->compressible = is_compressible(value);
    if (name.size() == 16 && equals_ignoring_case(name, "Content-Encoding")) s->no_compression = true;
    return *this;
}

Response& Response::header(std::string_view name, std::uint64_t value) {
    char digits[20];
    return header(name, std::string_view(digits, std::size_t(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)));
}

Response& Response::no_compression() {
    if (Slot* s = connection_->slot(sequence_)) s->no_compression = true;
    return *this;
}

Response& Response::close() {
    if (Slot* s = connection_->slot(sequence_)) s->keep_alive = false;
    return *this;
}

bool Response::is_head_request() const {
    Slot* s = connection_->slot(sequence_);
    return s && s->head_request;
}

bool Response::answered() const {
    Slot* s = connection_->slot(sequence_);
    return !s || s->phase != Slot::Phase::Open;
}

void Connection::end_headers(Slot& s, std::string& out) {
    if (core_->stopping.load(std::memory_order_relaxed)) s.keep_alive = false;
    if (!s.keep_alive)
        out.append("Connection: close\r\n");
    else if (s.http10)
        out.append("Connection: keep-alive\r\n");
}

void Response::body(std::string_view bytes) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    GANTRY_ASSERT(s->phase == Slot::Phase::Begun, "a body without begin()");
    if (forbids_body(s->status)) return empty();
    std::string& out = connection_->target(sequence_);
    std::string packed;
    if (bytes.size() >= compress_from_bytes && negotiate_gzip(*s, out)) {
        append_gzip(packed, bytes);
        bytes = packed;
    }
    connection_->end_headers(*s, out);
    out.append("Content-Length: ");
    append_number(out, bytes.size());
    out.append("\r\n\r\n");
    if (!s->head_request) out.append(bytes);
    connection_->finish(sequence_);
}

// Straight into the connection's buffer when nothing stands against it: the length is filled in afterwards.
std::string& Response::open_body() {
    Slot* s = connection_->slot(sequence_);
    auto& scratch = connection_->shard().scratch;
    scratch.clear();
    if (!s) return scratch;
    GANTRY_ASSERT(s->phase == Slot::Phase::Begun, "a body without begin()");
    bool const may_compress = s->compressible && !s->no_compression;
    if (s->head_request || may_compress || forbids_body(s->status)) return scratch;
    std::string& out = connection_->target(sequence_);
    connection_->end_headers(*s, out);
    out.append("Content-Length: ").append(length_width, ' ').append("\r\n\r\n");
    return out;
}

void Response::close_body(std::size_t start) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    std::string& out = connection_->target(sequence_);
    if (start == 0 && (s->head_request || (s->compressible && !s->no_compression) || forbids_body(s->status)))
        return body(connection_->shard().scratch);
    std::size_t const size = out.size() - start;
    char digits[20];
    std::size_t const count = std::size_t(std::to_chars(digits, digits + sizeof digits, size).ptr - digits);
    GANTRY_ASSERT(count <= length_width, "a body of 10 GB in memory");
    std::size_t const field = start - 4 - length_width;
    if (size > shift_up_to_bytes) {
        std::memcpy(out.data() + field + length_width - count, digits, count);
    } else {
        std::memcpy(out.data() + field, digits, count);
        out.erase(field + count, length_width - count);
    }
    connection_->finish(sequence_);
}

void Response::empty() {
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    std::string& out = connection_->target(sequence_);
    connection_->end_headers(*s, out);
    out.append(forbids_body(s->status) ? "\r\n" : "Content-Length: 0\r\n\r\n");
    connection_->finish(sequence_);
}

void Response::empty_with_length(std::uint64_t content_length) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    GANTRY_ASSERT(s->head_request || s->status == 304, "a length without a body");
    std::string& out = connection_->target(sequence_);
    connection_->end_headers(*s, out);
    out.append("Content-Length: ");
    append_number(out, content_length);
    out.append("\r\n\r\n");
    connection_->finish(sequence_);
}

void Response::raw(std::string_view complete_answer) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    GANTRY_ASSERT(s->phase == Slot::Phase::Open, "raw() is a whole answer");
    if (connection_->core().stopping.load(std::memory_order_relaxed)) s->keep_alive = false;
    std::string& out = connection_->target(sequence_);
    s->begun_at = out.size();
    out.append(complete_answer);
    connection_->finish(sequence_);
}

void Response::prepared(std::string_view rest) {
    begin(200);
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    std::string& out = connection_->target(sequence_);
    connection_->end_headers(*s, out);
    out.append(rest);
    connection_->finish(sequence_);
    connection_->let_wait();
}

void Response::problem(Problem const& problem) {
    begin(problem.status).header("Content-Type", "application/problem+json");
    if (problem.retry_after_s) header("Retry-After", std::uint64_t(*problem.retry_after_s));
    std::string text;
    append_problem_json(text, problem);
    body(text);
}

StreamWriter Response::stream() {
    Slot* s = connection_->slot(sequence_);
    if (!s) return StreamWriter(connection_->pin(), sequence_);
    GANTRY_ASSERT(s->phase == Slot::Phase::Begun, "a stream without begin()");
    std::string& out = connection_->target(sequence_);
    if (negotiate_gzip(*s, out)) s->deflater = std::make_unique<Deflater>();
    s->chunked = !s->http10, s->until_close = s->http10;
    if (s->until_close) s->keep_alive = false;
    connection_->end_headers(*s, out);
    out.append(s->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    s->phase = Slot::Phase::Streaming, s->bytes += out.size() - s->begun_at;
    if (s->ticket) s->ticket->streaming();
    connection_->mark_dirty();
    return StreamWriter(connection_->pin(), sequence_);
}

StreamWriter Response::stream(std::uint64_t content_length) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return StreamWriter(connection_->pin(), sequence_);
    GANTRY_ASSERT(s->phase == Slot::Phase::Begun, "a stream without begin()");
    std::string& out = connection_->target(sequence_);
    connection_->end_headers(*s, out);
    out.append("Content-Length: ");
    append_number(out, content_length);
    out.append("\r\n\r\n");
    s->remaining = content_length, s->phase = Slot::Phase::Streaming, s->bytes += out.size() - s->begun_at;
    connection_->mark_dirty();
    return StreamWriter(connection_->pin(), sequence_);
}

// --- Deferred --------------------------------------------------------------------------------------------------------------

Deferred Exchange::defer() {
    if (Slot* s = connection_->slot(sequence_)) s->deferred = true;
    return Deferred(connection_->pin(), sequence_);
}
Ticket* Exchange::ticket() const {
    Slot* s = connection_->slot(sequence_);
    return s ? s->ticket : nullptr;
}
void Exchange::add_header(std::string_view name, std::string_view value) {
    Slot* s = connection_->slot(sequence_);
    if (!s) return;
    append_clean(s->added, name);
    s->added.append(": ");
    append_clean(s->added, value);
    s->added.append("\r\n");
}

void Exchange::send_waiting() { connection_->shard().flush_dirty(); }

std::int64_t Arrival::arrived_us() const { return connection_->slot(sequence_)->arrived_us; }
std::shared_ptr<void>& Arrival::seat() { return connection_->seat(); }
Ticket* Arrival::ticket() const { return connection_->slot(sequence_)->ticket; }
void Arrival::attach(Ticket& ticket) {
    Slot* s = connection_->slot(sequence_);
    GANTRY_ASSERT(!s->ticket, "an exchange has one ticket");
    s->ticket = &ticket;
}
HeldArrival Arrival::hold() { return HeldArrival(connection_->pin()); }

HeldArrival::HeldArrival(HeldArrival&& o) noexcept : connection_(std::exchange(o.connection_, nullptr)) {}
HeldArrival& HeldArrival::operator=(HeldArrival&& o) noexcept {
    if (this != &o) resume(), connection_ = std::exchange(o.connection_, nullptr);
    return *this;
}
// Always by a task of its own: never within the arrival that is held.
void HeldArrival::resume() {
    if (!connection_) return;
    auto* connection = std::exchange(connection_, nullptr);
    connection->core().threads.post(connection->thread_index(), [connection] {
        connection->resume_arrival();
        connection->unref();
    });
}

void Exchange::watch(std::shared_ptr<Witness> witness) {
    if (Slot* s = connection_->slot(sequence_)) s->witness = std::move(witness);
}

namespace {
class WitnessedSink final : public BodySink {
   public:
    WitnessedSink(std::shared_ptr<Witness> witness, std::shared_ptr<BodySink> sink)
        : witness_(std::move(witness)), sink_(std::move(sink)) {}
    Flow on_data(std::string_view bytes) override { return witness_->on_body(bytes), sink_->on_data(bytes); }
    void on_end() override { sink_->on_end(); }
    void on_abort(Problem const& why) override { sink_->on_abort(why); }

   private:
    std::shared_ptr<Witness> witness_;
    std::shared_ptr<BodySink> sink_;
};
}  // namespace

void Exchange::receive(std::shared_ptr<BodySink> sink) {
    if (kept_) {
        if (!body_.empty()) sink->on_data(body_);
        return sink->on_end();
    }
    if (Slot* s = connection_->slot(sequence_); s && s->witness) sink = std::make_shared<WitnessedSink>(s->witness, std::move(sink));
    connection_->set_sink(sequence_, std::move(sink));
}

Deferred::Deferred(Deferred&& o) noexcept : connection_(std::exchange(o.connection_, nullptr)), sequence_(o.sequence_) {}
Deferred& Deferred::operator=(Deferred&& o) noexcept {
    if (this != &o) release(), connection_ = std::exchange(o.connection_, nullptr), sequence_ = o.sequence_;
    return *this;
}
Deferred::~Deferred() { release(); }

// A handle's last act happens on the connection's thread, wherever it is dropped.
static void release_on_thread(Connection* connection, std::uint64_t sequence, bool writer) {
    if (connection->on_thread()) return connection->release_handle(sequence, writer);
    connection->core().threads.post(connection->thread_index(),
                                    [connection, sequence, writer] { connection->release_handle(sequence, writer); });
}

void Deferred::release() {
    if (connection_) release_on_thread(std::exchange(connection_, nullptr), sequence_, false);
}
int Deferred::io_thread() const { return connection_->thread_index(); }
bool Deferred::cancelled() const { return connection_->gone(); }

void Deferred::resume_body() {
    if (connection_->on_thread()) return connection_->resume_body();
    connection_->ref();
    connection_->core().threads.post(connection_->thread_index(), [connection = connection_] {
        connection->resume_body();
        connection->unref();
    });
}

void Deferred::complete(std::move_only_function<void(Response&)> answer) && {
    Connection* connection = std::exchange(connection_, nullptr);
    auto act = [connection, sequence = sequence_, answer = std::move(answer)]() mutable {
        if (connection->slot(sequence)) {
            Deferred self(connection, sequence);
            Response response = self.response();
            answer(response);
        } else {
            connection->release_handle(sequence, false);
        }
    };
    if (connection->on_thread()) return act();
    connection->core().threads.post(connection->thread_index(), std::move(act));
}

void Deferred::on_cancel(std::function<void()> callback) {
    Slot* s = connection_->slot(sequence_);
    if (!s || connection_->gone()) return callback();
    s->on_cancel = std::move(callback);
}
Ticket* Deferred::ticket() const {
    Slot* s = connection_->slot(sequence_);
    return s ? s->ticket : nullptr;
}
std::int64_t Deferred::turn_us() const {
    auto const& shard = connection_->shard();
    return shard.batching ? shard.turn_us : steady_now_us();
}
Response Deferred::response() { return Response(connection_, sequence_); }

void Connection::release_handle(std::uint64_t sequence, bool writer) {
    if (Slot* s = slot(sequence)) {
        if (writer) s->on_drained = nullptr;
        bool const unanswered = !writer && s->phase == Slot::Phase::Open;
        bool const cut_short = s->phase == Slot::Phase::Begun || (writer && s->phase == Slot::Phase::Streaming);
        if (cut_short || (unanswered && gone()))
            kill();
        else if (unanswered)
            problem(sequence, {500, "internal_error", "The request was not answered."}, false);
    }
    unref();
}

// --- StreamWriter ----------------------------------------------------------------------------------------------------------

StreamWriter::StreamWriter(StreamWriter&& o) noexcept : connection_(std::exchange(o.connection_, nullptr)), sequence_(o.sequence_) {}
StreamWriter& StreamWriter::operator=(StreamWriter&& o) noexcept {
    if (this != &o) release(), connection_ = std::exchange(o.connection_, nullptr), sequence_ = o.sequence_;
    return *this;
}
StreamWriter::~StreamWriter() { release(); }
void StreamWriter::release() {
    if (connection_) release_on_thread(std::exchange(connection_, nullptr), sequence_, true);
}
int StreamWriter::io_thread() const { return connection_->thread_index(); }
bool StreamWriter::cancelled() const { return connection_->gone(); }
std::size_t StreamWriter::pending_bytes() const { return connection_->pending_bytes(sequence_); }

// Adds body bytes with their framing.
static void append_stream(Slot& s, std::string& out, std::string_view bytes, Deflater::Push push) {
    if (s.head_request) return;
    auto const before = out.size();
    std::string packed;
    if (s.deflater) {
        s.deflater->write(bytes, push, packed);
        bytes = packed;
    }
    if (s.chunked)
        append_chunk(out, bytes);
    else
        out.append(bytes);
    s.bytes += out.size() - before;
}

void Connection::heartbeat(std::int64_t now_us) {
    for (std::uint64_t i = first_; i != next_; ++i) {
        Slot& s = *slot(i);
        if (s.phase != Slot::Phase::Streaming || s.heartbeat_us == 0 || now_us < s.next_heartbeat_us) continue;
        append_stream(s, target(i), sse_heartbeat, Deflater::Push::Flush);
        s.next_heartbeat_us = now_us + s.heartbeat_us;
        mark_dirty();
    }
}

bool StreamWriter::write(std::string_view bytes) {
    Slot* s = connection_->slot(sequence_);
    if (!s || s->phase != Slot::Phase::Streaming) return false;
    if (!s->chunked && !s->until_close) {
        GANTRY_ASSERT(bytes.size() <= s->remaining, "a stream is longer than its Content-Length");
        s->remaining -= bytes.size();
    }
    append_stream(*s, connection_->target(sequence_), bytes, Deflater::Push::Hold);
    if (s->heartbeat_us > 0) s->next_heartbeat_us = steady_now_us() + s->heartbeat_us;
    connection_->mark_dirty();
    if (connection_->pending_bytes(sequence_) <= connection_->core().config.limits.write_buffer_bytes) return !connection_->gone();
    s->wants_drained = true;
    return false;
}

void StreamWriter::flush() {
    Slot* s = connection_->slot(sequence_);
    if (!s || !s->deflater) return;
    append_stream(*s, connection_->target(sequence_), {}, Deflater::Push::Flush);
    connection_->mark_dirty();
}

void StreamWriter::on_drained(std::function<void()> callback) {
    if (Slot* s = connection_->slot(sequence_)) s->on_drained = std::move(callback);
}
void StreamWriter::on_cancel(std::function<void()> callback) {
    Slot* s = connection_->slot(sequence_);
    if (!s || connection_->gone()) return callback();
    s->on_cancel = std::move(callback);
}

bool StreamWriter::event(std::string_view event, std::string_view id, std::string_view data) {
    std::string text;
    append_sse_event(text, event, id, data);
    return write(text);
}

void StreamWriter::heartbeat_every(Duration period) {
    if (Slot* s = connection_->slot(sequence_)) s->heartbeat_us = period.us, s->next_heartbeat_us = steady_now_us() + period.us;
}

void StreamWriter::end() {
    if (!connection_) return;
    if (Slot* s = connection_->slot(sequence_); s && s->phase == Slot::Phase::Streaming) {
        std::string& out = connection_->target(sequence_);
        if (s->deflater) append_stream(*s, out, {}, Deflater::Push::End);
        if (s->chunked && !s->head_request) out.append("0\r\n\r\n"), s->bytes += 5;
        if (s->remaining > 0 && !s->head_request)
            connection_->kill();
        else
            connection_->finish(sequence_);
    }
    release();
}

}  // namespace gantry::http
