// What the facts about passkeys change.
#include "services/accounts/state.h"

namespace gantry::accounts {

void State::apply(PasskeyAdded const& e, At const& at) {
    if (!row_of(e.id, &at) || passkeys.contains(e.passkey)) return;
    passkeys.put(e.passkey, {.account = e.id,
                             .name = e.name,
                             .kind = e.kind,
                             .credential = e.credential,
                             .key = e.key,
                             .counter = e.counter,
                             .added_at = at.time,
                             .used_at = {},
                             .challenged_at = {}});
    passkeys_of.insert({e.id.n, e.passkey.n});
    count(passkeys_made, e.passkey.n);
}

void State::apply(PasskeyUsed const& e, At const& at) {
    passkeys.change(e.passkey, [&](PasskeyRow& p) {
        p.counter = e.counter, p.used_at = at.time;
        p.challenged_at = std::max(p.challenged_at, e.challenged_at);
    });
    marks.changed(e.id.n);
}

void State::apply(PasskeyRemoved const& e, At const& at) {
    auto const* passkey = passkeys.find(e.passkey);
    if (!passkey || passkey->account != e.id) return;
    passkeys_of.erase({e.id.n, e.passkey.n});
    passkeys.erase(e.passkey);
    row_of(e.id, &at);
}

}  // namespace gantry::accounts
