#include "services/accounts/passkeys.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "services/accounts/sign_in.h"

namespace gantry::accounts {
namespace {

constexpr std::string_view to_sign_in = "passkey sign-in";
std::string to_add(AccountId id) { return fmt::format("passkey of u_{}", id.n); }

// An authenticator has one passkey for a handle and a name, and sites of one name have accounts of the same numbers.
std::string handle_of(AccountId id, Ctx const& cx) { return fmt::format("u_{}.{}", id.n, cx.proof_of("passkey handle", "").substr(0, 10)); }

std::string make_challenge(std::string_view purpose, Ctx const& cx) {
    std::array<std::uint8_t, 16> bytes;
    cx.random.fill(bytes);
    auto const what = fmt::format("{}.{}", cx.now.us, auth::base64url({reinterpret_cast<char const*>(bytes.data()), bytes.size()}));
    return fmt::format("{}.{}", what, cx.proof_of(purpose, what));
}

// When it was given.
Result<Time> check_challenge(std::string_view purpose, std::string_view challenge, Ctx const& cx) {
    auto const dot = std::min(challenge.rfind('.'), challenge.size());
    auto const what = challenge.substr(0, dot);
    Time at{};
    auto const read = std::from_chars(what.data(), what.data() + what.size(), at.us);
    bool const ours =
        dot < challenge.size() && read.ec == std::errc() && codec::same_bytes(cx.proof_of(purpose, what), challenge.substr(dot + 1));
    if (!ours) return fail(401, "passkey_challenge_wrong", "the challenge is not one that this site gave for this");
    if (at + challenge_time <= cx.now || cx.now + challenge_time < at)
        return fail(401, "passkey_challenge_expired", "that took more than five minutes: begin again");
    return at;
}

Result<std::string> decoded(std::string_view text, std::string_view member) {
    auto bytes = auth::decode_base64url(text);
    if (!bytes) return fail(Problem{401, "passkey_malformed", "expected base64url", {{fmt::format("/{}", member), "expected base64url"}}});
    return std::move(*bytes);
}

std::vector<PasskeyId> passkeys_of(State const& s, AccountId id) {
    s.marks.looked_up(id.n);
    std::vector<PasskeyId> out;
    s.passkeys_of.ascend({id.n, 0}, [&](Own const& own) { return own.account == id.n && (out.push_back({own.number}), true); });
    return out;
}

PasskeyView view_of(PasskeyId id, PasskeyRow const& row) { return {id, row.name.str(), row.kind, row.added_at, row.used_at}; }

// A person who is signed in.
Result<AccountId> holder(State const& s, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    if (s.account(id).flags & is_service) return fail(422, "service_has_tokens", "a service signs in by tokens, not by a passkey");
    return id;
}

std::unexpected<Problem> unknown() {
    return fail(401, "passkey_unknown", "No account here has this passkey: it was removed, or is of another server.");
}

// Also whoever repeats an answer meets this, and not that its counter went back.
Result<void> check_unused(PasskeyRow const& row, Time challenged_at) {
    if (challenged_at > row.challenged_at) return {};
    return fail(401, "passkey_challenge_used", "The passkey has answered this challenge, or a newer one: begin again.");
}

Result<void> check_room(State const& s, AccountId id) {
    if (passkeys_of(s, id).size() < passkeys_max) return {};
    return fail(409, "too_many_passkeys", fmt::format("an account has at most {} passkeys: remove one first", passkeys_max));
}

}  // namespace

Result<auth::PasskeyExpected> passkeys_for(Ctx const& cx) { return auth::passkeys_at(url_of(cx), cx.configured<Settings>().passkey_rp); }

Result<Emit<PasskeyOffer, Event>> begin_passkey(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, holder(s, cx));
    TRY_VOID(check_room(s, id));
    TRY_ASSIGN(auto const expected, passkeys_for(cx));
    auto const account = view_of(s, id);
    PasskeyOffer out{.challenge = auth::base64url(make_challenge(to_add(id), cx)),
                     .rp_id = expected.rp_id,
                     .rp_name = cx.configured<Settings>().issuer.str(),
                     .user_id = auth::base64url(handle_of(id, cx)),
                     .user_login = account.login,
                     .user_name = account.name,
                     .known = {},
                     .timeout_ms = challenge_time.us / 1000};
    for (auto passkey : passkeys_of(s, id)) out.known.push_back(auth::base64url(s.passkeys.find(passkey)->credential.data));
    return Emit<PasskeyOffer, Event>{{}, std::move(out)};
}

namespace {

Result<ToAdd> read_new(State const& s, NewPasskey const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, holder(s, cx));
    ToAdd out{in.name.str(), {}, {}};
    TRY_ASSIGN(out.expected, passkeys_for(cx));
    TRY_ASSIGN(out.made.client_data, decoded(in.client_data, "client_data"));
    TRY_ASSIGN(out.made.attestation, decoded(in.attestation, "attestation"));
    TRY_ASSIGN(out.expected.challenge, auth::passkey_challenge(out.made.client_data, 401));
    TRY_VOID(check_challenge(to_add(id), out.expected.challenge, cx));
    return out;
}

}  // namespace

// Whoever adds one is signed in.
Result<ToAdd> to_add_passkey(State const& s, NewPasskey const& in, Ctx const& cx) {
    auto out = read_new(s, in, cx);
    if (!out && out.error().status == 401) out.error().status = 422;
    return out;
}

Result<CheckedPasskey> checked_passkey(ToAdd const& what, NewPasskey const&) {
    TRY_ASSIGN(auto made, auth::check_passkey_made(what.made, what.expected));
    return CheckedPasskey{what.name, std::move(made)};
}

Result<Emit<PasskeyView, Event>> add_passkey(State const& s, NewPasskey const&, CheckedPasskey const& checked, Ctx const& cx) {
    auto const& [name, made] = checked;
    TRY_ASSIGN(auto const id, holder(s, cx));
    TRY_VOID(check_room(s, id));
    for (auto known : passkeys_of(s, id))
        if (s.passkeys.find(known)->credential.data == made.credential)
            return fail(409, "passkey_known", "the account has this passkey already");
    auto const passkey = s.next_passkey();
    auto const kind = PasskeyKind(made.algorithm);
    return Emit<PasskeyView, Event>{{PasskeyAdded{passkey, id, Name(name), kind, Bytes{made.credential}, Bytes{made.key}, made.counter}},
                                    {passkey, name, kind, cx.now, {}},
                                    201};
}

Result<Page<PasskeyView>> my_passkeys(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    Page<PasskeyView> page;
    for (auto passkey : passkeys_of(s, id)) page.items.push_back(view_of(passkey, *s.passkeys.find(passkey)));
    return page;
}

Result<Emit<PasskeyView, Event>> remove_passkey(State const& s, PasskeyById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    auto const* row = s.passkeys.find(in.passkey);
    if (!row || row->account != id) return fail(404, "passkey_not_found", "the account has no passkey with this id");
    return Emit<PasskeyView, Event>{{PasskeyRemoved{in.passkey, id}}, view_of(in.passkey, *row)};
}

Result<Emit<PasskeysRemoved, Event>> drop_passkeys(State const& s, ById const& in, Ctx const&) {
    TRY_VOID(existing(s, in.id));
    Emit<PasskeysRemoved, Event> out;
    for (auto passkey : passkeys_of(s, in.id)) out.events.push_back(PasskeyRemoved{passkey, in.id});
    out.reply.removed = out.events.size();
    return out;
}

Result<Emit<PasskeyChallenge, Event>> challenge_passkey(State const&, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const expected, passkeys_for(cx));
    return Emit<PasskeyChallenge, Event>{{}, {auth::base64url(make_challenge(to_sign_in, cx)), expected.rp_id, challenge_time.us / 1000}};
}

// --- signing in ----------------------------------------------------------------------------------------------------------------

Result<ToVerify> to_verify_passkey(State const& s, ShownPasskey const& in, Ctx const& cx) {
    ToVerify out;
    TRY_ASSIGN(out.expected, passkeys_for(cx));
    TRY_ASSIGN(out.shown.client_data, decoded(in.client_data, "client_data"));
    TRY_ASSIGN(out.shown.authenticator_data, decoded(in.authenticator_data, "authenticator_data"));
    TRY_ASSIGN(out.shown.signature, decoded(in.signature, "signature"));
    TRY_ASSIGN(auto const credential, decoded(in.credential, "credential"));
    TRY_ASSIGN(out.expected.challenge, auth::passkey_challenge(out.shown.client_data, 401));
    TRY_ASSIGN(out.challenged_at, check_challenge(to_sign_in, out.expected.challenge, cx));
    for (auto passkey : passkeys_of(s, in.id)) {
        auto const& row = *s.passkeys.find(passkey);
        if (row.credential.data != credential) continue;
        TRY_VOID(check_unused(row, out.challenged_at));
        out.passkey = passkey;
        out.known = {row.credential.data, auth::PasskeyAlgorithm(row.kind), row.key.data, row.counter};
        return out;
    }
    return unknown();
}

Result<VerifiedPasskey> verified_passkey(ToVerify const& what, ShownPasskey const&) {
    TRY_ASSIGN(auto const counter, auth::check_passkey_shown(what.shown, what.known, what.expected));
    return VerifiedPasskey{what.passkey, counter, what.challenged_at};
}

// Another answer may have been taken meanwhile.
Result<Emit<PasskeyHolder, Event>> use_passkey(State const& s, ShownPasskey const& in, VerifiedPasskey const& verified, Ctx const&) {
    auto const* row = s.passkeys.find(verified.passkey);
    if (!row || row->account != in.id) return unknown();
    TRY_VOID(check_unused(*row, verified.challenged_at));
    TRY_VOID(auth::check_passkey_counter(row->counter, verified.counter));
    TRY_VOID(check_account(s, in.id));
    return Emit<PasskeyHolder, Event>{{PasskeyUsed{verified.passkey, in.id, verified.counter, verified.challenged_at}}, {in.id}};
}

}  // namespace gantry::accounts
