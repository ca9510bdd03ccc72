#include "services/accounts/oidc_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "services/accounts/oidc_keys.h"
#include "services/accounts/sign_in.h"

namespace gantry::accounts {
namespace {

constexpr std::size_t tools_max = 1000, uris_max = 50, groups_max = 64;
constexpr Duration overlap_usual = Duration::days(1), overlap_max = Duration::days(90);

struct Cursor {
    ToolId tool;
};
RECORD(Cursor, tool);

template <class T>
std::vector<std::string> texts_of(std::vector<T> const& from) {
    std::vector<std::string> out;
    for (auto const& one : from) out.push_back(one.str());
    return out;
}

ToolView view_of(ToolId id, ToolRow const& row, Time now) {
    ToolView out{id,
                 fmt::format("tl_{}", id.n),
                 row.name.str(),
                 row.home.str(),
                 texts_of(row.redirect_uris),
                 texts_of(row.after_logout_uris),
                 {},
                 row.is_public,
                 texts_of(row.teams),
                 texts_of(row.scopes),
                 row.created_at,
                 row.changed_at,
                 {},
                 {}};
    if (row.backchannel_logout_uri) out.backchannel_logout_uri = row.backchannel_logout_uri->str();
    if (!row.is_public) out.secret_at = row.secret_at;
    if (!row.old_secret.data.empty() && now < row.old_until) out.old_secret_until = row.old_until;
    return out;
}

// http or https with a host, and nothing that reads in two ways: no user, no fragment, no blanks.
bool is_plain_url(std::string_view url) {
    auto const scheme = url.find("://");
    if (scheme == url.npos || (url.substr(0, scheme) != "https" && url.substr(0, scheme) != "http")) return false;
    auto const host = url.substr(scheme + 3, url.substr(scheme + 3).find_first_of("/?"));
    if (host.empty() || host.find('@') != host.npos || host.front() == ':') return false;
    return std::ranges::all_of(
        url, [](char c) { return c > ' ' && c < 0x7f && std::string_view("\"#<>\\^`{|}").find(c) == std::string_view::npos; });
}

Result<void> check(ToolSet const& tool) {
    std::vector<Fault> faults;
    auto const each = [&](std::string_view where, std::vector<Url> const& urls) {
        for (std::size_t i = 0; i < urls.size(); ++i)
            if (!is_plain_url(urls[i].view()))
                faults.push_back({fmt::format("/{}/{}", where, i), "expected https://host/… or http://host/…"});
        if (urls.size() > uris_max) faults.push_back({fmt::format("/{}", where), "expected at most 50"});
    };
    if (!is_plain_url(tool.home.view())) faults.push_back({"/home", "expected https://host/… or http://host/…"});
    if (tool.redirect_uris.empty()) faults.push_back({"/redirect_uris", "expected at least one"});
    each("redirect_uris", tool.redirect_uris), each("after_logout_uris", tool.after_logout_uris);
    if (tool.backchannel_logout_uri && !is_plain_url(tool.backchannel_logout_uri->view()))
        faults.push_back({"/backchannel_logout_uri", "expected https://host/… or http://host/…"});
    if (tool.teams.size() > groups_max) faults.push_back({"/teams", "expected at most 64"});
    if (auto parsed = auth::Scopes::parse(texts_of(tool.scopes)); !parsed)
        for (auto const& fault : parsed.error().faults) faults.push_back({"/scopes" + fault.pointer, fault.detail});
    if (faults.empty()) return {};
    return fail({422, "tool_invalid", "a tool needs addresses that a browser can go to, and scopes that there are", std::move(faults)});
}

template <class In>
ToolSet set_of(ToolId id, In const& in) {
    return {id,
            in.name,
            in.home,
            in.redirect_uris,
            in.after_logout_uris.value_or(std::vector<Url>()),
            in.backchannel_logout_uri,
            false,
            in.teams.value_or(std::vector<Team>()),
            in.scopes.value_or(std::vector<ScopeText>())};
}

Result<ToolRow const*> existing_tool(State const& s, ToolId id) {
    if (auto const* row = s.tools.find(id)) return row;
    return fail(404, "tool_not_found", "there is no tool with this id");
}

// A secret for a tool, and what is kept of it.
std::pair<std::string, Kept> new_secret(ToolId id, Ctx const& cx) {
    auto secret = auth::make_token(fmt::format("tl{}", id.n), cx.random);
    Kept kept{Verifier::tool, id.n, Bytes{auth::digest_of(auth::parse_token(secret)->secret)}};
    return {std::move(secret), std::move(kept)};
}

// As it is after the fact.
ToolView view_after(ToolSet const& e, ToolRow row, Ctx const& cx) {
    row.name = e.name, row.home = e.home, row.redirect_uris = e.redirect_uris, row.after_logout_uris = e.after_logout_uris;
    row.backchannel_logout_uri = e.backchannel_logout_uri, row.is_public = e.is_public, row.teams = e.teams, row.scopes = e.scopes;
    row.changed_at = cx.now;
    return view_of(e.tool, row, cx.now);
}

}  // namespace

Result<Emit<MadeTool, Event>> make_tool(State const& s, NewTool const& in, Ctx const& cx) {
    if (s.tools.size() >= tools_max) return fail(409, "too_many_tools", "there are at most 1000 tools");
    auto tool = set_of(s.next_tool(), in);
    tool.is_public = in.is_public.value_or(false);
    TRY_VOID(check(tool));
    ToolRow row{};
    row.created_at = row.secret_at = cx.now;
    Emit<MadeTool, Event> out{{tool}, {view_after(tool, row, cx), {}}, 201};
    if (!tool.is_public) {
        auto [secret, kept] = new_secret(tool.tool, cx);
        out.events.push_back(ToolSecretSet{tool.tool, cx.now});
        out.events.push_back(std::move(kept));
        out.reply.secret = {Text<1, 128>(secret)};
    }
    if (!signing_key(s)) ask_for_key(s, cx, out.events);
    return out;
}

Result<Emit<ToolView, Event>> change_tool(State const& s, ChangedTool const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, existing_tool(s, in.tool));
    auto tool = set_of(in.tool, in);
    tool.is_public = row->is_public;
    TRY_VOID(check(tool));
    return Emit<ToolView, Event>{{tool}, view_after(tool, *row, cx)};
}

// Its tokens are refused from here on; what it was granted leaves with the sessions.
Result<Emit<ToolView, Event>> remove_tool(State const& s, ToolById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, existing_tool(s, in.tool));
    return Emit<ToolView, Event>{{ToolRemoved{in.tool}}, view_of(in.tool, *row, cx.now)};
}

Result<Emit<MadeTool, Event>> rotate_tool(State const& s, RotateTool const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, existing_tool(s, in.tool));
    if (row->is_public) return fail(422, "tool_is_public", "a public tool has no secret");
    auto const overlap = in.overlap.value_or(overlap_usual);
    if (overlap.us < 0 || overlap > overlap_max)
        return fail({422, "overlap_invalid", "both secrets are valid for at most 90 days", {{"/overlap", "expected 0 to 90d"}}});
    auto [secret, kept] = new_secret(in.tool, cx);
    auto after = *row;
    after.old_secret = row->secret, after.old_until = cx.now + overlap, after.secret_at = after.changed_at = cx.now;
    return Emit<MadeTool, Event>{{ToolSecretSet{in.tool, cx.now + overlap}, std::move(kept)},
                                 {view_of(in.tool, after, cx.now), Secret<Text<1, 128>>{Text<1, 128>(secret)}}};
}

Result<ToolView> show_tool(State const& s, ToolById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, existing_tool(s, in.tool));
    return view_of(in.tool, *row, cx.now);
}

Result<Page<ToolView>> list_tools(State const& s, ToolFilter const& in, Ctx const& cx) {
    ToolId after;
    if (in.cursor) {
        TRY_ASSIGN(auto const cursor, read_cursor<Cursor>(*in.cursor));
        after = cursor.tool;
    }
    Page<ToolView> page;
    s.tools.walk(after ? &after : nullptr, [&](ToolId const& id, ToolRow const& row) {
        if (page.items.size() == std::size_t(in.limit)) {
            page.complete = false, page.next = make_cursor(Cursor{page.items.back().id});
            return false;
        }
        page.items.push_back(view_of(id, row, cx.now));
        return true;
    });
    return page;
}

bool may_use(State const& s, ToolRow const& tool, AccountId id) {
    if (tool.teams.empty() && tool.scopes.empty()) return true;
    auto const traits = traits_of(s, id);
    for (auto const& team : tool.teams)
        if (std::ranges::find(traits.teams, team.view()) != traits.teams.end()) return true;
    auto const own = auth::Scopes::parse(traits.scopes);
    return own && std::ranges::any_of(tool.scopes, [&](ScopeText const& scope) { return own->allow(scope.view()); });
}

Result<Page<ToolLink>> my_tools(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    s.marks.looked_up(id.n);
    Page<ToolLink> page;
    s.tools.walk(nullptr, [&](ToolId const& tool, ToolRow const& row) {
        if (may_use(s, row, id)) page.items.push_back({tool, row.name.str(), row.home.str()});
        return true;
    });
    return page;
}

ToolId tool_named(std::string_view client_id) {
    ToolId out;
    if (!client_id.starts_with("tl_") || client_id.size() > 20 || client_id.substr(3).starts_with('0')) return {};
    auto const [end, error] = std::from_chars(client_id.data() + 3, client_id.data() + client_id.size(), out.n);
    return error == std::errc() && end == client_id.data() + client_id.size() ? out : ToolId{};
}

Result<ShownClient> shown_client(ForeignRequest const& request, Parameters& form) {
    auto id = take(form, "client_id"), secret = take(form, "client_secret");
    auto const header = request.header("Authorization");
    if (header.empty()) {
        if (!id) return invalid_client("a client says who it is: client_id, or Authorization: Basic");
        return ShownClient{*id, secret ? std::optional(Secret<std::string>{*secret}) : std::nullopt};
    }
    auto shown = auth::parse_authorization(header);
    auto const* basic = shown ? std::get_if<auth::Basic>(&*shown) : nullptr;
    if (!basic || secret) return invalid_client("a client shows its secret once: by Authorization: Basic, or in the form");
    // RFC 6749 §2.3.1: as in a form.
    auto const name = ForeignRequest::parse_form(basic->name), password = ForeignRequest::parse_form(basic->password);
    if (!name || name->size() != 1 || !password || password->size() != 1)
        return invalid_client("the client's name or secret can't be read");
    if (id && *id != name->front().first) return invalid_client("client_id and Authorization name different clients");
    return ShownClient{name->front().first, Secret<std::string>{password->front().first}};
}

Result<ToolId> find_client(State const& s, ShownClient const& shown, Time now) {
    auto const id = tool_named(shown.client_id);
    auto const* tool = s.tools.find(id);
    if (!tool) return invalid_client("there is no such client");
    if (tool->is_public && shown.secret) return invalid_client("this client is a public one: it has no secret");
    if (tool->is_public) return id;
    auto const parts = shown.secret ? auth::parse_token(shown.secret->value) : std::nullopt;
    auto const digest = parts ? auth::digest_of(parts->secret) : std::string(32, '\0');
    bool const is_new = codec::same_bytes(tool->secret.data, digest), is_old = codec::same_bytes(tool->old_secret.data, digest);
    if (is_new || (is_old && now < tool->old_until)) return id;
    return invalid_client("the client's secret is wrong");
}

}  // namespace gantry::accounts
