#pragma once
#include "services/accounts/oidc_protocol.h"

// The keys that ID tokens are signed with. They are made outside of decisions, by an effect; their private halves are in the log sealed by
// the site's key alone. A new one signs from the moment on at which it is there; the one before stays in the key set until the last token
// that it signed has expired.
namespace gantry::accounts {

struct SigningKeyView {
    KeyId id;
    std::string kid;
    Time made_at;
    std::optional<Time> until;  // when it leaves the key set; nothing: it is the one that signs
};
RECORD(SigningKeyView, id, kid, made_at, until);
struct KeyAsked {
    bool asked = true;
};
RECORD(KeyAsked, asked);
Result<Page<SigningKeyView>> list_keys(State const& s, Nothing const& in, Ctx const& cx);
Result<Emit<KeyAsked, Event>> rotate_key(State const& s, Nothing const& in, Ctx const& cx);

// The one that signs now; 0: there is none yet.
KeyId signing_key(State const& s);
std::string key_purpose(KeyId id);
// What time or a first tool asks for: keys that leave, a key that is to be made.
void keys_in_time(State const& s, Ctx const& cx, std::vector<Event>& events);
void ask_for_key(State const& s, Ctx const& cx, std::vector<Event>& events);

// EFFECT
struct MadeKey {
    std::string der, kid, jwk;
};
Result<MadeKey> make_key(MakeSigningKey const& what, Outside& outside);
std::vector<Event> key_made(State const& s, MakeSigningKey const& what, Result<MadeKey> const& made, Ctx const& cx);

}  // namespace gantry::accounts
