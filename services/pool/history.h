#pragma once
#include "services/pool/resources.h"

// What became of a resource: who had it, and who broke it. Read from the log, at the positions that the state keeps.
namespace gantry::pool {

struct HistoryItem {
    std::uint64_t position = 0;
    std::string what;  // "leased"
    Time at;
    std::optional<std::string> who, state, detail;
    std::optional<LeaseId> lease;
    bool broken = false;
};
RECORD(HistoryItem, position, what, at, who, state, detail, lease, broken);
// The newest first. `complete`: false where older events were forgotten or cut from the log.
struct History {
    std::string name;
    std::optional<std::string> broken_by;
    std::vector<HistoryItem> items;
    bool complete = true;
};
RECORD(History, name, broken_by, items, complete);

struct FoundSteps {
    std::string name;
    std::optional<std::string> broken_by;
    std::vector<Step> steps;
    bool complete = true;
};
Result<FoundSteps> find_history(State const& s, ByName const& in, Ctx const& cx);
Result<History> tell_history(FoundSteps const& found, Events<Event>& events, Ctx const& cx);

}  // namespace gantry::pool
