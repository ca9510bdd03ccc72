#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/effect_runner.h"
#include "kernel/runtime/host.h"

namespace gantry::sim {

// On what the service's log is: a disk that fails, tears and forgets; or memory, of which a killed process loses what it had not released.
enum class LogKind : std::uint8_t { file, memory };

// Faults of the test's own making, to show that a world notices: a log in memory that says that something is durable before it is.
enum class Sabotage : std::uint8_t { none, forgets };

// What one seed went through.
struct WorldReport {
    std::string violation;  // empty: every promise was kept
    std::uint64_t asked = 0, refused = 0, unanswered = 0, waited = 0, events = 0, timers = 0, effects = 0;
    std::uint64_t stops = 0, failed_writes = 0, full_disks = 0, snapshots = 0, cuts = 0;
    std::uint64_t digest = 0;  // of the state at the end: the same whenever the seed is run
    WorldReport& operator+=(WorldReport const& other);
    std::string told() const;
};

class World;

// One request of one caller. A told answer is durable, and so is what it rests on.
struct Asking {
    std::string_view verb, path;  // as the route has it: "/leases/{lease}/complete"
    std::string body;             // all of the input, members of the path too
    std::string caller = "u_ann", key = {};
    bool waits = false;  // where the route lets it
    // Not called when the process stops before (World::stopped is).
    std::move_only_function<void(Result<runtime::Answer>)> told = {};
};

// The process of one service, one thread, every choice from the seed: it is killed, loses power, fails to write, finds its disk full, keeps
// snapshots, cuts its log, and is started again on what is left. What goes on in it is the world's.
class Process {
   public:
    Process(std::uint64_t seed, World& world, LogKind kind, Sabotage sabotage = Sabotage::none);
    ~Process();
    WorldReport run();

    void ask(Asking asking);
    void violated(std::string what);
    bool good() const { return report_.violation.empty(); }
    Random& random() { return random_; }
    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    bool chance(double probability) { return random_.chance(probability); }
    ManualClock& clock() { return clock_; }
    Time now() const { return clock_.wall(); }
    Time started() const { return started_; }
    bool is_finishing() const { return finishing_; }
    // Everything that is applied is durable.
    bool is_settled() const { return host_->durable() == host_->applied() && asked_ == 0; }
    template <class Service>
    typename Service::State const& state() const {
        return *static_cast<typename Service::State const*>(host_->state_for_tools());
    }

   private:
    enum class Stop { clean, kill, power };
    Result<void> open();
    void start();
    void drop();
    void stop(Stop how);
    void step();
    void machinery();
    void commit(bool all);
    void run_effect();
    void fire(std::size_t at_most);
    void hold(bool on);
    void save();
    void keep_house();
    void decide(std::uint64_t number);
    void ask_waiting();
    void tell();
    void catch_up();
    void check_prefix();
    void finish();
    log::Log& log() { return kind_ == LogKind::file ? *file_log_ : *static_cast<log::Log*>(memory_log_.get()); }
    void died(Problem const& p);

    struct Open {
        Asking asking;
        std::uint64_t waiter = 0;  // the host's
        bool is_decided = false;   // and not answered yet
    };

    World& world_;
    LogKind kind_;
    Sabotage sabotage_;
    SeededRandom random_, ids_;
    ManualClock clock_;
    WorldReport report_;
    log::Options options_;
    runtime::ServiceDecl decl_;
    Time started_{};
    bool dead_ = false, expecting_failure_ = false, finishing_ = false;
    log::Position seen_ = 0;
    std::uint64_t chain_ = 0;  // at the batch of seen_
    // The disk, and what stands for it.
    log::SimulatedDisk disk_;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    log::MemoryStore synced_;  // of a log that forgets
    log::Committer committer_;
    // The process.
    std::unique_ptr<log::FileLog> file_log_;
    std::unique_ptr<log::MemoryLog> memory_log_;
    std::unique_ptr<log::Snapshots> snapshots_;
    std::unique_ptr<runtime::Host> host_;
    std::unique_ptr<runtime::EffectRunner> effects_;
    std::vector<std::move_only_function<void()>> tasks_;
    std::map<std::uint64_t, Open> open_;
    std::deque<std::uint64_t> to_ask_;
    std::deque<std::pair<std::uint64_t, Result<runtime::Answer>>> answers_;  // not told yet
    std::uint64_t last_ = 0, asked_ = 0;
};

}  // namespace gantry::sim
