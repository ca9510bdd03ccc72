// A world of callers, cleaners and clocks, decided by a seed. After each step: no resource has two holders, none is given that was not
// verified since it was held last, fences only grow, nothing is lost; and in the end nobody is left waiting.
#include <map>
#include <set>

#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

struct Seen {
    std::uint64_t lease = 0, fence = 0;
    bool usable = false;  // free, or verified in this step
};

class World {
   public:
    explicit World(std::uint64_t seed) : random_(seed) {
        b_.put_type("vm", R"({"lease_ms":60000,"heartbeat_ms":20000,"clean_ms":30000,"verification":"worker","clean_attempts":100,)"
                          R"("patience_ms":30000,"quota":5})");
        b_.put_type(
            "ppa", R"({"lease_ms":60000,"clean_ms":30000,"verification":"worker","clean_attempts":100,"patience_ms":0,"prefer":"rested"})");
        for (auto const* type : {"vm", "ppa"})
            for (int i = 1; i <= 4; ++i)
                b_.add(fmt::format("{}-{}", type, i), type, R"("verified":true)").ok(201), names_.push_back(fmt::format("{}-{}", type, i));
        for (auto const& name : names_) look(name).usable = true;
    }
    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            verified_.clear();
            step();
            check();
            if (::testing::Test::HasFailure()) return;
        }
        end();
    }

   private:
    std::uint64_t below(std::uint64_t n) { return random_.next() % n; }
    Seen& look(std::string const& name) { return seen_[name]; }

    void step() {
        switch (below(10)) {
            case 0:
            case 1:
            case 2: return ask();
            case 3:
            case 4: return release();
            case 5:
            case 6:
            case 7: return clean();
            case 8: return b_.pass(Duration::seconds(std::int64_t(1 + below(15))));
            default: return strange();
        }
    }
    void ask() {
        auto const ticket = fmt::format("t{}", below(3) == 0 && tickets_ > 0 ? below(tickets_) : tickets_++);
        auto const owner = fmt::format("o{}", below(4));
        auto const vms = 1 + below(4), ppas = below(3);
        std::string wants = fmt::format(R"({{"type":"vm","count":{}}})", vms);
        if (ppas > 0) wants += fmt::format(R"(,{{"type":"ppa","count":{}}})", ppas);
        b_.post("/pool/v1/acquire",
                fmt::format(R"({{"ticket":"{}","owner":"{}","priority":{},"wants":[{}]}})", ticket, owner, below(3), wants));
    }
    std::vector<std::pair<std::uint64_t, std::string>> held() {
        std::vector<std::pair<std::uint64_t, std::string>> out;
        b_.state().leases.walk(nullptr, [&](std::uint64_t number, Lease const& lease) {
            if (!lease.over) out.emplace_back(number, lease.owner);
            return true;
        });
        return out;
    }
    void release() {
        auto const leases = held();
        if (leases.empty()) return;
        auto const& [number, owner] = leases[below(leases.size())];
        auto const what = below(3) == 0 ? "heartbeat" : "release";
        b_.post(fmt::format("/pool/v1/leases/ls_{}/{}", number, what), fmt::format(R"({{"owner":"{}"}})", owner)).ok();
    }
    void clean() {
        auto const& name = names_[below(names_.size())];
        auto const state = b_.state_of(name);
        if (state != "dirty" && state != "cleaning") return;
        switch (below(4)) {
            case 0: b_.clean(name, "cleaning", fmt::format(R"("worker":"w{}")", below(2))); return;
            case 1: b_.clean(name, "clean_failed", R"("worker":"w0","reason":"no")"); return;
            default: wash(name);
        }
    }
    void wash(std::string const& name) {
        auto const by = b_.resource(name).by;
        verified_.insert(name);
        b_.clean(name, "cleaned",
                 fmt::format(R"("verified":true{})", b_.state_of(name) == "cleaning" ? fmt::format(R"(,"worker":"{}")", by) : ""))
            .ok();
    }
    void strange() {
        switch (below(3)) {
            case 0: b_.restart(); return;
            case 1: b_.run_effects(); return;
            default: {
                // A late word, of a fence that is over.
                auto const& name = names_[below(names_.size())];
                b_.post("/pool/v1/resources/" + name + "/cleaned", fmt::format(R"({{"fence":{},"verified":true}})", look(name).fence - 1))
                    .fails(409, "cleaning_lost");
            }
        }
    }

    void check() {
        std::map<std::uint64_t, std::uint64_t> holders;
        b_.state().leases.walk(nullptr, [&](std::uint64_t number, Lease const& lease) {
            if (lease.over) return true;
            for (auto resource : lease.resources) {
                EXPECT_TRUE(holders.emplace(resource, number).second) << b_.state().names.text(resource) << " has two holders";
                EXPECT_EQ(b_.state().resources.find(resource)->lease, number);
            }
            return true;
        });
        for (auto const& name : names_) {
            auto const& r = b_.resource(name);
            auto& was = look(name);
            EXPECT_GE(r.fence, was.fence) << name;
            EXPECT_EQ(holders.contains(b_.state().names.find(name)), r.lease != 0) << name;
            if (r.lease != 0 && r.lease != was.lease) {
                EXPECT_TRUE(was.usable || verified_.contains(name)) << name << " was given and not verified";
                EXPECT_GT(r.fence, was.fence) << name;
            }
            if (r.state == free_) EXPECT_TRUE(was.usable || verified_.contains(name)) << name << " is free and was not verified";
            was = {r.lease, r.fence, r.state == free_};
        }
        for (auto const* type : {"vm", "ppa"}) EXPECT_EQ(b_.state().type(type)->total(), 4u) << "something is lost";
    }

    // All give back what they have, and the cleaners work: whoever waits is served in the end.
    void end() {
        for (int turn = 0; turn < 2000 && b_.state().line.size() > 0; ++turn) {
            for (auto const& [number, owner] : held())
                b_.post(fmt::format("/pool/v1/leases/ls_{}/release", number), fmt::format(R"({{"owner":"{}"}})", owner)).ok();
            for (auto const& name : names_)
                if (auto const state = b_.state_of(name); state == "dirty" || state == "cleaning") wash(name);
        }
        EXPECT_EQ(b_.state().line.size(), 0u) << "someone waits for ever";
        EXPECT_EQ(b_.state().waiting.size(), 0u);
    }

    SeededRandom random_;
    Bench b_;
    std::vector<std::string> names_;
    std::map<std::string, Seen> seen_;
    std::set<std::string> verified_;
    std::uint64_t tickets_ = 0;
};

TEST(PoolWorld, KeepsItsPromisesWhateverHappens) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(seed);
        World(seed).run(120);
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace gantry::pool
