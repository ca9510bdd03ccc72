#include "services/accounts/accounts.h"

#include <fmt/format.h>

#include "services/accounts/oidc_keys.h"
#include "services/accounts/oidc_logout.h"

namespace gantry::accounts {
namespace {

constexpr std::size_t ended_at_once_max = 1000;

AccountId about(State const& s, Event const& event) {
    return std::visit(
        [&](auto const& e) -> AccountId {
            if constexpr (requires { AccountId(e.id); }) return e.id;
            if constexpr (requires { e.token; }) {
                auto const* token = s.tokens.find(e.token);
                return token ? token->account : AccountId{};
            }
            return {};
        },
        event);
}

}  // namespace

std::vector<EffectKind> Service::effects() {
    return {effect<Service>(&send_mail), effect<Service>(&make_key, &key_made), effect<Service>(&tell_signed_out)};
}

std::vector<Timer> Service::timers() { return {timer<Service, &State::grant_ends>(&end_grant)}; }

// Sessions that are over leave the state, and so do keys; a key that is old gets a successor.
std::vector<Event> Service::tick(State const& s, Ctx const& cx) {
    SessionsEnded out;
    s.session_ends.ascend(SessionEnd{}, [&](SessionEnd const& e) {
        if (e.at_us > cx.now.us || out.sessions.size() == ended_at_once_max) return false;
        out.sessions.push_back({e.session});
        return true;
    });
    std::vector<Event> events;
    if (!out.sessions.empty()) events.push_back(std::move(out));
    keys_in_time(s, cx, events);
    return events;
}

bool Service::visible(State const& s, Event const& e, Viewer const& viewer) {
    if (viewer.sees_all) return true;
    auto const id = about(s, e);
    return id && viewer.id.view() == fmt::format("u_{}", id.n);
}

std::vector<std::pair<std::string_view, std::string_view>> Service::settings_docs() {
    return {
        {"url",
         "How people reach this server: what links in mails, and the OpenID Connect issuer, begin with. Of several sites: {site} in it."},
        {"issuer", "The name that an authenticator shows beside its codes."},
        {"scopes", "What a new person may do, unless it is said."},
        {"password_memory_mib", "Memory that hashing a password takes (Argon2id); cheaper hashes are made anew at the next login."},
        {"password_passes", "Passes over that memory."},
        {"session_idle", "A session ends when it wasn't used for so long."},
        {"session_max", "A session ends so long after signing in."},
        {"token_max", "A token lives at most so long, and so long if it isn't said."},
        {"oidc_tokens", "ID tokens and access tokens that tools get live so long."},
        {"oidc_keys", "The key that ID tokens are signed with gets a successor after so long."},
        {"passkey_rp",
         "The name that passkeys are for: the host of url, or a domain above it; changing it makes all passkeys useless. Empty: that "
         "host."}};
}

std::vector<Route> Service::routes() {
    Scope const own{"accounts:self"}, read{"accounts:read"}, write{"accounts:write"}, admin{"accounts:admin"};
    Deprecated const old{"2026-11-21", "2027-11-21"};
    std::vector<Route> routes{
        route<Service>(V1, "GET", "/users", &list_v1, read, Doc{"People, with the username that version 2 has no more."}, old),
        route<Service>(V1, "GET", "/users/{id}", &show_v1, read, Doc{"One account as version 1 told it."}, old),
        route<Service>(V1, "POST", "/users", &create_v1, write, Doc{"Make a person; a username is taken and dropped."}, old),
        route<Service>(V2, "GET", "/users", &list, read, Doc{"Accounts, in the order in which they were made."}),
        route<Service>(V2, "GET", "/users/{id}", &show, read, Doc{"One account."}),
        slow_route<Service, &to_create, &hashed, &create>(V2, "POST", "/users", admin, Doc{"Make a person, or a service with an owner."}),
        route<Service>(V2, "PUT", "/users/{id}/name", &rename, write, Doc{"Rename an account."}),
        route<Service>(V2, "PUT", "/users/{id}/rights", &set_rights, admin, Doc{"Say what an account may do, and its teams."}),
        route<Service>(V2, "POST", "/users/{id}/merge", &merge, admin, Doc{"Give all that an account has to another one."}),
        route<Service>(V2, "POST", "/users/{id}/disable", &disable, admin, Doc{"Let an account in no more."}),
        route<Service>(V2, "POST", "/users/{id}/enable", &enable, admin, Doc{"Let a disabled account in again."}),
        slow_route<Service, &to_give, &given_hash, &give_password>(V2, "PUT", "/users/{id}/password", admin,
                                                                   Doc{"Give an account a password; its sessions end."}),
        route<Service>(V2, "DELETE", "/users/{id}/codes", &drop_codes, admin, Doc{"Ask an account for no codes any more."}),
        route<Service>(V2, "DELETE", "/users/{id}/sessions", &end_sessions_of, admin, Doc{"End all sessions of an account."}),
        route<Service>(V2, "GET", "/users/{id}/tokens", &tokens_of, admin, Doc{"The tokens of an account."}),
        route<Service>(V2, "POST", "/users/{id}/tokens", &issue_for, admin, Doc{"A token for an account, told once."}),
        route<Service>(V2, "POST", "/tokens/{token}/rotate", &rotate_any, admin,
                       Doc{"A new token for any old one, both valid for a while."}),
        route<Service>(V2, "DELETE", "/tokens/{token}", &revoke_any, admin, Doc{"Revoke any token, at once."}),
        slow_route<Service, &to_set_up, &hashed_setup, &set_up>(V1, "POST", "/setup", open_to_all,
                                                                Doc{"The first account, by the link that the server printed."}),
        route<Service>(V1, "POST", "/imports", &import, admin, Doc{"People with the hashes of another program, kept as they are."}, Bulk{}),
        route<Service>(V1, "GET", "/me", &me, own, Doc{"The caller's account."}),
        route<Service>(V1, "PUT", "/me/name", &rename_self, own, Doc{"Rename oneself."}),
        route<Service>(V1, "POST", "/me/emails", &add_email, own, Doc{"Another mail address, once the link in a mail was opened."}),
        route<Service>(V1, "DELETE", "/me/emails/{email}", &remove_email, own, Doc{"One mail address less."}),
        route<Service>(V1, "POST", "/emails/verify", &verify_email, open_to_all, Doc{"What the link in the mail proves."}),
        slow_route<Service, &to_change, &changed_hash, &change_password>(V1, "PUT", "/me/password", own,
                                                                         Doc{"Another password; all sessions end."}),
        route<Service>(V1, "POST", "/me/codes", &offer_codes, own, Doc{"A seed for an authenticator."}),
        route<Service>(V1, "POST", "/me/codes/confirm", &start_codes, own,
                       Doc{"From here on codes are asked for; recovery codes, told once."}),
        route<Service>(V1, "POST", "/me/codes/stop", &stop_codes, own, Doc{"Ask for no codes any more."}),
        route<Service>(V1, "POST", "/me/passkeys/begin", &begin_passkey, own, Doc{"What a browser needs to make a passkey."}),
        slow_route<Service, &to_add_passkey, &checked_passkey, &add_passkey>(V1, "POST", "/me/passkeys", own,
                                                                             Doc{"A passkey that the browser made."}),
        route<Service>(V1, "GET", "/me/passkeys", &my_passkeys, own, Doc{"The caller's passkeys."}),
        route<Service>(V1, "DELETE", "/me/passkeys/{passkey}", &remove_passkey, own, Doc{"Let a passkey in no more."}),
        route<Service>(V2, "DELETE", "/users/{id}/passkeys", &drop_passkeys, admin, Doc{"Let no passkey of an account in any more."}),
        route<Service>(V1, "POST", "/passkeys/challenge", &challenge_passkey, open_to_all, Doc{"What a browser needs to show a passkey."}),
        route<Service>(V1, "GET", "/me/tokens", &my_tokens, own, Doc{"The caller's tokens."}),
        route<Service>(V1, "POST", "/me/tokens", &issue, own, Doc{"A token, told once."}),
        route<Service>(V1, "POST", "/me/tokens/{token}/rotate", &rotate, own, Doc{"A new token for an old one, both valid for a while."}),
        route<Service>(V1, "DELETE", "/me/tokens/{token}", &revoke, own, Doc{"Revoke a token, at once."}),
        route<Service>(V1, "GET", "/me/sessions", &my_sessions, own, Doc{"Where the caller is signed in."}),
        route<Service>(V1, "DELETE", "/me/sessions/{session}", &end_session, own, Doc{"End one session."}),
        route<Service>(V1, "DELETE", "/me/sessions", &end_my_sessions, own, Doc{"Sign out everywhere."}),
    };
    for (auto& route : oidc_routes()) routes.push_back(std::move(route));
    return routes;
}

}  // namespace gantry::accounts
