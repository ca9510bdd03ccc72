#include "services/pool/inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "services/pool/calls.h"
#include "services/pool/cleaning.h"

namespace gantry::pool {
namespace {

using codec::JsonKind;
using codec::JsonValue;

constexpr std::size_t text_bytes_max = 200;

// Reads one item; says what is wrong with it, with a pointer to the place.
class ItemReader {
   public:
    explicit ItemReader(std::size_t index) : index_(index) {}
    std::string read(JsonValue item, Told& out) {
        if (!item.is(JsonKind::object)) return wrong("", "an object", item);
        text(item["name"], "/name", out.name), text(item["state"], "/state", out.state);
        if (item["owner"] && !item["owner"].is(JsonKind::null)) text(item["owner"], "/owner", out.owner);
        if (item["ticket"] && !item["ticket"].is(JsonKind::null)) text(item["ticket"], "/ticket", out.ticket);
        if (item["reason"]) text(item["reason"], "/reason", out.reason);
        if (out.name.size() > Name::max_chars) return wrong("/name", "up to 160 bytes", item["name"]);
        if (fault_.empty() && out.name.empty()) fault_ = fmt::format("/{}/name: expected a name, found \"\"", index_);
        if (auto const fence = item["fence"]) {
            auto const n = fence.integer();
            if (!n || *n < 0 || *n > (std::int64_t(1) << 53)) return wrong("/fence", "a number from 0 to 2^53", fence);
            out.fence = std::uint64_t(*n);
        }
        time(item["touched_at"], out.touched_at);
        labels(item["labels"], out.labels), numbers(item["numbers"], out.numbers);
        if (auto const data = item["data"]) data.write(out.data);
        if (out.data.size() > 16 * 1024) return wrong("/data", "up to 16 KiB", item["data"]);
        return fault_;
    }

   private:
    std::string wrong(std::string_view where, std::string_view expected, JsonValue found) {
        if (fault_.empty()) fault_ = fmt::format("/{}{}: expected {}, found {}", index_, where, expected, name_of(found.kind()));
        return fault_;
    }
    void text(JsonValue value, std::string_view where, std::string& out) {
        if (!value.is(JsonKind::text)) return void(wrong(where, "text", value));
        if (value.text().size() > text_bytes_max) return void(wrong(where, "up to 200 bytes", value));
        out = value.text();
    }
    void time(JsonValue value, std::optional<Time>& out) {
        if (!value || value.is(JsonKind::null)) return;
        auto const parsed = parse_time(value.text());
        if (!parsed) return void(wrong("/touched_at", "a time as RFC 3339 has it", value));
        out = *parsed;
    }
    void labels(JsonValue value, Labels& out) {
        if (value && !value.is(JsonKind::object)) return void(wrong("/labels", "an object", value));
        for (auto label : value) text(label, "/labels/" + std::string(label.key()), out[std::string(label.key())]);
    }
    void numbers(JsonValue value, Numbers& out) {
        if (value && !value.is(JsonKind::object)) return void(wrong("/numbers", "an object", value));
        for (auto number : value) {
            auto const n = number.number();
            if (!n) return void(wrong("/numbers/" + std::string(number.key()), "a number", number));
            out[std::string(number.key())] = *n;
        }
    }
    std::size_t index_;
    std::string fault_;
};

Inventory unbelievable(Problem const& problem) { return {problem.code, problem.detail, {}}; }

// What the type would not understand.
std::string check_for_type(TypeSettings const& settings, std::vector<Told> const& items) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!knows_state(settings, items[i].state)) return fmt::format("/{}/state: the type has no state \"{}\"", i, items[i].state);
        if (!names.insert(items[i].name).second) return fmt::format("/{}/name: \"{}\" is told twice", i, items[i].name);
        if (items[i].state == "in_use" && items[i].owner.empty()) return fmt::format("/{}/owner: it is in use, and nobody has it", i);
    }
    return {};
}

class Taking {
   public:
    Taking(Desk& desk, TypeName const& type, TypeSettings const& settings)
        : desk_(desk), s_(desk.state()), type_(type), settings_(settings) {}
    void take(Told const& told) {
        auto const* r = s_.resource(told.name);
        if (r) return compare(*r, told);
        ++read_.taken;
        auto const fence = desk_.next_fence();
        // It was being cleaned, or held by someone: what is lost is who cleans, not who holds.
        auto const state = told.state == "cleaning" ? std::string("dirty") : told.state;
        bool const is_held = told.state == "in_use";
        desk_.record(Added{Name(told.name), type_, told.labels, told.numbers, told.data, Word(is_held ? "reserved" : state), fence,
                           Origin::inventory});
        if (is_held) return lease(told);
        if (state == "dirty") ask_cleaning(desk_, type_, settings_, {{}, Name(told.name), {}, fence, 0, told.data});
    }
    InventoryRead result(std::size_t told) {
        read_.type = type_, read_.told = told;
        auto const number = s_.type_number(type_);
        s_.members.ascend(Member{number, 0}, [&](Member const& m) {
            if (m.kind != number) return false;
            auto const* r = s_.resources.find(m.resource);
            read_.missing += !seen_.contains(m.resource) && r && r->state != retired;
            return true;
        });
        return read_;
    }

   private:
    void lease(Told const& told) {
        Ticket const ticket(told.ticket.empty() || s_.ticket(told.ticket) ? fmt::format("inventory/{}", told.name) : told.ticket);
        if (!leases_.contains(ticket.str())) leases_[ticket.str()] = {};
        leases_[ticket.str()].push_back(&told);
    }

   public:
    // One lease for each ticket that was told.
    void give_leases() {
        for (auto const& [ticket, held] : leases_) {
            std::int64_t const lease_ms = settings_.lease_ms;
            Leased out{LeaseId{desk_.next_fence()},
                       Ticket(ticket),
                       Owner(held.front()->owner),
                       Reason(held.front()->reason),
                       {},
                       "in_use",
                       {},
                       lease_ms,
                       0,
                       {}};
            for (auto const* told : held) out.resources.emplace_back(told->name);
            out.until = desk_.cx().now + Duration::millis(lease_ms);
            desk_.record(std::move(out));
        }
    }

   private:
    void compare(Resource const& r, Told const& told) {
        seen_.insert(s_.names.find(told.name));
        auto const* lease = r.lease != 0 ? s_.leases.find(r.lease) : nullptr;
        bool const same_state = s_.state_name(r.state) == told.state,
                   same_owner = !lease || told.owner.empty() || lease->owner == told.owner;
        read_.differ += !same_state || !same_owner || s_.type_names.text(r.type) != type_.view();
    }
    Desk& desk_;
    State const& s_;
    TypeName const& type_;
    TypeSettings const& settings_;
    InventoryRead read_;
    std::set<std::uint32_t> seen_;
    std::map<std::string, std::vector<Told const*>> leases_;
};

}  // namespace

Inventory read_inventory(std::string_view body) {
    auto const tree = codec::JsonTree::read(body);
    if (!tree) return unbelievable(answer_invalid(tree.error().detail, body));
    auto const root = tree->root();
    if (!root.is(JsonKind::list)) return unbelievable(answer_invalid(fmt::format("expected a list, found {}", name_of(root.kind())), body));
    if (root.size() > inventory_max)
        return unbelievable(answer_invalid(fmt::format("expected up to {} resources, found {}", inventory_max, root.size()), body));
    Inventory out;
    for (auto item : root)
        if (auto const why = ItemReader(out.items.size()).read(item, out.items.emplace_back()); !why.empty())
            return unbelievable(answer_invalid(why, body));
    return out;
}

// Whatever comes is an answer: who asked sees at once what was wrong, and asks again.
Result<Inventory> ask_inventory(AskInventory const& args, Outside& outside) {
    auto const body = ask_json(outside, "GET", args.url, {});
    if (!body) return unbelievable(body.error());
    return read_inventory(*body);
}

std::vector<Event> inventory_told(State const& s, AskInventory const& args, Result<Inventory> const& told, Ctx const& cx) {
    auto const* type = s.type(args.type);
    if (!type) return {};
    auto refused = [&](std::string_view code, std::string_view detail) -> std::vector<Event> {
        return {InventoryRead{.type = args.type, .code = std::string(code), .detail = std::string(detail)}};
    };
    if (!told) return refused(told.error().code, told.error().detail);
    if (!told->code.empty()) return refused(told->code, told->detail);
    if (auto const why = check_for_type(type->settings, told->items); !why.empty()) return refused("inventory_unbelievable", why);
    Desk desk(s, cx);
    std::uint64_t highest = 0;
    for (auto const& item : told->items) highest = std::max(highest, item.fence);
    if (highest >= desk.next_fence()) desk.raise_fences(highest);
    Taking taking(desk, args.type, type->settings);
    for (auto const& item : told->items) taking.take(item);
    taking.give_leases();
    desk.record(taking.result(told->items.size()));
    return desk.take_events();
}

Result<Emit<TypeView, Event>> sync_inventory(State const& s, ByType const& in, Ctx const& cx) {
    auto const* row = s.type(in.type);
    if (!row) return fail(404, "type_not_found", fmt::format("there is no type \"{}\"", in.type.view()));
    if (row->settings.inventory_url.empty()) return fail(409, "inventory_none", "this type has no inventory_url");
    return Emit<TypeView, Event>{
        {Effect<AskInventory>{cx.fresh("e_"), {row->settings.inventory_url, in.type}}}, view_of(s, s.type_number(in.type), *row), 202};
}

}  // namespace gantry::pool
