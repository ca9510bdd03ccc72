#pragma once
#include "services/oops/state.h"

// What stays when retention cuts the log: source maps, reports of groups that a bug is linked to, and the newest of each kind. The log is
// cut as a whole, so that these are written once more before; what is not looked at yet holds the cut back.
namespace gantry::oops {

// The position of the oldest event that was not looked at; nothing: there is none.
std::optional<Position> unjudged(State const& s);
// Each second: looks at what is older than [oops] retention.
std::vector<Event> judge_some(State const& s, Ctx const& cx);

struct WrittenAgain {
    std::vector<KeptOn> reports;
    std::vector<SourceMapKept> maps;
    KeepSome rest;  // for another batch
};
Result<WrittenAgain> keep_some(KeepSome const& some, Outside& outside);
std::vector<Event> kept_some(State const& s, KeepSome const& some, Result<WrittenAgain> const& kept, Ctx const& cx);

}  // namespace gantry::oops
