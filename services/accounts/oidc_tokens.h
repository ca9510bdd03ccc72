#pragma once
#include "services/accounts/oidc_tools.h"

// What tools show of a grant. All are texts that this site alone can make, out of a grant's number, its salt and the site's key: nothing of
// them is kept, and none of another site, or of a log that was cut, is one.
namespace gantry::accounts {

std::string code_of(GrantId id, GrantRow const& grant, Ctx const& cx);
std::string refresh_token_of(GrantId id, GrantRow const& grant, std::uint32_t generation, Ctx const& cx);
std::string access_token_of(GrantId id, GrantRow const& grant, Time until, Ctx const& cx);

enum class ShownKind { code, refresh, access };
struct ShownToken {
    ShownKind kind = ShownKind::code;
    GrantId grant;
    std::uint64_t number = 0;  // a refresh token's generation; an access token's last second
};
// One that this site made of a grant that is there; whether it counts still is for the caller to look at.
std::optional<ShownToken> read_token(State const& s, std::string_view text, Ctx const& cx);
// Whether its person may still use its tool: the session and the account, and who the tool is for.
bool is_alive(State const& s, GrantRow const& grant, Time now);

// What is told of a person, by scope.
struct Person {
    std::optional<std::string> name, preferred_username, email;
    std::optional<bool> email_verified;
    std::optional<std::vector<std::string>> groups;
};
Person person_of(State const& s, AccountId id, std::string_view scope);

// --- POST /oidc/token (RFC 6749 §4.1.3, §6; RFC 7636) ---------------------------------------------------------------------------
struct TokenRequest {
    ShownClient client;
    std::string grant_type;
    std::optional<Secret<std::string>> code, verifier, refresh_token;
    std::optional<std::string> redirect_uri, scope;
};
RECORD(TokenRequest, client, grant_type, code, verifier, refresh_token, redirect_uri, scope);
Result<TokenRequest> parse_token_request(ForeignRequest const& request);
struct ToSign {
    GrantId grant;
    std::optional<GrantEnd> end;   // it was shown twice: nothing is signed
    std::uint32_t generation = 0;  // of the new refresh token; 0: none
    std::string claims, key, access_token, refresh_token, scope;
};
struct Signed {
    ToSign what;
    std::string id_token;
};
Result<ToSign> to_sign(State const& s, TokenRequest const& in, Ctx const& cx);
Result<Signed> signed_token(ToSign const& what, TokenRequest const&);
Result<Emit<ForeignReply, Event>> give_tokens(State const& s, TokenRequest const& in, Signed const& made, Ctx const& cx);

// --- POST /oidc/revoke (RFC 7009), /oidc/introspect (RFC 7662), GET /oidc/userinfo ------------------------------------------------
struct TokenQuestion {
    ShownClient client;
    Secret<std::string> token;
};
RECORD(TokenQuestion, client, token);
Result<TokenQuestion> parse_token_question(ForeignRequest const& request);
Result<Emit<ForeignReply, Event>> revoke_token(State const& s, TokenQuestion const& in, Ctx const& cx);
Result<Emit<ForeignReply, Event>> introspect(State const& s, TokenQuestion const& in, Ctx const& cx);
struct UserinfoRequest {
    Secret<std::string> token;
};
RECORD(UserinfoRequest, token);
Result<UserinfoRequest> parse_userinfo(ForeignRequest const& request);
Result<ForeignReply> userinfo(State const& s, UserinfoRequest const& in, Ctx const& cx);

}  // namespace gantry::accounts
