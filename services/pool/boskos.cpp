// Boskos' calls: query strings in, JSON or a status out.
#include <fmt/format.h>

#include <algorithm>

#include "services/pool/cleaning.h"
#include "services/pool/foreign.h"

namespace gantry::pool {
namespace {

struct BoskosResource {
    std::string type, name, state, owner;
    Time lastupdate;
    std::map<std::string, std::string> userdata;
};
RECORD(BoskosResource, type, name, state, owner, lastupdate, userdata);
struct BoskosMetric {
    std::string type;
    std::map<std::string, std::uint64_t> current, owner;
};
RECORD(BoskosMetric, type, current, owner);

constexpr std::size_t name_max = 190;  // with what we put before a request_id it is a ticket

// Its word for a state, and ours.
std::string ours(std::string_view state) {
    if (state == "busy" || state == "leased") return "in_use";
    if (state == "toBeDeleted" || state == "tombstone") return "retired";
    return std::string(state);
}
std::string theirs(std::string_view state) { return state == "in_use" ? "busy" : state == "retired" ? "tombstone" : std::string(state); }

Result<BoskosCall> parse(ForeignRequest const& request, std::initializer_list<std::string_view> needed) {
    auto const form = ForeignRequest::parse_form(request.query);
    if (!form) return fail(400, "request_invalid", "the query has a broken escape");
    BoskosCall out;
    std::map<std::string_view, std::string*> const members{
        {"type", &out.type},   {"state", &out.state},          {"dest", &out.dest}, {"owner", &out.owner}, {"name", &out.name},
        {"names", &out.names}, {"request_id", &out.request_id}};
    for (auto const& [name, value] : *form) {
        auto const found = members.find(name);
        if (found != members.end()) *found->second = value;
        if (found != members.end() && name != "names" && value.size() > name_max)
            return fail(400, "request_invalid", fmt::format("{}: expected up to {} bytes", name, name_max));
        if (!codec::scan_utf8(value).valid()) return fail(400, "request_invalid", "the query is not UTF-8");
        if (name != "expire") continue;
        auto const span = parse_duration(value);
        if (!span) return fail(400, "request_invalid", "expire: expected a span of time, as 10m");
        out.expire = *span;
    }
    for (auto name : needed)
        if (name == "expire" ? out.expire.us == 0 : members.at(name)->empty())
            return fail(400, "request_invalid", fmt::format("{} must be set in the request", name));
    return out;
}

BoskosResource view_of(State const& s, std::uint32_t number, Resource const& r) {
    BoskosResource out{
        std::string(s.type_names.text(r.type)), std::string(s.names.text(number)), theirs(s.state_name(r.state)), {}, r.since, {}};
    if (auto const data = codec::from_json<std::map<std::string, std::string>>(r.data)) out.userdata = *data;
    if (auto const* lease = r.lease != 0 ? s.leases.find(r.lease) : nullptr) out.owner = lease->owner, out.lastupdate = lease->heard;
    if (r.state == cleaning) out.owner = r.by;
    return out;
}
ForeignReply json(std::string body) { return {.body = std::move(body)}; }
ForeignReply fine() { return {.content_type = "text/plain; charset=utf-8"}; }

Result<std::uint32_t> type_of(State const& s, std::string_view name) {
    if (auto const number = s.type_number(name)) return number;
    return fail(404, "type_not_found", fmt::format("there is no type \"{}\"", name));
}
struct Named {
    std::uint32_t number = 0;
    Resource const* r = nullptr;
};
Result<Named> named(State const& s, std::string_view name) {
    auto const* r = s.resource(name);
    if (!r) return fail(404, "resource_not_found", fmt::format("there is no resource \"{}\"", name));
    return Named{s.names.find(name), r};
}
// 401 is what Boskos' clients know for the resource of another.
Problem not_theirs(std::string_view name, std::string_view owner, std::string_view is) {
    return {401, "resource_of_another", fmt::format("{} is {}'s, not {}'s", name, is, owner)};
}
Problem other_state(std::string_view name, std::string_view wanted, std::string_view is) {
    return {409, "state_differs", fmt::format("{} is {}, not {}", name, is, wanted)};
}
Problem exhausted(std::string_view type, std::string_view state) {
    return {404, "none_free", fmt::format("no available resource {} in state {}", type, state)};
}

// In which state they hold it: in use, or a further state of the type.
Result<std::string> held_as(State const& s, std::uint32_t type, std::string_view dest) {
    auto const state = ours(dest);
    auto const& settings = s.types.find(type)->settings;
    if (state == "in_use" || (knows_state(settings, state) && !phase_of(state))) return state;
    return fail(400, "state_unknown", fmt::format("a resource of type {} can't be held as {}", s.type_names.text(type), dest));
}

// Of those in another state than free, the one that is there longest.
std::optional<Named> longest_in(State const& s, std::uint32_t type, std::uint32_t state) {
    std::optional<Named> out;
    s.members.ascend(Member{type, 0}, [&](Member const& m) {
        if (m.kind != type) return false;
        auto const* r = s.resources.find(m.resource);
        if (r->state == state && r->lease == 0 && !r->destroying && !r->drained && (!out || r->since < out->r->since))
            out = Named{m.resource, r};
        return true;
    });
    return out;
}

Result<ForeignEmit> take_dirty(State const& s, std::uint32_t type, BoskosCall const& in, Ctx const& cx) {
    auto const found = longest_in(s, type, dirty);
    if (!found) return fail(exhausted(in.type, in.state));
    Name const name(s.names.text(found->number));
    TRY_ASSIGN(auto begun, begin_cleaning(s, {name, found->r->fence, Owner(in.owner)}, cx));
    auto view = view_of(s, found->number, *found->r);
    view.state = "cleaning", view.owner = in.owner, view.lastupdate = cx.now;
    return ForeignEmit{std::move(begun.events), json(codec::to_json(view))};
}
Result<ForeignEmit> take_parked(State const& s, std::uint32_t type, BoskosCall const& in, Ctx const& cx) {
    auto const state = s.state_number(ours(in.state));
    auto const found = state == State::unknown || state < further ? std::nullopt : longest_in(s, type, state);
    if (!found) return fail(exhausted(in.type, in.state));
    TRY_ASSIGN(auto const as, held_as(s, type, in.dest));
    Desk desk(s, cx);
    std::int64_t const lease_ms = s.types.find(type)->settings.lease_ms;
    Ticket const ticket(cx.fresh("boskos/"));
    desk.record(Leased{LeaseId{desk.next_fence()},
                       ticket,
                       Owner(in.owner),
                       {},
                       {Name(s.names.text(found->number))},
                       Word(as),
                       cx.now + Duration::millis(lease_ms),
                       lease_ms,
                       0,
                       {}});
    auto view = view_of(s, found->number, *found->r);
    view.state = in.dest, view.owner = in.owner, view.lastupdate = cx.now;
    return ForeignEmit{desk.take_events(), json(codec::to_json(view))};
}

std::vector<BoskosResource> views_of(State const& s, LeaseView const& lease, std::string_view state) {
    std::vector<BoskosResource> out;
    for (auto const& held : lease.resources) {
        auto view = view_of(s, s.names.find(held.name), *s.resource(held.name));
        view.state = state, view.owner = lease.owner, view.lastupdate = lease.heard_at;
        out.push_back(std::move(view));
    }
    return out;
}
void hold_as(std::vector<Event>& events, Ticket const& ticket, std::string const& state) {
    for (auto& event : events)
        if (auto* leased = std::get_if<Leased>(&event); leased && leased->ticket == ticket) leased->state = Word(state);
}

}  // namespace

Result<BoskosCall> parse_boskos_acquire(ForeignRequest const& r) { return parse(r, {"type", "state", "dest", "owner"}); }
Result<BoskosCall> parse_boskos_acquire_by_state(ForeignRequest const& r) { return parse(r, {"names", "state", "dest", "owner"}); }
Result<BoskosCall> parse_boskos_release(ForeignRequest const& r) { return parse(r, {"name", "dest", "owner"}); }
Result<BoskosCall> parse_boskos_reset(ForeignRequest const& r) { return parse(r, {"type", "state", "dest", "expire"}); }
Result<BoskosCall> parse_boskos_metric(ForeignRequest const& r) { return parse(r, {"type"}); }
Result<BoskosCall> parse_boskos_update(ForeignRequest const& request) {
    TRY_ASSIGN(auto out, parse(request, {"name", "state", "owner"}));
    if (request.body.empty()) return out;
    auto const data = codec::from_json<std::map<std::string, std::string>>(request.body);
    if (!data) return fail(400, "body_invalid", "the body has user data: an object of texts");
    out.data = codec::to_json(*data);
    return out;
}

ForeignReply refuse_boskos(Problem const& problem) {
    int const status = problem.status == 422 || problem.status == 410 ? 400 : problem.status;
    return {.status = status,
            .content_type = "text/plain; charset=utf-8",
            .body = (problem.detail.empty() ? problem.code : problem.detail) + "\n"};
}

Result<ForeignEmit> boskos_acquire(State const& s, BoskosCall const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const type, type_of(s, in.type));
    if (in.state == "dirty" && in.dest == "cleaning") return take_dirty(s, type, in, cx);
    if (in.state != "free") return take_parked(s, type, in, cx);
    TRY_ASSIGN(auto const as, held_as(s, type, in.dest));
    Acquire wish{.ticket = Ticket(in.request_id.empty() ? cx.fresh("boskos/") : "boskos/" + in.request_id),
                 .owner = Owner(in.owner),
                 .wants = {{.type = TypeName(in.type)}}};
    wish.queue = !in.request_id.empty(), wish.stay_ms = foreign_stay_ms;
    auto got = acquire_as(s, wish, cx, Over::anew);
    if (!got && (got.error().code == "none_free" || got.error().code == "want_impossible")) return fail(exhausted(in.type, in.state));
    if (!got) return std::unexpected(std::move(got.error()));
    if (got->reply.outcome != Outcome::held) {
        auto const text =
            fmt::format("no available resource {} in state free: {} requests are before this one\n", in.type, got->reply.place.value_or(0));
        return ForeignEmit{std::move(got->events), {.status = 404, .content_type = "text/plain; charset=utf-8", .body = text}};
    }
    hold_as(got->events, wish.ticket, as);
    return ForeignEmit{std::move(got->events), json(codec::to_json(views_of(s, *got->reply.lease, in.dest).front()))};
}

Result<ForeignEmit> boskos_acquire_by_state(State const& s, BoskosCall const& in, Ctx const& cx) {
    if (in.state != "free") return fail(400, "state_unknown", "a set is taken from the state free");
    std::map<std::uint32_t, Want> wants;
    std::string as = "in_use";
    for (std::string_view rest = in.names; !rest.empty();) {
        auto const cut = std::min(rest.find(','), rest.size());
        auto const name = rest.substr(0, cut);
        rest.remove_prefix(std::min(cut + 1, rest.size()));
        TRY_ASSIGN(auto const found, named(s, name));
        TRY_ASSIGN(as, held_as(s, found.r->type, in.dest));
        auto& want = wants[found.r->type];
        if (std::ranges::find(want.names, Name(name)) != want.names.end()) continue;
        want.type = TypeName(s.type_names.text(found.r->type)), want.names.emplace_back(name), want.count = std::int64_t(want.names.size());
    }
    Acquire wish{.ticket = Ticket(cx.fresh("boskos/")), .owner = Owner(in.owner)};
    for (auto& [type, want] : wants) wish.wants.push_back(std::move(want));
    wish.queue = false;
    auto got = acquire_as(s, wish, cx, Over::anew);
    if (!got && got.error().code == "none_free") return fail(exhausted(in.names, in.state));
    if (!got) return std::unexpected(std::move(got.error()));
    hold_as(got->events, wish.ticket, as);
    return ForeignEmit{std::move(got->events), json(codec::to_json(views_of(s, *got->reply.lease, in.dest)))};
}

Result<ForeignEmit> boskos_release(State const& s, BoskosCall const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, named(s, in.name));
    auto const dest = ours(in.dest);
    Name const name(in.name);
    if (found.r->state == cleaning && found.r->lease == 0) {
        if (found.r->by != in.owner) return fail(not_theirs(in.name, in.owner, found.r->by));
        if (dest == "free") {
            TRY_ASSIGN(auto done, cleaned(s, {name, found.r->fence, Owner(in.owner), {}, {}}, cx));
            return ForeignEmit{std::move(done.events), fine()};
        }
        TRY_ASSIGN(auto failed, clean_failed(s, {name, found.r->fence, Owner(in.owner), Reason("released to " + in.dest)}, cx));
        return ForeignEmit{std::move(failed.events), fine()};
    }
    auto const* lease = found.r->lease != 0 ? s.leases.find(found.r->lease) : nullptr;
    if (!lease || lease->owner != in.owner) return fail(not_theirs(in.name, in.owner, lease ? lease->owner : "nobody"));
    Return back{{found.number}, {}, Ended::released, false, {}};
    // Nothing is free that was not cleaned: "free" is the way there.
    if (dest != "free" && dest != "dirty") back.to = Word(dest);
    Desk desk(s, cx);
    TRY_VOID(give_back(desk, LeaseId{found.r->lease}, *lease, back));
    return ForeignEmit{desk.take_events(), fine()};
}

Result<ForeignEmit> boskos_update(State const& s, BoskosCall const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, named(s, in.name));
    auto const* lease = found.r->lease != 0 ? s.leases.find(found.r->lease) : nullptr;
    bool const cleans = found.r->state == cleaning && !lease;
    auto const owner = lease ? lease->owner : cleans ? found.r->by : std::string();
    if (owner != in.owner) return fail(not_theirs(in.name, in.owner, owner.empty() ? "nobody" : owner));
    if (auto const state = s.state_name(found.r->state); state != ours(in.state))
        return fail(other_state(in.name, in.state, theirs(state)));
    ForeignEmit out{{}, fine()};
    if (cleans) {
        TRY_ASSIGN(auto heard, cleaning_goes_on(s, {Name(in.name), found.r->fence, Owner(in.owner), {}}, cx));
        out.events = std::move(heard.events);
    } else {
        TRY_ASSIGN(auto heard, heartbeat(s, {LeaseId{found.r->lease}, Owner(in.owner), {}}, cx));
        out.events = std::move(heard.events);
    }
    if (!in.data.empty() && in.data != found.r->data)
        out.events.push_back(Changed{Name(in.name), found.r->labels, found.r->numbers, in.data});
    return out;
}

// Those that were not heard of for so long go where the caller says: back for cleaning, as far as it is for others.
Result<ForeignEmit> boskos_reset(State const& s, BoskosCall const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const type, type_of(s, in.type));
    auto const state = s.state_number(ours(in.state));
    std::map<std::string, std::string> owners;
    Desk desk(s, cx);
    std::vector<Named> stale;
    s.members.ascend(Member{type, 0}, [&](Member const& m) {
        if (m.kind != type) return false;
        auto const* r = s.resources.find(m.resource);
        if (r->state == state && view_of(s, m.resource, *r).lastupdate + in.expire < cx.now) stale.push_back({m.resource, r});
        return stale.size() < 1000;
    });
    for (auto const& one : stale) {
        std::string const name(s.names.text(one.number));
        auto const* lease = one.r->lease != 0 ? s.leases.find(one.r->lease) : nullptr;
        if (lease) {
            TRY_VOID(give_back(desk, LeaseId{one.r->lease}, *lease, {{one.number}, {}, Ended::expired, false, "reset"}));
        } else if (one.r->state == cleaning) {
            fail_cleaning(desk, one.number, "reset");
        } else {
            continue;
        }
        owners[name] = lease ? lease->owner : one.r->by;
    }
    return ForeignEmit{desk.take_events(), json(codec::to_json(owners))};
}

Result<ForeignReply> boskos_metric(State const& s, BoskosCall const& in, Ctx const&) {
    s.marks.looked_at_all();
    TRY_ASSIGN(auto const type, type_of(s, in.type));
    BoskosMetric out{.type = in.type};
    s.members.ascend(Member{type, 0}, [&](Member const& m) {
        if (m.kind != type) return false;
        auto const view = view_of(s, m.resource, *s.resources.find(m.resource));
        ++out.current[view.state], ++out.owner[view.owner];
        return true;
    });
    return json(codec::to_json(out));
}

}  // namespace gantry::pool
