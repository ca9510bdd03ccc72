#pragma once
#include "services/pool/acquire.h"
#include "services/pool/resources.h"

// What the pool tells: resources, tickets and why they wait, what is to be expected.
namespace gantry::pool {

struct ResourceFilter {
    static constexpr bool has_defaults = true;
    std::optional<TypeName> type;
    std::optional<Word> state;
    std::optional<Owner> owner;
    std::optional<Text<1, 400>> label;  // name=value
    std::optional<bool> stuck, drained;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(ResourceFilter, type, state, owner, label, stuck, drained, limit, cursor);
Result<Page<ResourceView>> list_resources(State const& s, ResourceFilter const& in, Ctx const& cx);
Result<ResourceView> show_resource(State const& s, ByName const& in, Ctx const& cx);

// What could end a ticket's wait.
struct Freer {
    std::string name, state;
    std::optional<std::string> holder;
    std::optional<Time> until;
};
RECORD(Freer, name, state, holder, until);
// Of one want: how many there are that fit, and what has them.
struct WantView {
    std::string type;
    std::uint64_t count = 0, fit = 0, free = 0, set_aside = 0;
    std::map<std::string, std::uint64_t> states;  // of those that fit
    std::vector<Freer> freed_by;                  // the soonest first, up to 10
};
RECORD(WantView, type, count, fit, free, set_aside, states, freed_by);
struct TicketView {
    Ticket ticket;
    TicketState state = TicketState::waiting;
    std::string owner, reason;
    std::optional<LeaseId> lease;
    std::vector<Want> wants;
    std::uint64_t priority = 0;
    Time asked_at;
    std::optional<Time> firm_at, from, until;
    std::optional<std::uint64_t> place, estimate_ms;
};
RECORD(TicketView, ticket, state, owner, reason, lease, wants, priority, asked_at, firm_at, from, until, place, estimate_ms);
struct WhyView {
    TicketView ticket;
    std::string why;
    std::vector<WantView> wants;
};
RECORD(WhyView, ticket, why, wants);
struct TicketFilter {
    static constexpr bool has_defaults = true;
    std::optional<TypeName> type;
    std::optional<Owner> owner;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(TicketFilter, type, owner, limit, cursor);
Result<TicketView> show_ticket(State const& s, ByTicket const& in, Ctx const& cx);
Result<WhyView> why_ticket(State const& s, ByTicket const& in, Ctx const& cx);
// Those in line, the oldest first.
Result<Page<TicketView>> list_tickets(State const& s, TicketFilter const& in, Ctx const& cx);

// An hour to come, by what was in that hour of the day in the days before.
struct HourAhead {
    Time hour;
    double given = 0, freed = 0, free = 0;
};
RECORD(HourAhead, hour, given, freed, free);
struct Forecast {
    std::string type;
    std::uint64_t free = 0, days = 0;
    std::optional<Time> exhausted_at;
    std::vector<HourAhead> hours;
};
RECORD(Forecast, type, free, days, exhausted_at, hours);
struct ByForecast {
    TypeName type;
};
RECORD(ByForecast, type);
Result<Forecast> forecast(State const& s, ByForecast const& in, Ctx const& cx);

}  // namespace gantry::pool
