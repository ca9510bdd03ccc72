#include "kernel/runtime/effect_runner.h"

#include <algorithm>
#include "kernel/observe/log_line.h"
#include "kernel/runtime/event_at.h"
#include "kernel/runtime/reports.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t unsettled_max = 64;
constexpr Duration retry_after_max = Duration::days(1);

bool may_get_better(Problem const& problem) {
    int const status = problem.status;
    return status < 400 || status >= 500 || status == 408 || status == 425 || status == 429;
}

// Half of it to all of it: those that failed together don't come back together.
Duration jittered(Duration wait, EffectId const& id, std::int64_t attempt) {
    return Duration{wait.us / 2 + std::int64_t(mix64(hash64(id.view()) + std::uint64_t(attempt)) % std::uint64_t(wait.us / 2 + 1))};
}

}  // namespace

std::vector<EffectRunner::Due> EffectRunner::choose() const {
    auto const& decl = parts_.host.decl();
    auto const durable = parts_.host.durable();
    auto const now = parts_.host.log_time();
    Viewer const kernel{Str("gantry"), true};
    std::vector<Due> chosen;
    Position at = 0;
    parts_.host.look(kernel, at, [&](void const* state) {
        auto const& outbox = decl.outbox(state);
        for (auto const& effect : decl.effects) {
            std::size_t at_once = effect.options.at_once;
            outbox.walk_due(effect.kind, now, [&](PendingEffect const& row) {
                if (at_once == 0) return false;
                --at_once;  // of those under way, too: they are due until they have ended
                if (row.position <= durable && !under_way_.contains(row.id)) chosen.push_back({&effect, row});
                return true;
            });
        }
        return true;
    });
    std::ranges::sort(chosen, {}, [](Due const& due) { return *due.row.next_at; });
    return chosen;
}

void EffectRunner::poll() {
    if (!parts_.host.ready() || !parts_.host.decl().outbox) return;
    std::vector<Unsettled> again;
    std::vector<Due> due;
    {
        std::lock_guard guard(mutex_);
        if (stopping_) return;
        again = std::exchange(unsettled_, {});
        due = choose();
    }
    for (auto& ran : again) settle(std::move(ran));
    bool full = false, waiting_full = false;
    for (auto const& one : due) {
        if (one.decl->options.waits && parts_.run_waiting ? waiting_full : full) continue;
        {
            std::lock_guard guard(mutex_);
            if (stopping_ || unsettled_.size() >= unsettled_max) return;
            under_way_.insert(one.row.id), ++running_;
        }
        // Also when the task is dropped without having run.
        std::shared_ptr<void> const leave(nullptr, [this](void*) {
            std::lock_guard guard(mutex_);
            --running_;
            idle_.notify_all();
        });
        bool const apart = one.decl->options.waits && parts_.run_waiting;
        if ((apart ? parts_.run_waiting : parts_.run)([this, one, leave] { run(one); })) continue;
        std::lock_guard guard(mutex_);
        under_way_.erase(one.row.id);
        (apart ? waiting_full : full) = true;
        if (full && (waiting_full || !parts_.run_waiting)) return;
    }
}

void EffectRunner::run(Due const& due) {
    Unsettled ran{due, nullptr, std::shared_ptr<void const>()};
    auto event = event_at(parts_.host, due.row.position);
    if (!event) {
        ran.done = std::unexpected(std::move(event.error()));
        ran.done.error().status = 422;  // it won't be readable the next time
        return settle(std::move(ran));
    }
    ran.event = std::make_shared<codec::AnyValue>(std::move(*event));
    Outside outside{.id = due.row.id,
                    .attempt = due.row.attempts + 1,
                    .until = parts_.clock.wall() + due.decl->options.timeout,
                    .send = parts_.send,
                    .stopping =
                        [this] {
                            std::lock_guard guard(mutex_);
                            return stopping_;
                        },
                    .now = [this] { return parts_.clock.wall(); }};
    outside.mail = parts_.mail;
    outside.event = [this](Position position) { return event_if_kept(parts_.host, position); };
    outside.proof_of = [this](std::string_view purpose, std::string_view what) {
        return codec::proof_of(parts_.host.hash_key(), purpose, what);
    };
    outside.open = [this](std::string_view purpose, std::string_view sealed) {
        return codec::open_for_site(parts_.host.hash_key(), purpose, sealed);
    };
    if (parts_.keep_trace)
        act_traced(ran, outside);
    else
        act(ran, outside);
    settle(std::move(ran));
}

void EffectRunner::act(Unsettled& ran, Outside& outside) {
    try {
        ran.done = ran.due.decl->run(*ran.due.decl, ran.event->get(), outside);
    } catch (...) {
        auto const thrown = thrown_now();
        ran.done = fail(500, "effect_failed", "what does this effect failed inside");
        ran.done.error().cause = thrown->message;
        (void)parts_.host.report("effect", ran.due.decl->kind, ran.done.error(), thrown.get());
    }
}

void EffectRunner::act_traced(Unsettled& ran, Outside& outside) {
    std::optional<observe::TraceContext> from;
    std::string request_id;
    (void)parts_.host.log().find(ran.due.row.position, [&](log::BatchView const& batch) {
        request_id = batch.request_id;
        outside.trace_state = batch.trace_state;
        if (auto const id = observe::trace_id_of_bytes(batch.trace_id)) from = observe::TraceContext{.trace = *id};
        return false;
    });
    auto const trace = std::make_unique<observe::RequestTrace>();
    trace->begin("effect", observe::SpanKind::consumer, from, parts_.clock.wall(), system_clock().steady_ns(), system_random());
    trace->set(observe::RequestTrace::Handle::root, "effect.kind", ran.due.decl->kind);
    trace->set(observe::RequestTrace::Handle::root, "effect.attempt", outside.attempt);
    auto const parent = observe::format_traceparent(trace->context());
    outside.traceparent.assign(parent.data(), parent.size());
    outside.called = [&trace](std::int64_t began_ns, std::int64_t ended_ns, int status) {
        auto const call = trace->add("call", began_ns, ended_ns, observe::SpanKind::client);
        trace->set(call, "http.response.status_code", std::int64_t(status));
    };
    act(ran, outside);
    int const status = ran.done ? 200 : std::max(ran.done.error().status, 500);
    trace->end(system_clock().steady_ns(), ran.done ? observe::SpanStatus::ok : observe::SpanStatus::error);
    parts_.keep_trace(*trace, {status, request_id, parts_.site, parts_.host.decl().name, "EFFECT", ran.due.decl->kind});
}

EffectOutcome EffectRunner::outcome_of(Due const& due, Done const& done) const {
    EffectOutcome outcome{.id = due.row.id};
    if (done) return outcome;
    auto const& problem = done.error();
    auto const& options = due.decl->options;
    outcome.error = problem.code + ": " + problem.detail;
    outcome.step = EffectStep::dead;
    if (!may_get_better(problem) || due.row.attempts + 1 >= options.attempts_max) return outcome;
    auto wait = options.first_wait;
    for (auto i = due.row.attempts; i > 0 && wait < options.longest_wait; --i) wait = Duration{wait.us * 2};
    wait = jittered(std::min(wait, options.longest_wait), due.row.id, due.row.attempts);
    if (problem.retry_after_s) wait = std::clamp(Duration::seconds(*problem.retry_after_s), wait, retry_after_max);
    outcome.step = EffectStep::failed, outcome.again_at = parts_.clock.wall() + wait;
    return outcome;
}

Result<void> EffectRunner::record(Unsettled const& ran, EffectOutcome const& outcome, bool with_the_service) {
    void const* event = ran.event && with_the_service ? ran.event->get() : nullptr;
    return parts_.host.run_kernel([&](Call& call) { return ran.due.decl->settle(*ran.due.decl, call, outcome, event, ran.done); },
                                  ran.due.row.position, "effect", ran.due.decl->kind);
}

// The disk may be full, or the service stopped: then the effect isn't done again, only its outcome is recorded later.
void EffectRunner::settle(Unsettled ran) {
    auto const held = parts_.host.hold_personal();
    if (ran.event) {  // read again: what was erased meanwhile is recorded no more
        auto event = event_at(parts_.host, ran.due.row.position);
        ran.event = event ? std::make_shared<codec::AnyValue>(std::move(*event)) : nullptr;
    }
    auto const outcome = outcome_of(ran.due, ran.done);
    auto recorded = record(ran, outcome, true);
    if (!recorded && (recorded.error().code == "internal_error" || recorded.error().code == "apply_failed")) {
        observe::log_line(observe::Level::error, "effects", "what the service makes of an outcome failed: it is recorded without",
                          {{"service", parts_.host.decl().name}, {"effect", ran.due.row.id.view()}, {"cause", recorded.error().cause}});
        recorded = record(ran, outcome, false);
    }
    if (outcome.step == EffectStep::dead || outcome.step == EffectStep::failed)
        observe::log_line(outcome.step == EffectStep::dead ? observe::Level::error : observe::Level::warning, "effects",
                          outcome.step == EffectStep::dead ? "given up: an operator may retry or drop it" : "failed, and is tried again",
                          {{"service", parts_.host.decl().name},
                           {"effect", ran.due.row.id.view()},
                           {"kind", ran.due.decl->kind},
                           {"error", outcome.error->view()},
                           {"cause", ran.done.error().cause}});
    if (recorded) return ended(ran.due.row.id);
    std::lock_guard guard(mutex_);
    unsettled_.push_back(std::move(ran));
}

void EffectRunner::ended(EffectId const& id) {
    std::lock_guard guard(mutex_);
    under_way_.erase(id);
}

void EffectRunner::stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    idle_.wait(lock, [&] { return running_ == 0; });
}

std::size_t EffectRunner::under_way() const {
    std::lock_guard guard(mutex_);
    return under_way_.size();
}

}  // namespace gantry::runtime
