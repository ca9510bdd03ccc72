#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/pool/facts.h"

// What the pool promises, held against its facts alone: no line of its state's fold is used here. For types whose cleaners verify, with
// wishes for a number of a type and nothing else.
namespace gantry::pool {

class Laws {
   public:
    struct Thing {
        std::string type, state;
        std::uint64_t lease = 0, fence = 0;  // lease 0: nobody has it
        bool usable = false;                 // free, and verified since it was held
    };
    struct Wish {
        std::string owner;
        std::uint64_t seq = 0;
        std::int64_t firm_us = 0;
        std::map<std::string, std::int64_t> counts;  // by type
    };
    struct Hold {
        std::string ticket, owner;
        std::set<std::string> had, has;
        std::int64_t until_us = 0;
    };

    // What a ticket that is served at once wants; a ticket in line says so itself.
    void wanted(std::string const& ticket, std::string owner, std::map<std::string, std::int64_t> counts);
    // One fact more; the first promise that it breaks, else empty.
    std::string saw(At const& at, Event const& event);
    void started(Time at) { started_us_ = at.us; }

    std::map<std::string, Thing> const& things() const { return things_; }
    std::map<std::uint64_t, Hold> const& holds() const { return holds_; }
    std::uint64_t lease_of(std::string const& ticket) const;  // 0: it had none yet
    bool is_waiting(std::string const& ticket) const { return line_.contains(ticket); }
    std::size_t waiting() const { return line_.size(); }

   private:
    void on(At const& at, TypeSet const& e);
    void on(At const& at, Added const& e);
    void on(At const& at, Queued const& e);
    void on(At const& at, Withdrawn const& e);
    void on(At const& at, Leased const& e);
    void on(At const& at, Extended const& e);
    void on(At const& at, Released const& e);
    void on(At const& at, Moved const& e);
    void on(At const& at, CleaningBegan const& e);
    void on(At const& at, Cleaned const& e);
    void on(At const& at, CleanFailed const& e);
    template <class E>
    void on(At const&, E const&) {}
    void broken(std::string what);
    void grow(std::string const& name, Thing& thing, std::uint64_t fence);
    std::map<std::string, std::int64_t> free_counts() const;
    bool has_quota(Wish const& wish) const;
    void check_turn(At const& at, std::string const& ticket, Wish const& wish);

    std::string broken_;
    std::int64_t started_us_ = 0;
    std::map<std::string, TypeSettings> types_;
    std::map<std::string, Thing> things_;
    std::map<std::string, Wish> line_, asked_;
    std::map<std::uint64_t, Hold> holds_;
    std::map<std::string, std::uint64_t> served_;  // ticket → its lease
};

}  // namespace gantry::pool
