#pragma once
#include <map>
#include <set>

#include "kernel/testing/sim/world.h"
#include "services/queue/laws.h"
#include "services/queue/queue.h"

namespace gantry::queue {

// Producers that ask until they are answered, workers that reserve, wait, say all kinds of words, late ones too, or say nothing any more.
class World final : public sim::WorldOf<Service> {
   public:
    explicit World(std::uint64_t seed);
    void const* settings() const override { return &settings_; }
    using WorldOf::saw;
    void saw(At const& at, Event const& event) override;
    void step(sim::Process& process) override;
    void stopped() override;
    void started(sim::Process& process) override;
    void finish(sim::Process& process) override;
    bool is_done(sim::Process& process) const override;
    void judge_the_end(sim::Process& process) override;

   private:
    struct Producer {
        std::string name, body, key;  // of what it wants; empty: nothing
        bool asks = false;
        int wanted = 0;
    };
    struct Held {
        std::uint64_t task = 0, fence = 0;
        std::int64_t until_us = 0;
        std::string word, body, key;  // that it says until it is answered; empty: none yet
        bool asks = false;
    };
    void set_up(sim::Process& process);
    void put(sim::Process& process, Producer& producer);
    void told_put(sim::Process& process, Producer& producer, Result<runtime::Answer> const& answer);
    void reserve(sim::Process& process, bool all);
    void told_leases(sim::Process& process, std::string const& body);
    void work(sim::Process& process);
    void say(sim::Process& process, std::string const& lease, Held& held);
    void told_word(sim::Process& process, std::string const& lease, std::string const& word, Result<runtime::Answer> const& answer);
    void late_word(sim::Process& process);
    void operate(sim::Process& process);
    void compare(sim::Process& process);

    Settings settings_;
    Laws laws_;
    std::string broken_;
    std::vector<std::string> set_up_;  // queues whose settings are acknowledged
    std::vector<Producer> producers_;
    std::map<std::string, std::set<std::uint64_t>> acknowledged_;  // name → tasks that it was told to be
    std::map<std::string, Held> held_;                             // by lease, as their holders think
    std::vector<std::string> past_;                                // leases whose end their holders know
    std::set<std::uint64_t> completed_;                            // tasks that somebody was told to be done
    std::uint64_t reserves_ = 0;
};

std::unique_ptr<sim::World> make_world(std::uint64_t seed);

}  // namespace gantry::queue
