// What the facts about tools, signing keys and grants change.
#include "services/accounts/state.h"

namespace gantry::accounts {

void State::apply(ToolSet const& e, At const& at) {
    tools.change_or_put(e.tool, [&](ToolRow& t) {
        if (t.created_at.us == 0) t.created_at = at.time;
        t.name = e.name, t.home = e.home, t.redirect_uris = e.redirect_uris, t.after_logout_uris = e.after_logout_uris;
        t.backchannel_logout_uri = e.backchannel_logout_uri, t.is_public = e.is_public, t.teams = e.teams, t.scopes = e.scopes;
        t.changed_at = at.time;
    });
    count(tools_made, e.tool.n);
}

void State::apply(ToolSecretSet const& e, At const& at) {
    tools.change(e.tool, [&](ToolRow& t) {
        t.old_secret = std::move(t.secret), t.secret = {}, t.old_until = e.old_until;
        t.secret_at = t.changed_at = at.time;
    });
}

void State::apply(SigningKeyMade const& e, At const& at) {
    std::vector<KeyId> before;
    signing_keys.walk(nullptr, [&](KeyId const& id, SigningKeyRow const& row) { return row.until || (before.push_back(id), true); });
    for (auto id : before) signing_keys.change(id, [&](SigningKeyRow& k) { k.until = e.old_until; });
    signing_keys.put(e.key, {.kid = e.kid, .jwk = e.jwk, .made_at = at.time, .until = {}, .sealed = {}});
    count(keys_made, e.key.n);
}

void State::apply(SigningKeysEnded const& e) {
    for (auto id : e.keys) signing_keys.erase(id);
}

void State::apply(Granted const& e) {
    auto const* session = sessions.find(e.session);
    if (!session || grants.contains(e.grant)) return;
    grants.put(e.grant, {.tool = e.tool,
                         .account = e.id,
                         .session = e.session,
                         .redirect_uri = e.redirect_uri,
                         .challenge = e.challenge,
                         .nonce = e.nonce,
                         .scope = e.scope,
                         .salt = e.salt,
                         .signed_in_at = session->started_at,
                         .code_until = e.code_until});
    grants_of.insert({e.session.n, e.grant.n});
    grant_ends.set(e.grant, e.code_until);
    count(grants_made, e.grant.n);
}

// From here on it lives as long as its session.
void State::apply(CodeTaken const& e) {
    grants.change(e.grant, [](GrantRow& g) { g.taken = true, g.generation = 1; });
    if (auto const* grant = grants.find(e.grant); grant && !grant->over) grant_ends.clear(e.grant);
}

void State::apply(Refreshed const& e) {
    grants.change(e.grant, [&](GrantRow& g) { g.generation = e.generation; });
}

void State::apply(GrantEnded const& e) {
    auto const* grant = grants.find(e.grant);
    if (!grant) return;
    grants_of.erase({grant->session.n, e.grant.n});
    grant_ends.clear(e.grant);
    grants.erase(e.grant);
}

}  // namespace gantry::accounts
