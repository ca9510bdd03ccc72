#pragma once
#include <pthread.h>

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <type_traits>

#include "kernel/base/random.h"
#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/codec/keyed_hash.h"
#include "kernel/log/log.h"
#include "kernel/runtime/folded.h"
#include "kernel/runtime/history.h"
#include "kernel/runtime/recent_events.h"
#include "kernel/runtime/service_decl.h"
#include "kernel/runtime/waiting.h"
#include "kernel/runtime/watch.h"
#include "kernel/state/tracking.h"

namespace gantry::runtime {

// A readers-writer lock that lets a waiting writer in before further readers (glibc's default starves writers: measured).
class WriterFirstLock {
   public:
    WriterFirstLock();
    ~WriterFirstLock();
    WriterFirstLock(WriterFirstLock const&) = delete;
    WriterFirstLock& operator=(WriterFirstLock const&) = delete;
    void lock();
    void unlock();
    void lock_shared();
    void unlock_shared();

   private:
    pthread_rwlock_t lock_;
};

// What a route answered, once everything that it rests on is durable.
struct Answer {
    int status = 200;
    std::string body;          // JSON
    Position position = 0;     // the newest event that it rests on
    bool replayed = false;     // the reply of an earlier command with the same Idempotency-Key
    Time idempotency_until{};  // how long a repeat gets this reply; 0: the command had no key, or recorded nothing
};

// Fills a route's input from wherever the call came from. A view of a callable that outlives it.
class Bind {
   public:
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, Bind>)
    Bind(F&& fill)
        : context_(const_cast<void*>(static_cast<void const*>(std::addressof(fill)))),
          call_([](void* context, codec::Type const& input, void* out) -> Result<void> {
              return (*static_cast<std::remove_reference_t<F>*>(context))(input, out);
          }) {}
    Result<void> operator()(codec::Type const& input, void* out) const { return call_(context_, input, out); }

   private:
    void* context_;
    Result<void> (*call_)(void*, codec::Type const&, void*);
};

// What a read looked up, and when: enough to tell later whether its answer is still right.
struct Seen {
    Position applied = 0;
    std::uint64_t rebuilds = 0;
    bool broad = true;  // too much to name
    bool wide = true;   // whole tables among it: most writes change them
    std::uint32_t count = 0;
    std::array<state::KeyHash, state::Reading::keys_max> keys;
};

struct RequestFacts;
struct Thrown;
class HostCall;
class HostGroup;
class Reports;

// One call of one route. Everything it points to lives until Host::call returns.
struct Request {
    RouteDecl const& route;
    Viewer const& viewer;
    Bind bind;
    std::string_view request_id = {};
    std::string_view trace_id = {};             // 16 bytes, or empty
    std::string_view scheme = {}, host = {};    // how it came; empty: not over HTTP
    std::string_view trace_state = {};          // with a trace_id: what came along as tracestate
    std::string_view idempotency_key = {};      // empty: none
    std::string_view target = {}, body = {};    // what is compared when a key comes again
    std::string_view if_match = {};             // an ETag list of RFC 9110, or "*"; empty: none
    RouteDecl const* same_path_read = nullptr;  // whose answer `if_match` speaks of
    Bind const* bind_read = nullptr;
    Seen* seen = nullptr;                 // filled by a read
    Searched const* searched = nullptr;   // by a search: found already
    Waiter* waiter = nullptr;             // of a command that may wait (waiting.h); null: it answers at once
    int lane = -1;                        // where a later answer is given: a number for Parts::post; -1: on the committer's thread
    RequestFacts const* facts = nullptr;  // for reports (reports.h)
};

// Called once, from the calling thread or, by `lane`, later; must not block.
using Done = std::move_only_function<void(Result<Answer>)>;

// A page says up to where it shows the log, which changes with every write: that alone is no other answer.
std::string_view without_position(RouteDecl const& route, std::string_view body);
std::string etag_of(std::string_view body);
// The ETag of an answer, without the position of a page.
std::string etag_of(RouteDecl const& route, std::string_view body);

struct FollowTurn;
struct FollowTurned;
class FollowerDesk;
class TextDesk;
// How far a follower has come.
struct FollowPlace {
    log::Incarnation incarnation = 0;  // of its source; 0: nothing was read yet
    Position position = 0;
    Position needs = 1;  // the oldest event that it may still ask for
    std::size_t dead_letters = 0;
    std::optional<Position> to_retry;  // a dead letter that is to be taken again
};

// One service of one site: its state, folded from its log, and its commands and reads, from any thread. Nothing is answered before
// what it rests on is durable, refusals included: a refusal rests on the state that it saw.
class Host {
   public:
    // A snapshot is saved after so many events: a start, and a moment of the past, replay no more for long.
    static constexpr Position snapshot_after = 1 << 19;
    // All references outlive the host. The log's on_durable callback is taken by the host.
    struct Parts {
        log::Log& log;
        Clock& clock;
        Random& random;
        codec::Sealer const* sealer = nullptr;
        void const* settings = nullptr;
        log::Snapshots* snapshots = nullptr;
        codec::HashKey hash_key = {};
        std::string_view site = "main";
        std::uint64_t memory_bytes_max = 0;          // of the state; 0: no limit
        std::uint64_t history_bytes_max = 1u << 30;  // of the states of the past in memory
        static constexpr std::uint64_t snapshot_bytes_default = 8ull << 30;
        std::uint64_t snapshot_bytes_max = snapshot_bytes_default;  // of the snapshots on disk, but for the newest two
        // How many commands may wait; of the process. Null: a room of its own.
        WaitingRoom* waiting_room = nullptr;
        // Is told, on the thread of a command, that a timer or one who waits is due sooner than any was before. Null: nobody asks.
        std::function<void(Time)> on_due = {};
        // Is told when more is durable that may ask for effects; must not block. Null: nobody runs them.
        std::function<void()> on_effects = {};
        // Runs what takes seconds. Null: on the thread that asks for it.
        std::function<void(std::move_only_function<void()>)> background = {};
        // Runs a task on a lane: one task for all answers that became durable together. Null: they are given on the committer's thread.
        std::function<void(int lane, std::move_only_function<void()>)> post = {};
        // Gets a report of every failure of ours. Null: nobody does. Outlives the host.
        Reports* reports = nullptr;
    };
    Host(ServiceDecl decl, Parts parts);
    ~Host();

    // Loads the newest good snapshot, or the baseline that the log begins with, and folds the log after it. Fails with what makes the log
    // unreadable: "log_damaged", "event_type_unknown", "event_shape_unreadable", … `progress` is told now and then how far it came, and
    // ends the start ("stopped") by returning false.
    using Progress = std::function<bool(Position done, Position end)>;
    Result<void> start(Progress const& progress = {});
    Sources sources() const { return {decl_, parts_.log, parts_.snapshots, parts_.sealer}; }
    bool ready() const { return ready_.load(std::memory_order_acquire); }
    Position replayed() const { return replayed_.load(std::memory_order_relaxed); }

    // The outcome if it can be told at once; else nothing, and what `later()` gives is called when it can; or, of a command that waits,
    // Waiter::ask is when it is to be called again.
    using Later = std::move_only_function<Done()>;
    std::optional<Result<Answer>> call(Request const& request, Later later);
    void call(RouteDecl const& route, Viewer const& viewer, Bind bind, Done done);  // the same, `done` in any case
    // One who waits is to answer now, or waits no more: its client has gone.
    void hurry(std::uint64_t waiter);
    void leave(std::uint64_t waiter);
    void hurry_all();
    Waiting const& waiting() const { return waiting_; }
    // Tells when everything up to `position` is durable; at once if it is. `before` runs before it, in any case: where something is awaited
    // on the committer's thread, while the lane does other work.
    void when_durable(Position position, int lane, Done done, std::move_only_function<void()> before = {});

    // What `as_of` says: a position as Gantry-Position gives it, or an RFC 3339 time. 400 "request_invalid" (`?as_of`), 400 "as_of_ahead",
    // 410 "position_gone" for a position of another history.
    Result<Moment> moment(std::string_view as_of) const;
    History& history() { return history_; }
    // Who waits for which keys. `wake` runs on the lane (Parts::post), with its watchers of whom a key was touched.
    Watch& watch() { return watch_; }
    // The newest event that is applied once every command that is under way now has ended: one of them may not have seen a watcher that was
    // just added, and is to be asked for by position.
    Position applied_by_all() {
        lock_.lock_shared();
        auto const position = applied();
        lock_.unlock_shared();
        return position;
    }
    void on_wake(std::function<void(int lane, std::vector<std::uint64_t> const& watchers)> wake);
    // A read of the past, under today's rights. `rights_at` is told what must be durable before the answer is told.
    Result<Answer> read_past(Folded const& past, Request const& request, Position* rights_at = nullptr);

    // Facts that time alone brings about: by the service's own rule, and by its timers that are due.
    Result<void> tick();
    // Of the timers that are due at most so many; the number of those that fired. A timer that doesn't move when it fires is left alone
    // until the next start, and its failure is told once ("timer_stuck").
    Result<std::size_t> fire_due(std::size_t at_most = ~std::size_t{0});
    // A command of the kernel's own: all that `run` does between begin_write and end_write. For effects, timers and the like.
    // `cause`: the event of this log that it comes of.
    Result<void> run_kernel(std::function<Result<void>(Call&)> const& run, std::optional<Position> cause = {},
                            std::string_view kind = "task", std::string_view what = {});
    Time log_time();  // the clock's, and never before an event
    // When the next timer is due, or the time of one who waits is over; nothing when there is none.
    std::optional<Time> next_due() const;
    // Every second or so, by one thread: ticks, measures the state, saves a snapshot when many events came since the last one; with a
    // retention, writes a baseline each quarter of it and cuts the log below the newest one that is older.
    Result<void> keep_house();
    // A snapshot of now, unless the newest one is. Does nothing without Parts::snapshots.
    Result<void> save_snapshot();
    // Folds the state anew from what snapshot and log hold now, and forgets the states of the past: after an erasure. Commands and reads go
    // on with the old state until the new one has caught up. By the thread that keeps house.
    Result<void> refold();
    // No command runs while it lives.
    [[nodiscard]] std::shared_lock<WriterFirstLock> hold() { return std::shared_lock(lock_); }
    // While more said so than took it back, retention removes no segment.
    void keep_segments(bool keep) { segments_kept_.fetch_add(keep ? 1 : -1); }
    // The newest position before which an answer may have changed with no event to say so: a reader that saw up to here is told anew.
    std::uint64_t rebuilds() const { return rebuilds_.load(std::memory_order_acquire); }
    // Held, from decoding on, by whoever records again what it decoded: an erasure waits for it, and then nobody holds a value that it
    // erased.
    std::shared_lock<std::shared_mutex> hold_personal() { return std::shared_lock(personal_mutex_); }
    std::unique_lock<std::shared_mutex> erase_personal() { return std::unique_lock(personal_mutex_); }
    Position refolded_at() const { return refolded_at_.load(std::memory_order_acquire); }

    // Event types that this release has and the one before hasn't: none is recorded before finish_upgrade, so that the release before still
    // starts. In the order of the declaration.
    std::vector<std::string_view> unfinished();
    // From here on they are recorded; the release before can't read what follows. Durable when it returns.
    Result<void> finish_upgrade();
    // What a follower brings (follower.h): decided, folded and recorded in one batch with its cursor. Fails when nothing can be recorded
    // now; a decision that fails is no failure of the turn.
    Result<FollowTurned> follow(FollowTurn const& turn);
    FollowPlace followed_place(std::string_view source);
    Followed followed(std::string_view source);
    // An operator's change of a cursor or its letters, recorded; durable once the log says so.
    Result<void> change_followed(std::string_view source, std::function<Result<void>(Followed&, LetterChanges&)> const& change);
    // Who runs the followers of this service; null: nobody does. Outlives its being set.
    void set_follower_desk(FollowerDesk* desk);
    FollowerDesk* follower_desk() const { return follower_desk_.load(std::memory_order_acquire); }
    // Who searches the service's documents; null: nobody does yet. Outlives its being set.
    void set_text_desk(TextDesk* desk) { text_desk_.store(desk, std::memory_order_release); }
    TextDesk* text_desk() const { return text_desk_.load(std::memory_order_acquire); }
    // What a search asks of them.
    Result<text::Query> text_query(Request const& request);
    // Called each time more became durable, on the committer's thread; must not block. Until `stop_listening`.
    std::uint64_t on_progress(std::function<void()> listener);
    void stop_listening(std::uint64_t listener);
    // The first event that somebody else still needs, as retention asks: what is before may be cut.
    void keep_for(std::function<Position()> needed);

    ServiceDecl const& decl() const { return decl_; }
    Position applied() const { return applied_.load(std::memory_order_acquire); }
    Position durable() const { return durable_.load(std::memory_order_acquire); }
    // Whether an answer made from what was seen would be the same now.
    bool unchanged(Seen const& seen) const;
    // The position to tell with an answer and to await: of the newest touch of what was looked up. Where not everyone may see everything it
    // is one of the log as a whole instead, so that it doesn't tell when something hidden was touched. Under the lock.
    Position rests_on(state::Reading const& reading) const;
    std::uint64_t digest();
    // Looks at the state of now with a viewer's eyes. `at`: what that state rests on.
    template <class Look>
    bool look(Viewer const& viewer, Position& at, Look&& look) {
        state::Reading reading(viewer);
        lock_.lock_shared();
        at = applied();
        state::reading = &reading;
        bool const seen = look(static_cast<void const*>(state_.service.get()));
        state::reading = nullptr;
        lock_.unlock_shared();
        return seen;
    }
    codec::Sealer const* sealer() const { return parts_.sealer; }
    Time now() const { return parts_.clock.wall(); }
    // The state as it lies there, for tools and tests that know that nothing else runs.
    void const* state_for_tools() const { return state_.service.get(); }
    // Three folds in a row broke their promise: nothing is answered until a restart.
    bool stopped();
    Position since_snapshot() const { return applied() - std::min(applied(), snapshot_at_.load()); }
    std::optional<Time> snapshot_time() const;  // of the newest event in the newest snapshot
    // Files a report of what failed outside of a call; its id, or "" where nobody takes it. `what`: of an effect its kind, …
    std::string report(std::string_view kind, std::string_view what, Problem const& problem, Thrown const* thrown = nullptr,
                       std::string_view request_id = {}) const;
    // The same of a request that failed before or after its decision, or that failed in reading the past.
    std::string report(Request const& request, Problem const& problem, Thrown const* thrown = nullptr, Ctx const* ctx = nullptr) const;
    // Failures of ours since the start.
    std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }
    std::uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
    log::Log& log() const { return parts_.log; }
    RecentEvents const& recent() const { return recent_; }
    EventReaders& event_readers() const { return event_readers_; }
    std::string const& incarnation() const { return incarnation_text_; }
    std::string position_text(Position position) const;
    codec::HashKey const& hash_key() const { return parts_.hash_key; }

   private:
    friend class HostCall;
    friend class FollowCall;
    friend class HostGroup;
    friend class GroupedCall;
    struct Telling;
    struct Outcome {
        Result<Answer> answer;
        Position rests_on = 0;
        Position repeat_of = 0;  // the reply lies in the batch of this position
        RouteDecl const* route = nullptr;
        std::shared_ptr<Telling> telling = {};  // of a told command: its answer is still to be made
        bool parked = false;                    // it waits: nothing is to be told
    };
    struct Waiter {
        Position position = 0;
        int lane = -1;
        Done done;
        Outcome outcome;
        std::move_only_function<void()> before = {};
    };
    Position newest(std::span<state::KeyHash const> keys) const;
    Outcome run(Request const& request);
    Outcome run(HostCall& call, Request const& request);
    std::string report(HostCall const& call, std::string_view kind, std::string_view what, Problem const& problem,
                       Thrown const* thrown) const;
    std::optional<Result<Answer>> call_kernel(Request const& request, Later later);
    Result<Answer> settle(Outcome outcome) const;
    Result<Answer> stored_reply(Outcome const& outcome) const;
    Result<Answer> tell(Outcome outcome) const;
    Result<std::string> told_by(Outcome const& outcome, ReadEvent read) const;
    void tell_soon(Outcome& outcome, std::size_t& events_left) const;
    Result<Answer> tell_again(Outcome const& outcome, log::BatchView const& batch) const;
    void deliver() {
        if (waiting_.has_chosen()) waiting_.deliver(parts_.post);
    }
    void wait(Waiter waiter);
    void became_durable(Position position);
    Result<void> rebuild();
    Time due_at(TimerDecl const& timer, Time at) const;
    void note_due();  // under lock_
    // Under lock_, when more is recorded: whether there are effects at all, so that most durable groups wake nobody for them.
    void note_effects() {
        if (decl_.outbox) has_effects_.store(decl_.outbox(state_.service.get()).size() > 0, std::memory_order_release);
    }
    History::Parts history_parts();
    Result<Folded> restore(Progress const& progress);
    Result<void> measure_memory();
    Result<void> write_baseline();
    Result<void> retain();
    Result<void> agree_on_types();
    void note_agreed();  // under lock_

    ServiceDecl decl_;
    Parts parts_;
    WriterFirstLock lock_;
    Folded state_;                  // under lock_
    std::vector<bool> may_record_;  // by event type; under lock_
    state::Stamps stamps_;
    std::atomic<Position> applied_ = 0;
    std::atomic<Position> durable_ = 0;
    std::atomic<Position> replayed_ = 0;
    std::atomic<std::uint64_t> rebuilds_ = 0;
    std::atomic<Position> refolded_at_ = 0;
    std::shared_mutex personal_mutex_;
    std::atomic<int> segments_kept_ = 0;
    std::atomic<std::uint64_t> memory_bytes_ = 0;
    std::atomic<bool> ready_ = false;
    std::atomic<bool> has_effects_ = true;
    std::atomic<bool> memory_full_ = false;
    bool stopped_ = false;     // under lock_: apply broke its promise three times in a row
    int broken_promises_ = 0;  // under lock_
    std::atomic<Position> snapshot_at_ = 0;
    std::atomic<std::int64_t> snapshot_us_ = 0;
    mutable std::atomic<std::uint64_t> failures_ = 0;
    Time started_{};
    std::vector<bool> stuck_timers_;
    std::atomic<std::int64_t> next_due_us_ = no_due;
    static constexpr std::int64_t no_due = std::numeric_limits<std::int64_t>::max();
    Time first_time_{};   // of the first batch in the log at the start
    Position floor_ = 0;  // where the start ended: what came before has no stamps
    std::string incarnation_text_;
    History history_;
    Watch watch_;
    Waiting waiting_;
    RecentEvents recent_;
    mutable EventReaders event_readers_;
    std::atomic<FollowerDesk*> follower_desk_ = nullptr;
    std::atomic<TextDesk*> text_desk_ = nullptr;
    std::mutex listeners_mutex_;
    std::map<std::uint64_t, std::function<void()>> listeners_;
    std::uint64_t next_listener_ = 1;
    std::function<Position()> needed_;  // under listeners_mutex_
    std::mutex waiters_mutex_;
    std::deque<Waiter> waiters_;  // by position
};

}  // namespace gantry::runtime
