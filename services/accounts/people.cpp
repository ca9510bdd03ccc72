#include "services/accounts/people.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gantry::accounts {
namespace {

constexpr std::size_t emails_max = 10, scopes_max = 64, teams_max = 100, examined_max = 20'000;
constexpr Duration link_lifetime = Duration::days(3);

struct Cursor {
    std::uint64_t account = 0;
};
RECORD(Cursor, account);

Problem taken() { return {409, "login_taken", "an account signs in by this already"}; }

bool is_handle(std::string_view s) {
    auto const fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; };
    return !s.empty() && s.size() <= 62 && fits(s[0]) && s[0] != '.' && s[0] != '-' && std::ranges::all_of(s, fits);
}

Result<std::string> plain_login(Kind kind, std::string_view text) {
    if (kind == Kind::person) return plain_email(text);
    if (is_handle(text)) return std::string(text);
    return fail({422,
                 "handle_invalid",
                 "a service's handle is 1 to 62 characters of a-z, 0-9, '.', '_' and '-', the first a letter or a digit",
                 {{"/login", "expected a handle"}}});
}

Result<void> check_scopes(std::vector<ScopeText> const& scopes, std::string_view at = "/scopes") {
    std::vector<std::string> texts;
    for (auto const& s : scopes) texts.push_back(s.str());
    if (texts.size() > scopes_max)
        return fail({422, "scope_invalid", "there are too many scopes", {{std::string(at), "expected at most 64"}}});
    auto parsed = auth::Scopes::parse(texts);
    if (parsed) return {};
    auto problem = std::move(parsed.error());
    problem.status = 422;
    for (auto& fault : problem.faults) fault.pointer = std::string(at) + fault.pointer;
    return fail(std::move(problem));
}

AccountState state_of(AccountRow const& row) {
    return row.flags & is_merged ? AccountState::merged : row.flags & is_disabled ? AccountState::disabled : AccountState::active;
}

std::vector<std::string> texts_of(std::string_view lines) {
    std::vector<std::string> out;
    for (auto line : split_lines(lines)) out.emplace_back(line);
    return out;
}

UserV1 v1_of(State const& s, AccountId id) {
    auto const& row = s.account(id);
    std::string const email(s.logins.text(row.first_login));
    return {id, email, email, std::string(s.names.text(row.name)), state_of(row), {row.created_us}};
}

// Pages over dense rows: `take(id)` says whether an account is on it.
template <class Item, class Take>
Result<Page<Item>> page_of(State const& s, std::optional<std::string> const& cursor, Limit limit, Take&& take) {
    s.marks.looked_at_all();
    Page<Item> page;
    std::uint64_t n = 0;
    if (cursor) {
        TRY_ASSIGN(auto const after, read_cursor<Cursor>(*cursor));
        n = after.account;
    }
    std::size_t examined = 0;
    auto stop = [&](std::optional<std::string> why) {
        page.complete = false, page.next = make_cursor(Cursor{n}), page.why = std::move(why);
        return page;
    };
    for (; n < s.accounts.size(); ++n) {
        if (!s.has({n + 1})) continue;
        if (page.items.size() == std::size_t(limit)) return stop({});
        if (examined++ == examined_max) return stop("20000 accounts were examined: go on with next");
        if (auto item = take(AccountId{n + 1})) page.items.push_back(std::move(*item));
    }
    return page;
}

std::vector<ScopeText> usual_scopes(Ctx const& cx) {
    std::vector<ScopeText> out;
    for (auto const& s : cx.configured<Settings>().scopes) out.emplace_back(s);
    return out;
}

Account seen_after(State const& s, Created const& e, Ctx const& cx, bool with_password) {
    (void)s;
    Account out;
    out.id = e.id, out.kind = e.kind, out.name = e.name.str(), out.login = e.login.str();
    if (e.kind == Kind::person) out.emails.push_back({e.login.str(), e.verified, false});
    for (auto const& scope : e.scopes) out.scopes.push_back(scope.str());
    out.sees_all = e.sees_all, out.has_password = with_password, out.owner = e.owner;
    out.created_at = out.changed_at = cx.now;
    return out;
}

// For a part of a URL's path (RFC 3986 §2.1).
std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-' || c == '@')
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    return out;
}

// The mail with the link that proves an address.
Effect<SendMail> mail_of(AccountId id, std::string_view email, Time asked_at, Ctx const& cx) {
    auto const what = fmt::format("u_{} {} {}", id.n, email, asked_at.us);
    auto const text = fmt::format(
        "Someone, hopefully you, says that {} is a mail address of the account u_{}.\n\nTo say that it is, open\n\n"
        "    {}/#/verify/u_{}/{}/{{proof}}\n\nwithin three days. If it wasn't you, do nothing.\n",
        email, id.n, url_of(cx), id.n, escaped(email));
    return {EffectId(cx.fresh("e_")), {Text<3, 254>(email), "Is this your mail address?", Text<1, 20000>(text), MailProof{"email", what}}};
}

}  // namespace

std::string url_of(Ctx const& cx) {
    constexpr std::string_view site = "{site}";
    auto url = cx.configured<Settings>().url.str();
    if (auto const at = url.find(site); at != url.npos) url.replace(at, site.size(), cx.site);
    while (url.ends_with('/')) url.pop_back();
    return url;
}

auth::PasswordCost cost_of(Settings const& settings) {
    return {unsigned(settings.password_passes), std::size_t(settings.password_memory_mib) << 20};
}

std::string setup_proof(codec::HashKey const& key) { return codec::proof_of(key, "setup", "the first account"); }

Result<AccountId> existing(State const& s, AccountId id) {
    if (!s.has(id)) return s.marks.looked_at_all(), fail(404, "account_not_found", "there is no account with this id");
    return id;
}

Result<AccountId> living(State const& s, AccountId id) {
    TRY_VOID(existing(s, id));
    auto const& row = s.account(id);
    if (row.flags & is_merged)
        return fail(409, "account_merged", fmt::format("this account was merged into u_{}: change that one", row.merged_into));
    return id;
}

Result<AccountId> self(State const& s, Ctx const& cx) {
    auto const text = cx.caller().view();
    AccountId id;
    bool const number = text.starts_with("u_") && text.size() > 2 && text[2] != '0' &&
                        std::from_chars(text.data() + 2, text.data() + text.size(), id.n).ptr == text.data() + text.size();
    if (!number || !s.has(id))
        return s.marks.looked_at_all(), fail(403, "no_account", "this is about the caller's own account, and this caller has none");
    return living(s, id);
}

Result<std::string> plain_email(std::string_view text) {
    auto const at = text.find('@');
    bool const split = at != text.npos && at > 0 && at <= 64 && at + 1 < text.size() && text.find('@', at + 1) == text.npos;
    bool const plain = std::ranges::none_of(text, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || std::string_view("<>()[],;:\\\"").find(c) != std::string_view::npos;
    });
    bool const domain = split && text[at + 1] != '.' && text.back() != '.' && text.find("..") == text.npos;
    if (!split || !plain || !domain || text.size() > 254)
        return fail({422, "email_invalid", "this is no mail address", {{"/email", "expected an address like ann@example.org"}}});
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
    return out;
}

Account view_of(State const& s, AccountId id) {
    auto const& row = s.account(id);
    Account out;
    out.id = id, out.kind = row.flags & is_service ? Kind::service : Kind::person, out.name = s.names.text(row.name);
    out.login = s.logins.text(row.first_login), out.state = state_of(row);
    for (auto n = out.kind == Kind::person ? row.first_login : 0; n != 0; n = s.login(n).next)
        out.emails.push_back({std::string(s.logins.text(n)), s.login(n).verified != 0, false});
    if (auto const* pending = s.pending.find(id))
        for (auto const& p : pending->emails)
            if (s.by_login(p.email) != id) out.emails.push_back({p.email.str(), false, true});
    out.scopes = texts_of(s.words.text(row.scopes)), out.teams = texts_of(s.words.text(row.teams));
    out.sees_all = row.flags & sees_all, out.has_password = row.password != 0;
    auto const* codes = s.codes.find(id);
    out.has_codes = codes && codes->on;
    if (row.owner) out.owner = AccountId{row.owner};
    if (row.merged_into) out.merged_into = AccountId{row.merged_into};
    if (row.locked_until_us) out.locked_until = Time{row.locked_until_us};
    out.created_at = {row.created_us}, out.changed_at = {row.changed_us};
    return out;
}

Result<Account> show(State const& s, ById const& in, Ctx const&) {
    TRY_VOID(existing(s, in.id));
    return view_of(s, in.id);
}

Result<UserV1> show_v1(State const& s, ById const& in, Ctx const&) {
    TRY_VOID(existing(s, in.id));
    return v1_of(s, in.id);
}

Result<Account> me(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    return view_of(s, id);
}

Result<Page<Account>> list(State const& s, AccountFilter const& in, Ctx const&) {
    auto fits = [&](AccountId id) {
        auto const& row = s.accounts[id.n - 1];
        if (in.kind && (*in.kind == Kind::service) != bool(row.flags & is_service)) return false;
        if (in.state && *in.state != state_of(row)) return false;
        return !in.owner || in.owner->n == row.owner;
    };
    if (in.login) {
        s.marks.looked_at_all();
        Page<Account> page;
        std::string small = in.login->str();
        std::ranges::transform(small, small.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
        auto const id = s.by_login(small);
        if (id && fits(id)) page.items.push_back(view_of(s, id));
        return page;
    }
    return page_of<Account>(s, in.cursor, in.limit, [&](AccountId id) { return fits(id) ? std::optional(view_of(s, id)) : std::nullopt; });
}

Result<Page<UserV1>> list_v1(State const& s, UserFilterV1 const& in, Ctx const&) {
    return page_of<UserV1>(s, in.cursor, in.limit, [&](AccountId id) {
        bool const person = !(s.accounts[id.n - 1].flags & (is_service | is_merged));
        return person ? std::optional(v1_of(s, id)) : std::nullopt;
    });
}

Result<ToHash> to_create(State const&, NewAccount const& in, Ctx const& cx) {
    ToHash out{cost_of(cx.configured<Settings>()), {}};
    if (!in.password) return out;
    if (in.kind == Kind::service) return fail(422, "service_has_tokens", "a service signs in by tokens, not by a password");
    out.password = in.password->value.str();
    return out;
}

namespace {

Result<std::string> packed(ToHash const& what) {
    if (what.password.empty()) return std::string();
    auto text = auth::password_hash(what.password, system_random(), what.cost);
    if (text) return auth::pack_verifier(*text);
    auto problem = std::move(text.error());
    if (problem.status == 400) problem.status = 422;
    return fail(std::move(problem));
}

std::vector<Event> with_password(Created const& e, std::string const& verifier) {
    std::vector<Event> events{e};
    if (!verifier.empty()) events.insert(events.end(), {PasswordSet{e.id}, Kept{Verifier::password, e.id.n, Bytes{verifier}}});
    return events;
}

}  // namespace

Result<std::string> hashed(ToHash const& what, NewAccount const&) { return packed(what); }
Result<std::string> hashed_setup(ToHash const& what, Setup const&) { return packed(what); }

Result<Changed> create(State const& s, NewAccount const& in, std::string const& verifier, Ctx const& cx) {
    auto const kind = in.kind.value_or(Kind::person);
    TRY_ASSIGN(auto const login, plain_login(kind, in.login));
    auto const scopes = in.scopes ? *in.scopes : kind == Kind::person ? usual_scopes(cx) : std::vector<ScopeText>{};
    TRY_VOID(check_scopes(scopes));
    if (kind == Kind::person && in.owner) return fail(422, "owner_unexpected", "a person has no owner");
    if (kind == Kind::service && !in.owner)
        return fail(
            {422, "owner_missing", "a service has an owner: a person who answers for it", {{"/owner", "expected an account's id"}}});
    if (in.owner) {
        TRY_ASSIGN(auto const owner, living(s, *in.owner));
        if (s.account(owner).flags & is_service) return fail(422, "owner_is_service", "the owner of a service is a person");
    }
    if (s.by_login(login)) return fail(taken());
    Created const made{s.next_account(), kind, in.name, Login(login), false, in.owner, scopes, in.sees_all.value_or(false)};
    return Changed{with_password(made, verifier), seen_after(s, made, cx, !verifier.empty()), 201};
}

Result<Emit<UserV1, Event>> create_v1(State const& s, NewUserV1 const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const email, plain_email(in.email));
    if (s.by_login(email)) return fail(taken());
    auto const name = in.name       ? *in.name
                      : in.username ? Name(in.username->view().substr(0, 120))
                                    : Name(std::string_view(email).substr(0, 120));
    Created const made{s.next_account(), Kind::person, name, Login(email), false, {}, usual_scopes(cx), false};
    return Emit<UserV1, Event>{{made}, {made.id, email, email, name.str(), AccountState::active, cx.now}, 201};
}

Result<ToHash> to_set_up(State const& s, Setup const& in, Ctx const& cx) {
    if (!codec::same_bytes(in.proof, setup_proof(*cx.hash_key)))
        return fail(403, "link_wrong", "this is not the link that the server printed");
    if (s.accounts.size() > 0) return fail(409, "already_set_up", "there is an account already: the link counts once");
    return ToHash{cost_of(cx.configured<Settings>()), in.password.value.str()};
}

Result<Changed> set_up(State const& s, Setup const& in, std::string const& verifier, Ctx const& cx) {
    if (s.accounts.size() > 0) return fail(409, "already_set_up", "there is an account already: the link counts once");
    TRY_ASSIGN(auto const email, plain_email(in.email));
    Created const made{s.next_account(), Kind::person, in.name, Login(email), false, {}, {ScopeText("*")}, true};
    return Changed{with_password(made, verifier), seen_after(s, made, cx, true), 201};
}

Result<Emit<Imported, Event>> import(State const& s, Import const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const email, plain_email(in.email));
    auto const hash = in.password_hash ? in.password_hash->view() : std::string_view();
    if (!hash.empty() && !auth::is_importable_hash(hash))
        return fail({422,
                     "hash_unknown",
                     "the hash is of no form that can be verified here, or of a cost that nobody can wait for",
                     {{"/password_hash", "expected $argon2id$, $2b$, $y$, $6$, $5$ or pbkdf2_sha256$"}}});
    if (s.by_login(email)) return fail(taken());
    Created const made{s.next_account(), Kind::person, in.name, Login(email), in.verified.value_or(false), {}, usual_scopes(cx), false};
    return Emit<Imported, Event>{with_password(made, hash.empty() ? std::string() : auth::pack_verifier(hash)), {made.id}, 201};
}

Result<Changed> rename(State const& s, Rename const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    auto out = view_of(s, id);
    if (out.name == in.name.view()) return Changed{{}, out};
    out.name = in.name.str(), out.changed_at = cx.now;
    return Changed{{Renamed{id, in.name}}, out};
}

Result<Changed> rename_self(State const& s, RenameSelf const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    return rename(s, {id, in.name}, cx);
}

// A merged account is never merged again, nor is anything merged into one, so no chain of them can close.
Result<Changed> merge(State const& s, Merge const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    TRY_ASSIGN(auto const into, living(s, in.into));
    if (id == into) return fail(422, "merge_into_itself", "an account can't be merged into itself");
    auto const kinds = (s.account(id).flags ^ s.account(into).flags) & is_service;
    if (kinds) return fail(422, "merge_of_kinds", "a person and a service can't be merged");
    auto out = view_of(s, into);
    auto const gone = view_of(s, id);
    if (out.emails.size() + gone.emails.size() > emails_max)
        return fail(409, "too_many_emails", "both together have more than 10 mail addresses: remove some first");
    for (auto const& email : gone.emails)
        if (!email.pending) out.emails.push_back(email);
    out.changed_at = cx.now;
    return Changed{{Merged{id, into}}, out};
}

Result<Changed> disable(State const& s, Disable const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    auto out = view_of(s, id);
    if (out.state == AccountState::disabled) return Changed{{}, out};
    out.state = AccountState::disabled, out.changed_at = cx.now;
    return Changed{{Disabled{id, in.note.value_or(Note())}}, out};
}

Result<Changed> enable(State const& s, ById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    auto out = view_of(s, id);
    if (out.state != AccountState::disabled) return Changed{{}, out};
    out.state = AccountState::active, out.changed_at = cx.now;
    return Changed{{Enabled{id}}, out};
}

Result<Changed> set_rights(State const& s, Rights const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    TRY_VOID(check_scopes(in.scopes));
    if (in.teams.size() > teams_max) return fail(422, "too_many_teams", "an account is in at most 100 teams");
    for (auto const& team : in.teams)
        if (!is_handle(team))
            return fail({422, "team_invalid", "a team's name is of a-z, 0-9, '.', '_' and '-'", {{"/teams", "found " + team.str()}}});
    auto out = view_of(s, id);
    auto const same = out.sees_all == in.sees_all && s.words.text(s.account(id).scopes) == lines_of(in.scopes) &&
                      s.words.text(s.account(id).teams) == lines_of(in.teams);
    if (same) return Changed{{}, out};
    out.scopes = texts_of(lines_of(in.scopes)), out.teams = texts_of(lines_of(in.teams)), out.sees_all = in.sees_all;
    out.changed_at = cx.now;
    return Changed{{RightsSet{id, in.scopes, in.teams, in.sees_all}}, out};
}

// An address that isn't proved yet is nobody's: so no answer says whether someone else has it.
Result<Changed> add_email(State const& s, OwnEmail const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    TRY_ASSIGN(auto const email, plain_email(in.email));
    if (s.account(id).flags & is_service) return fail(422, "service_has_no_email", "a service has a handle, and no mail address");
    auto out = view_of(s, id);
    auto const known = std::ranges::find_if(out.emails, [&](auto const& e) { return e.email == email; });
    if (known != out.emails.end() && known->verified) return Changed{{}, out};
    if (known == out.emails.end()) {
        if (out.emails.size() >= emails_max) return fail(409, "too_many_emails", "an account has at most 10 mail addresses");
        out.emails.push_back({email, false, true});
    }
    out.changed_at = cx.now;
    return Changed{{EmailAsked{id, Email(email)}, mail_of(id, email, cx.now, cx)}, out, 202};
}

Result<Changed> verify_email(State const& s, EmailProof const& in, Ctx const& cx) {
    auto const wrong = [] { return fail(403, "link_wrong", "this link was used already, is too old, or was never sent"); };
    if (!s.has(in.id) || s.account(in.id).flags & is_merged) return s.marks.looked_at_all(), wrong();
    auto const* pending = s.pending.find(in.id);
    if (!pending) return wrong();
    auto const known = std::ranges::find_if(pending->emails, [&](auto const& p) { return p.email == in.email; });
    if (known == pending->emails.end() || known->asked_at + link_lifetime <= cx.now) return wrong();
    auto const what = fmt::format("u_{} {} {}", in.id.n, known->email.view(), known->asked_at.us);
    if (!codec::same_bytes(in.proof, cx.proof_of("email", what))) return wrong();
    if (auto const owner = s.by_login(in.email); owner && owner != in.id) return fail(taken());
    auto out = view_of(s, in.id);
    for (auto& e : out.emails)
        if (e.email == in.email.view()) e.verified = true, e.pending = false;
    out.changed_at = cx.now;
    return Changed{{EmailVerified{in.id, in.email}}, out};
}

Result<Changed> remove_email(State const& s, OwnEmail const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    TRY_ASSIGN(auto const email, plain_email(in.email));
    auto out = view_of(s, id);
    auto const known = std::ranges::find_if(out.emails, [&](auto const& e) { return e.email == email; });
    if (known == out.emails.end()) return fail(404, "email_not_found", "the account has no such mail address");
    auto const counted = std::ranges::count_if(out.emails, [](auto const& e) { return !e.pending; });
    if (!known->pending && counted == 1) return fail(409, "email_last", "the last mail address of an account stays");
    out.emails.erase(known), out.login = out.emails.front().email, out.changed_at = cx.now;
    return Changed{{EmailRemoved{id, Email(email)}}, out};
}

}  // namespace gantry::accounts
