// The PPA assigner's calls: archives are the resources of type "ppa", and a ticket has one of them.
#include <fmt/format.h>

#include "services/pool/cleaning.h"
#include "services/pool/foreign.h"
#include "services/pool/inventory.h"

namespace gantry::pool {
namespace {

constexpr std::string_view ppa_type = "ppa", ticket_prefix = "ppa/";

struct PpaView {
    std::string name, state;
    std::optional<codec::RawJson> ticket_id;
};
RECORD(PpaView, name, state, ticket_id);
struct Message {
    std::string message;
};
RECORD(Message, message);

// A ticket is a number there, and told as one.
codec::RawJson ticket_json(std::string_view ticket) {
    bool const number = !ticket.empty() && ticket.size() < 16 && ticket.find_first_not_of("0123456789") == ticket.npos &&
                        (ticket.size() == 1 || ticket[0] != '0');
    codec::RawJson out{.text = number ? std::string(ticket) : ""};
    if (!number) codec::append_json_string(out.text, ticket);
    return out;
}

PpaView view_of(State const& s, std::uint32_t number, Resource const& r) {
    PpaView out{.name = std::string(s.names.text(number)), .state = s.state_name(r.state)};
    auto const* lease = r.lease != 0 ? s.leases.find(r.lease) : nullptr;
    if (!lease) return out;
    std::string_view const ticket = lease->ticket;
    out.state = "reserved", out.ticket_id = ticket_json(ticket.starts_with(ticket_prefix) ? ticket.substr(ticket_prefix.size()) : ticket);
    return out;
}

Result<codec::JsonTree> object_of(std::string_view body) {
    TRY_ASSIGN(auto tree, codec::JsonTree::read(body));
    if (!tree.root().is(codec::JsonKind::object)) return fail(400, "body_invalid", "expected an object");
    return tree;
}
Problem invalid(std::string_view pointer, std::string_view expected) {
    return {400,
            "body_invalid",
            fmt::format("{}: expected {}", pointer, expected),
            {{std::string(pointer), fmt::format("expected {}", expected)}}};
}
std::string ticket_of(codec::JsonValue value) {
    if (auto const n = value.integer(); n && *n >= 0) return std::to_string(*n);
    return value.text().size() <= 100 ? std::string(value.text()) : std::string();
}

}  // namespace

Result<PpaCall> parse_ppa_list(ForeignRequest const&) { return PpaCall{}; }

Result<PpaCall> parse_ppa_reserve(ForeignRequest const& request) {
    TRY_ASSIGN(auto const tree, object_of(request.body));
    PpaCall out{.ticket = ticket_of(tree.root()["ticket_id"])};
    if (out.ticket.empty()) return fail(invalid("/ticket_id", "a number, or text of 1 to 100 characters"));
    return out;
}

Result<PpaCall> parse_ppa_populate(ForeignRequest const& request) {
    TRY_ASSIGN(auto const tree, object_of(request.body));
    if (tree.root()["populate"].boolean() != true) return fail(invalid("/populate", "true"));
    return PpaCall{.populate = true};
}

Result<PpaCall> parse_ppa_release(ForeignRequest const& request) {
    TRY_ASSIGN(auto const tree, object_of(request.body));
    auto const state = tree.root()["state"];
    if (state && state.text() != "dirty") return fail(invalid("/state", "dirty: a cleaner brings it back to free"));
    return PpaCall{.ticket = ticket_of(tree.root()["ticket_id"]), .name = request.field("name")};
}

Result<ForeignReply> ppa_list(State const& s, PpaCall const&, Ctx const&) {
    s.marks.looked_at_all();
    std::vector<PpaView> out;
    auto const type = s.type_number(ppa_type);
    s.members.ascend(Member{type, 0}, [&](Member const& m) {
        if (type == 0 || m.kind != type) return false;
        out.push_back(view_of(s, m.resource, *s.resources.find(m.resource)));
        return true;
    });
    return ForeignReply{.body = codec::to_json(out)};
}

Result<ForeignEmit> ppa_reserve(State const& s, PpaCall const& in, Ctx const& cx) {
    if (s.type_number(ppa_type) == 0) return fail(404, "type_not_found", "there is no type \"ppa\": make it, and populate it");
    Acquire wish{.ticket = Ticket(fmt::format("{}{}", ticket_prefix, in.ticket)),
                 .owner = Owner("ticket " + in.ticket),
                 .wants = {{.type = TypeName(ppa_type)}}};
    wish.stay_ms = foreign_stay_ms;
    auto acquired = acquire_as(s, wish, cx, Over::anew);
    if (!acquired && acquired.error().code == "want_impossible")
        return fail(404, "none_free", "no PPA is free, for there is none: populate the pool");
    if (!acquired) return std::unexpected(std::move(acquired.error()));
    ForeignEmit out{std::move(acquired->events), {}};
    if (acquired->reply.outcome == Outcome::held) {
        PpaView const view{acquired->reply.lease->resources.front().name, "reserved", ticket_json(in.ticket)};
        out.reply = {.status = 201, .body = codec::to_json(view)};
    } else {
        auto const text = fmt::format("no PPA is free now: {} tickets are before this one, which keeps its place for a minute",
                                      acquired->reply.place.value_or(0));
        out.reply = {.status = 404, .body = codec::to_json(Message{text})};
    }
    return out;
}

Result<ForeignEmit> ppa_populate(State const& s, PpaCall const&, Ctx const& cx) {
    TRY_ASSIGN(auto asked, sync_inventory(s, ByType{TypeName(ppa_type)}, cx));
    return ForeignEmit{std::move(asked.events), {.status = 202, .body = codec::to_json(Message{"the pool is being populated"})}};
}

Result<ForeignEmit> ppa_release(State const& s, PpaCall const& in, Ctx const& cx) {
    auto const* r = s.resource(in.name);
    if (!r || r->type != s.type_number(ppa_type)) return fail(404, "resource_not_found", "there is no such PPA");
    auto const number = s.names.find(in.name);
    auto view = view_of(s, number, *r);
    if (r->lease == 0) return ForeignEmit{{}, {.body = codec::to_json(view)}};
    auto const& lease = *s.leases.find(r->lease);
    if (!in.ticket.empty() && lease.ticket != fmt::format("{}{}", ticket_prefix, in.ticket))
        return fail(409, "lease_of_another", fmt::format("{} is reserved for {}", in.name, lease.owner));
    Desk desk(s, cx);
    TRY_VOID(give_back(desk, LeaseId{r->lease}, lease, {{number}, {}, Ended::released, false, {}}));
    view.state = s.types.find(r->type)->settings.cleaning == Cleaning::none ? "free" : "dirty", view.ticket_id.reset();
    return ForeignEmit{desk.take_events(), {.body = codec::to_json(view)}};
}

ForeignReply refuse_ppa(Problem const& problem) {
    return {.status = problem.status, .body = codec::to_json(Message{problem.detail.empty() ? problem.code : problem.detail})};
}

}  // namespace gantry::pool
