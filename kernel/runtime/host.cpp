#include "kernel/runtime/host.h"

#include <algorithm>
#include <exception>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/crash.h"
#include "kernel/runtime/event_at.h"
#include "kernel/runtime/host_call.h"
#include "kernel/runtime/reports.h"
#include "kernel/runtime/stored_reply.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t told_soon_max = 512, told_soon_bytes_max = 4096;  // events of one durable group, and each

bool tells_events(ServiceDecl const& decl) {
    return std::ranges::any_of(decl.routes, [](RouteDecl const& route) { return route.tell != nullptr; });
}

}  // namespace

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

Host::Host(ServiceDecl decl, Parts parts)
    : decl_(std::move(decl)),
      parts_(std::move(parts)),
      state_(Folded::empty(decl_)),
      history_(history_parts()),
      waiting_(parts_.waiting_room),
      recent_(*decl_.event, parts_.sealer, tells_events(decl_) ? RecentEvents::default_bytes : 0) {
    incarnation_text_ = log::incarnation_text(parts_.log.status().incarnation);
    parts_.log.on_durable([this](Position position) { became_durable(position); });
}
Host::~Host() = default;

Result<void> Host::start(Progress const& progress) {
    TRY_ASSIGN(state_, restore(progress));
    applied_.store(state_.last), durable_.store(state_.last);
    floor_ = state_.last;
    started_ = parts_.clock.wall();
    stuck_timers_.assign(decl_.timers.size(), false);
    note_due();
    TRY_VOID(parts_.log.scan(0, [&](log::BatchView const& batch) { return first_time_ = batch.time, false; }));
    TRY_VOID(agree_on_types());
    TRY_VOID(measure_memory());
    ready_.store(true, std::memory_order_release);
    return {};
}

// Under lock_. What was appended but isn't durable yet must be awaited: a scan ends at the durable end.
Result<void> Host::rebuild() {
    TRY_VOID(parts_.log.wait_durable());
    TRY_ASSIGN(Folded fresh, restore({}));
    GANTRY_ASSERT(fresh.last == applied(), "a rebuilt state stands where the lost one stood");
    fresh.agreed = std::move(state_.agreed);
    state_ = std::move(fresh);
    rebuilds_.fetch_add(1, std::memory_order_release);
    return {};
}

std::optional<Result<Answer>> Host::call(Request const& request, Later later) {
    if (request.route.kernel) return call_kernel(request, std::move(later));
    Outcome outcome = run(request);
    if (outcome.parked) return {};
    if (request.waiter && request.waiter->number != 0) leave(request.waiter->number);
    if (outcome.rests_on <= durable()) return settle(std::move(outcome));
    wait({outcome.rests_on, request.lane, later(), std::move(outcome)});
    return {};
}

void Host::call(RouteDecl const& route, Viewer const& viewer, Bind bind, Done done) {
    auto answer = call(Request{.route = route, .viewer = viewer, .bind = bind}, [&done] { return std::move(done); });
    if (answer) done(std::move(*answer));
}

Host::Outcome Host::run(Request const& request) {
    HostCall call(*this, request.viewer, &request);
    return run(call, request);
}

Host::Outcome Host::run(HostCall& call, Request const& request) {
    InHand const in_hand(decl_.name, request.route.verb, request.route.path, request.request_id);
    Result<void> ran;
    std::unique_ptr<Thrown> thrown;
    try {
        ran = request.route.run(request.route.function, call);
    } catch (...) {
        thrown = thrown_now();
        if (call.is_applying()) {
            ran = std::unexpected(call.promise_broken(thrown->message));
        } else {
            Problem problem{500, "internal_error", "the request failed inside the service; nothing was recorded"};
            problem.cause = thrown->message;
            call.abandon_write();
            ran = std::unexpected(std::move(problem));
        }
    }
    if (!ran && ran.error().status >= 500) {
        call.let_go();
        auto id = report(call, "request", {}, ran.error(), thrown.get());
        if (request.facts && request.facts->oops_id) *request.facts->oops_id = std::move(id);
    }
    if (!ran) return {std::unexpected(std::move(ran.error())), call.rests_on(), 0, &request.route};
    Outcome outcome{call.take_answer(), call.rests_on(), call.repeat_of(), &request.route};
    outcome.parked = call.is_parked();
    if (request.route.tell && !outcome.parked) outcome.telling = std::make_shared<Telling>(call.take_telling());
    return outcome;
}

void Host::leave(std::uint64_t waiter) {
    waiting_.leave(waiter);
    deliver();
}
void Host::hurry(std::uint64_t waiter) {
    waiting_.hurry(waiter);
    deliver();
}
void Host::hurry_all() {
    waiting_.hurry_all();
    deliver();
}

// Once everything that the outcome rests on is durable.
Result<Answer> Host::settle(Outcome outcome) const {
    if (outcome.answer && outcome.repeat_of != 0) return stored_reply(outcome);
    if (outcome.answer && outcome.telling) return tell(std::move(outcome));
    return std::move(outcome.answer);
}

Result<Answer> Host::stored_reply(Outcome const& outcome) const {
    Result<Answer> answer = fail(500, "log_damaged", "the batch of an earlier command holds no reply");
    TRY_VOID(parts_.log.find(outcome.repeat_of, [&](log::BatchView const& batch) {
        if (!batch.idempotency) return false;
        if (outcome.route->tell) {
            answer = tell_again(outcome, batch);
            return false;
        }
        auto stored = decode_stored_reply(*outcome.route->reply, batch.idempotency->reply, parts_.sealer);
        if (stored)
            answer = Answer{stored->status, std::move(stored->body), batch.last(), true, batch.time + Remembered::keep};
        else
            answer = std::unexpected(std::move(stored.error()));
        return false;
    }));
    return answer;
}

// The answer of a told command, made of what its decision found. What fails here leaves what was recorded as it is.
Result<Answer> Host::tell(Outcome outcome) const {
    RecentEvents::Place place;
    TRY_ASSIGN(outcome.answer->body, told_by(outcome, [&](Position at) { return event_if_kept(*this, at, place); }));
    return std::move(outcome.answer);
}

Result<std::string> Host::told_by(Outcome const& outcome, ReadEvent read) const {
    auto const& telling = *outcome.telling;
    Ctx ctx{telling.viewer, telling.now, telling.next, parts_.random, parts_.settings, &parts_.hash_key};
    ctx.scheme = telling.scheme, ctx.host = telling.host, ctx.site = parts_.site, ctx.durable = durable();
    try {
        return outcome.route->tell(telling.found->get(), std::move(read), ctx);
    } catch (...) {
        auto const thrown = thrown_now();
        Problem problem{500, "internal_error", "the answer failed inside the service; what was recorded stays"};
        problem.cause = thrown->message;
        return std::unexpected(std::move(problem));
    }
}

// The same on the committer's thread, while the lanes decide what came next: where all the events are at hand, and few and short, so that
// the next group isn't held up.
void Host::tell_soon(Outcome& outcome, std::size_t& events_left) const {
    if (!outcome.telling || !outcome.answer || outcome.repeat_of != 0) return;
    RecentEvents::Place place;
    bool at_hand = true;
    auto told = told_by(outcome, [&](Position at) -> Result<std::shared_ptr<void const>> {
        auto event = events_left > 0 ? recent_.find(at, place, told_soon_bytes_max) : nullptr;
        if (event)
            --events_left;
        else
            at_hand = false;  // what is told of it is thrown away
        return event;
    });
    if (!at_hand) return;
    if (told)
        outcome.answer->body = std::move(*told);
    else
        outcome.answer = std::unexpected(std::move(told.error()));
    outcome.telling = nullptr;
}

Result<Answer> Host::tell_again(Outcome const& outcome, log::BatchView const& batch) const {
    codec::AnyValue found(*outcome.route->found);
    TRY_ASSIGN(auto const status, decode_stored_value(*outcome.route->found, batch.idempotency->reply, found.get(), parts_.sealer));
    Outcome again{Answer{status, {}, batch.last(), true, batch.time + Remembered::keep}, batch.last(), 0, outcome.route, outcome.telling};
    again.telling->now = batch.time, again.telling->next = batch.first;
    again.telling->found.emplace(std::move(found));
    return tell(std::move(again));
}

Result<void> Host::run_kernel(std::function<Result<void>(Call&)> const& run, std::optional<Position> cause, std::string_view kind,
                              std::string_view what) {
    Viewer const kernel{Str("gantry"), true};
    HostCall call(*this, kernel, nullptr);
    if (cause) call.set_cause(log::CauseView{decl_.name, *cause});
    Result<void> ran;
    std::unique_ptr<Thrown> thrown;
    try {
        ran = run(call);
    } catch (...) {
        thrown = thrown_now();
        Problem problem{500, "internal_error", "what time brings about failed inside the service; nothing was recorded"};
        problem.cause = thrown->message;
        if (call.is_applying()) problem = call.promise_broken(thrown->message);
        call.abandon_write();
        ran = std::unexpected(std::move(problem));
    }
    if (!ran && ran.error().status == 500) call.let_go(), (void)report(call, kind, what, ran.error(), thrown.get());
    return ran;
}

Result<void> Host::tick() {
    if (decl_.tick) TRY_VOID(run_kernel(decl_.tick, {}, "timer", "tick"));
    TRY_VOID(fire_due());
    return {};
}

Time Host::log_time() {
    lock_.lock_shared();
    auto const last = state_.last_time;
    lock_.unlock_shared();
    return std::max(parts_.clock.wall(), last);
}

Time Host::due_at(TimerDecl const& timer, Time at) const { return std::max(at, started_ + timer.grace); }

Result<std::size_t> Host::fire_due(std::size_t at_most) {
    std::size_t fired = 0;
    if (waiting_.any()) waiting_.expire(log_time()), deliver();
    for (std::size_t i = 0; i < decl_.timers.size(); ++i) {
        auto const& timer = decl_.timers[i];
        while (fired < at_most && !stuck_timers_[i] && ready()) {
            lock_.lock_shared();
            auto const first = timer.first(state_.service.get());
            auto const now = std::max(parts_.clock.wall(), state_.last_time);
            lock_.unlock_shared();
            if (!first || due_at(timer, *first) > now) break;
            auto done = run_kernel([&](Call& call) { return timer.fire(timer.function, call); }, {}, "timer", std::to_string(i));
            if (!done) {
                auto const& code = done.error().code;
                stuck_timers_[i] = code == "timer_stuck" || code == "internal_error" || code == "apply_failed";
                lock_.lock();
                note_due();
                lock_.unlock();
                return std::unexpected(std::move(done.error()));
            }
            ++fired;
        }
    }
    return fired;
}

std::optional<Time> Host::next_due() const {
    auto us = next_due_us_.load(std::memory_order_acquire);
    if (auto const until = waiting_.any() ? waiting_.next_until() : std::nullopt) us = std::min(us, until->us);
    return us == no_due ? std::nullopt : std::optional(Time{us});
}

void Host::note_due() {
    std::int64_t next = no_due;
    for (std::size_t i = 0; i < decl_.timers.size(); ++i)
        if (auto first = decl_.timers[i].first(state_.service.get()); first && !stuck_timers_[i])
            next = std::min(next, due_at(decl_.timers[i], *first).us);
    auto const before = next_due_us_.exchange(next, std::memory_order_acq_rel);
    if (next < before && parts_.on_due) parts_.on_due(Time{next});
}

void Host::when_durable(Position position, int lane, Done done, std::move_only_function<void()> before) {
    Waiter waiter{position, lane, std::move(done), {Answer{.position = position}, position, 0, nullptr}, std::move(before)};
    if (position > durable()) return wait(std::move(waiter));
    if (waiter.before) waiter.before();
    waiter.done(std::move(waiter.outcome.answer));
}

void Host::wait(Waiter waiter) {
    {
        std::lock_guard guard(waiters_mutex_);
        if (waiter.position > durable()) {
            auto at = waiters_.end();
            if (!waiters_.empty() && waiters_.back().position > waiter.position)
                at = std::upper_bound(waiters_.begin(), waiters_.end(), waiter.position,
                                      [](Position p, Waiter const& w) { return p < w.position; });
            waiters_.insert(at, std::move(waiter));
            return;
        }
    }
    if (waiter.before) waiter.before();
    waiter.done(settle(std::move(waiter.outcome)));
}

void Host::became_durable(Position position) {
    std::vector<std::vector<Waiter>> ready;  // by lane + 1
    {
        std::lock_guard guard(waiters_mutex_);
        durable_.store(position, std::memory_order_release);
        while (!waiters_.empty() && waiters_.front().position <= position) {
            auto lane = parts_.post ? std::size_t(waiters_.front().lane + 1) : 0;
            if (ready.size() <= lane) ready.resize(lane + 1);
            ready[lane].push_back(std::move(waiters_.front()));
            waiters_.pop_front();
        }
    }
    watch_.durable(position);
    if (decl_.outbox && parts_.on_effects && has_effects_.load(std::memory_order_acquire)) parts_.on_effects();
    {
        std::lock_guard guard(listeners_mutex_);
        for (auto& [number, listener] : listeners_) listener();
    }
    auto tell = [this](std::vector<Waiter>& waiters) {
        for (Waiter& waiter : waiters) waiter.done(settle(std::move(waiter.outcome)));
    };
    std::size_t events_left = told_soon_max;
    for (std::size_t lane = 0; lane < ready.size(); ++lane) {
        if (ready[lane].empty()) continue;
        for (Waiter& waiter : ready[lane])
            if (waiter.before) waiter.before();
        if (lane == 0) {
            tell(ready[lane]);
            continue;
        }
        for (Waiter& waiter : ready[lane]) tell_soon(waiter.outcome, events_left);
        parts_.post(int(lane) - 1, [tell, waiters = std::move(ready[lane])]() mutable { tell(waiters); });
    }
}

void Host::on_wake(std::function<void(int lane, std::vector<std::uint64_t> const& watchers)> wake) {
    watch_.on_wake([this, wake = std::move(wake)](int lane, std::vector<std::uint64_t> watchers) {
        if (!parts_.post) return wake(lane, watchers);
        parts_.post(lane, [wake, lane, watchers = std::move(watchers)] { wake(lane, watchers); });
    });
}

bool Host::unchanged(Seen const& seen) const {
    if (seen.rebuilds != rebuilds_.load(std::memory_order_acquire)) return false;
    if (seen.broad) return applied() == seen.applied;
    for (std::uint32_t i = 0; i < seen.count; ++i)
        if (stamps_.last(seen.keys[i]) > seen.applied) return false;
    return true;
}

Position Host::newest(std::span<state::KeyHash const> keys) const {
    Position newest = floor_;
    for (auto key : keys) newest = std::max(newest, stamps_.last(key));
    return newest;
}

Position Host::rests_on(state::Reading const& reading) const {
    auto const looked_up = reading.broad() ? applied() : newest(reading.keys());
    if (!decl_.hides || reading.viewer().sees_all) return looked_up;
    return looked_up <= durable() ? durable() : applied();
}

bool Host::stopped() {
    lock_.lock_shared();
    bool const stopped = stopped_;
    lock_.unlock_shared();
    return stopped;
}

std::optional<Time> Host::snapshot_time() const {
    auto const us = snapshot_us_.load(std::memory_order_relaxed);
    return us == 0 ? std::nullopt : std::optional(Time{us});
}

std::uint64_t Host::digest() {
    lock_.lock_shared();
    auto value = decl_.state.digest(state_.service.get());
    lock_.unlock_shared();
    return value;
}

std::string Host::position_text(Position position) const { return incarnation_text_ + "." + std::to_string(position); }

}  // namespace gantry::runtime
