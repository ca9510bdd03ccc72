#include "services/accounts/state.h"

#include <algorithm>
#include <cstring>

namespace gantry::accounts {
namespace {

constexpr unsigned char elsewhere = 255;

PasswordRow short_row(std::string_view packed) {
    char bytes[sizeof(PasswordRow)] = {};
    bytes[0] = char(packed.size());
    std::memcpy(bytes + 1, packed.data(), packed.size());
    PasswordRow row;
    std::memcpy(&row, bytes, sizeof row);
    return row;
}

}  // namespace

std::vector<std::string_view> split_lines(std::string_view lines) {
    std::vector<std::string_view> out;
    while (!lines.empty()) {
        auto const end = std::min(lines.find('\n'), lines.size());
        out.push_back(lines.substr(0, end));
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return out;
}

AccountRow* State::row_of(AccountId id, At const* at) {
    if (!has(id)) return nullptr;
    marks.changed(id.n);
    auto& row = accounts.mut(id.n - 1);
    if (at) row.changed_us = at->time.us;
    return &row;
}

void State::matters(AccountId id) {
    if (has(id)) ++accounts.mut(id.n - 1).version;
    totals.add(changes, 1);
}

std::uint32_t State::find_login(std::string_view login) const {
    auto const number = logins.find(login);
    return number == state::HashIndex::none || number == 0 || login_rows[number - 1].account == 0 ? 0 : number;
}

AccountId State::by_login(std::string_view login) const {
    auto const number = find_login(login);
    return number == 0 ? AccountId{} : AccountId{login_rows[number - 1].account};
}

void State::add_login(AccountId id, std::string_view text, bool verified) {
    auto const number = logins.intern(text);
    if (login_rows.size() < logins.size()) login_rows.resize(logins.size());
    auto& login = login_rows.mut(number - 1);
    if (login.account != 0 && login.account != id.n) return;  // the decision saw to it
    login.verified |= verified ? 1 : 0;
    if (login.account == id.n) return;
    login.account = std::uint32_t(id.n), login.was = 0, login.next = 0;
    std::uint32_t last = accounts[id.n - 1].first_login;
    if (last == 0) return void(accounts.mut(id.n - 1).first_login = number);
    while (login_rows[last - 1].next != 0) last = login_rows[last - 1].next;
    login_rows.mut(last - 1).next = number;
}

void State::remove_login(AccountId id, std::string_view text) {
    auto const number = logins.find(text);
    if (number == state::HashIndex::none || number == 0 || login_rows[number - 1].account != id.n) return;
    auto const next = login_rows[number - 1].next;
    if (accounts[id.n - 1].first_login == number) accounts.mut(id.n - 1).first_login = next;
    for (auto n = accounts[id.n - 1].first_login; n != 0; n = login_rows[n - 1].next)
        if (login_rows[n - 1].next == number) login_rows.mut(n - 1).next = next;
    login_rows.mut(number - 1) = LoginRow{};
}

std::string State::password_of(AccountId id) const {
    auto const& row = account(id);
    if (row.password == 0) return {};
    char bytes[sizeof(PasswordRow)];
    std::memcpy(bytes, &passwords[row.password], sizeof bytes);
    auto const size = static_cast<unsigned char>(bytes[0]);
    if (size != elsewhere) return std::string(bytes + 1, size);
    auto const* kept = long_passwords.find(id);
    return kept ? kept->verifier.data : std::string();
}

void State::drop_password(AccountRow& row, AccountId id) {
    if (row.password == 0) return;
    passwords.remove(row.password);
    long_passwords.erase(id);
    row.password = 0;
}

void State::keep_password(AccountId id, std::string_view packed) {
    auto* row = row_of(id);
    if (!row) return;
    drop_password(*row, id);
    if (packed.empty()) return;
    bool const fits = packed.size() < sizeof(PasswordRow);
    if (!fits) long_passwords.put(id, {Bytes{std::string(packed)}});
    auto kept = fits ? short_row(packed) : PasswordRow{};
    if (!fits) std::memcpy(&kept, &elsewhere, 1);
    row->password = passwords.add(kept);
}

void State::apply(Created const& e, At const& at) {
    if (e.id.n == 0 || e.id.n > accounts.size() + 1'000'000) return;
    if (e.id.n > accounts.size()) accounts.resize(e.id.n);
    if (has(e.id)) return;
    marks.changed(e.id.n);
    auto const name = names.intern(e.name), scopes = words.intern(lines_of(e.scopes));
    auto& row = accounts.mut(e.id.n - 1);
    row.name = name, row.scopes = scopes;
    row.owner = e.owner ? std::uint32_t(e.owner->n) : 0;
    row.flags = std::uint16_t((e.kind == Kind::service ? is_service : 0) | (e.sees_all ? sees_all : 0));
    row.created_us = row.changed_us = at.time.us;
    add_login(e.id, e.login, e.verified);
    if (e.owner) services_of.insert({e.owner->n, e.id.n});
    totals.add(enabled, 1);
}

void State::apply(Renamed const& e, At const& at) {
    auto const name = names.intern(e.name);
    if (auto* row = row_of(e.id, &at)) row->name = name;
}

void State::apply(Merged const& e, At const& at) {
    if (!has(e.id) || !has(e.into) || e.id == e.into) return;
    auto const from = std::uint32_t(e.id.n), to = std::uint32_t(e.into.n);
    std::vector<std::uint32_t> brought;
    for (auto n = accounts[from - 1].first_login; n != 0; n = login_rows[n - 1].next) brought.push_back(n);
    accounts.mut(from - 1).first_login = 0;
    for (auto n : brought) {
        bool const verified = login_rows[n - 1].verified;
        login_rows.mut(n - 1) = LoginRow{};
        add_login(e.into, logins.text(n), verified);
        login_rows.mut(n - 1).was = from;
    }
    auto move = [&](state::Ordered<Own>& index, auto&& each) {
        std::vector<std::uint64_t> numbers;
        index.ascend({from, 0}, [&](Own const& own) { return own.account == from && (numbers.push_back(own.number), true); });
        for (auto n : numbers) index.erase({from, n}), index.insert({to, n}), each(n);
    };
    move(tokens_of, [&](std::uint64_t n) { tokens.change(TokenId{n}, [&](TokenRow& t) { t.account = e.into; }); });
    move(services_of, [&](std::uint64_t n) { accounts.mut(n - 1).owner = to, marks.changed(n); });
    std::vector<SessionId> ended;
    sessions_of.ascend({from, 0}, [&](Own const& own) { return own.account == from && (ended.push_back({own.number}), true); });
    for (auto id : ended) end_session(id, at.time);
    codes.erase(e.id), pending.erase(e.id);
    auto* row = row_of(e.id, &at);
    if (!(row->flags & (is_disabled | is_merged))) totals.add(enabled, -1);
    if (row->password != 0) totals.add(merged_passwords, 1);
    row->flags |= is_merged, row->merged_into = to;
    matters(e.id);
    row_of(e.into, &at);
    matters(e.into);
}

void State::apply(Disabled const& e, At const& at) {
    auto* row = row_of(e.id, &at);
    if (!row || row->flags & is_disabled) return;
    row->flags |= is_disabled;
    totals.add(enabled, -1);
    std::vector<SessionId> ended;
    sessions_of.ascend({e.id.n, 0}, [&](Own const& own) { return own.account == e.id.n && (ended.push_back({own.number}), true); });
    for (auto id : ended) end_session(id, at.time);
    matters(e.id);
}

void State::apply(Enabled const& e, At const& at) {
    auto* row = row_of(e.id, &at);
    if (!row || !(row->flags & is_disabled)) return;
    row->flags = std::uint16_t(row->flags & ~is_disabled);
    totals.add(enabled, 1);
    matters(e.id);
}

void State::apply(RightsSet const& e, At const& at) {
    auto const scopes = words.intern(lines_of(e.scopes)), teams = words.intern(lines_of(e.teams));
    auto* row = row_of(e.id, &at);
    if (!row) return;
    row->scopes = scopes, row->teams = teams;
    row->flags = std::uint16_t((row->flags & ~sees_all) | (e.sees_all ? sees_all : 0));
    matters(e.id);
}

void State::apply(EmailAsked const& e, At const& at) {
    if (!row_of(e.id, &at)) return;
    drop_pending(e.id, e.email);
    pending.change_or_put(e.id, [&](PendingEmails& p) { p.emails.push_back({e.email, at.time}); });
}

void State::drop_pending(AccountId id, std::string_view email) {
    auto const* known = pending.find(id);
    if (!known) return;
    pending.change(id, [&](PendingEmails& p) { std::erase_if(p.emails, [&](auto const& one) { return one.email.view() == email; }); });
    if (pending.find(id)->emails.empty()) pending.erase(id);
}

void State::apply(EmailVerified const& e, At const& at) {
    if (!row_of(e.id, &at)) return;
    drop_pending(e.id, e.email);
    add_login(e.id, e.email, true);
}

void State::apply(EmailRemoved const& e, At const& at) {
    if (!row_of(e.id, &at)) return;
    drop_pending(e.id, e.email);
    remove_login(e.id, e.email);
}

void State::apply(PasswordSet const& e, At const& at) {
    auto* row = row_of(e.id, &at);
    if (!row) return;
    row->locked_until_us = 0;
    matters(e.id);
}

void State::apply(CodesAsked const& e, At const& at) {
    if (row_of(e.id, &at)) codes.change_or_put(e.id, [](CodesRow&) {});
}
void State::apply(CodesOn const& e, At const& at) {
    if (!row_of(e.id, &at)) return;
    codes.change(e.id, [](CodesRow& c) { c.on = true, c.seed = std::move(c.proposed), c.proposed = {}, c.used_step = 0; });
    matters(e.id);
}
void State::apply(CodesOff const& e, At const& at) {
    if (!row_of(e.id, &at)) return;
    codes.erase(e.id);
    matters(e.id);
}
void State::apply(CodeUsed const& e) {
    codes.change(e.id, [&](CodesRow& c) { c.used_step = std::max(c.used_step, e.step); });
}
void State::apply(RecoveryUsed const& e) {
    codes.change(e.id, [&](CodesRow& c) {
        if (e.at < c.recovery.size()) c.recovery[e.at] = {};
    });
}

void State::apply(TokenIssued const& e, At const& at) {
    if (!has(e.id) || tokens.contains(e.token)) return;
    marks.changed(e.id.n);
    tokens.put(e.token, {.account = e.id, .name = e.name, .scopes = e.scopes, .created_at = at.time, .expires_at = e.expires_at});
    tokens_of.insert({e.id.n, e.token.n});
    count(tokens_made, e.token.n);
}
void State::apply(TokenEnds const& e) {
    tokens.change(e.token, [&](TokenRow& t) { t.expires_at = t.expires_at ? std::min(*t.expires_at, e.at) : e.at; });
    if (auto const* token = tokens.find(e.token)) marks.changed(token->account.n), matters(token->account);
}
void State::apply(TokenRevoked const& e, At const& at) {
    tokens.change(e.token, [&](TokenRow& t) { t.revoked_at = t.revoked_at.value_or(at.time); });
    if (auto const* token = tokens.find(e.token)) marks.changed(token->account.n), matters(token->account);
}

void State::apply(SessionStarted const& e, At const& at) {
    if (!has(e.id) || sessions.contains(e.session)) return;
    marks.changed(e.id.n);
    sessions.put(e.session,
                 {.account = e.id, .started_at = at.time, .seen_at = at.time, .ends_at = e.ends_at, .from = e.from, .digest = {}});
    sessions_of.insert({e.id.n, e.session.n});
    session_ends.insert({e.ends_at.us, e.session.n});
    count(sessions_made, e.session.n);
}
void State::end_session(SessionId id, Time at) {
    auto const* row = sessions.find(id);
    if (!row) return;
    auto const account = row->account;
    sessions_of.erase({account.n, id.n});
    session_ends.erase({row->ends_at.us, id.n});
    sessions.erase(id);
    std::vector<GrantId> over;
    grants_of.ascend({id.n, 0}, [&](Own const& own) { return own.account == id.n && (over.push_back({own.number}), true); });
    for (auto grant : over) grants.change(grant, [](GrantRow& g) { g.over = true; }), grant_ends.set(grant, at);
    marks.changed(account.n);
    matters(account);
}
void State::apply(SessionsEnded const& e, At const& at) {
    for (auto id : e.sessions) end_session(id, at.time);
}

void State::apply(Used const& e, At const& at) {
    for (auto id : e.tokens) tokens.change(id, [&](TokenRow& t) { t.used_at = at.time; });
    for (auto id : e.sessions) sessions.change(id, [&](SessionRow& s) { s.seen_at = at.time; });
}

void State::apply(Locked const& e, At const& at) {
    if (auto* row = row_of(e.id, &at)) row->locked_until_us = e.until.us;
}

void State::apply(Kept const& e) {
    switch (e.of) {
        case Verifier::password: return keep_password({e.number}, e.verifier.data);
        case Verifier::token: return void(tokens.change({e.number}, [&](TokenRow& t) { t.digest = e.verifier; }));
        case Verifier::session: return void(sessions.change({e.number}, [&](SessionRow& s) { s.digest = e.verifier; }));
        case Verifier::seed: return void(codes.change({e.number}, [&](CodesRow& c) { c.proposed = e.verifier; }));
        case Verifier::recovery:
            codes.change({e.number}, [&](CodesRow& c) {
                c.recovery.clear();
                for (std::size_t i = 0; i + 32 <= e.verifier.data.size(); i += 32) c.recovery.push_back({e.verifier.data.substr(i, 32)});
            });
            return;
        case Verifier::tool: return void(tools.change({e.number}, [&](ToolRow& t) { t.secret = e.verifier; }));
        case Verifier::signing_key: return void(signing_keys.change({e.number}, [&](SigningKeyRow& k) { k.sealed = e.verifier; }));
    }
}

}  // namespace gantry::accounts
