#include "kernel/runtime/host_group.h"

#include <algorithm>

#include "kernel/base/assert.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t write_bytes_max = 1 << 20;
constexpr std::size_t admitted_ahead_bytes = 64 << 10;
constexpr std::size_t plain_bytes_max = 64 << 10;  // of answers that are told on the committer's thread

}  // namespace

Result<void*> GroupedCall::begin_write() {
    if (!group_.inside_) group_.enter(), group_.may_write_ = may_write();
    rests_on_ = group_.last();
    TRY_VOID(group_.may_write_);
    if (host_.stopped_) return std::unexpected(stopped());
    ctx_.now = group_.now_, ctx_.next = group_.last() + 1, ctx_.durable = host_.durable();
    state::reading = &reading_;
    return host_.state_.service.get();
}

Result<void> GroupedCall::end_write(codec::Type const& reply, void const* value, int status) {
    state::writing = nullptr;
    applying_ = false;
    if (count_ > 0) TRY_VOID(group_.take(room_.events, count_, std::move(touched_), is_watched_));
    rests_on_ = group_.last();
    host_.broken_promises_ = 0;
    if (value) answer(reply, value, status);
    return {};
}

// With what the group recorded before it, where one batch holds both. What the log would take it takes as long as the service is held.
Result<void> GroupedCall::may_append() {
    auto const together = group_.events_.size() + room_.events.size();
    auto const wanted = together <= write_bytes_max ? together : room_.events.size();
    if (count_ == 0 || wanted <= group_.admitted_bytes_) return {};
    auto const ahead = std::max(wanted, admitted_ahead_bytes);
    auto const for_all = host_.parts_.log.may_append(ahead);
    if (!for_all) TRY_VOID(host_.parts_.log.may_append(wanted));
    group_.admitted_bytes_ = for_all ? ahead : wanted;
    return {};
}

void GroupedCall::abandon_write() {
    state::reading = nullptr, state::writing = nullptr;
    rests_on_ = group_.last();
}

void GroupedCall::let_go() {
    HostCall::let_go();
    group_.leave();
}

HostGroup::~HostGroup() { GANTRY_ASSERT(!inside_, "a group is ended"); }

void HostGroup::enter() {
    host_.lock_.lock();
    inside_ = true;
    now_ = std::max(host_.parts_.clock.wall(), host_.state_.last_time);
}

void HostGroup::run(Request const& request) {
    GANTRY_ASSERT(takes(request.route) && request.idempotency_key.empty(), "a group takes commands that decide at once");
    if (outcomes_.empty()) outcomes_.reserve(16), events_.reserve(4096), room_.events.reserve(1024), room_.payload.reserve(1024);
    if (outcomes_.empty())
        caller_ = request.viewer.id.view(), request_id_ = request.request_id, trace_id_ = request.trace_id,
        trace_state_ = request.trace_state;
    GroupedCall call(*this, request);
    outcomes_.push_back(host_.run(call, request));
}

Result<void> HostGroup::take(std::string_view events, std::uint32_t count, std::vector<state::KeyHash> touched, bool is_watched) {
    if (events_.size() + events.size() > write_bytes_max) TRY_VOID(append());  // so that what is too large fails alone
    events_ += events;
    if (count_ == 0)
        touched_ = std::move(touched);
    else
        touched_.insert(touched_.end(), touched.begin(), touched.end());
    count_ += count, watched_ |= is_watched;
    return {};
}

Result<void> HostGroup::append() {
    auto const from = std::exchange(written_, outcomes_.size());
    admitted_bytes_ = 0;
    if (count_ == 0) return {};
    auto const first = host_.applied() + 1;
    auto const count = std::exchange(count_, 0);
    // Before it is appended: from then on it may be durable.
    bool const wakes = host_.waiting_.any() && !touched_.empty();
    if (std::exchange(watched_, false)) host_.watch_.changed(first + count - 1, wakes ? touched_ : std::move(touched_));
    log::BatchView batch;
    batch.count = count, batch.time = now_, batch.caller = caller_, batch.events = events_;
    batch.request_id = request_id_, batch.trace_id = trace_id_, batch.trace_state = trace_state_;
    host_.note_effects();
    auto appended = host_.parts_.log.append(batch);
    if (!appended) {
        if (auto rebuilt = host_.rebuild(); !rebuilt) host_.stopped_ = true;
        for (auto i = from; i < outcomes_.size(); ++i)
            outcomes_[i] = {std::unexpected(appended.error()), host_.applied(), 0, outcomes_[i].route};
        events_.clear(), touched_.clear();
        return std::unexpected(std::move(appended.error()));
    }
    GANTRY_ASSERT(*appended == first, "a log gives positions in the order of appending");
    if (wakes) host_.waiting_.touch(touched_);
    if (host_.recent_.keeps()) host_.recent_.add(first, count, std::string(std::string_view(events_)));  // without the room to grow
    host_.state_.last = first + count - 1, host_.state_.last_time = now_;
    host_.applied_.store(host_.state_.last, std::memory_order_release);
    if (!host_.decl_.timers.empty()) host_.note_due();
    events_.clear(), touched_.clear();
    return {};
}

void HostGroup::leave() {
    if (!inside_) return;
    (void)append();  // where it fails, the outcomes say so
    inside_ = false;
    host_.lock_.unlock();
    host_.deliver();
}

// What is soon told: no events are to be looked for, and nothing is to be reported.
bool HostGroup::is_plain(std::vector<Host::Outcome> const& outcomes) {
    std::size_t bytes = 0;
    for (auto const& outcome : outcomes) {
        if (outcome.telling || outcome.repeat_of != 0 || (!outcome.answer && outcome.answer.error().status >= 500)) return false;
        bytes += outcome.answer ? outcome.answer->body.size() : 0;
    }
    return bytes <= plain_bytes_max;
}

void HostGroup::end(int lane, Told told, DoneAll done) {
    leave();
    Position rests_on = 0;
    for (auto const& outcome : outcomes_) rests_on = std::max(rests_on, outcome.rests_on);
    struct Untold {
        std::vector<Host::Outcome> outcomes;
        Told told;
        void tell(Host const& host) {
            std::vector<Result<Answer>> answers;
            answers.reserve(outcomes.size());
            for (auto& outcome : outcomes) answers.push_back(host.settle(std::move(outcome)));
            std::exchange(told, nullptr)(std::move(answers));
            outcomes.clear();
        }
    };
    auto untold = std::make_shared<Untold>(std::move(outcomes_), std::move(told));
    auto before = [&host = host_, untold] {
        if (is_plain(untold->outcomes)) untold->tell(host);
    };
    host_.when_durable(
        rests_on, lane,
        [&host = host_, untold, done = std::move(done)](Result<Answer>) mutable {
            if (untold->told) untold->tell(host);
            done();
        },
        std::move(before));
}

}  // namespace gantry::runtime
