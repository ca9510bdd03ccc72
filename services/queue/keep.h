#pragma once
#include "services/queue/state.h"

// Contents of tasks lie in the log alone. With [queue] history the log is cut, and a task may wait for longer than that: its content is
// then written once more, so that the old event is needed no longer. What wasn't yet holds the cut back.
namespace gantry::queue {

// The position of the oldest event that holds the content of a task; nothing: there is no task.
std::optional<Position> oldest_content(State const& s);
// Each second: asks for contents that are older than the history to be written once more, a bounded number at a time.
std::vector<Event> keep_some_on(State const& s, Ctx const& cx);

struct WrittenAgain {
    struct One {
        ContentAt at;
        Content content;
    };
    std::vector<One> contents;
    KeepSome rest;  // for another batch
};
Result<WrittenAgain> write_again(KeepSome const& some, Outside& outside);
std::vector<Event> written_again(State const& s, KeepSome const& some, Result<WrittenAgain> const& written, Ctx const& cx);

}  // namespace gantry::queue
