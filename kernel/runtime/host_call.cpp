#include "kernel/runtime/host_call.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/assert.h"
#include "kernel/base/varint.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/event_at.h"
#include "kernel/runtime/if_match.h"
#include "kernel/runtime/stored_reply.h"
#include "kernel/runtime/text_indexer.h"
#include "kernel/runtime/upgrade.h"

namespace gantry::runtime {
namespace {

constexpr std::uint64_t space_wanted_bytes = 64 * 1024;

ShortHash shorten(codec::KeyedHash const& hash) {
    ShortHash out;
    std::copy_n(hash.begin(), out.size(), out.begin());
    return out;
}
std::string_view bytes_of(auto const& array) { return {reinterpret_cast<char const*>(array.data()), array.size()}; }

}  // namespace

HostCall::HostCall(Host& host, Viewer const& viewer, Request const* request, Room* room)
    : host_(host),
      request_(request),
      reading_(viewer),
      drawn_(host.parts_.random),
      ctx_{viewer, {}, 0, drawn_, host.parts_.settings, &host.parts_.hash_key},
      room_(room ? *room : own_room_) {
    ctx_.site = host.parts_.site;
    // A read may be kept for those who come by another name.
    if (request && request->route.command && !request->host.empty()) ctx_.scheme = request->scheme, ctx_.host = request->host;
}

Result<Searched> HostCall::search(void const* input) {
    if (request_->searched) return *request_->searched;
    ctx_.now = host_.log_time();
    TRY_ASSIGN(auto const query, request_->route.make_query(request_->route.query, input, ctx_));
    if (query.nothing) return Searched{};
    if (auto* desk = host_.text_desk()) return desk->find(query);
    return fail({503, "text_unavailable", "the full-text index isn't open yet: try again", {}, {}, 1});
}

Result<text::Query> Host::text_query(Request const& request) {
    codec::AnyValue input(*request.route.input);
    TRY_VOID(request.bind(*request.route.input, input.get()));
    Ctx const ctx{request.viewer, log_time(), applied() + 1, parts_.random, parts_.settings, &parts_.hash_key};
    return request.route.make_query(request.route.query, input.get(), ctx);
}

Result<void const*> HostCall::begin_read() {
    host_.lock_.lock_shared();
    held_ = Held::shared;
    if (host_.stopped_) return std::unexpected(stopped());
    ctx_.now = std::max(host_.parts_.clock.wall(), host_.state_.last_time);
    ctx_.next = host_.applied() + 1, ctx_.durable = host_.durable();
    state::reading = &reading_;
    return static_cast<void const*>(host_.state_.service.get());
}

Position HostCall::end_read() {
    rests_on_ = host_.rests_on(reading_);
    keep_seen();
    let_go();
    return rests_on_;
}

Result<std::shared_ptr<void const>> HostCall::event(Position position) { return event_if_kept(host_, position); }

Host::Telling HostCall::take_telling() {
    return {ctx_.viewer, std::string(ctx_.scheme), std::string(ctx_.host), ctx_.now, ctx_.next, std::move(found_)};
}

Result<void> HostCall::wait(Wait wait, std::size_t events) {
    if (!ctx_.may_wait || events > 0) {
        abandon_write();
        return fail(500, "wait_refused", "the decision answers that it waits where it may not (Ctx::may_wait), or with facts");
    }
    if (request_->waiter->number == 0 && !host_.waiting_.may_wait(*request_->waiter, ctx_.now)) {
        abandon_write();
        Problem full{429, "waiting_full", "as many requests wait as may ([server] waiting_commands_max): ask again in a moment"};
        full.retry_after_s = 1;
        return std::unexpected(std::move(full));
    }
    bool const sooner = host_.waiting_.park(*request_->waiter, request_->lane, std::move(wait), ctx_.now);
    parked_ = true;
    auto const until = sooner && host_.parts_.on_due ? host_.waiting_.next_until() : std::nullopt;
    abandon_write();
    if (until) host_.parts_.on_due(*until);
    return {};
}

Result<void*> HostCall::begin_write() {
    host_.lock_.lock();
    held_ = Held::exclusive;
    TRY_VOID(may_write());
    ctx_.now = std::max(host_.parts_.clock.wall(), host_.state_.last_time);
    ctx_.next = host_.applied() + 1, ctx_.durable = host_.durable();
    TRY_ASSIGN(bool repeat, is_repeat());
    if (repeat) {
        rests_on_ = repeat_of_;
        let_go();
        return nullptr;
    }
    TRY_VOID(check_if_match());
    if (request_ && request_->waiter && request_->route.waits) ctx_.may_wait = may_wait(*request_->waiter);
    state::reading = &reading_;
    return host_.state_.service.get();
}

// Whether there is room for one who is new shows once it has to wait: who finds something needs none.
bool HostCall::may_wait(Waiter const& waiter) const {
    return waiter.number == 0 ? waiter.may_wait : host_.waiting_.may_wait(waiter, ctx_.now);
}

Result<void> HostCall::may_write() {
    if (host_.stopped_) return std::unexpected(stopped());
    bool const keys_find_room = !sealer() || !sealer()->has_room || sealer()->has_room();
    if (!keys_find_room || !host_.parts_.log.has_space(space_wanted_bytes))
        return fail(507, "log_full", "the disk has no room for another command; reads go on, free some space and try again");
    if (host_.memory_full_.load(std::memory_order_relaxed))
        return fail(507, "memory_full", "the service's state is at its memory limit ([server] memory_max_mib); reads go on");
    return {};
}

Result<bool> HostCall::is_repeat() {
    if (!request_ || request_->idempotency_key.empty()) return false;
    auto& remembered = host_.state_.remembered;
    auto const& key = host_.parts_.hash_key;
    std::string text(ctx_.caller().view());
    text += '\0';
    text += request_->idempotency_key;
    key_hash_ = codec::keyed_hash(key, text);
    text.assign(request_->route.verb);
    text += '\0';
    text += request_->target;
    text += '\0';
    text += request_->body;
    body_hash_ = codec::keyed_hash(key, text);
    remembered.forget_before(ctx_.now - Remembered::keep);
    auto const* earlier = remembered.find(shorten(key_hash_));
    if (!earlier) {
        if (remembered.full())
            return fail(507, "idempotency_full",
                        "too many commands with an Idempotency-Key are remembered; try again without one, or later");
        return false;
    }
    if (earlier->body != shorten(body_hash_))
        return fail(422, "idempotency_key_reused", "this Idempotency-Key came before with another request; use a new key");
    repeat_of_ = earlier->position;
    return true;
}

Result<void> HostCall::check_if_match() {
    if (!request_ || request_->if_match.empty()) return {};
    if (!request_->same_path_read)
        return fail(412, "if_match_unsupported", "there is no GET at this path, so it has no ETag that If-Match could speak of");
    TRY_ASSIGN(auto etag, etag_under_lock(host_, *request_, ctx_, host_.state_.service.get()));
    if (etag_listed(request_->if_match, etag)) return {};
    return fail(412, "precondition_failed", "the resource is no longer what If-Match speaks of: read it again and decide anew");
}

Result<void> HostCall::may_record(std::uint32_t event_type) {
    if (host_.may_record_[event_type]) return {};
    return fail(unfinished_upgrade(host_.decl_.event->alternatives[event_type].name));
}

void HostCall::record(std::uint32_t event_type, std::uint64_t events_so_far) {
    put_varint(room_.events, event_type);
    put_string(room_.events, room_.payload);
    room_.payload.clear();
    count_ = std::uint32_t(events_so_far + 1);
}

void HostCall::applying() {
    state::reading = nullptr;
    applying_ = true;
    writing_.emplace(host_.stamps_, ctx_.next + std::max<std::uint32_t>(count_, 1) - 1);
    if (count_ > 0) state::writing = &*writing_;
    note_touches();
}

void HostCall::note_touches() {
    is_watched_ = host_.watch_.any();
    if (is_watched_ && touched_.empty()) touched_.push_back(Watch::everything);
    if (is_watched_ || host_.waiting_.any()) writing_->touched = &touched_;
}

Result<Position> HostCall::append(codec::Type const& reply, void const* value, int status) {
    log::BatchView batch;
    batch.count = count_, batch.time = ctx_.now, batch.caller = ctx_.caller(), batch.events = room_.events;
    if (request_) batch.request_id = request_->request_id, batch.trace_id = request_->trace_id, batch.trace_state = request_->trace_state;
    std::string stored;
    if (request_ && !request_->idempotency_key.empty()) {
        stored = encode_stored_reply(reply, value, status, sealer());
        batch.idempotency = {bytes_of(key_hash_).substr(0, sizeof(ShortHash)), bytes_of(body_hash_), stored};
    }
    if (cause_) batch.cause = cause_;
    complete(batch);
    TRY_ASSIGN(Position first, host_.parts_.log.append(batch));
    GANTRY_ASSERT(first == ctx_.next, "a log gives positions in the order of appending");
    if (batch.idempotency) {
        host_.state_.remembered.add(shorten(key_hash_), shorten(body_hash_), first, ctx_.now);
        answer_.idempotency_until = ctx_.now + Remembered::keep;
    }
    return first + count_ - 1;
}

Result<void> HostCall::end_write(codec::Type const& reply, void const* value, int status) {
    state::writing = nullptr;
    rests_on_ = host_.applied();
    if (count_ > 0) {
        // Before it is appended: from then on it may be durable.
        bool const wakes = host_.waiting_.any() && !touched_.empty();
        if (is_watched_) host_.watch_.changed(ctx_.next + count_ - 1, wakes ? touched_ : std::move(touched_));
        host_.note_effects();
        auto last = append(reply, value, status);
        if (!last) return undo(std::move(last.error()));
        if (wakes) host_.waiting_.touch(touched_);
        if (host_.recent_.keeps()) host_.recent_.add(ctx_.next, count_, std::move(room_.events));
        host_.state_.last = rests_on_ = *last;
        host_.state_.last_time = ctx_.now;
        host_.applied_.store(rests_on_, std::memory_order_release);
    }
    host_.broken_promises_ = 0;
    applying_ = false;
    if (count_ > 0 && !host_.decl_.timers.empty()) host_.note_due();
    let_go();
    if (value) answer(reply, value, status);
    return {};
}

void HostCall::abandon_write() {
    rests_on_ = host_.applied();
    let_go();
}

void HostCall::answer(codec::Type const& reply, void const* value, int status) {
    answer_.status = status;
    if (!request_ || !request_->route.tell) {
        answer_.body.reserve(128);
        return codec::encode_json(reply, value, answer_.body);
    }
    found_.emplace(reply);
    reply.ops.assign(found_->get(), value);  // a copy owns
}

Problem HostCall::promise_broken(std::string cause) {
    state::writing = nullptr;
    (void)keep_earlier();  // what can't be kept is told to those whom it concerns
    auto rebuilt = host_.rebuild();
    if (++host_.broken_promises_ >= 3 || !rebuilt) host_.stopped_ = true;
    let_go();
    Problem problem{500, "apply_failed", "the command was not recorded: folding its events failed"};
    problem.cause = std::move(cause);
    return problem;
}

Problem HostCall::stopped() const {
    if (auto log = host_.parts_.log.wait_durable(); !log) return log.error();  // it takes nothing more, and the process is about to end
    return {503, "service_stopped", "this service stopped itself after three failures in a row; an operator must look at its reports"};
}

void HostCall::keep_seen() const {
    if (!request_ || !request_->seen) return;
    Seen& seen = *request_->seen;
    seen.applied = host_.applied(), seen.rebuilds = host_.rebuilds_.load(std::memory_order_relaxed), seen.broad = reading_.broad();
    seen.wide = reading_.wide();
    seen.count = std::uint32_t(reading_.keys().size());
    std::ranges::copy(reading_.keys(), seen.keys.begin());
}

Result<void> HostCall::undo(Problem why) {
    if (auto rebuilt = host_.rebuild(); !rebuilt) host_.stopped_ = true;
    applying_ = false;
    let_go();
    return std::unexpected(std::move(why));
}

void HostCall::let_go() {
    state::reading = nullptr, state::writing = nullptr;
    if (held_ == Held::shared) host_.lock_.unlock_shared();
    if (held_ == Held::exclusive) host_.lock_.unlock();
    if (std::exchange(held_, Held::none) == Held::exclusive) host_.deliver();
}

}  // namespace gantry::runtime
