#include "services/pool/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "services/pool/drain.h"
#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

struct TypeCursor {
    std::uint32_t type_number = 0;
};
RECORD(TypeCursor, type_number);

std::unexpected<Problem> invalid(std::string_view pointer, std::string detail) {
    return fail({422, "type_invalid", "these settings of a type do not go together", {{std::string(pointer), std::move(detail)}}});
}

Result<void> check_url(std::string_view pointer, Url const& url) {
    if (url.empty() || url.view().starts_with("http://") || url.view().starts_with("https://")) return {};
    return invalid(pointer, "expected http://… or https://…");
}

Result<void> check_states(TypeSettings const& settings) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < settings.states.size(); ++i) {
        auto const& rule = settings.states[i];
        if (!names.insert(rule.name.view()).second) return invalid(fmt::format("/states/{}/name", i), "expected each state once");
        for (auto const& to : rule.to) {
            if (!knows_state(settings, to))
                return invalid(fmt::format("/states/{}/to", i), fmt::format("there is no state \"{}\"", to.view()));
            if (to.view() == "free" || to.view() == "in_use" || to.view() == "reserved" || to.view() == "cleaning")
                return invalid(fmt::format("/states/{}/to", i), fmt::format("nothing goes to {} by a word alone", to.view()));
        }
    }
    if (settings.states.size() > 50) return invalid("/states", "expected up to 50");
    return {};
}

bool is_queue_name(std::string_view name) {
    return std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-+/;.$_():").find(c) != std::string_view::npos;
    });
}

Result<void> check(std::string_view type, TypeSettings const& settings) {
    TRY_VOID(check_states(settings));
    if (settings.clean_queue.view().starts_with("-")) return invalid("/clean_queue", "expected a name that does not begin with -");
    if (settings.cleaning == Cleaning::queue && !is_queue_name(settings.clean_queue.empty() ? type : settings.clean_queue.view()))
        return invalid("/clean_queue", "expected the name of a queue: letters, digits, - + / ; . $ _ ( ) :");
    TRY_VOID(check_url("/verify_url", settings.verify_url));
    TRY_VOID(check_url("/alert_url", settings.alert_url));
    TRY_VOID(check_url("/make_url", settings.make_url));
    TRY_VOID(check_url("/destroy_url", settings.destroy_url));
    TRY_VOID(check_url("/inventory_url", settings.inventory_url));
    if (settings.verification == Verification::hook && settings.verify_url.empty())
        return invalid("/verify_url", "expected one, for the verification is a hook's");
    if (settings.verification != Verification::none && settings.cleaning == Cleaning::none)
        return invalid("/verification", "expected none, for nobody cleans");
    if (settings.max < settings.min) return invalid("/max", "expected the minimum or more");
    if (settings.max > 0 && settings.make_url.empty()) return invalid("/make_url", "expected one, for a dynamic type");
    return {};
}

template <class T, class From>
void set(T& to, From const& from) {
    if (from) to = *from;
}
// What isn't said is as it was, or as it is by default; states are said whole.
TypeSettings settings_of(TypePut const& in, TypeSettings out) {
    set(out.lease_ms, in.lease_ms), set(out.heartbeat_ms, in.heartbeat_ms), set(out.clean_ms, in.clean_ms);
    set(out.dirty_alert_ms, in.dirty_alert_ms), set(out.cleaning_alert_ms, in.cleaning_alert_ms), set(out.quota, in.quota);
    set(out.cleaning, in.cleaning), set(out.clean_queue, in.clean_queue), set(out.clean_attempts, in.clean_attempts);
    set(out.clean_wait_ms, in.clean_wait_ms), set(out.verification, in.verification), set(out.verify_url, in.verify_url);
    set(out.prefer, in.prefer), set(out.patience_ms, in.patience_ms), set(out.min, in.min), set(out.max, in.max);
    set(out.lifetime_ms, in.lifetime_ms), set(out.idle_ms, in.idle_ms), set(out.alert_url, in.alert_url), set(out.make_url, in.make_url),
        set(out.destroy_url, in.destroy_url);
    set(out.inventory_url, in.inventory_url);
    if (!in.states.empty()) out.states = in.states;
    return out;
}

Problem no_type(TypeName const& type) { return {404, "type_not_found", fmt::format("there is no type \"{}\"", type.view())}; }

}  // namespace

TypeView view_of(State const& s, std::uint32_t number, TypeRow const& row) {
    TypeView out{.type = std::string(s.type_names.text(number)), .settings = row.settings};
    for (std::uint32_t i = 0; i < row.counts.size(); ++i)
        if (row.counts[i] > 0) out.states[s.state_name(i)] = row.counts[i];
    out.total = row.total() + row.count(retired), out.held = row.leased, out.waiting = row.waiting, out.stuck = row.stuck;
    s.making.walk(nullptr, [&](EffectId const&, Making const& making) { return out.making += making.type == number, true; });
    auto const usable = row.total() - row.count(quarantined);
    out.utilisation = usable == 0 ? 0 : double(row.leased) / double(usable);
    out.leases = row.leases, out.expired = row.expired, out.broken = row.broken, out.clean_failures = row.clean_failures;
    if (row.returns > 0) out.held_ms = row.held_ms;
    if (row.waits > 0) out.waited_ms = row.waited_ms;
    out.drained = row.drained;
    if (!row.drain_reason.empty()) out.drain_reason = row.drain_reason;
    if (row.drained) out.drain = DrainView{row.drained_at, row.retires, row.total(), row.leased, row.count(retired)};
    if (!row.make_trouble.empty()) out.make_trouble = row.make_trouble;
    if (row.inventory_at.us != 0) out.inventory.read_at = row.inventory_at;
    if (!row.inventory_code.empty()) out.inventory.code = row.inventory_code, out.inventory.detail = row.inventory_detail;
    out.inventory.told = row.inventory_told, out.inventory.taken = row.inventory_taken;
    out.inventory.differ = row.inventory_differ, out.inventory.missing = row.inventory_missing;
    return out;
}

Result<Emit<TypeView, Event>> put_type(State const& s, TypePut const& in, Ctx const&) {
    auto const* row = s.type(in.type);
    auto const settings = settings_of(in, row ? row->settings : TypeSettings{});
    TRY_VOID(check(in.type, settings));
    TypeView reply{.type = in.type.str(), .settings = settings};
    if (row) reply = view_of(s, s.type_number(in.type), *row), reply.settings = settings;
    if (row && row->settings == settings) return Emit<TypeView, Event>{{}, std::move(reply)};
    return Emit<TypeView, Event>{{TypeSet{in.type, settings}}, std::move(reply), row ? 200 : 201};
}

Result<Emit<TypeView, Event>> remove_type(State const& s, ByType const& in, Ctx const&) {
    auto const* row = s.type(in.type);
    if (!row) return fail(no_type(in.type));
    if (auto const there = row->total() + row->count(retired); there > 0 || row->waiting > 0)
        return fail(409, "type_used", fmt::format("{} resources are of this type, and {} tickets wait for it", there, row->waiting));
    return Emit<TypeView, Event>{{TypeRemoved{in.type}}, view_of(s, s.type_number(in.type), *row)};
}

Result<TypeView> show_type(State const& s, ByType const& in, Ctx const&) {
    auto const number = s.type_number(in.type);
    if (number == 0) return fail(no_type(in.type));
    s.marks.looked_at_all();
    return view_of(s, number, *s.types.find(number));
}

Result<Page<TypeView>> list_types(State const& s, TypeFilter const& in, Ctx const&) {
    Page<TypeView> page;
    std::optional<std::uint32_t> after;
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<TypeCursor>(*in.cursor));
        after = cursor.type_number;
    }
    std::uint32_t last = 0;
    s.types.walk(after ? &*after : nullptr, [&](std::uint32_t number, TypeRow const& row) {
        if (row.removed) return true;
        if (page.items.size() == std::size_t(in.limit)) return page.complete = false, page.next = make_cursor(TypeCursor{last}), false;
        last = number;
        page.items.push_back(view_of(s, number, row));
        return true;
    });
    return page;
}

void type_due(Desk& desk, std::uint32_t number) {
    TypeName const type(desk.state().type_names.text(number));
    bool const more = retire_free(desk, number);
    desk.match(number);
    grow(desk, number);
    desk.record(TypeLooked{type});
    if (more) desk.record(TypeDrained{type, true, desk.state().types.find(number)->drain_reason, true});
}

}  // namespace gantry::pool
