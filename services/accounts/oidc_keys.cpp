#include "services/accounts/oidc_keys.h"

#include <fmt/format.h>

namespace gantry::accounts {

Result<Page<SigningKeyView>> list_keys(State const& s, Nothing const&, Ctx const&) {
    Page<SigningKeyView> page;
    s.signing_keys.walk(nullptr, [&](KeyId const& id, SigningKeyRow const& row) {
        page.items.push_back({id, row.kid.str(), row.made_at, row.until});
        return true;
    });
    return page;
}

Result<Emit<KeyAsked, Event>> rotate_key(State const& s, Nothing const&, Ctx const& cx) {
    Emit<KeyAsked, Event> out{{}, {}, 202};
    ask_for_key(s, cx, out.events);
    return out;
}

KeyId signing_key(State const& s) {
    KeyId newest;
    s.signing_keys.walk(nullptr, [&](KeyId const& id, SigningKeyRow const& row) { return row.until || (newest = id, true); });
    return newest;
}

std::string key_purpose(KeyId id) { return fmt::format("signing key {}", id.n); }

void ask_for_key(State const& s, Ctx const& cx, std::vector<Event>& events) {
    bool is_asked = false;  // one that was given up, and waits for an operator, isn't
    s.outbox.walk_due("make_signing_key", Time{INT64_MAX}, [&](PendingEffect const&) { return is_asked = true, false; });
    if (is_asked) return;
    events.push_back(Effect<MakeSigningKey>{EffectId(cx.fresh("e_")), {}});
}

void keys_in_time(State const& s, Ctx const& cx, std::vector<Event>& events) {
    SigningKeysEnded ended;
    s.signing_keys.walk(nullptr, [&](KeyId const& id, SigningKeyRow const& row) {
        if (row.until && *row.until <= cx.now) ended.keys.push_back(id);
        return true;
    });
    if (!ended.keys.empty()) events.push_back(std::move(ended));
    auto const newest = signing_key(s);
    if (newest && s.signing_keys.find(newest)->made_at + cx.configured<Settings>().oidc_keys <= cx.now) ask_for_key(s, cx, events);
}

Result<MadeKey> make_key(MakeSigningKey const&, Outside&) {
    auto const key = auth::JwtSigningKey::make();
    return MadeKey{key.der(), key.kid(), key.jwk()};
}

std::vector<Event> key_made(State const& s, MakeSigningKey const&, Result<MadeKey> const& made, Ctx const& cx) {
    if (!made) return {};  // given up: it is listed under /effects
    auto const id = s.next_key();
    // A minute for clocks that differ.
    auto const old_until = cx.now + cx.configured<Settings>().oidc_tokens + Duration::seconds(60);
    return {SigningKeyMade{id, Text<1, 100>(made->kid), Text<1, 2000>(made->jwk), old_until},
            Kept{Verifier::signing_key, id.n, Bytes{cx.seal(key_purpose(id), made->der)}}};
}

}  // namespace gantry::accounts
