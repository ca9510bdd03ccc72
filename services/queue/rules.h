#pragma once
#include "services/queue/put.h"

// Rules: what another service records becomes tasks here, and it has to know nothing of it. An effect reads the source's feed of events, a
// page at a time, and waits there for the next one; its outcome puts the tasks and moves the rule's cursor in one batch. So an event
// becomes one task whatever is killed meanwhile: what was read and not recorded is read again, and what an outdated reading brings is
// passed over.
//
// The kernel's followers (kernel/runtime/follow.h) do the same for a source that is known when a service is compiled, with its facts as C++
// types; a rule is made while the server runs, of any service that has a feed, in this site or elsewhere, and takes its events as the JSON
// that they are. What they have in common is the feed.
namespace gantry::queue {

inline constexpr std::size_t rules_max = 32;  // each waits on a thread (EffectOptions::waits)
inline constexpr int rule_events_a_turn = 500;

enum class RuleState {
    starting,     // nothing was read yet
    caught_up,    // all that the source has was taken
    behind,       // it takes what there is
    backing_off,  // something is wrong for the moment: `error` says what, and when it is tried again
    halted,       // it waits for an operator: `error` says why
    paused,       // by an operator
};
ENUM(RuleState, starting, caught_up, behind, backing_off, halted, paused);

struct RuleError {
    std::string code, detail;
    Time since;
    std::optional<Time> retry_at;
};
RECORD(RuleError, code, detail, since, retry_at);
struct RuleView {
    std::string rule;
    RuleState state = RuleState::starting;
    RuleSettings settings;
    std::string after, end;             // positions: up to which events were taken, and where the source was when it was read last
    std::uint64_t behind = 0;           // events between the two, those that the rule doesn't want among them
    std::uint64_t tasks = 0;            // that it put
    std::optional<Time> read_at;        // when the source was read last
    std::optional<Time> last_event_at;  // when the last event that became a task had happened
    std::optional<RuleError> error;
};
RECORD(RuleView, rule, state, settings, after, end, behind, tasks, read_at, last_event_at, error);

struct ListRules {
    Limit limit = 100;
    std::optional<std::string> cursor;
    static constexpr bool has_defaults = true;
};
RECORD(ListRules, limit, cursor);
struct ByRule {
    RuleName rule;
};
RECORD(ByRule, rule);
Result<Page<RuleView>> list_rules(State const& s, ListRules const& in, Ctx const& cx);
Result<RuleView> show_rule(State const& s, ByRule const& in, Ctx const& cx);

// `after`: where in the source it begins: a position as its feed gives it, "now", or "" for the first event that it has. Without it a rule
// of the same source goes on where it was, and another begins with the first event.
struct SetRule {
    RuleName rule;
    SourceText source;
    std::vector<EventType> types;
    std::optional<Text<0, 500>> subject;
    QueueName queue;
    std::optional<RulePayload> payload;
    std::optional<Pointer> key_from, group_from;
    std::optional<std::vector<Tag>> tags;
    std::optional<std::vector<Pointer>> tags_from;
    std::optional<Bounded<0, 4'294'967'295>> priority;
    std::optional<Millis> delay_ms;
    std::optional<bool> paused;
    std::optional<Text<0, 100>> after;
};
RECORD(SetRule, rule, source, types, subject, queue, payload, key_from, group_from, tags, tags_from, priority, delay_ms, paused, after);
Result<Emit<RuleView, Event>> set_rule(State const& s, SetRule const& in, Ctx const& cx);
Result<Emit<RuleView, Event>> drop_rule(State const& s, ByRule const& in, Ctx const& cx);
Result<Emit<RuleView, Event>> pause_rule(State const& s, ByRule const& in, Ctx const& cx);
// Goes on, also after it was halted; with `after` elsewhere.
struct ResumeRule {
    RuleName rule;
    std::optional<Text<0, 100>> after;
};
RECORD(ResumeRule, rule, after);
Result<Emit<RuleView, Event>> resume_rule(State const& s, ResumeRule const& in, Ctx const& cx);

// TIMER: its source is to be read.
std::vector<Event> rule_due(State const& s, RuleName const& rule, Ctx const& cx);

// EFFECT (rules_read.cpp). What is wrong with a source is no failure of the effect: it is the rule's to tell.
struct SourceEvent {
    std::string id;       // its position
    std::string payload;  // JSON
    std::string key, group;
    std::vector<std::string> tags;
    Time time;
};
struct SourceFault {
    std::string code, detail;
    bool halts = false;
};
struct SourceRead {
    std::vector<SourceEvent> events;
    std::string next, end;  // positions
    bool complete = false;  // there is no more for now
    bool waited = false;    // the source let us wait for more
    std::optional<SourceFault> fault;
};
Result<SourceRead> read_source(ReadSource const& args, Outside& outside);
std::vector<Event> source_read(State const& s, ReadSource const& args, Result<SourceRead> const& read, Ctx const& cx);

// Where the feed of a source is: "/tracker" is "/tracker/v1/events".
std::string feed_of(std::string_view source);
// The number in a position ("2es6q4x55avw9.17"); 0: there is none.
std::uint64_t number_in(std::string_view position);

// For /metrics: how far behind, and in which state.
void rule_metrics(State const& s, std::vector<OwnMetric>& out);

}  // namespace gantry::queue
