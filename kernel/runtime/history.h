#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kernel/runtime/folded.h"

namespace gantry::runtime {

// A moment of the past: after an event, or at a time, which means after the last event at or before it.
using Moment = std::variant<Position, Time>;

// A state of the past. It stands still, and any thread may read it.
using PastState = std::shared_ptr<Folded const>;

// The past of one service: states rebuilt on demand from the nearest state that is kept, snapshot or baseline, and the log from there. One
// rebuild at a time; who asks for the same moment shares it. States are kept while memory lasts, those that nobody asked for longest go
// first. Any thread may call.
class History {
   public:
    struct Parts {
        Sources sources;
        std::uint64_t memory_bytes_max = 1u << 30;  // of the states that are kept, and of the one being rebuilt
        std::function<std::vector<BaselineMark>()> baselines;
        std::function<std::uint64_t()> present_bytes;  // of the state of now: what one of the past may need
        // Runs a rebuild elsewhere. Null: where it is asked for.
        std::function<void(std::move_only_function<void()>)> background;
        // Tells a lane. Null: whoever rebuilds tells.
        std::function<void(int lane, std::move_only_function<void()>)> post;
    };
    using Done = std::move_only_function<void(Result<PastState>)>;

    explicit History(Parts parts) : parts_(std::move(parts)) {}

    // The state of a moment if it is kept; else null.
    PastState kept(Moment moment);
    // The state of a moment. 410 "past_gone" for what retention removed, 503 "history_busy" when too much is asked for at once, 503
    // "history_memory" when the state needs more memory than the limit, and what makes a log unreadable.
    void fetch(Moment moment, int lane, Done done);
    // Drops every state: what was kept must not be told any longer.
    void forget();

   private:
    struct Kept {
        Position position = 0;
        PastState state;
        std::uint64_t bytes = 0;
        std::uint64_t used = 0;  // by turn_
    };
    struct Waiter {
        int lane = -1;
        Done done;
    };
    struct Wanted {
        Moment moment;
        std::vector<Waiter> waiters;
    };
    static constexpr std::size_t wanted_max = 16, waiters_max = 10'000, times_max = 1024, kept_max = 64;

    PastState find(Position position);  // under mutex_
    void work();
    void tell(Wanted wanted, Result<PastState> const& outcome);
    Result<PastState> rebuild(Moment moment);
    Result<PastState> try_rebuild(Moment moment);
    Result<Folded> base_for(Position position);
    Result<void> make_room(std::uint64_t bytes);
    Problem gone(std::string const& moment, std::vector<BaselineMark> const& baselines) const;

    Parts parts_;
    std::mutex mutex_;
    std::vector<Kept> kept_;
    std::map<std::int64_t, Position> times_;  // of moments asked for by time
    std::deque<Wanted> wanted_;               // the first one is being rebuilt while working_
    std::uint64_t turn_ = 0, forgotten_ = 0;
    bool working_ = false;
};

}  // namespace gantry::runtime
