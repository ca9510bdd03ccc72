#pragma once
#include "services/pool/desk.h"

// What needs somebody: resources that are stuck or in quarantine, hooks that fail, types of which nothing is left.
namespace gantry::pool {

enum class AlertWhat { stuck, quarantined, trouble, hook, exhausted };
ENUM(AlertWhat, stuck, quarantined, trouble, hook, exhausted);
struct AlertView {
    AlertWhat what = AlertWhat::stuck;
    std::string type;
    std::optional<std::string> resource, state;
    std::optional<Time> since;
    std::string reason;
};
RECORD(AlertView, what, type, resource, state, since, reason);
struct AlertFilter {
    static constexpr bool has_defaults = true;
    std::optional<TypeName> type;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(AlertFilter, type, limit, cursor);
// Types first, on the first page; then resources.
Result<Page<AlertView>> list_alerts(State const& s, AlertFilter const& in, Ctx const& cx);

// Tells the type's `alert_url` of a resource that is stuck or went into quarantine.
void tell_alert(Desk& desk, std::uint32_t resource, std::string_view what, std::string_view state, Reason const& reason);
struct AlertTold {};
EMPTY_RECORD(AlertTold);
Result<AlertTold> call_alert(TellAlert const& args, Outside& outside);
std::vector<Event> alert_called(State const& s, TellAlert const& args, Result<AlertTold> const& told, Ctx const& cx);

}  // namespace gantry::pool
