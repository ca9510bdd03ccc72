#pragma once
#include "kernel/base/assert.h"
#include "kernel/base/slowed_for_test.h"
#include "kernel/codec/binary.h"
#include "kernel/runtime/service.h"
#include "kernel/testing/sim/process.h"

namespace gantry::sim {

// What goes on around one service in a simulated process: what its callers do and were told, and what must hold whatever happens.
class World {
   public:
    virtual ~World() = default;
    virtual runtime::ServiceDecl declare() const = 0;
    virtual void const* settings() const { return nullptr; }
    // An event became durable; each is told once, in order, whatever stops in between.
    virtual void saw(At const& at, std::uint32_t type, std::string_view payload) = 0;

    // Somebody does something, or asks again for what had no answer.
    virtual void step(Process& process) = 0;
    // The process stopped: who asked has no answer and will get none.
    virtual void stopped() = 0;
    // It has started: the state is to be what everybody was told.
    virtual void started(Process& process) = 0;
    // Faults are over: a step towards the end of all that is under way, and whether it is reached.
    virtual void finish(Process& process) = 0;
    virtual bool is_done(Process& process) const = 0;
    virtual void judge_the_end(Process& process) = 0;
    // What the outside answers to a call of an effect; status 0: nothing, whether it was done or not.
    virtual client::Reply outside(Process&, client::Request const&) { return {}; }
};

// Of a service's own types.
template <class Service>
class WorldOf : public World {
   public:
    using Event = typename Service::Event;
    runtime::ServiceDecl declare() const override { return runtime::declare<Service>(); }
    void saw(At const& at, std::uint32_t type, std::string_view payload) override {
        auto const& described = codec::type_of<Event>();
        Event event;
        ByteReader in(payload);
        auto* const value = described.ops.choose(&event, type);
        bool const read = codec::decode_binary(described.alternatives[type].type(), value, in);
        GANTRY_ASSERT(read, "it was written by this program");
        saw(at, event);
    }
    virtual void saw(At const& at, Event const& event) = 0;
};

// One seed of a world on a kind of log.
template <class MakeWorld>
WorldReport simulate_world(MakeWorld const& make, std::uint64_t seed, LogKind kind, Sabotage sabotage = Sabotage::none) {
    auto world = make(seed);
    return Process(seed, *world, kind, sabotage).run();
}

// While it lives the process says nothing: of each effect that fails a simulated one would say that it does.
class Quiet {
   public:
    Quiet();
    ~Quiet();

   private:
    struct Nowhere;
    std::unique_ptr<Nowhere> nowhere_;
};

// The program of a world: --seeds N [--from S] on both kinds of log; the exit code.
int world_main(int argc, char** argv, std::function<std::unique_ptr<World>(std::uint64_t seed)> const& make);

}  // namespace gantry::sim
