#include "services/pool/alerts.h"

#include <fmt/format.h>

#include "services/pool/calls.h"

namespace gantry::pool {
namespace {

struct AlertCursor {
    Member after;
};
RECORD(AlertCursor, after);
struct AlertBody {
    Str what, type, resource, state, reason;
    Time at;
};
RECORD(AlertBody, what, type, resource, state, reason, at);

void add_type(std::vector<AlertView>& out, State const& s, std::uint32_t number, TypeRow const& row) {
    std::string const type(s.type_names.text(number));
    if (!row.inventory_code.empty())
        out.push_back({AlertWhat::hook, type, {}, {}, row.inventory_at, fmt::format("{}: {}", row.inventory_code, row.inventory_detail)});
    if (!row.make_trouble.empty()) out.push_back({AlertWhat::hook, type, {}, {}, {}, row.make_trouble});
    if (row.waiting > 0 && row.count(free_) == 0)
        out.push_back({AlertWhat::exhausted, type, {}, {}, {}, fmt::format("none is free, and {} tickets wait", row.waiting)});
}

AlertView view_of(State const& s, std::uint32_t number, Resource const& r) {
    auto const what = r.stuck ? AlertWhat::stuck : r.state == quarantined ? AlertWhat::quarantined : AlertWhat::trouble;
    return {what,    std::string(s.type_names.text(r.type)),  std::string(s.names.text(number)), s.state_name(r.state),
            r.since, r.trouble.empty() ? r.reason : r.trouble};
}

}  // namespace

Result<Page<AlertView>> list_alerts(State const& s, AlertFilter const& in, Ctx const&) {
    s.marks.looked_at_all();
    Page<AlertView> page;
    auto const type = in.type ? s.type_number(*in.type) : 0;
    if (in.type && type == 0) return fail(404, "type_not_found", fmt::format("there is no type \"{}\"", in.type->view()));
    Member after{type, 0};
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<AlertCursor>(*in.cursor));
        after = cursor.after;
    } else {
        s.types.walk(nullptr, [&](std::uint32_t number, TypeRow const& row) {
            if (!row.removed && (type == 0 || number == type)) add_type(page.items, s, number, row);
            return true;
        });
    }
    s.troubled.ascend(after, [&](Member const& m) {
        if (type != 0 && m.kind != type) return false;
        if (m == after) return true;
        if (page.items.size() >= std::size_t(in.limit)) return page.complete = false, page.next = make_cursor(AlertCursor{after}), false;
        after = m;
        page.items.push_back(view_of(s, m.resource, *s.resources.find(m.resource)));
        return true;
    });
    return page;
}

void tell_alert(Desk& desk, std::uint32_t resource, std::string_view what, std::string_view state, Reason const& reason) {
    State const& s = desk.state();
    auto const type = s.resources.find(resource)->type;
    auto const& url = s.types.find(type)->settings.alert_url;
    if (url.empty()) return;
    desk.record(Effect<TellAlert>{
        desk.cx().fresh("e_"),
        {url, Name(s.names.text(resource)), TypeName(s.type_names.text(type)), Word(what), Word(state), reason, desk.cx().now}});
}

Result<AlertTold> call_alert(TellAlert const& args, Outside& outside) {
    AlertBody const body{args.what, args.type, args.resource, args.state, args.reason, args.at};
    auto reply = outside.call(json_request("POST", args.url.str(), codec::to_json(body)));
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (is_html(reply->body)) return fail(answer_invalid("expected nothing or JSON", reply->body));
    return AlertTold{};
}
// Who can't be told sees it under /alerts, and among the effects.
std::vector<Event> alert_called(State const&, TellAlert const&, Result<AlertTold> const&, Ctx const&) { return {}; }

}  // namespace gantry::pool
