#include "services/pool/acquire.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

constexpr std::uint64_t waiting_max = 20'000;
constexpr Duration ahead_max = Duration::days(366);

Fault at_want(std::size_t i, std::string_view member, std::string detail) {
    return {fmt::format("/wants/{}{}", i, member), std::move(detail)};
}

Result<void> check_want(State const& s, Want const& want, std::size_t i) {
    auto const* type = s.type(want.type);
    if (!type)
        return fail({404,
                     "type_not_found",
                     fmt::format("there is no type \"{}\"", want.type.view()),
                     {at_want(i, "/type", "expected a type of the pool")}});
    for (auto const& [name, range] : want.ranges)
        if (!range.min && !range.max)
            return fail({422, "want_invalid", "a range has min, max or both", {at_want(i, "/ranges/" + name, "expected min or max")}});
        else if (range.min && range.max && *range.min > *range.max)
            return fail({422, "want_invalid", "a range begins before it ends", {at_want(i, "/ranges/" + name, "expected min up to max")}});
    if (!want.names.empty() && std::size_t(want.count) > want.names.size())
        return fail({422,
                     "want_invalid",
                     "more are wanted than are named",
                     {at_want(i, "/count", fmt::format("expected up to {}", want.names.size()))}});
    return {};
}

// What the pool could never give, however long one waits.
Result<void> check_possible(State const& s, std::vector<Want> const& wants) {
    for (std::size_t i = 0; i < wants.size(); ++i) {
        auto const& want = wants[i];
        auto const wanted = std::uint64_t(std::int64_t(want.count));
        if (s.type(want.type)->settings.max > 0 && want.names.empty()) continue;
        std::uint64_t looked_at = 0;
        auto const there = count_fitting(s, want, wanted, looked_at);
        if (there < wanted)
            return fail({422,
                         "want_impossible",
                         fmt::format("{} of type {} are wanted, and {} in the pool are such", wanted, want.type.view(), there),
                         {at_want(i, "", "expected what the pool has")}});
    }
    return {};
}

std::int64_t lease_ms_of(State const& s, Acquire const& in, Ctx const& cx) {
    if (in.until) return std::max<std::int64_t>(1000, (*in.until - in.from.value_or(cx.now)).us / 1000);
    if (in.lease_ms) return *in.lease_ms;
    std::int64_t least = 0;
    for (auto const& want : in.wants) {
        std::int64_t const ms = s.type(want.type)->settings.lease_ms;
        if (least == 0 || ms < least) least = ms;
    }
    return least;
}

Result<void> check_times(Acquire const& in, Ctx const& cx) {
    if (in.from && (*in.from <= cx.now || *in.from > cx.now + ahead_max))
        return fail({422,
                     "reservation_time",
                     "a reservation begins in the future, and within a year",
                     {{"/from", "expected a time after " + format_time(cx.now)}}});
    if (in.until && *in.until <= in.from.value_or(cx.now))
        return fail({422, "reservation_time", "a reservation ends after it begins", {{"/until", "expected a later time"}}});
    if (in.until && in.lease_ms) return fail(422, "reservation_time", "until says how long the lease is: leave out lease_ms");
    return {};
}

Acquired place_view(State const& s, Ctx const& cx, Ticket const& ticket, TicketRow const& row) {
    Acquired out{.ticket = ticket, .outcome = row.from ? Outcome::ahead : Outcome::waiting, .from = row.from};
    out.place = Desk(s, cx).place_of(row);
    if (!row.from) out.estimate_ms = estimate_ms(s, row.wants, *out.place);
    return out;
}

// A ticket that asked before. Nothing: it may ask anew.
Result<std::optional<Emit<Acquired, Event>>> met_again(State const& s, Acquire const& in, Ctx const& cx, Over over) {
    using Met = std::optional<Emit<Acquired, Event>>;
    auto const* row = s.ticket(in.ticket);
    bool const is_over = row && (row->state == TicketState::over || row->state == TicketState::withdrawn);
    if (!row || (is_over && over == Over::anew)) return Met{};
    if (row->alike != 0 && row->alike != alike_of(in.wants))
        return fail(409, "ticket_differs", "this ticket asked for something else before: a ticket is for one wish");
    if (row->state == TicketState::over)
        return fail(410, "ticket_over", fmt::format("this ticket had lease ls_{}, which is over: use another ticket", row->lease));
    if (row->state == TicketState::withdrawn)
        return fail(410, "ticket_withdrawn", "this ticket was withdrawn from the line: use another ticket");
    if (row->state == TicketState::held)
        return Met{Emit<Acquired, Event>{
            {}, {.ticket = in.ticket, .outcome = Outcome::held, .lease = view_of(s, row->lease, *s.leases.find(row->lease))}}};
    Emit<Acquired, Event> out{{}, place_view(s, cx, in.ticket, *row), 202};
    // Asked after again before it would have left.
    if (in.stay_ms && row->until && cx.now + Duration::millis(*in.stay_ms) > *row->until + Duration::seconds(1))
        out.events.push_back(Stayed{in.ticket, cx.now + Duration::millis(*in.stay_ms)});
    // Who asks again waits for its turn; the first answer was its place.
    if (cx.may_wait && in.wait_ms && *in.wait_ms > 0 && out.events.empty())
        out.wait = Wait{{s.tickets.key_of(s.ticket_names.find(in.ticket))}, cx.now + Duration::millis(*in.wait_ms)};
    return Met{std::move(out)};
}

Asker asker_of(State const& s, Acquire const& in, Ctx const& cx) {
    Asker out{
        .ticket = in.ticket, .owner = in.owner ? *in.owner : Owner(cx.caller()), .reason = in.reason.value_or(Reason{}), .wants = in.wants};
    out.priority = in.priority ? std::uint64_t(std::int64_t(*in.priority)) : 1000, out.lease_ms = lease_ms_of(s, in, cx);
    out.from = in.from, out.alike = alike_of(in.wants);
    if (in.bound_to) out.bound_to = in.bound_to->view();
    if (in.from) return out.firm_us = (*in.from - Duration::millis(out.lease_ms)).us, out;
    std::int64_t patience_ms = 0;
    for (auto const& want : in.wants) patience_ms = std::max<std::int64_t>(patience_ms, s.type(want.type)->settings.patience_ms);
    out.firm_us = (cx.now + Duration::millis(patience_ms)).us;
    return out;
}

Emit<Acquired, Event> stand_in_line(Desk& desk, Asker const& asker, Acquire const& in) {
    State const& s = desk.state();
    Ctx const& cx = desk.cx();
    auto const until = in.stay_ms && !in.from ? std::optional(cx.now + Duration::millis(*in.stay_ms)) : std::nullopt;
    TicketRow row{.state = in.from ? TicketState::ahead : TicketState::waiting, .seq = cx.next, .owner = asker.owner.str()};
    row.wants = asker.wants, row.priority = std::uint32_t(asker.priority), row.firm_at = Time{asker.firm_us}, row.from = in.from;
    desk.record(Queued{asker.ticket, asker.owner, asker.reason, asker.wants, row.priority, asker.lease_ms, row.firm_at, in.from, until,
                       asker.alike, asker.bound_to});
    if (!in.from)
        for (auto type : types_of(s, asker.wants)) grow(desk, type);
    return {desk.take_events(), place_view(s, cx, asker.ticket, row), 202};
}

}  // namespace

Result<void> check_wants(State const& s, std::vector<Want> const& wants, Ctx const&) {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < wants.size(); ++i) {
        TRY_VOID(check_want(s, wants[i], i));
        total += wants[i].count;
    }
    if (wants.empty() || wants.size() > wants_max || total > std::int64_t(resources_per_ticket_max))
        return fail({422,
                     "wants_count",
                     "a ticket has 1 to 20 wants, for up to 200 resources",
                     {{"/wants", fmt::format("found {} wants for {} resources", wants.size(), total)}}});
    for (auto const& want : wants) {
        std::int64_t const quota = s.type(want.type)->settings.quota;
        auto const count = std::int64_t(wanted_of(wants, want.type));
        if (quota > 0 && count > quota)
            return fail(422, "quota_small",
                        fmt::format("{} of type {} are wanted, and an owner may hold {}", count, want.type.view(), quota));
    }
    return {};
}

// As many turns of the type as there are in front, at the pace of late.
std::optional<std::uint64_t> estimate_ms(State const& s, std::vector<Want> const& wants, std::uint64_t place) {
    std::optional<std::uint64_t> longest;
    for (auto const& want : wants) {
        auto const* type = s.type(want.type);
        if (!type || type->returns == 0 || type->leased == 0) continue;
        auto const ms = type->held_ms * (place + 1) / type->leased;
        longest = std::max(longest.value_or(0), ms);
    }
    return longest;
}

Result<Emit<Acquired, Event>> acquire_as(State const& s, Acquire const& in, Ctx const& cx, Over over) {
    TRY_ASSIGN(auto met, met_again(s, in, cx, over));
    if (met) return std::move(*met);
    TRY_VOID(check_wants(s, in.wants, cx));
    TRY_VOID(check_times(in, cx));
    Desk desk(s, cx);
    auto const asker = asker_of(s, in, cx);
    auto const types = types_of(s, in.wants);
    if (!in.from && desk.match(types, &asker)) {
        auto const& leased = std::get<Leased>(*std::ranges::find_if(desk.events, [&](Event const& e) {
            auto const* given = std::get_if<Leased>(&e);
            return given && given->ticket == in.ticket;
        }));
        Acquired reply{.ticket = in.ticket, .outcome = Outcome::held, .lease = view_of(s, leased, cx)};
        for (auto type : types) grow(desk, type);
        return Emit<Acquired, Event>{desk.take_events(), std::move(reply)};
    }
    TRY_VOID(check_possible(s, in.wants));
    if (in.queue && !*in.queue && !in.from)
        return fail(409, "none_free", "what is wanted is not free now, and the ticket does not want to wait");
    if (s.line.size() >= waiting_max) {
        Problem full{503, "line_full", fmt::format("{} tickets wait already: come back later", waiting_max)};
        full.retry_after_s = 30;
        return fail(std::move(full));
    }
    return stand_in_line(desk, asker, in);
}

Result<Emit<Acquired, Event>> acquire(State const& s, Acquire const& in, Ctx const& cx) {
    TRY_ASSIGN(auto out, acquire_as(s, in, cx, Over::refused));
    return out;
}

Result<Emit<Acquired, Event>> withdraw(State const& s, ByTicket const& in, Ctx const& cx) {
    auto const* row = s.ticket(in.ticket);
    if (!row) return fail(404, "ticket_not_found", "there is no such ticket, or it was over long ago");
    if (row->state == TicketState::withdrawn) return Emit<Acquired, Event>{{}, {.ticket = in.ticket, .outcome = Outcome::withdrawn}};
    if (row->state == TicketState::held || row->state == TicketState::over)
        return fail(409, "ticket_served", fmt::format("this ticket has lease ls_{}: release that", row->lease));
    Desk desk(s, cx);
    desk.record(Withdrawn{in.ticket, "by its owner"});
    desk.left_line(row->seq);
    for (auto type : types_of(s, row->wants)) desk.match(type);
    return Emit<Acquired, Event>{desk.take_events(), {.ticket = in.ticket, .outcome = Outcome::withdrawn}};
}

void ticket_due(Desk& desk, std::uint64_t seq) {
    State const& s = desk.state();
    if (!s.line.contains(seq)) return;
    auto const ticket = s.ticket_in_line(seq);
    auto const& row = *s.ticket(ticket);
    if (row.from && *row.from <= desk.cx().now)
        desk.record(Came{ticket});
    else
        desk.record(Withdrawn{ticket, "it did not want to stay longer"}), desk.left_line(seq);
    for (auto type : types_of(s, row.wants)) desk.match(type), grow(desk, type);
}

}  // namespace gantry::pool
