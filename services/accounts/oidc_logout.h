#pragma once
#include "services/accounts/oidc_tools.h"

// Signing out of everything: by a tool (OpenID Connect RP-Initiated Logout 1.0), and telling the tools (Back-Channel Logout 1.0).
namespace gantry::accounts {

struct LogoutRequest {
    std::optional<Secret<std::string>> id_token_hint;
    std::optional<std::string> client_id, post_logout_redirect_uri, state;
};
RECORD(LogoutRequest, id_token_hint, client_id, post_logout_redirect_uri, state);
Result<LogoutRequest> parse_logout(ForeignRequest const& request);
// Ends the session that an ID token of ours names: the token is what shows that the tool may, since the cookie doesn't come along.
Result<Emit<ForeignReply, Event>> log_out(State const& s, LogoutRequest const& in, Ctx const& cx);

// TIMER: a code that nobody took, and a grant whose session is over.
std::vector<Event> end_grant(State const& s, GrantId const& id, Ctx const& cx);
// EFFECT
Result<client::Reply> tell_signed_out(TellSignedOut const& what, Outside& outside);

std::vector<Route> oidc_routes();

}  // namespace gantry::accounts
