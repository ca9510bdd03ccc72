#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/net/net.h"
#include "kernel/runtime/follow_source.h"
#include "kernel/runtime/keep_trace.h"

namespace gantry::runtime {

// What a follower says of itself.
enum class FollowerState {
    starting,     // its service, or its source, reads its log still
    running,      // it is behind, and takes events
    caught_up,    // it has taken all there is
    backing_off,  // something is wrong for the moment: `code`, `why`, `retry_at`
    refused,      // it waits for an operator: `code`, `why`
    full,         // there are as many dead letters as there may be
    stopped,
};
ENUM(FollowerState, starting, running, caught_up, backing_off, refused, full, stopped);

struct FollowerTold {
    std::string source, where;
    FollowerState state = FollowerState::starting;
    std::optional<std::string> code, why;
    std::optional<Time> retry_at;
    std::string position;         // up to which its events were taken; empty: none yet
    std::string end;              // where the source is, as far as is known
    std::int64_t lag_events = 0;  // between the two
    double lag_s = 0;             // since the first event happened that was not taken yet
    std::int64_t dead_letters = 0;
    BOOST_DESCRIBE_CLASS(FollowerTold, (), (source, where, state, code, why, retry_at, position, end, lag_events, lag_s, dead_letters), (),
                         ())
};

// One source that a service follows. step() and stop() on one thread; the rest from any.
class Follower {
   public:
    // When the position alone has moved it is recorded after so long, or after so many events.
    static constexpr Duration checkpoint_after = Duration::seconds(5);
    static constexpr Position checkpoint_events = 1 << 16;
    static constexpr Position ahead_max = 1 << 17;  // events that its own log has not made durable yet
    static constexpr Duration backoff_first = Duration::millis(100), backoff_max = Duration::seconds(30);

    // The host and the declaration outlive it.
    Follower(Host& host, FollowDecl const& decl, std::unique_ptr<FollowSource> source, Clock& clock, Random& random)
        : host_(host), decl_(decl), source_(std::move(source)), clock_(clock), random_(random) {}

    // One turn. What it gives says when the next is due: at once (0), after a while, or when it is woken (nothing).
    std::optional<Duration> step();
    // Records how far it came. Its service's log is open still.
    Result<void> stop();

    // No more backing off: something changed.
    void try_now() { back_at_ns_ = 0; }
    // Turns that fail or take long are traced. Before the first step.
    void trace_to(std::string_view site, KeepTrace keep) { site_ = site, keep_trace_ = std::move(keep); }
    // It has brought more than its own log could make durable so far.
    bool waits_for_own_log() const { return host_.applied() > host_.durable() + ahead_max; }

    FollowerTold told() const;
    FollowSource::Place source_place() const;
    FollowDecl const& decl() const { return decl_; }

   private:
    std::optional<Duration> advance(FollowPlace const& place);
    std::optional<Duration> retry(FollowPlace const& place, Position position);
    std::optional<Duration> bring(FollowTurn turn);
    std::optional<Duration> idle();
    std::optional<Duration> failed(Problem const& problem);
    bool checkpoint_due() const;
    void say(FollowerState state, Problem const* why = nullptr, std::optional<Time> retry_at = {});

    Result<FollowTurned> follow_traced(FollowTurn const& turn);
    Host& host_;
    FollowDecl const& decl_;
    std::string_view site_;
    KeepTrace keep_trace_;
    std::unique_ptr<FollowSource> source_;
    Clock& clock_;
    Random& random_;
    FollowSource::Chunk chunk_;
    std::size_t taken_ = 0;     // of the chunk
    Position chunk_after_ = 0;  // where what is left of it begins
    bool has_chunk_ = false;
    std::uint64_t chunk_rebuilds_ = 0;  // of the own state when it was read: what was erased since may stand in it
    Position unrecorded_ = 0;           // events since the cursor was last recorded
    std::int64_t unrecorded_ns_ = 0;
    std::atomic<std::int64_t> back_at_ns_ = 0;  // until then it backs off
    int failures_ = 0;
    mutable std::mutex mutex_;  // of what is below, and of asking the source
    FollowerState state_ = FollowerState::starting;
    std::optional<Problem> why_;
    std::optional<Time> retry_at_;
    FollowSource::Place place_;
};

// Who runs the followers of a service: told() and so on for its routes.
class FollowerDesk {
   public:
    virtual ~FollowerDesk() = default;
    virtual Follower* find(std::string_view source) = 0;
    virtual void wake(std::string_view source) = 0;
};

// The followers of one host on one thread. Reads where `source_of` says; null from there: the source is nowhere.
class Followers final : public FollowerDesk {
   public:
    using SourceOf = std::function<std::unique_ptr<FollowSource>(FollowDecl const&, std::function<void()> wake)>;
    Followers(Host& host, net::IoThreads& threads, int thread, SourceOf const& source_of, Clock& clock, Random& random,
              std::string_view site = {}, KeepTrace const& keep_trace = {});
    ~Followers() override;
    void start();
    // Ends what runs and records the cursors. Not on the thread itself.
    void stop();

    Follower* find(std::string_view source) override;
    void wake(std::string_view source) override;

   private:
    struct Running;
    void schedule(std::shared_ptr<Running> const& running);
    static void run(Followers& self, std::shared_ptr<Running> const& running);

    Host& host_;
    net::IoThreads& threads_;
    int thread_;
    std::vector<std::shared_ptr<Running>> running_;
    std::uint64_t own_progress_ = 0;
    bool stopped_ = false;
};

// The first event of a source that its followers still need, but at most so many behind its end.
Position needed_by_followers(Host& source, std::span<Host* const> followers, std::uint64_t events_max);

}  // namespace gantry::runtime
