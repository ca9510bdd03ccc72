#include "kernel/runtime/follower.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/observe/log_line.h"

namespace gantry::runtime {

using observe::Level;

std::optional<Duration> Follower::step() {
    auto const now_ns = clock_.steady_ns();
    if (back_at_ns_ > now_ns) return Duration::micros((back_at_ns_ - now_ns) / 1000 + 1);
    if (!source_) {
        Problem const nowhere{404, "source_unknown",
                              fmt::format("{} is served neither here nor, by [server] elsewhere, anywhere else", decl_.source)};
        return say(FollowerState::refused, &nowhere), std::nullopt;
    }
    if (!host_.ready() || !source_->ready()) return say(FollowerState::starting), Duration::millis(100);
    if (waits_for_own_log()) return std::nullopt;
    auto const held = host_.hold_personal();
    auto const place = host_.followed_place(decl_.source);
    if (place.to_retry) return retry(place, *place.to_retry);
    return advance(place);
}

std::optional<Duration> Follower::advance(FollowPlace const& place) {
    if (!has_chunk_ || chunk_rebuilds_ != host_.rebuilds() || chunk_after_ != place.position ||
        (place.incarnation != 0 && chunk_.incarnation != place.incarnation)) {
        has_chunk_ = false;
        Result<std::optional<FollowSource::Chunk>> read;
        {
            std::lock_guard lock(mutex_);
            read = source_->read(place.incarnation, place.position);
            place_ = source_->place();
        }
        if (!read) return failed(read.error());
        if (!*read) return failures_ = 0, idle();
        chunk_ = **read, taken_ = 0, chunk_after_ = place.position, has_chunk_ = true;
        chunk_rebuilds_ = host_.rebuilds();
    }
    return bring({.decl = decl_,
                  .known = place.incarnation,
                  .after = place.position,
                  .incarnation = chunk_.incarnation,
                  .items = chunk_.items.subspan(taken_),
                  .upto = chunk_.upto,
                  .checkpoint = checkpoint_due() || place.incarnation != chunk_.incarnation});
}

std::optional<Duration> Follower::bring(FollowTurn turn) {
    auto const turned = keep_trace_ ? follow_traced(turn) : host_.follow(turn);
    if (!turned) return failed(turned.error());
    failures_ = 0;
    if (turned->is_void) return has_chunk_ = false, Duration{};
    bool const whole = turned->taken == turn.items.size();
    auto const at = whole ? turn.upto : turned->taken == 0 ? turn.after : turn.items[turned->taken - 1].position;
    if (turned->recorded) {
        unrecorded_ = 0;
    } else {
        if (unrecorded_ == 0) unrecorded_ns_ = clock_.steady_ns();
        unrecorded_ += at - turn.after;
    }
    taken_ += turned->taken, chunk_after_ = at;
    if (whole) has_chunk_ = false;
    if (turned->full) {
        Problem const full{409, "dead_letters_full", fmt::format("there are {} dead letters: retry or drop some", Followed::letters_max)};
        return say(FollowerState::full, &full), std::nullopt;
    }
    say(FollowerState::running);
    return Duration{};
}

Result<FollowTurned> Follower::follow_traced(FollowTurn const& turn) {
    auto const began_ns = system_clock().steady_ns();
    auto turned = host_.follow(turn);
    auto const ended_ns = system_clock().steady_ns();
    auto const trace = std::make_unique<observe::RequestTrace>();
    trace->begin("follow", observe::SpanKind::consumer, {}, clock_.wall(), began_ns, random_);
    trace->set(observe::RequestTrace::Handle::root, "follow.after", std::int64_t(turn.after));
    trace->set(observe::RequestTrace::Handle::root, "follow.events", std::int64_t(turned ? turned->taken : 0));
    trace->end(ended_ns, turned ? observe::SpanStatus::ok : observe::SpanStatus::error);
    keep_trace_(*trace, {turned ? 200 : std::max(turned.error().status, 500), {}, site_, host_.decl().name, "FOLLOW", decl_.source});
    return turned;
}

std::optional<Duration> Follower::retry(FollowPlace const& place, Position position) {
    has_chunk_ = false;
    Result<std::optional<FollowSource::Chunk>> read;
    {
        std::lock_guard lock(mutex_);
        read = source_->read_one(place.incarnation, position);
    }
    FollowItem gone{.position = position};
    std::span<FollowItem const> items{&gone, 1};
    if (!read) {
        // What will never be readable again stays among the letters, and says so; for the rest the source may come back.
        if (!needs_operator(read.error()) && read.error().code != "position_gone") return failed(read.error());
        gone.unreadable = &read.error();
    } else if (!*read) {
        return std::nullopt;
    } else if (!(*read)->items.empty()) {
        items = (*read)->items;
    }
    if (!items.front().event && !items.front().unreadable) {
        // No decision takes events of this type any more.
        auto dropped = host_.change_followed(decl_.source, [&](Followed& followed, LetterChanges& letters) -> Result<void> {
            return drop_letter(followed, position, letters), Result<void>();
        });
        return dropped ? std::optional(Duration{}) : failed(dropped.error());
    }
    auto const turned = host_.follow({.decl = decl_,
                                      .known = place.incarnation,
                                      .after = place.position,
                                      .incarnation = place.incarnation,
                                      .items = items,
                                      .upto = place.position,
                                      .retry = true});
    if (!turned) return failed(turned.error());
    return Duration{};
}

bool Follower::checkpoint_due() const {
    return unrecorded_ >= checkpoint_events || (unrecorded_ > 0 && clock_.steady_ns() - unrecorded_ns_ >= checkpoint_after.us * 1000);
}

std::optional<Duration> Follower::idle() {
    if (place_.incarnation == 0)
        say(FollowerState::starting);
    else
        say(place_.durable > host_.followed_place(decl_.source).position ? FollowerState::running : FollowerState::caught_up);
    if (unrecorded_ == 0) return std::nullopt;
    if (checkpoint_due()) {
        if (auto stopped = stop(); !stopped) return failed(stopped.error());
        return std::nullopt;
    }
    return Duration::micros(checkpoint_after.us - (clock_.steady_ns() - unrecorded_ns_) / 1000 + 1);
}

Result<void> Follower::stop() {
    if (unrecorded_ == 0 || !host_.ready()) return {};
    auto const place = host_.followed_place(decl_.source);
    if (place.incarnation == 0) return {};
    TRY_VOID(host_.follow({.decl = decl_,
                           .known = place.incarnation,
                           .after = place.position,
                           .incarnation = place.incarnation,
                           .items = {},
                           .upto = place.position,
                           .checkpoint = true}));
    unrecorded_ = 0;
    return {};
}

std::optional<Duration> Follower::failed(Problem const& problem) {
    has_chunk_ = false;
    if (needs_operator(problem)) return say(FollowerState::refused, &problem), std::nullopt;
    auto const longest = std::min(backoff_max.us, backoff_first.us << std::min(failures_++, 20));
    auto wait = longest / 2 + std::int64_t(random_.below(std::uint64_t(longest / 2 + 1)));
    if (problem.retry_after_s) wait = std::max(wait, std::min<std::int64_t>(*problem.retry_after_s, 3600) * 1'000'000);
    back_at_ns_ = clock_.steady_ns() + wait * 1000;
    say(FollowerState::backing_off, &problem, clock_.wall() + Duration::micros(wait));
    return Duration::micros(wait);
}

void Follower::say(FollowerState state, Problem const* why, std::optional<Time> retry_at) {
    std::lock_guard lock(mutex_);
    bool const news = state != state_ || (why && (!why_ || why->code != why_->code));
    state_ = state, retry_at_ = retry_at;
    why_ = why ? std::optional(*why) : std::nullopt;
    if (!news || !why) return;
    observe::log_line(state == FollowerState::backing_off ? Level::warning : Level::error, "runtime",
                      "a follower can't go on: " + why->detail,
                      {{"service", host_.decl().name}, {"source", decl_.source}, {"code", why->code}, {"cause", why->cause}});
}

FollowSource::Place Follower::source_place() const {
    std::lock_guard lock(mutex_);
    return source_ ? source_->place() : FollowSource::Place{};
}

FollowerTold Follower::told() const {
    auto const place = host_.followed_place(decl_.source);
    std::lock_guard lock(mutex_);
    auto const source = source_ ? source_->place() : FollowSource::Place{};
    FollowerTold out{.source = std::string(decl_.source), .where = source_ ? source_->where() : "", .state = state_};
    if (why_) out.code = why_->code, out.why = why_->detail;
    out.retry_at = retry_at_, out.dead_letters = std::int64_t(place.dead_letters);
    if (place.incarnation != 0) out.position = fmt::format("{}.{}", log::incarnation_text(place.incarnation), place.position);
    if (source.incarnation != 0) out.end = fmt::format("{}.{}", log::incarnation_text(source.incarnation), source.durable);
    bool const comparable = source.incarnation == place.incarnation || place.incarnation == 0;
    if (!comparable || source.durable <= place.position) return out;
    out.lag_events = std::int64_t(source.durable - place.position);
    if (auto const time = source_->time_behind(place.position)) out.lag_s = std::max(0.0, double((clock_.wall() - *time).us) / 1e6);
    return out;
}

Position needed_by_followers(Host& source, std::span<Host* const> followers, std::uint64_t events_max) {
    auto const status = source.log().status();
    auto needed = ~Position{0};
    for (Host* host : followers) {
        auto const place = host->followed_place(source.decl().name);
        if (place.incarnation == status.incarnation) needed = std::min(needed, place.needs);
        if (place.incarnation == 0) needed = 1;
    }
    auto const limit = status.durable > events_max ? status.durable - events_max + 1 : 1;
    return std::max(needed, limit);
}

// --- on a thread -------------------------------------------------------------------------------------------------------------

struct Followers::Running {
    std::unique_ptr<Follower> follower;
    std::atomic<bool> scheduled = false;
    std::atomic<bool> ended = false;
    std::atomic<bool> waits_for_own_log = false;
    net::Timer alarm;  // on the thread
};

Followers::Followers(Host& host, net::IoThreads& threads, int thread, SourceOf const& source_of, Clock& clock, Random& random,
                     std::string_view site, KeepTrace const& keep_trace)
    : host_(host), threads_(threads), thread_(thread) {
    for (auto const& decl : host.decl().followers) {
        auto running = std::make_shared<Running>();
        auto wake = [this, weak = std::weak_ptr(running)] {
            if (auto held = weak.lock()) schedule(held);
        };
        running->follower = std::make_unique<Follower>(host, decl, source_of(decl, std::move(wake)), clock, random);
        if (keep_trace) running->follower->trace_to(site, keep_trace);
        running_.push_back(std::move(running));
    }
}

Followers::~Followers() { stop(); }

void Followers::start() {
    own_progress_ = host_.on_progress([this] {
        for (auto const& running : running_)
            if (running->waits_for_own_log.exchange(false)) schedule(running);
    });
    host_.set_follower_desk(this);
    for (auto const& running : running_) schedule(running);
}

void Followers::schedule(std::shared_ptr<Running> const& running) {
    if (running->ended || running->scheduled.exchange(true)) return;
    threads_.post(thread_, [this, running] {
        running->scheduled = false;
        if (!running->ended) run(*this, running);
    });
}

void Followers::run(Followers& self, std::shared_ptr<Running> const& running) {
    running->alarm.cancel();
    auto const next = running->follower->step();
    if (!next) {
        if (running->follower->waits_for_own_log()) {
            running->waits_for_own_log = true;
            if (!running->follower->waits_for_own_log()) self.schedule(running);  // it came in between
        }
        return;
    }
    if (next->us <= 0) return self.schedule(running);
    running->alarm = self.threads_.after(self.thread_, *next, [&self, running] { self.schedule(running); });
}

void Followers::stop() {
    if (std::exchange(stopped_, true)) return;
    host_.set_follower_desk(nullptr);
    host_.stop_listening(own_progress_);
    for (auto const& running : running_) running->ended = true;
    // What was posted before has run when this returns.
    threads_.run(thread_, [this] {
        for (auto const& running : running_) {
            running->alarm.cancel();
            if (auto stopped = running->follower->stop(); !stopped)
                observe::log_line(Level::warning, "runtime", "a follower's place is not recorded: it looks at some events again",
                                  {{"service", host_.decl().name}, {"cause", stopped.error().detail}});
        }
    });
    running_.clear();
}

Follower* Followers::find(std::string_view source) {
    for (auto const& running : running_)
        if (running->follower->decl().source == source) return running->follower.get();
    return nullptr;
}

void Followers::wake(std::string_view source) {
    for (auto const& running : running_)
        if (running->follower->decl().source == source) running->follower->try_now(), schedule(running);
}

}  // namespace gantry::runtime
