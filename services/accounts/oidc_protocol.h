#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/accounts/people.h"

// OpenID Connect as it looks on the wire: where the provider is, what it says of itself, how it answers and refuses. Its endpoints lie at
// [accounts] url + "/accounts/oidc/…", which is the issuer, too.
namespace gantry::accounts {

inline constexpr Duration code_lifetime = Duration::seconds(60);

std::string issuer_of(Ctx const& cx);

// The parameters of a request. 400 "invalid_request" for a form that can't be read, and for what stands there twice (RFC 6749 §3.1).
using Parameters = std::map<std::string, std::string>;
Result<Parameters> parameters_of(std::string_view form);
// Removed from there; nothing: it isn't there, or is empty.
std::optional<std::string> take(Parameters& parameters, std::string_view name);

std::string percent_encoded(std::string_view text);
// To an address, with what is given as further parameters of its query.
ForeignReply redirect(std::string_view to, std::vector<std::pair<std::string_view, std::string>> const& parameters);
// JSON that nobody keeps.
ForeignReply answer(int status, std::string json);
// A small page for a person; `html` stands in its body.
ForeignReply page(int status, std::string_view title, std::string_view html);
std::string html_escaped(std::string_view text);

// A refusal in the words of RFC 6749 §5.2 for programs; as a page for people.
ForeignReply refused_for_programs(Problem const& problem);
ForeignReply refused_at_userinfo(Problem const& problem);  // RFC 6750 §3
ForeignReply refused_for_people(Problem const& problem);
std::unexpected<Problem> invalid_grant(std::string_view why);
std::unexpected<Problem> invalid_client(std::string_view why);

// Whether it is one of those that are parted by blanks.
bool has_word(std::string_view text, std::string_view word);

// Discovery and the key set.
struct NothingAsked {};
EMPTY_RECORD(NothingAsked);
Result<NothingAsked> parse_nothing(ForeignRequest const& request);
Result<ForeignReply> discovery(State const& s, NothingAsked const& in, Ctx const& cx);
Result<ForeignReply> key_set(State const& s, NothingAsked const& in, Ctx const& cx);
// The public keys whose tokens may still be shown, as a JSON Web Key Set.
std::string jwks_of(State const& s, Time now);

}  // namespace gantry::accounts
