#pragma once
#include "kernel/service.h"
#include "services/tracker/contract.h"

namespace gantry::reminders {  // reminders: a caller is told at a time, or when a package has a result

// FACTS: written to the log for ever; never edited.
using ReminderId = Id<"rm_">;
using Title = Text<1, 120>;
using Reason = Text<1, 1500>;
using tracker::Package;

struct Made {
    ReminderId id;
    Title title;
    UserId owner;
    std::optional<Time> at = {};
    std::optional<Package> package = {};
    std::optional<Text<1, 1000>> note = {};  // since the second release
};
RECORD(Made, id, title, owner, at, package, note);
struct Rang {
    ReminderId id;
    Reason because;
};
RECORD(Rang, id, because);
struct Dismissed {
    ReminderId id;
};
RECORD(Dismissed, id);
struct Told {  // the hook took it
    ReminderId id;
};
RECORD(Told, id);

// What is to be done outside is a fact, too.
struct CallHook {
    Text<1, 2000> url;
    ReminderId reminder;
    Title title;
    Reason because;
};
RECORD(CallHook, url, reminder, title, because);

using Event = std::variant<Made, Rang, Dismissed, Told, Effect<CallHook>, EffectOutcome>;

// STATE: a pure fold of the facts. No clock, no I/O, cannot fail.
enum class Status { waiting, rang, dismissed };
ENUM(Status, waiting, rang, dismissed);
struct Reminder {
    ReminderId id;
    Title title;
    UserId owner;
    Time made_at;
    std::optional<Time> at = {};
    std::optional<Package> package = {};
    std::optional<Text<1, 1000>> note = {};
    Status status = Status::waiting;
    std::optional<Reason> because = {};
    bool told = false;
};
RECORD(Reminder, id, title, owner, made_at, at, package, note, status, because, told);
// Who may see a row: the kernel holds every answer to it.
inline bool visible(Reminder const& reminder, Viewer const& viewer) { return reminder.owner == viewer.id; }

// Who waits for a package, so that a report needn't look at every reminder.
struct Waiting {
    std::vector<ReminderId> reminders;
};
RECORD(Waiting, reminders);

struct State {
    Table<ReminderId, Reminder> reminders;
    Table<Package, Waiting> waiting;
    Due<ReminderId> due;  // the timer's
    Outbox outbox;        // the effects that are pending; the kernel keeps it
    void apply(Made const& e, At const& at);
    void apply(Rang const& e);
    void apply(Dismissed const& e);
    void apply(Told const& e);

   private:
    void stop_waiting(ReminderId const& id);
};
STATE(State, reminders, waiting, due, outbox);

// [reminders]
struct Settings {
    std::optional<Text<1, 2000>> hook;
};
RECORD(Settings, hook);

struct Service {
    using State = reminders::State;
    using Event = reminders::Event;
    using Settings = reminders::Settings;
    static constexpr std::string_view name = "reminders";
    static constexpr std::string_view doc = "Tells its callers at a time, or when a package has a result.";
    static std::vector<Route> routes();
    static std::vector<Timer> timers();
    static std::vector<EffectKind> effects();
    static std::vector<Follower> followers();
    static std::vector<codec::Rename> renames() { return {{"rang", "reason", "because"}}; }
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs();
    // Who may see a fact in the feed: whoever sees the reminder. (The kernel answers for effects.)
    static bool visible(State const& s, Event const& e, Viewer const&) {
        return std::visit([&](auto const& fact) { return s.reminders.contains(fact.id); }, e);
    }
};

}  // namespace gantry::reminders
