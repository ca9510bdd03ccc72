#include "services/queue/keep.h"

#include <algorithm>

#include "services/queue/queue.h"

namespace gantry::queue {
namespace {

constexpr std::size_t kept_max = 500;                // contents of one turn
constexpr std::size_t skipped_max = 1000;            // that it walks past again and again, before it says that they are of no concern
constexpr std::size_t batch_bytes_wanted = 8 << 20;  // of what is written once more at a time
constexpr std::uint32_t the_row = 1;

KeepingRow keeping_of(State const& s) {
    auto const* row = s.keeping.find(the_row);
    return row ? *row : KeepingRow{};
}

// Visits the tasks whose content is that of their Put, of numbers above `judged`: of each queue and of what was put aside there in the
// order of their coming, until `visit(task)` returns false, then the next list. The number of those that it passed over.
template <class Visit>
std::size_t walk_first_contents(State const& s, std::uint64_t judged, Visit&& visit) {
    std::size_t skipped = 0;
    s.walk_queues(nullptr, [&](Str const&, QueueRow const& queue) {
        auto const aside = queue.count(TaskState::buried) + queue.count(TaskState::dead) + queue.count(TaskState::done);
        auto const all = queue.depth() + queue.count(TaskState::done);
        for (auto state : {TaskState::ready, TaskState::done}) {
            if ((is_aside(state) ? aside : all - aside) == 0) continue;
            s.ages.ascend(
                State::age(queue.number, state, judged + 1),
                [&](std::uint32_t slot) {
                    TaskRow const& t = s.tasks[slot];
                    if (t.queue != queue.number || is_aside(t.is()) != is_aside(state)) return false;
                    if (t.flags & task_again) return ++skipped, true;
                    return bool(visit(t));
                },
                s.by_age());
        }
        return true;
    });
    return skipped;
}

// Of the contents of Puts that are older than a time the first ones; and up to which number there are no others.
struct FirstContents {
    std::vector<ContentAt> old;
    std::uint64_t upto = 0;
    std::size_t skipped = 0;
};
FirstContents first_contents(State const& s, std::uint64_t judged, Time older_than) {
    FirstContents out{{}, s.given(), 0};
    auto const by_number = [](ContentAt const& a, ContentAt const& b) { return a.task.n < b.task.n; };
    out.skipped = walk_first_contents(s, judged, [&](TaskRow const& t) {
        // Numbers are in the order of time: whatever comes later is younger, too.
        if (t.made_us > older_than.us) return out.upto = std::min(out.upto, t.number - 1), false;
        if (out.old.size() == kept_max) {
            if (t.number > out.old.front().task.n) return false;
            std::ranges::pop_heap(out.old, by_number);
            out.old.pop_back();
        }
        out.old.push_back({TaskId{t.number}, t.content});
        std::ranges::push_heap(out.old, by_number);
        return true;
    });
    if (out.old.size() == kept_max) out.upto = out.old.front().task.n;
    std::ranges::sort(out.old, by_number);
    return out;
}

}  // namespace

std::optional<Position> oldest_content(State const& s) {
    std::optional<Position> oldest;
    if (auto const* first = s.again.first()) oldest = first->position;
    walk_first_contents(s, keeping_of(s).judged, [&](TaskRow const& t) {
        oldest = std::min(oldest.value_or(t.content), t.content);
        return false;
    });
    return oldest;
}

std::vector<Event> keep_some_on(State const& s, Ctx const& cx) {
    auto const& history = cx.configured<Settings>().history;
    auto const row = keeping_of(s);
    if (!history || row.judging != row.judged || row.judging_again != 0) return {};
    auto const older_than = cx.now - *history;
    auto first = first_contents(s, row.judged, older_than);
    Judging judging{first.upto, 0};
    KeepSome some{std::move(first.old)};
    s.again.ascend({}, [&](Again const& again) {
        if (again.at_us > older_than.us || some.contents.size() >= 2 * kept_max) return false;
        some.contents.push_back({TaskId{again.task}, again.position});
        judging.again = again.position;
        return true;
    });
    if (!some.contents.empty()) return {judging, Effect<KeepSome>{cx.fresh("e_"), std::move(some)}};
    if (first.skipped < skipped_max || judging.upto <= row.judged) return {};
    return {Judged{judging.upto, 0}};
}

Result<WrittenAgain> write_again(KeepSome const& some, Outside& outside) {
    auto events = outside.events<Event>();
    WrittenAgain out;
    std::size_t bytes = 0;
    for (auto const& one : some.contents) {
        if (bytes > batch_bytes_wanted) {
            out.rest.contents.push_back(one);
            continue;
        }
        TRY_ASSIGN(auto const* event, events.at(one.position));
        auto const* content = event ? content_in(*event) : nullptr;
        if (!content) continue;  // its task has ended, and the log was cut since
        bytes += content->payload.data.size() + 1000;
        out.contents.push_back({one, *content});
    }
    return out;
}

std::vector<Event> written_again(State const& s, KeepSome const&, Result<WrittenAgain> const& written, Ctx const& cx) {
    if (!written) return {};  // it holds the cut back, and waits for an operator
    std::vector<Event> events;
    auto const row = keeping_of(s);
    bool const done = written->rest.contents.empty();
    if (done) events.push_back(Judged{row.judging, row.judging_again});
    for (auto const& [at, content] : written->contents)
        if (auto const* task = s.find(at.task); task && task->content == at.position) events.push_back(KeptOn{at.task, content});
    if (!done) events.push_back(Effect<KeepSome>{cx.fresh("e_"), written->rest});
    return events;
}

void State::apply(Judging const& e) {
    keeping.change_or_put(the_row, [&](KeepingRow& row) { row.judging = e.upto, row.judging_again = e.again; });
}
void State::apply(Judged const& e) {
    keeping.change_or_put(the_row, [&](KeepingRow& row) { row.judged = row.judging = e.upto, row.judging_again = 0; });
}
void State::apply(KeptOn const& e, At const& at) {
    if (auto const slot = slot_of(e.id.n); slot != none) set_content(slot, at);
}
// Whoever drops what writes contents once more has it asked for anew.
void State::apply(EffectOutcome const& e) {
    if (e.step != EffectStep::dropped) return;
    keeping.change(the_row, [](KeepingRow& row) { row.judging = row.judged, row.judging_again = 0; });
}

void State::set_content(std::uint32_t slot, At const& at) {
    TaskRow& t = tasks.mut(slot);
    forget_content(t);
    t.content = at.position, t.flags |= task_again;
    again.insert({at.position, at.time.us, t.number});
}
void State::forget_content(TaskRow& t) {
    if (!(t.flags & task_again)) return;
    t.flags &= std::uint8_t(~task_again);
    std::optional<Again> found;
    again.ascend({t.content, std::numeric_limits<std::int64_t>::min(), 0},
                 [&](Again const& one) { return one.position == t.content && (found = one, false); });
    if (found) again.erase(*found);
}

}  // namespace gantry::queue
