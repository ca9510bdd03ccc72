#pragma once
#include <deque>
#include <map>
#include <set>

#include "kernel/testing/sim/world.h"
#include "services/pool/laws.h"
#include "services/pool/pool.h"

namespace gantry::pool {

// Callers that ask with their ticket until they are answered, hold, give back or fall silent; cleaners that have tasks of a queue, which
// refuses, doesn't answer, or gives a task twice; an outside, that is.
class World final : public sim::WorldOf<Service> {
   public:
    explicit World(std::uint64_t seed);
    using WorldOf::saw;
    void saw(At const& at, Event const& event) override;
    void step(sim::Process& process) override;
    void stopped() override;
    void started(sim::Process& process) override;
    void finish(sim::Process& process) override;
    bool is_done(sim::Process& process) const override;
    void judge_the_end(sim::Process& process) override;
    client::Reply outside(sim::Process& process, client::Request const& request) override;

   private:
    struct Caller {
        std::string ticket, body;  // what it asks for; empty: nothing
        std::string caller, owner;
        bool asks = false;
    };
    struct Task {
        std::string resource;
        std::uint64_t fence = 0;
    };
    void set_up(sim::Process& process);
    void want(sim::Process& process, Caller& caller);
    void acquire(sim::Process& process, Caller& caller);
    void told_ticket(sim::Process& process, Caller& caller, Result<runtime::Answer> const& answer);
    void give_back(sim::Process& process, bool surely);
    void heartbeat(sim::Process& process);
    void clean(sim::Process& process, bool surely);
    void late_word(sim::Process& process);
    void compare(sim::Process& process);

    Laws laws_;
    std::string broken_;
    std::size_t set_up_ = 0;
    std::vector<Caller> callers_;
    std::map<std::string, std::uint64_t> told_;    // ticket → the lease that it was told to have
    std::map<std::uint64_t, std::string> leases_;  // that somebody holds, as far as its holder knows, and its caller
    std::set<std::uint64_t> released_;             // that their holder was told to be over
    std::deque<Task> tasks_;                       // of the queue for cleaners
    std::vector<Task> past_;
    std::uint64_t tickets_ = 0;
};

std::unique_ptr<sim::World> make_world(std::uint64_t seed);

}  // namespace gantry::pool
