#include "kernel/http/connection.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "kernel/base/assert.h"

// The connection loop: reads requests, hands them to the handler, sends what answers there are.
namespace gantry::http {
namespace {

constexpr auto use_tuple = asio::as_tuple_t<asio::use_awaitable_t<Executor>>{};
constexpr std::size_t read_bytes = 4 * 1024;
constexpr std::size_t body_read_bytes = 64 * 1024;
constexpr std::size_t padding_bytes = 64;
constexpr std::size_t kept_buffer_bytes = 64 * 1024;
constexpr std::size_t held_back_bytes = 64 * 1024;  // read ahead of requests that can't start yet
constexpr std::size_t tls_piece_bytes = 64 * 1024;
constexpr std::size_t sent_together_max = 32;               // connections
constexpr std::size_t sent_together_bytes_max = 16 * 1024;  // of one of them
constexpr std::int64_t linger_us = 2'000'000;               // for the peer to read the last answer before the connection is torn down
constexpr std::int64_t date_refresh_us = 200'000;
constexpr std::int64_t never = INT64_MAX;

Problem as_problem(Refusal const& r) { return {r.status, r.code, r.detail}; }

}  // namespace

// --- the shard -------------------------------------------------------------------------------------------------------------

void Shard::refresh_date(std::int64_t now_us) {
    if (now_us - date_at_us < date_refresh_us) return;
    date_at_us = now_us;
    date_line = "Date: " + http_date(core->config.clock->wall()) + "\r\n";
}

void Shard::flush_dirty() {
    if (!flushing.empty()) return;  // what became dirty within has been scheduled
    flushing.swap(dirty);
    for (auto* connection : flushing) {
        connection->dirty = false;
        connection->flush_unless_advancing();
        connection->unref();
    }
    flushing.clear();
}

void Connection::mark_dirty() {
    if (advancing_ || dirty || dead_) return;
    dirty = true;
    ref();
    shard_.dirty.push_back(this);
    if (shard_.batching || shard_.flush_scheduled) return;
    shard_.flush_scheduled = true;
    asio::post(*shard_.context, [core = core_, shard = &shard_] {
        shard->flush_scheduled = false;
        shard->flush_dirty();
    });
}

// Sending wakes the peer. Peers that are woken one soon after another are served by fewer wake-ups than those between whose answers others
// are made: the same work costs a tenth less.
void Connection::flush_with_others() {
    mark_dirty();
    if (shard_.dirty.size() >= sent_together_max) shard_.flush_dirty();
}

// --- the read buffer -------------------------------------------------------------------------------------------------------

char* ReadBuffer::room(std::size_t wanted) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ >= wanted) return data_.get() + end_;
    if (capacity_ - size() >= wanted && begin_ >= capacity_ / 2) {
        std::memmove(data_.get(), data_.get() + begin_, size());
    } else {
        std::size_t const capacity = std::max(capacity_ * 2, size() + wanted);
        auto moved = std::make_unique<char[]>(capacity + padding_bytes);
        if (size() > 0) std::memcpy(moved.get(), data_.get() + begin_, size());
        data_ = std::move(moved), capacity_ = capacity;
    }
    end_ -= begin_, begin_ = 0;
    return data_.get() + end_;
}

void ReadBuffer::rest() {
    if (size() > 0 || capacity_ <= kept_buffer_bytes) return;
    release();
}

// --- slots -----------------------------------------------------------------------------------------------------------------

void Slot::reset() {
    std::string kept = std::move(out), kept_added = std::move(added);
    kept.clear(), kept_added.clear();
    if (kept.capacity() > kept_buffer_bytes) kept = {};
    *this = {};
    out = std::move(kept), added = std::move(kept_added);
}

std::uint64_t Connection::new_slot() {
    std::uint64_t const used = next_ - first_;
    if (used == ring_.size()) {
        std::vector<Slot> larger(std::max<std::size_t>(1, ring_.size() * 2));
        for (std::uint64_t i = first_; i != next_; ++i) larger[i & (larger.size() - 1)] = std::move(ring_[i & (ring_.size() - 1)]);
        ring_ = std::move(larger);
    }
    return next_++;
}

std::size_t Connection::pending_bytes(std::uint64_t sequence) {
    Slot* s = slot(sequence);
    return !s ? 0 : sequence == first_ ? unsent() : s->out.size();
}

void Connection::finish(std::uint64_t sequence) {
    Slot* s = slot(sequence);
    GANTRY_ASSERT(s, "an answer without its request");
    auto const size = target(sequence).size();
    if (s->phase != Slot::Phase::Streaming && size > s->begun_at) s->bytes += size - s->begun_at;
    s->phase = Slot::Phase::Done;
    may_wait_ = false;
    end_ticket(*s, false);
    s->on_cancel = nullptr, s->on_drained = nullptr;
    if (sequence == first_) pop_ready();
    mark_dirty();
}

void Connection::pop_ready() {
    while (first_ != next_ && !closing_) {
        Slot& front = *slot(first_);
        if (!front.out.empty()) out_.append(front.out), front.out.clear();
        if (front.phase != Slot::Phase::Done) break;
        closing_ = !front.keep_alive || core_->stopping.load(std::memory_order_relaxed);
        front.reset();
        ++first_;
    }
    if (first_ == next_ && last_request_) closing_ = true;
    if (closing_) cancel_slots();
    if (paused_) wake();
}

void Connection::cancel_slots() {
    std::vector<std::function<void()>> callbacks;
    for (; first_ != next_; ++first_) {
        Slot& s = *slot(first_);
        if (s.on_cancel) callbacks.push_back(std::move(s.on_cancel));
        end_ticket(s, true);
        s.reset();
    }
    for (auto& callback : callbacks) callback();
}

void Connection::end_ticket(Slot& slot, bool cut) {
    if (auto* ticket = std::exchange(slot.ticket, nullptr))
        ticket->finished({slot.status, slot.bytes, slot.arrived_us, steady_now_us(), cut});
}

void Connection::problem(std::uint64_t sequence, Problem const& problem, bool close) {
    Response response(this, sequence);
    if (close) response.close();
    response.problem(problem);
}

// --- life ------------------------------------------------------------------------------------------------------------------

Connection::Connection(std::shared_ptr<Core> core, Shard& shard, Socket socket, TlsContext tls, bool refused)
    : core_(std::move(core)),
      shard_(shard),
      limits_(core_->config.limits),
      socket_(std::move(socket)),
      pause_(socket_.get_executor()),
      refused_(refused) {
    if (tls) tls_ = std::make_unique<TlsFilter>(std::move(tls));
    boost::system::error_code ec;
    auto const remote = socket_.remote_endpoint(ec);
    if (!ec) {
        auto address = remote.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped()) address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        peer_address_ = address.to_string();
        peer_ = {peer_address_, remote.port(), address.is_loopback()};
    }
    next = shard_.first, link = &shard_.first;
    if (next) next->link = &next;
    shard_.first = this;
}

Connection::~Connection() = default;

void Connection::start() {
    ref();
    now_us_ = steady_now_us();
    shard_.refresh_date(now_us_);
    read_deadline_us_ = now_us_ + limits_.head_timeout.us;
    if (refused_) {
        last_request_ = true, reading_ = Reading::Linger;
        Problem overloaded{503, "overloaded", "This server has no room for more connections."};
        overloaded.retry_after_s = 1;
        problem(new_slot(), overloaded, true);
        flush();
    }
    // run() holds the reference taken above until it ends; kill() ends it.
    asio::co_spawn(socket_.get_executor(), run(), [this](std::exception_ptr error) {
        if (error) kill();
        unref();
    });
}

void Connection::kill() {
    if (dead_) return;
    dead_ = true;
    gone_ = true;
    *link = next;
    if (next) next->link = link;
    boost::system::error_code ignored;
    socket_.close(ignored);
    pause_.cancel();
    out_.clear(), cipher_.clear(), sent_ = cipher_sent_ = 0;
    ref();
    abort_sink({499, "client_gone", "The client has closed the connection."});
    cancel_slots();
    --shard_.open;
    if (--core_->open == 0) {
        std::lock_guard lock(core_->mutex);
        core_->none_open.notify_all();
    }
    unref();
}

void Connection::wake() { pause_.cancel(); }

void Connection::close_when_idle(Duration quiet) {
    if (first_ != next_ || in_.size() > 0 || unsent() > 0 || reading_ != Reading::Head) return;
    std::int64_t const last_us = got_request_ ? read_deadline_us_ - limits_.idle_timeout.us : 0;
    if (steady_now_us() - last_us < quiet.us) return;
    char first;
    if (::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return;  // its answer will say that it was the last
    kill();
}

// --- reading ---------------------------------------------------------------------------------------------------------------

bool Connection::wants_input() const {
    if (peer_eof_) return false;
    if (shut_) return true;
    if (sink_paused_ || reading_ == Reading::Held) return false;
    if (reading_ != Reading::Head && reading_ != Reading::Linger) return true;
    bool const blocked =
        reading_ == Reading::Linger || last_request_ || next_ - first_ >= limits_.pipelined || unsent() > limits_.write_buffer_bytes;
    return !blocked || (in_.size() < held_back_bytes && next_ - first_ < limits_.pipelined && unsent() <= limits_.write_buffer_bytes);
}

// An event stream: the peer says nothing more, and hears something now and then.
bool Connection::may_be_silent() const {
    if (first_ == next_) return false;
    auto const& front = ring_[first_ & (ring_.size() - 1)];
    return front.phase == Slot::Phase::Streaming && front.heartbeat_us > 0;
}

Connection::Awaitable Connection::run() {
    while (!dead_) {
        if (!wants_input()) {
            paused_ = true;
            pause_.expires_at(LoopTimer::time_point::max());
            co_await pause_.async_wait(use_tuple);
            paused_ = false;
            go_on();
            continue;
        }
        if (may_be_silent() && in_.size() == 0) {
            rest();
            co_await socket_.async_wait(Socket::wait_read, use_tuple);
            if (dead_) break;
            if (!wants_input()) continue;
        }
        auto [error, n] = co_await socket_.async_read_some(room_to_read(), use_tuple);
        if (dead_) break;
        on_read(error, n);
        // The others first: by the time they are served the next request is often here, and one read finds it without a wait.
        if (!error && reading_ == Reading::Head && first_ == next_ && !dead_) co_await asio::post(socket_.get_executor(), use_tuple);
    }
}

void Connection::go_on() {
    if (!dead_) advance();
}

// There may be many of them, for hours: no room is held for what doesn't come.
void Connection::rest() {
    in_.release();
    if (reading_ == Reading::Head) reader_.release();
    raw_in_.clear(), raw_in_.shrink_to_fit();
}

asio::mutable_buffer Connection::room_to_read() {
    if (tls_) {
        raw_in_.resize(body_read_bytes);
        return asio::buffer(raw_in_);
    }
    char* const to = in_.room(reading_ == Reading::Head || reading_ == Reading::Linger ? read_bytes : body_read_bytes);
    return asio::buffer(to, in_.room_size());
}

void Connection::on_read(boost::system::error_code const& error, std::size_t n) {
    if (!error)
        on_bytes(n);
    else if (error == asio::error::eof)
        peer_closed();
    else
        kill();
}

void Connection::on_bytes(std::size_t n) {
    now_us_ = steady_now_us();
    now_is_now_ = true;
    shard_.refresh_date(now_us_);
    bump(shard_.counters.received, n);
    if (tls_)
        decrypt(std::string_view(raw_in_).substr(0, n));
    else
        in_.received(n);
    if (dead_) return;
    update_deadline(true);
    advance();
    now_is_now_ = false;
    if (tls_ && tls_->state() == TlsFilter::State::PeerClosed && !peer_eof_) peer_closed();
}

void Connection::decrypt(std::string_view cipher) {
    bool const was_open = tls_->state() == TlsFilter::State::Open;
    if (tls_->receive(cipher) == TlsFilter::State::Open && !was_open) {
        certificate_names_ = tls_->peer_names();
        peer_.certificate_names = certificate_names_;
    }
    for (;;) {
        char* const to = in_.room(tls_piece_bytes / 4);
        std::size_t const n = tls_->read(to, in_.room_size());
        if (n == 0) break;
        in_.received(n);
    }
    if (tls_->state() != TlsFilter::State::Broken) return;
    flush();  // the alert
    kill();
}

void Connection::advance() {
    if (advancing_ || dead_) return;
    ref();
    advancing_ = true;
    while (!dead_ && !closing_ && step()) {
    }
    advancing_ = false;
    if (shut_) in_.clear();
    if (peer_eof_ && first_ == next_ && !dead_) closing_ = true;
    if (std::exchange(may_wait_, false) && !dead_ && !closing_ && !tls_ && unsent() <= sent_together_bytes_max)
        flush_with_others();
    else
        flush();
    unref();
}

bool Connection::step() {
    switch (reading_) {
        case Reading::Head: return read_head();
        case Reading::Held:
            if (!std::exchange(arrival_resumed_, false)) return false;
            reading_ = Reading::Head;
            plan_request();
            return true;
        case Reading::Linger: return false;
        default: return in_place_ ? read_in_place() : read_body();
    }
}

bool Connection::read_head() {
    if (last_request_ || in_.size() == 0) return false;
    if (next_ - first_ >= limits_.pipelined || unsent() > limits_.write_buffer_bytes) return false;
    head_size_ = scanner_.is_fresh() ? reader_.repeat(in_.view(), limits_, head_) : 0;
    if (head_size_ > 0) return start_request(), true;
    std::size_t const size = scanner_.scan(in_.view(), limits_);
    if (scanner_.refusal())
        refuse(scanner_.refusal());
    else if (size == 0)
        return false;
    else if (parse_head(size))
        start_request();
    return true;
}

// False: it was refused.
bool Connection::parse_head(std::size_t head_size) {
    std::size_t const leading = scanner_.leading();
    scanner_.reset();
    in_.consume(leading);
    head_size_ = head_size - leading;
    auto const refused = reader_.parse(in_.view().substr(0, head_size_), limits_, head_);
    if (refused) head_started_ = false, refuse(refused);
    return !refused;
}

void Connection::refuse(Refusal const& refusal) {
    bump(shard_.counters.requests_refused);
    stop_reading();
    core_->handler.refused(peer_, refusal.status, refusal.code, shard_.index);
    problem(new_slot(), as_problem(refusal), true);
}

// What else comes is thrown away; the connection closes after the last answer.
void Connection::stop_reading() { last_request_ = true, reading_ = Reading::Linger, in_place_ = false; }

void Connection::start_request() {
    head_started_ = false;
    if (mount_) mount_head();
    bump(shard_.counters.requests);
    got_request_ = true;
    current_ = new_slot();
    Slot& s = *slot(current_);
    s.head_request = head_.method == Method::Head;
    s.http10 = head_.version_minor == 0;
    s.keep_alive = head_.keep_alive;
    s.arrived_us = now_us_;
    if (!head_.keep_alive) last_request_ = true;
    s.accepts_gzip = reader_.accepts_gzip();
    plan_request();
}

void Connection::plan_request() {
    Arrival arrival(this, current_, head_, peer_, tls_ != nullptr, shard_.index);
    auto const plan = core_->handler.arrive(arrival);
    if (plan.kind != BodyPlan::Kind::Later) return start_body(plan);
    // The head's views hold as long as nothing is read.
    reading_ = Reading::Held, read_deadline_us_ = never;
}

void Connection::resume_arrival() {
    if (dead_ || reading_ != Reading::Held) return;
    arrival_resumed_ = true;
    now_us_ = steady_now_us();
    if (paused_)
        wake();
    else
        advance();
}

void Connection::start_body(BodyPlan plan) {
    bool const has_body = head_.has_body();
    if (!has_body && plan.kind != BodyPlan::Kind::Stream) {
        dispatch({});
        in_.consume(head_size_);
        return end_request();
    }
    decoder_.start(head_, limits_);
    body_limit_ = plan.limit_bytes, body_bytes_ = 0;
    read_deadline_us_ = never;  // the body's clock starts with this turn's end
    if (plan.kind == BodyPlan::Kind::None) return start_unwanted();
    if (head_.content_length.value_or(0) > body_limit_) {
        bump(shard_.counters.requests_refused);
        bool const keep = *head_.content_length <= limits_.discard_bytes && !head_.expect_continue;
        if (!keep)
            stop_reading();
        else
            reading_ = Reading::Discard, body_limit_ = limits_.discard_bytes;
        in_.consume(head_size_);
        return problem(current_, {413, "body_too_large", "The request's body is too large."}, !keep);
    }
    if (!start_inflater(body_limit_)) return;
    if (plan.kind == BodyPlan::Kind::Whole)
        start_whole();
    else
        start_stream();
}

bool Connection::start_inflater(std::uint64_t limit_bytes) {
    std::string_view const coding = head_.header("Content-Encoding");
    if (coding.empty() || equals_ignoring_case(coding, "identity")) return true;
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip"))
        return inflater_.emplace(limit_bytes, limits_.inflate_ratio), true;
    in_.consume(head_size_);
    abort_body({415, "encoding_unknown", "The only content coding is gzip."});
    return false;
}

// A body that nobody asked for is read and thrown away if it is small; else the connection closes after the answer.
void Connection::start_unwanted() {
    bool const keep = head_.content_length.value_or(0) <= limits_.discard_bytes && !head_.expect_continue;
    if (!keep)
        slot(current_)->keep_alive = false, stop_reading();
    else
        reading_ = Reading::Discard;
    body_limit_ = limits_.discard_bytes;
    dispatch({});
    in_.consume(head_size_);
}

void Connection::start_whole() {
    bool const known = head_.content_length.has_value() && !inflater_;
    if (known && in_.size() >= head_size_ + *head_.content_length) {
        std::size_t const size = std::size_t(*head_.content_length);
        dispatch(in_.view().substr(head_size_, size));
        in_.consume(head_size_ + size);
        return end_request();
    }
    reading_ = Reading::Whole, in_place_ = known;
    body_.clear();
    keep_head();
    say_continue();
}

void Connection::start_stream() {
    bool const keep_alive = head_.keep_alive, expects = head_.expect_continue;
    // Whoever answers without asking for an announced body leaves it open whether that body still comes.
    if (expects) slot(current_)->keep_alive = false;
    dispatch({});
    in_.consume(head_size_);
    if (!sink_) {
        body_limit_ = limits_.discard_bytes;
        reading_ = Reading::Discard;
        if (expects) stop_reading();
        return;
    }
    reading_ = Reading::Stream;
    if (Slot* s = slot(current_); s && s->phase == Slot::Phase::Open) s->keep_alive = keep_alive;
    say_continue();
    if (decoder_.done()) std::exchange(sink_, nullptr)->on_end(), end_request();
}

void Connection::mount_head() {
    if (!head_.path.starts_with('/')) return;  // OPTIONS *
    mounted_.assign(*mount_).append(head_.path);
    auto const path_size = mounted_.size();
    if (!head_.query.empty()) mounted_.append("?").append(head_.query);
    head_.target = mounted_, head_.path = head_.target.substr(0, path_size), head_.mount = *mount_;
    head_.query = head_.query.empty() ? std::string_view() : head_.target.substr(path_size + 1);
}

// The body moves the read buffer, so the head gets a place of its own.
void Connection::keep_head() {
    char const* const from = in_.view().data();
    head_kept_.assign(from, head_size_);
    reader_.rebase(head_, {from, head_size_}, head_kept_.data());
    in_.consume(head_size_);
}

void Connection::say_continue() {
    Slot* s = slot(current_);
    if (head_.expect_continue && in_.size() == 0 && s && s->phase == Slot::Phase::Open)
        target(current_).append("HTTP/1.1 100 Continue\r\n\r\n");
}

bool Connection::read_in_place() {
    std::size_t const size = std::size_t(*head_.content_length);
    if (in_.size() < size) return false;
    in_place_ = false;
    dispatch(in_.view().substr(0, size));
    in_.consume(size);
    end_request();
    return true;
}

bool Connection::read_body() {
    if (sink_paused_) return false;
    auto const piece = decoder_.next(in_.view());
    Refusal refused = decoder_.refusal();
    if (!refused && !piece.data.empty()) refused = take(piece.data);
    if (dead_) return false;
    in_.consume(piece.consumed);
    if (!refused && decoder_.done()) refused = body_finished();
    if (refused) return abort_body(refused), true;
    if (!decoder_.done()) return piece.consumed > 0;
    if (dead_ || sink_paused_) return false;
    if (reading_ == Reading::Stream) std::exchange(sink_, nullptr)->on_end();
    if (reading_ == Reading::Whole) {
        body_.reserve(body_.size() + padding_bytes);
        dispatch(body_);
    }
    end_request();
    return true;
}

Refusal Connection::take(std::string_view data) {
    static constexpr Refusal too_large{413, "body_too_large", "The request's body is too large."};
    if (reading_ == Reading::Discard) {
        body_bytes_ += data.size();
        return body_bytes_ > body_limit_ ? too_large : Refusal{};
    }
    std::string inflated;
    std::string& to = reading_ == Reading::Whole ? body_ : inflated;
    if (inflater_) {
        auto const outcome = inflater_->write(data, to);
        if (outcome == Inflater::Outcome::TooLarge) return too_large;
        if (outcome == Inflater::Outcome::Malformed) return {400, "bad_request", "The body is not valid gzip."};
        data = inflated;
    } else if (reading_ == Reading::Whole) {
        to.append(data);
    }
    body_bytes_ = reading_ == Reading::Whole ? body_.size() : body_bytes_ + data.size();
    if (body_bytes_ > body_limit_) return too_large;
    if (reading_ != Reading::Stream || data.empty()) return {};
    sink_resumed_ = false;
    auto sink = sink_;
    if (sink->on_data(data) == Flow::Pause && !sink_resumed_) sink_paused_ = true;
    return {};
}

Refusal Connection::body_finished() {
    if (inflater_ && !inflater_->complete()) return {400, "bad_request", "The gzip body is cut short."};
    return {};
}

// The body can't be read to its end. Whole: that is the answer. Stream: the sink hears it, and the handler still owes the answer.
void Connection::abort_body(Refusal const& refusal) {
    bool const answered = reading_ == Reading::Stream || reading_ == Reading::Discard;
    stop_reading();
    Slot* s = slot(current_);
    if (s) s->keep_alive = false;
    if (!s && first_ == next_) closing_ = true;
    abort_sink(as_problem(refusal));
    if (answered || !slot(current_)) return;
    bump(shard_.counters.requests_refused);
    problem(current_, as_problem(refusal), true);
}

void Connection::abort_sink(Problem const& why) {
    sink_paused_ = false;
    if (auto sink = std::exchange(sink_, nullptr)) sink->on_abort(why);
}

void Connection::dispatch(std::string_view body) {
    // What is handed over first was just read; before what follows it others took their time.
    auto const now_us = std::exchange(now_is_now_, false) ? now_us_ : steady_now_us();
    Exchange exchange(this, current_, head_, body, peer_, tls_ != nullptr, shard_.index, now_us);
    try {
        core_->handler.handle(exchange);
    } catch (...) {
        Slot* s = slot(current_);
        if (s && s->phase != Slot::Phase::Open && s->phase != Slot::Phase::Done) return kill();
    }
    Slot* s = slot(current_);
    if (s && s->phase == Slot::Phase::Open && !s->deferred)
        problem(current_, {500, "internal_error", "The request was not answered."}, false);
}

void Connection::end_request() {
    if (reading_ != Reading::Linger) reading_ = Reading::Head;
    inflater_.reset();
    sink_ = nullptr, sink_paused_ = false, in_place_ = false;
    if (body_.capacity() > kept_buffer_bytes) body_ = {};
    in_.rest();
}

void Connection::set_sink(std::uint64_t sequence, std::shared_ptr<BodySink> sink) {
    GANTRY_ASSERT(sequence == current_ && !sink_, "a body is received once, inside handle()");
    sink_ = std::move(sink);
}

void Connection::resume_body() {
    sink_resumed_ = true;
    if (std::exchange(sink_paused_, false) && paused_) wake();
}

// No more requests come, but a half-closed client still gets its answers.
void Connection::peer_closed() {
    peer_eof_ = true;
    gone_ = true;
    ref();
    if (shut_) kill();
    if (reading_ == Reading::Whole) {  // no handler has seen it
        Slot& unseen = ring_[--next_ & (ring_.size() - 1)];
        end_ticket(unseen, true);
        unseen.reset();
    }
    if (reading_ != Reading::Head) stop_reading();
    abort_sink({499, "client_gone", "The client has closed the connection."});
    std::vector<std::function<void()>> callbacks;
    for (std::uint64_t i = first_; i != next_; ++i)
        if (auto& callback = slot(i)->on_cancel) callbacks.push_back(std::exchange(callback, nullptr));
    for (auto& callback : callbacks) callback();
    if (!dead_) advance();
    unref();
}

// --- time ------------------------------------------------------------------------------------------------------------------

// `progress`: bytes came from the peer.
void Connection::update_deadline(bool progress) {
    if (shut_) return;
    if (reading_ == Reading::Head) {
        bool const partial = in_.size() > 0 && !last_request_;
        bool const idle = first_ == next_;
        if (partial && head_started_) return;
        if (partial)
            read_deadline_us_ = now_us_ + limits_.head_timeout.us;
        else if (!idle)
            read_deadline_us_ = never;
        else if (got_request_)
            read_deadline_us_ = now_us_ + limits_.idle_timeout.us;
        head_started_ = partial;
    } else if (reading_ == Reading::Linger || reading_ == Reading::Held || sink_paused_) {
        read_deadline_us_ = never;
    } else if (progress || read_deadline_us_ == never) {
        read_deadline_us_ = now_us_ + limits_.body_timeout.us;
    }
}

void Connection::tick(std::int64_t now_us) {
    now_us_ = now_us;
    ref();
    heartbeat(now_us);
    if (now_us >= write_deadline_us_ && unsent() > 0) {
        bump(shard_.counters.timeouts);
        kill();
    } else if (now_us >= read_deadline_us_) {
        timed_out();
    }
    unref();
}

void Connection::timed_out() {
    read_deadline_us_ = never;
    if (shut_) return kill();
    static constexpr Refusal late{408, "timeout", "The request took too long to arrive."};
    bool const idle = reading_ == Reading::Head && in_.size() == 0;
    if (!idle || !got_request_) bump(shard_.counters.timeouts);
    if (idle) return kill();
    if (reading_ == Reading::Head && (next_ - first_ >= limits_.pipelined || unsent() > limits_.write_buffer_bytes)) return;
    if (reading_ == Reading::Head)
        refuse(late);
    else
        abort_body(late);
    flush();
}

// --- writing ---------------------------------------------------------------------------------------------------------------

bool Connection::encrypt_some() {
    if (cipher_sent_ == cipher_.size()) cipher_.clear(), cipher_sent_ = 0;
    if (cipher_.empty() && sent_ < out_.size()) {
        std::size_t const n = std::min(out_.size() - sent_, tls_piece_bytes);
        tls_->write(std::string_view(out_).substr(sent_, n));
        sent_ += n;
    }
    tls_->drain(cipher_);
    return cipher_sent_ < cipher_.size();
}

void Connection::send_some() {
    for (;;) {
        if (tls_ && !encrypt_some()) return;
        std::string& from = tls_ ? cipher_ : out_;
        std::size_t& sent = tls_ ? cipher_sent_ : sent_;
        if (sent == from.size()) return;
        ssize_t const n = ::send(socket_.native_handle(), from.data() + sent, from.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            sent += std::size_t(n);
            bump(shard_.counters.sent, std::uint64_t(n));
            write_deadline_us_ = now_us_ + limits_.write_timeout.us;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            return kill();
        }
    }
}

void Connection::flush() {
    if (dead_) return;
    ref();
    if (unsent() > 0 || tls_) send_some();
    if (!dead_) {
        if (unsent() > 0) wait_writable();
        drained();
    }
    unref();
}

void Connection::wait_writable() {
    if (sent_ > kept_buffer_bytes && sent_ > out_.size() / 2) out_.erase(0, sent_), sent_ = 0;
    if (write_waiting_) return;
    write_waiting_ = true;
    write_deadline_us_ = steady_now_us() + limits_.write_timeout.us;
    ref();
    socket_.async_wait(Socket::wait_write, [this](boost::system::error_code error) {
        write_waiting_ = false;
        now_us_ = steady_now_us();
        if (!error) flush();
        unref();
    });
}

void Connection::drained() {
    if (unsent() == 0) {
        out_.clear(), sent_ = 0, write_deadline_us_ = never;
        if (out_.capacity() > limits_.write_buffer_bytes || may_be_silent()) out_ = {};
        if (closing_) return finish_close();
    }
    update_deadline(false);
    if (unsent() > limits_.write_buffer_bytes) return;
    if (paused_) wake();
    if (Slot* front = slot(first_); front && front->wants_drained && front->on_drained) {
        front->wants_drained = false;
        auto callback = front->on_drained;
        callback();
    }
}

// Everything is sent. The peer may still be sending: closing now would reset the connection and lose the answer on its way.
void Connection::finish_close() {
    if (shut_) return;
    shut_ = true;
    abort_sink({499, "closed", "The connection was closed."});
    if (dead_) return;
    if (tls_) {
        tls_->close();
        send_some();
    }
    if (dead_ || peer_eof_) return kill();
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    stop_reading();
    in_.clear();
    read_deadline_us_ = steady_now_us() + linger_us;
    wake();
}

}  // namespace gantry::http
