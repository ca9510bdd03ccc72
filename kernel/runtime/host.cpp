#include "kernel/runtime/host.h"

#include <algorithm>
#include <exception>
#include <optional>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"

namespace gantry::runtime {

WriterFirstLock::WriterFirstLock() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}
WriterFirstLock::~WriterFirstLock() { pthread_rwlock_destroy(&lock_); }
void WriterFirstLock::lock() { GANTRY_ASSERT(pthread_rwlock_wrlock(&lock_) == 0, "the service's lock can be taken"); }
void WriterFirstLock::unlock() { pthread_rwlock_unlock(&lock_); }
void WriterFirstLock::lock_shared() { GANTRY_ASSERT(pthread_rwlock_rdlock(&lock_) == 0, "the service's lock can be shared"); }
void WriterFirstLock::unlock_shared() { pthread_rwlock_unlock(&lock_); }

// One call of one route. Holds the lock between begin and end, and lets go of it on every way out.
class HostCall final : public Call {
   public:
    HostCall(Host& host, Viewer const& viewer, Bind const* bind)
        : host_(host), bind_(bind), reading_(viewer), ctx_{viewer, {}, 0, host.parts_.random, host.parts_.settings} {}
    ~HostCall() override { let_go(); }

    Result<void> bind(codec::Type const& input, void* out) override { return (*bind_)(input, out); }

    Result<void const*> begin_read() override {
        host_.lock_.lock_shared();
        held_ = Held::shared;
        if (host_.stopped_) return stopped();
        ctx_.now = std::max(host_.parts_.clock.wall(), host_.last_time_);
        ctx_.next = host_.applied() + 1;
        state::reading = &reading_;
        return static_cast<void const*>(host_.state_.get());
    }
    Position end_read() override {
        rests_on_ = newest_looked_up();
        let_go();
        return rests_on_;
    }

    Result<void*> begin_write() override {
        host_.lock_.lock();
        held_ = Held::exclusive;
        if (host_.stopped_) return stopped();
        if (!host_.parts_.log.has_space(space_wanted_bytes))
            return fail(507, "log_full", "the disk has no room for another command; reads go on, free some space and try again");
        ctx_.now = std::max(host_.parts_.clock.wall(), host_.last_time_);
        ctx_.next = host_.applied() + 1;
        state::reading = &reading_;
        return host_.state_.get();
    }
    Ctx const& ctx() const override { return ctx_; }
    std::string& payload() override { return payload_; }
    void record(std::uint32_t event_type, std::uint64_t events_so_far) override {
        put_varint(events_, event_type);
        put_string(events_, payload_);
        payload_.clear();
        count_ = std::uint32_t(events_so_far + 1);
    }
    At next_at() const override { return {ctx_.next, ctx_.now, ctx_.caller()}; }
    void applying() override {
        state::reading = nullptr;
        applying_ = true;
        writing_.emplace(host_.stamps_, ctx_.next + std::max<std::uint32_t>(count_, 1) - 1);
        if (count_ > 0) state::writing = &*writing_;
    }
    Result<void> end_write(codec::Type const& reply, void const* value, int status) override {
        state::writing = nullptr;
        rests_on_ = host_.applied();
        if (count_ > 0) {
            log::BatchView batch;
            batch.count = count_, batch.time = ctx_.now, batch.caller = ctx_.caller(), batch.events = events_;
            auto first = host_.parts_.log.append(batch);
            if (!first) return undo(std::move(first.error()));
            GANTRY_ASSERT(*first == ctx_.next, "a log gives positions in the order of appending");
            host_.last_time_ = ctx_.now;
            host_.applied_.store(rests_on_ = *first + count_ - 1, std::memory_order_release);
        }
        host_.broken_promises_ = 0;
        applying_ = false;
        let_go();
        if (value) answer(reply, value, status);
        return {};
    }
    void abandon_write() override {
        rests_on_ = host_.applied();
        let_go();
    }
    std::string position_text(Position position) const override { return host_.position_text(position); }
    void answer(codec::Type const& reply, void const* value, int status) override {
        answer_.status = status;
        codec::encode_json(reply, value, answer_.body);
    }

    // apply threw: the batch was not logged, so the log still holds the truth.
    Problem promise_broken(std::string cause) {
        state::writing = nullptr;
        auto rebuilt = host_.rebuild();
        if (++host_.broken_promises_ >= 3 || !rebuilt) host_.stopped_ = true;
        let_go();
        Problem problem{500, "apply_failed", "the command was not recorded: folding its events failed"};
        problem.cause = std::move(cause);
        return problem;
    }
    bool is_applying() const { return applying_; }
    Answer take_answer() {
        answer_.position = rests_on_;
        return std::move(answer_);
    }
    // A refusal rests on the state that it saw, if it came to see one.
    Position rests_on() const { return rests_on_; }

   private:
    static constexpr std::uint64_t space_wanted_bytes = 64 * 1024;
    enum class Held { none, shared, exclusive };

    std::unexpected<Problem> stopped() const {
        return fail(503, "service_stopped",
                    "this service stopped itself after three failures in a row; an operator must look at its reports");
    }
    Position newest_looked_up() const {
        if (reading_.broad()) return host_.applied();
        Position newest = 0;
        for (auto key : reading_.keys()) newest = std::max(newest, host_.stamps_.last(key));
        return newest;
    }
    // The log refused what was folded already.
    Result<void> undo(Problem why) {
        if (auto rebuilt = host_.rebuild(); !rebuilt) host_.stopped_ = true;
        applying_ = false;
        let_go();
        return std::unexpected(std::move(why));
    }
    void let_go() {
        state::reading = nullptr, state::writing = nullptr;
        if (held_ == Held::shared) host_.lock_.unlock_shared();
        if (held_ == Held::exclusive) host_.lock_.unlock();
        held_ = Held::none;
    }

    Host& host_;
    Bind const* bind_;
    state::Reading reading_;
    std::optional<state::Writing> writing_;
    Ctx ctx_;
    Held held_ = Held::none;
    bool applying_ = false;
    std::string payload_, events_;
    std::uint32_t count_ = 0;
    Position rests_on_ = 0;
    Answer answer_;
};

Host::Host(ServiceDecl decl, Parts parts) : decl_(std::move(decl)), parts_(parts), state_(decl_.state.create()) {
    parts_.log.on_durable([this](Position position) { became_durable(position); });
}

Result<void> Host::replay_into(void* state, Position& last, Time& last_time) {
    std::unique_ptr<codec::EventReader> reader;
    std::uint64_t reader_id = 0;
    Result<void> outcome;
    auto scanned = parts_.log.scan(0, [&](log::BatchView const& batch) {
        last_time = std::max(last_time, batch.time);
        if (batch.kind != log::BatchKind::command) return true;
        if (!reader || reader_id != batch.schemas_id) {
            auto made = codec::make_event_reader(batch.schemas, *decl_.event, decl_.renames);
            if (!made) return outcome = std::unexpected(std::move(made.error())), false;
            reader = std::move(*made), reader_id = batch.schemas_id;
        }
        outcome = decl_.replay(state, std::span(&batch, 1), *reader, parts_.sealer, last);
        last = batch.last();
        return outcome.has_value();
    });
    TRY_VOID(std::move(scanned));
    return outcome;
}

Result<void> Host::start() {
    Position last = 0;
    TRY_VOID(replay_into(state_.get(), last, last_time_));
    applied_.store(last), durable_.store(last);
    return {};
}

// Under lock_. What was appended but isn't durable yet must be awaited: a scan ends at the durable end.
Result<void> Host::rebuild() {
    TRY_VOID(parts_.log.wait_durable());
    auto fresh = decl_.state.create();
    Position last = 0;
    Time time{};
    TRY_VOID(replay_into(fresh.get(), last, time));
    GANTRY_ASSERT(last == applied(), "a rebuilt state stands where the lost one stood");
    state_ = std::move(fresh);
    return {};
}

void Host::call(RouteDecl const& route, Viewer const& viewer, Bind const& bind, Done done) {
    HostCall call(*this, viewer, &bind);
    Result<void> ran;
    try {
        ran = route.run(route.function, call);
    } catch (std::exception const& e) {
        if (call.is_applying()) {
            ran = std::unexpected(call.promise_broken(e.what()));
        } else {
            Problem problem{500, "internal_error", "the request failed inside the service; nothing was recorded"};
            problem.cause = e.what();
            call.abandon_write();
            ran = std::unexpected(std::move(problem));
        }
    }
    Position position = call.rests_on();
    if (!ran) return when_durable(position, std::move(done), std::unexpected(std::move(ran.error())));
    when_durable(position, std::move(done), call.take_answer());
}

Result<void> Host::tick(Viewer const& kernel) {
    if (!decl_.tick) return {};
    HostCall call(*this, kernel, nullptr);
    return decl_.tick(call);
}

void Host::when_durable(Position position, Done done, Result<Answer> answer) {
    if (position > durable()) {
        std::lock_guard guard(waiters_mutex_);
        if (position > durable()) {
            auto at =
                std::upper_bound(waiters_.begin(), waiters_.end(), position, [](Position p, Waiter const& w) { return p < w.position; });
            waiters_.insert(at, Waiter{position, std::move(done), std::move(answer)});
            return;
        }
    }
    done(std::move(answer));
}

void Host::became_durable(Position position) {
    std::deque<Waiter> ready;
    {
        std::lock_guard guard(waiters_mutex_);
        durable_.store(position, std::memory_order_release);
        while (!waiters_.empty() && waiters_.front().position <= position) {
            ready.push_back(std::move(waiters_.front()));
            waiters_.pop_front();
        }
    }
    for (Waiter& waiter : ready) waiter.done(std::move(waiter.answer));
}

std::uint64_t Host::digest() {
    lock_.lock_shared();
    auto value = decl_.state.digest(state_.get());
    lock_.unlock_shared();
    return value;
}

std::string Host::position_text(Position position) const {
    return log::incarnation_text(parts_.log.status().incarnation) + "." + std::to_string(position);
}

}  // namespace gantry::runtime
