#pragma once
#include "services/accounts/oidc_protocol.h"

// Tools: relying parties of the one login. All are own tools, registered here, so nobody is asked for consent.
namespace gantry::accounts {

struct ToolView {
    ToolId id;
    std::string client_id;  // the same, as the protocol calls it
    std::string name, home;
    std::vector<std::string> redirect_uris, after_logout_uris;
    std::optional<std::string> backchannel_logout_uri;
    bool is_public = false;
    std::vector<std::string> teams, scopes;
    Time created_at, changed_at;
    std::optional<Time> secret_at, old_secret_until;
};
RECORD(ToolView, id, client_id, name, home, redirect_uris, after_logout_uris, backchannel_logout_uri, is_public, teams, scopes, created_at,
       changed_at, secret_at, old_secret_until);

struct NewTool {
    Name name;
    Url home;
    std::vector<Url> redirect_uris;
    std::optional<std::vector<Url>> after_logout_uris;
    std::optional<Url> backchannel_logout_uri;
    std::optional<bool> is_public;
    std::optional<std::vector<Team>> teams;
    std::optional<std::vector<ScopeText>> scopes;
};
RECORD(NewTool, name, home, redirect_uris, after_logout_uris, backchannel_logout_uri, is_public, teams, scopes);
struct ChangedTool {  // all of it; whether it is public stays
    ToolId tool;
    Name name;
    Url home;
    std::vector<Url> redirect_uris;
    std::optional<std::vector<Url>> after_logout_uris;
    std::optional<Url> backchannel_logout_uri;
    std::optional<std::vector<Team>> teams;
    std::optional<std::vector<ScopeText>> scopes;
};
RECORD(ChangedTool, tool, name, home, redirect_uris, after_logout_uris, backchannel_logout_uri, teams, scopes);
struct ToolById {
    ToolId tool;
};
RECORD(ToolById, tool);
struct RotateTool {
    ToolId tool;
    std::optional<Duration> overlap;  // how long the old secret stays; a day, if it isn't said
};
RECORD(RotateTool, tool, overlap);
struct MadeTool {
    ToolView tool;
    std::optional<Secret<Text<1, 128>>> secret;  // told once; a public tool has none
};
RECORD(MadeTool, tool, secret);
struct ToolLink {
    ToolId id;
    std::string name, home;
};
RECORD(ToolLink, id, name, home);
struct ToolFilter {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(ToolFilter, limit, cursor);

Result<Emit<MadeTool, Event>> make_tool(State const& s, NewTool const& in, Ctx const& cx);
Result<Emit<ToolView, Event>> change_tool(State const& s, ChangedTool const& in, Ctx const& cx);
Result<Emit<ToolView, Event>> remove_tool(State const& s, ToolById const& in, Ctx const& cx);
Result<Emit<MadeTool, Event>> rotate_tool(State const& s, RotateTool const& in, Ctx const& cx);
Result<ToolView> show_tool(State const& s, ToolById const& in, Ctx const& cx);
Result<Page<ToolView>> list_tools(State const& s, ToolFilter const& in, Ctx const& cx);
// Those that the caller may use.
Result<Page<ToolLink>> my_tools(State const& s, Nothing const& in, Ctx const& cx);

bool may_use(State const& s, ToolRow const& tool, AccountId id);

// Who a tool says that it is (RFC 6749 §2.3): by Authorization: Basic, or in the form.
struct ShownClient {
    std::string client_id;
    std::optional<Secret<std::string>> secret;
};
RECORD(ShownClient, client_id, secret);
// Takes its parameters out of the form. 401 "invalid_client" when it says it twice, or unreadably.
Result<ShownClient> shown_client(ForeignRequest const& request, Parameters& form);
// 401 "invalid_client": unknown, a wrong secret or none; a public tool shows none.
Result<ToolId> find_client(State const& s, ShownClient const& shown, Time now);
ToolId tool_named(std::string_view client_id);

}  // namespace gantry::accounts
