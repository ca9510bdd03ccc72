#pragma once
#include "services/accounts/oidc_tools.h"
#include "services/accounts/sign_in.h"

// The authorization endpoint (OpenID Connect Core 1.0 §3.1.2), where a tool sends the browser.
//
// The session's cookie is SameSite=Strict, so a browser that comes from a tool's page shows none. It gets a page of ours that leads it here
// once more, `gantry_step=1`: that request is our own page's, and has the cookie. Whoever isn't signed in then is sent to the console,
// which signs in and comes back with `gantry_return`: the time at which it was sent away, and the site's proof over that and the request,
// so that neither can be changed on the way.
namespace gantry::accounts {

struct AuthorizationRequest {
    std::string query;                           // as the client wrote it, without what is ours
    Parameters parameters;                       // each once, decoded
    std::string step, returned;                  // ours
    std::optional<Secret<std::string>> session;  // the id in the cookie
    bool own_page = true;                        // GET
};
RECORD(AuthorizationRequest, query, parameters, step, returned, session, own_page);

Result<AuthorizationRequest> parse_authorization_request(ForeignRequest const& request);
Result<Emit<ForeignReply, Event>> authorize(State const& s, AuthorizationRequest const& in, Ctx const& cx);

}  // namespace gantry::accounts
