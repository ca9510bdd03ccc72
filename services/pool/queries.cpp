#include "services/pool/queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gantry::pool {
namespace {

constexpr std::size_t examined_max = 20'000;  // rows of one list, under the service's lock
constexpr std::size_t freers_max = 10;
constexpr std::int64_t days_max = 14;

struct ResourceCursor {
    Member after;
};
RECORD(ResourceCursor, after);
struct TicketCursor {
    std::uint64_t seq = 0;
};
RECORD(TicketCursor, seq);

// A filter of resources with its names looked up once.
class Sieve {
   public:
    Sieve(State const& s, ResourceFilter const& in) : s_(s), in_(in) {
        if (in.state) state_ = s.state_number(*in.state);
        if (!in.label) return;
        auto const text = in.label->view();
        auto const cut = std::min(text.find('='), text.size());
        label_ = text.substr(0, cut), value_ = text.substr(std::min(cut + 1, text.size()));
    }
    bool takes(Resource const& r) const {
        if ((in_.state && r.state != state_) || (in_.stuck && r.stuck != *in_.stuck) || (in_.drained && r.drained != *in_.drained))
            return false;
        if (in_.owner) {
            auto const* lease = r.lease != 0 ? s_.leases.find(r.lease) : nullptr;
            if (!lease || lease->owner != in_.owner->view()) return false;
        }
        if (label_.empty()) return true;
        auto const found = r.labels.find(label_);
        return found != r.labels.end() && found->second == value_;
    }

    // Whose members to look at, of a type; 0: there are none.
    std::uint32_t kind(std::uint32_t type) const { return type == 0 || label_.empty() ? type : s_.label_kind(type, label_, value_); }

   private:
    State const& s_;
    ResourceFilter const& in_;
    std::uint32_t state_ = 0;
    std::string label_, value_;
};

TicketView view_of(State const& s, Ctx const& cx, Ticket const& ticket, TicketRow const& row) {
    TicketView out{.ticket = ticket, .state = row.state, .owner = row.owner, .reason = row.reason, .wants = row.wants};
    out.priority = row.priority, out.asked_at = row.asked_at, out.from = row.from, out.until = row.until;
    if (row.lease != 0) out.lease = LeaseId{row.lease};
    if (row.seq == 0) return out;
    out.firm_at = row.firm_at, out.place = Desk(s, cx).place_of(row);
    if (!row.from) out.estimate_ms = estimate_ms(s, row.wants, *out.place);
    return out;
}

Problem no_ticket() { return {404, "ticket_not_found", "there is no such ticket, or it was over long ago"}; }

WantView look_at(State const& s, Want const& want) {
    WantView out{.type = want.type.str(), .count = std::uint64_t(std::int64_t(want.count))};
    auto const kind = narrowest(s, want, &KindRow::members);
    std::vector<Freer> freers;
    s.members.ascend(Member{kind, 0}, [&](Member const& m) {
        if (kind == 0 || m.kind != kind) return false;
        auto const& r = *s.resources.find(m.resource);
        auto const name = s.names.text(m.resource);
        if (r.state == retired || !fits(name, r, want)) return true;
        ++out.fit, ++out.states[s.state_name(r.state)];
        if (State::can_be_given(r)) return ++out.free, true;
        Freer freer{.name = std::string(name), .state = s.state_name(r.state)};
        if (auto const* lease = r.lease != 0 ? s.leases.find(r.lease) : nullptr) freer.holder = lease->owner, freer.until = lease->until;
        if (r.until.us != 0) freer.until = r.until;
        freers.push_back(std::move(freer));
        return true;
    });
    auto const sooner = [](Freer const& a, Freer const& b) {
        return std::pair(a.until.value_or(Time{INT64_MAX}), a.name) < std::pair(b.until.value_or(Time{INT64_MAX}), b.name);
    };
    std::ranges::sort(freers, sooner);
    if (freers.size() > freers_max) freers.resize(freers_max);
    out.freed_by = std::move(freers);
    return out;
}

std::string why_of(State const& s, TicketRow const& row, std::vector<WantView> const& wants, std::uint64_t place) {
    if (row.state == TicketState::held) return "it holds what it wants";
    if (row.state == TicketState::over) return "its lease is over";
    if (row.state == TicketState::withdrawn) return fmt::format("it was withdrawn: {}", row.reason);
    if (row.from) return fmt::format("it is reserved for {}", format_time(*row.from));
    for (auto const& want : wants) {
        auto const* type = s.type(want.type);
        if (!type) return fmt::format("there is no type {} any more", want.type);
        if (type->drained) return fmt::format("type {} is drained: none of it is given out", want.type);
        std::uint64_t const quota = std::uint64_t(std::int64_t(type->settings.quota));
        auto const* held = s.held.find(held_key(s.type_number(want.type), hash64(row.owner)));
        if (quota > 0 && (held ? held->n : 0) + want.count > quota)
            return fmt::format("{} holds {} of type {}, of {} that an owner may hold", row.owner, held ? held->n : 0, want.type, quota);
        if (want.free < want.count)
            return fmt::format("{} of type {} are free that fit, and {} are wanted", want.free, want.type, want.count);
    }
    if (place > 0) return "what is free is set aside for tickets that came before";
    return "what is free does not make the whole set";
}

}  // namespace

Result<Page<ResourceView>> list_resources(State const& s, ResourceFilter const& in, Ctx const&) {
    s.marks.looked_at_all();
    Page<ResourceView> page;
    Member after{};
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<ResourceCursor>(*in.cursor));
        after = cursor.after;
    }
    Sieve const sieve(s, in);
    std::uint32_t kind = 0;
    if (in.type) {
        kind = sieve.kind(s.type_number(*in.type));
        if (kind == 0) return page;
        if (after.kind != kind) after = {kind, 0};
    }
    std::size_t examined = 0;
    Member last{};
    s.members.ascend(after, [&](Member const& m) {
        if (m == after) return true;
        if (kind != 0 ? m.kind != kind : (m.kind & label_bit) != 0) return false;
        if (page.items.size() == std::size_t(in.limit) || examined == examined_max) {
            page.complete = false, page.next = make_cursor(ResourceCursor{last});
            if (page.items.size() < std::size_t(in.limit)) page.why = "20000 resources were looked at: go on with next";
            return false;
        }
        ++examined, last = m;
        auto const& r = *s.resources.find(m.resource);
        if (sieve.takes(r)) page.items.push_back(view_of(s, m.resource, r));
        return true;
    });
    return page;
}

Result<ResourceView> show_resource(State const& s, ByName const& in, Ctx const&) {
    if (auto const* r = s.resource(in.name)) return view_of(s, s.names.find(in.name), *r);
    return fail(404, "resource_not_found", "there is no resource with this name");
}

Result<TicketView> show_ticket(State const& s, ByTicket const& in, Ctx const& cx) {
    s.marks.looked_at_all();
    if (auto const* row = s.ticket(in.ticket)) return view_of(s, cx, in.ticket, *row);
    return fail(no_ticket());
}

Result<WhyView> why_ticket(State const& s, ByTicket const& in, Ctx const& cx) {
    s.marks.looked_at_all();
    auto const* row = s.ticket(in.ticket);
    if (!row) return fail(no_ticket());
    WhyView out{.ticket = view_of(s, cx, in.ticket, *row)};
    for (auto const& want : row->wants) out.wants.push_back(look_at(s, want));
    out.why = why_of(s, *row, out.wants, out.ticket.place.value_or(0));
    if (out.why.starts_with("what is free is set"))
        for (auto& want : out.wants) want.set_aside = want.free;
    return out;
}

Result<Page<TicketView>> list_tickets(State const& s, TicketFilter const& in, Ctx const&) {
    s.marks.looked_at_all();
    Page<TicketView> page;
    std::optional<std::uint64_t> after;
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<TicketCursor>(*in.cursor));
        after = cursor.seq;
    }
    std::size_t examined = 0;
    std::uint64_t last = 0;
    s.line.walk(after ? &*after : nullptr, [&](std::uint64_t seq, InLine const&) {
        if (page.items.size() == std::size_t(in.limit) || examined == examined_max) {
            page.complete = false, page.next = make_cursor(TicketCursor{last});
            if (page.items.size() < std::size_t(in.limit)) page.why = "20000 tickets were looked at: go on with next";
            return false;
        }
        ++examined, last = seq;
        auto const ticket = s.ticket_in_line(seq);
        auto const& row = *s.ticket(ticket);
        if (in.owner && in.owner->view() != row.owner) return true;
        if (in.type && std::ranges::none_of(row.wants, [&](Want const& w) { return w.type.view() == in.type->view(); })) return true;
        TicketView shown{
            .ticket = ticket, .state = row.state, .owner = row.owner, .reason = row.reason, .wants = row.wants, .priority = row.priority};
        shown.asked_at = row.asked_at, shown.firm_at = row.firm_at, shown.from = row.from, shown.until = row.until;
        page.items.push_back(std::move(shown));
        return true;
    });
    return page;
}

Result<Forecast> forecast(State const& s, ByForecast const& in, Ctx const& cx) {
    s.marks.looked_at_all();
    auto const number = s.type_number(in.type);
    if (number == 0) return fail(404, "type_not_found", fmt::format("there is no type \"{}\"", in.type.view()));
    struct Mean {
        double given = 0, freed = 0;
    };
    std::array<Mean, 24> means{};
    auto const now = cx.now.us / hour_us;
    std::int64_t first = now;
    for (auto hour = now - 24 * days_max; hour < now; ++hour) {
        auto const* row = s.hours.find(hour_key(number, hour));
        if (!row) continue;
        first = std::min(first, hour);
        means[std::size_t(hour % 24)].given += double(row->given), means[std::size_t(hour % 24)].freed += double(row->freed);
    }
    auto const days = (now - first + 23) / 24;
    auto const& type = *s.types.find(number);
    Forecast out{.type = in.type.str(), .free = type.count(free_), .days = std::uint64_t(days)};
    double left = double(out.free);
    for (auto hour = now; hour < now + 24 && days > 0; ++hour) {
        auto const& mean = means[std::size_t(hour % 24)];
        left += (mean.freed - mean.given) / double(days);
        left = std::clamp(left, 0.0, double(type.total()));
        out.hours.push_back({Time{hour * hour_us}, mean.given / double(days), mean.freed / double(days), left});
        if (left < 0.5 && !out.exhausted_at) out.exhausted_at = Time{hour * hour_us};
    }
    return out;
}

}  // namespace gantry::pool
