#pragma once
#include "services/oops/rules.h"
#include "services/oops/state.h"

// Rules of a project on how its reports are grouped, and reports that are grouped anew: by new rules, or back as they were. Reports lose
// nothing by it: each keeps its body in the log, and only says of another bucket that it is its own.
namespace gantry::oops {

struct ByProject;

struct RulesView {
    Project project = 1;
    RulesText text;
};
RECORD(RulesView, project, text);
struct NewRules {
    Project project;
    RulesText text;
};
RECORD(NewRules, project, text);
Result<Emit<RulesView, Event>> set_rules(State const& s, NewRules const& in, Ctx const& cx);
Result<RulesView> show_rules(State const& s, ByProject const& in, Ctx const& cx);

// --- what rules would do: nothing is recorded ---------------------------------------------------------------------------------------

struct RulesTry {
    Project project;
    RulesText text;
    Bounded<1, 3650> days = 7;
    static constexpr bool has_defaults = true;
};
RECORD(RulesTry, project, text, days);
struct Change {
    GroupId from;
    std::string from_title;
    std::optional<GroupId> to;  // nothing: a new group
    std::string to_title;
    std::uint64_t reports = 0;
};
RECORD(Change, from, from_title, to, to_title, reports);
struct Tried {
    std::uint64_t examined = 0, unreadable = 0, moved = 0;
    bool complete = true;         // false: there are more reports of these days, and the newest were examined
    std::vector<Change> changes;  // the greatest first
    bool changes_complete = true;
};
RECORD(Tried, examined, unreadable, moved, complete, changes, changes_complete);
struct TryLook {
    std::vector<ReportAt> reports;
    std::vector<MapAt> maps;
    bool complete = true;
    std::string rules;
};
struct Print {
    std::uint32_t report = 0;
    std::uint64_t app = 0, system = 0;
    Title title;
    bool ruled_title = false;
};
Print print_of(std::uint32_t number, Report const& report, Rules const& rules);
struct Prints {
    std::vector<Print> of;
    std::uint32_t unreadable = 0;
    bool complete = true;
};
Result<TryLook> look_for_try(State const& s, RulesTry const& in, Ctx const& cx);
Result<Prints> print_for_try(TryLook const& look, RulesTry const& in, Events<Event>& events);
Result<Emit<Tried, Event>> tell_try(State const& s, RulesTry const& in, Prints const& prints, Ctx const& cx);

// --- regroup: a part of the reports after another, by effects ------------------------------------------------------------------------

struct RegroupView {
    RegroupId id;
    Project project = 1;
    RegroupStatus status = RegroupStatus::running;
    std::optional<Time> since;
    std::uint64_t total = 0, examined = 0, moved = 0, unreadable = 0;  // total: of the project as it began
    Time begun_at;
    std::optional<Time> ended_at;
    Person by;
    std::optional<RegroupId> undoes, undone_by;
};
RECORD(RegroupView, id, project, status, since, total, examined, moved, unreadable, begun_at, ended_at, by, undoes, undone_by);
struct NewRegroup {
    Project project;
    std::optional<Bounded<1, 3650>> days;  // of which reports; nothing: all
    static constexpr bool has_defaults = true;
};
RECORD(NewRegroup, project, days);
struct ByRegroup {
    RegroupId id;
};
RECORD(ByRegroup, id);
struct RegroupListing {
    static constexpr bool has_defaults = true;
    std::optional<Project> project;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(RegroupListing, project, limit, cursor);

Result<Emit<RegroupView, Event>> begin_regroup(State const& s, NewRegroup const& in, Ctx const& cx);
Result<Emit<RegroupView, Event>> undo_regroup(State const& s, ByRegroup const& in, Ctx const& cx);
Result<Emit<RegroupView, Event>> cancel_regroup(State const& s, ByRegroup const& in, Ctx const& cx);
Result<RegroupView> show_regroup(State const& s, ByRegroup const& in, Ctx const& cx);
Result<Page<RegroupView>> list_regroups(State const& s, RegroupListing const& in, Ctx const& cx);

// What a part found: where its reports belong, or, of what is undone, where they were.
struct RegroupPart {
    Prints prints;
    std::vector<Replaced> back;
    std::vector<Retitled> titles_back;
};
Result<RegroupPart> regroup_some(RegroupSome const& some, Outside& outside);
std::vector<Event> regrouped_some(State const& s, RegroupSome const& some, Result<RegroupPart> const& part, Ctx const& cx);

}  // namespace gantry::oops
