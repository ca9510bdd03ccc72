#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <vector>

#include "kernel/codec/any_value.h"
#include "kernel/runtime/effects.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/keep_trace.h"

namespace gantry::runtime {

// Does the effects of one host that are due and durable, on workers, and records what became of them.
class EffectRunner {
   public:
    struct Parts {
        Host& host;
        Clock& clock;
        std::function<client::Reply(client::Request)> send;
        // Runs a task on a worker that is free; false: none is.
        std::function<bool(std::move_only_function<void()>)> run;
        // The same for effects that wait (EffectOptions::waits); null: `run` does.
        std::function<bool(std::move_only_function<void()>)> run_waiting = {};
        std::string_view site = {};
        KeepTrace keep_trace = {};  // null: effects aren't traced
        decltype(Outside::mail) mail = {};
    };
    explicit EffectRunner(Parts parts) : parts_(std::move(parts)) {}
    ~EffectRunner() { stop(); }

    // Starts what is due, as far as workers are free. By one thread.
    void poll();
    // Nothing new is started; returns when those under way have ended, which their `until` bounds.
    void stop();
    std::size_t under_way() const;

   private:
    struct Due {
        EffectDecl const* decl;
        PendingEffect row;
    };
    using Done = Result<std::shared_ptr<void const>>;
    // That ran, but its outcome could not be recorded yet.
    struct Unsettled {
        Due due;
        std::shared_ptr<codec::AnyValue> event;  // null: it can't be read
        Done done;
    };
    std::vector<Due> choose() const;
    void run(Due const& due);
    void act(Unsettled& ran, Outside& outside);
    // Goes on from the trace of the request that asked for the effect.
    void act_traced(Unsettled& ran, Outside& outside);
    void settle(Unsettled ran);
    Result<void> record(Unsettled const& ran, EffectOutcome const& outcome, bool with_the_service);
    EffectOutcome outcome_of(Due const& due, Done const& done) const;
    void ended(EffectId const& id);

    Parts parts_;
    mutable std::mutex mutex_;
    std::condition_variable idle_;
    std::set<EffectId> under_way_;  // with those that are unsettled
    std::size_t running_ = 0;
    std::vector<Unsettled> unsettled_;
    bool stopping_ = false;
};

}  // namespace gantry::runtime
