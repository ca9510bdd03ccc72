#include "examples/reminders/reminders.h"

#include <algorithm>

namespace gantry::reminders {

// The fold.
void State::apply(Made const& e, At const& at) {
    reminders.put(e.id, {e.id, e.title, e.owner, at.time, e.at, e.package, e.note});
    if (e.at) due.set(e.id, *e.at);
    if (e.package) waiting.change_or_put(*e.package, [&](Waiting& w) { w.reminders.push_back(e.id); });
}
void State::apply(Rang const& e) {
    stop_waiting(e.id);
    reminders.change(e.id, [&](Reminder& r) { r.status = Status::rang, r.because = e.because; });
}
void State::apply(Dismissed const& e) {
    stop_waiting(e.id);
    reminders.change(e.id, [](Reminder& r) { r.status = Status::dismissed; });
}
void State::apply(Told const& e) {
    reminders.change(e.id, [](Reminder& r) { r.told = true; });
}
void State::stop_waiting(ReminderId const& id) {
    due.clear(id);
    auto const* reminder = reminders.find(id);
    if (!reminder || !reminder->package) return;
    auto const* others = waiting.find(*reminder->package);
    if (others && others->reminders == std::vector{id}) return void(waiting.erase(*reminder->package));
    waiting.change(*reminder->package, [&](Waiting& w) { std::erase(w.reminders, id); });
}

namespace {

constexpr std::size_t examined_max = 10'000;           // rows of one list, under the service's lock
constexpr std::size_t waiting_per_package_max = 1000;  // which one report may ring

// DECISIONS: plain functions of the state, the input and the context, to a reply, or a reply and new facts.
struct NewReminder {
    Title title;
    std::optional<Time> at;
    std::optional<Package> package;
    std::optional<Text<1, 1000>> note;
};
RECORD(NewReminder, title, at, package, note);
struct ById {
    ReminderId id;
};
RECORD(ById, id);
struct Listing {
    static constexpr bool has_defaults = true;
    std::optional<Status> status;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(Listing, status, limit, cursor);
struct Cursor {
    ReminderId reminder;
};
RECORD(Cursor, reminder);
using Changed = Emit<Reminder, Event>;

Result<Changed> make(State const& s, NewReminder const& in, Ctx const& cx) {
    if (in.at.has_value() == in.package.has_value())
        return fail({422, "reminder_when", "a reminder has a time or a package, and not both", {{"/at", "expected this or /package"}}});
    if (in.at && *in.at <= cx.now)
        return fail({422, "reminder_past", "a reminder rings in the future", {{"/at", "expected a time after " + format_time(cx.now)}}});
    auto const* others = in.package ? s.waiting.find(*in.package) : nullptr;
    if (others && others->reminders.size() >= waiting_per_package_max)
        return fail(409, "package_awaited", "too many reminders wait for this package");
    Reminder const made{ReminderId(cx.fresh("rm_")), in.title, UserId(cx.caller()), cx.now, in.at, in.package, in.note};
    return Changed{{Made{made.id, made.title, made.owner, made.at, made.package, made.note}}, made, 201};
}

Result<Reminder> show(State const& s, ById const& in, Ctx const&) {
    if (auto const* reminder = s.reminders.find(in.id)) return *reminder;
    return fail(404, "reminder_not_found", "there is no reminder with this id");
}

Result<Changed> dismiss(State const& s, ById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto reminder, show(s, in, cx));
    if (reminder.status == Status::dismissed) return Changed{{}, reminder};  // a repeated command writes nothing
    reminder.status = Status::dismissed;
    return Changed{{Dismissed{in.id}}, reminder};
}

Result<Page<Reminder>> list(State const& s, Listing const& in, Ctx const&) {
    Page<Reminder> page;
    std::optional<ReminderId> after;
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<Cursor>(*in.cursor));
        after = cursor.reminder;
    }
    std::size_t examined = 0;
    ReminderId last;
    s.reminders.walk(after ? &*after : nullptr, [&](ReminderId const& id, Reminder const& reminder) {
        if (page.items.size() == std::size_t(in.limit) || examined == examined_max) {
            page.complete = false, page.next = make_cursor(Cursor{last});
            if (page.items.size() < std::size_t(in.limit)) page.why = "10000 reminders were examined: go on with next";
            return false;
        }
        ++examined, last = id;
        if (!in.status || reminder.status == *in.status) page.items.push_back(reminder);
        return true;
    });
    return page;
}

// A reminder rings: the fact, and if there is a hook, the fact that it is to be called.
std::vector<Event> ring(Reminder const& reminder, Reason const& because, Ctx const& cx) {
    std::vector<Event> events{Rang{reminder.id, because}};
    if (auto const& hook = cx.configured<Settings>().hook)
        events.push_back(Effect<CallHook>{cx.fresh("e_"), {*hook, reminder.id, reminder.title, because}});
    return events;
}

// TIMER: what happens when a reminder is due. Its facts must clear what was due, or move it.
std::vector<Event> on_time(State const& s, ReminderId const& id, Ctx const& cx) { return ring(*s.reminders.find(id), "it is time", cx); }

// FOLLOWER: what happens when the tracker recorded a report.
Result<std::vector<Event>> on_reported(State const& s, tracker::Reported const& report, At const& at, Ctx const& cx) {
    std::vector<Event> events;
    auto const* waiting = s.waiting.find(report.package);
    if (!waiting || report.result.empty()) return events;
    std::string const because = report.package.str() + " " + report.version.str() + ": " + report.result.str();
    for (auto const& id : waiting->reminders) {
        auto const& reminder = *s.reminders.find(id);
        if (at.time < reminder.made_at) continue;  // the tracker's past, read late
        std::ranges::move(ring(reminder, because, cx), std::back_inserter(events));
    }
    return events;
}

// EFFECT: runs on a worker once its fact is durable, at least once; and what the service makes of the outcome.
Result<client::Reply> call_hook(CallHook const& call, Outside& outside) {
    client::Request request;
    request.method = "POST";
    request.target = call.url.str();
    request.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
    request.body = call.title.str() + ": " + call.because.str() + "\n";
    return outside.call(std::move(request));
}
std::vector<Event> hook_called(State const&, CallHook const& call, Result<client::Reply> const& reply, Ctx const&) {
    if (!reply) return {};  // given up: it is listed under /effects
    return {Told{call.reminder}};
}

}  // namespace

std::vector<Timer> Service::timers() { return {timer<Service, &State::due>(&on_time)}; }

std::vector<EffectKind> Service::effects() { return {effect<Service>(&call_hook, &hook_called)}; }

std::vector<Follower> Service::followers() { return {follow<Service, tracker::Source>(&on_reported)}; }

std::vector<std::pair<std::string_view, std::string_view>> Service::settings_docs() {
    return {{"hook", "URL that gets a POST with a line of text for each reminder that rings. Not set: none does."}};
}

// ROUTES: the whole public surface.
std::vector<Route> Service::routes() {
    Scope const write{"reminders:write"}, read{"reminders:read"};
    return {
        route<Service>(V1, "POST", "/reminders", &make, write, Doc{"Make a reminder of the caller's."}, Bulk{}),
        route<Service>(V1, "GET", "/reminders", &list, read, Doc{"The caller's reminders, in the order in which they were made."}),
        route<Service>(V1, "GET", "/reminders/{id}", &show, read, Doc{"Read one reminder."}),
        route<Service>(V1, "DELETE", "/reminders/{id}", &dismiss, write, Doc{"Dismiss a reminder; it stays listed."}),
    };
}

}  // namespace gantry::reminders
