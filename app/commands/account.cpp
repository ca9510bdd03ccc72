#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/password_prompt.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/log/disk.h"
#include "services/accounts/credentials.h"

// gantry account, gantry token: the service `accounts` of a running server. Secrets never come by the command line.
namespace gantry::app {
namespace {

using accounts::Account;
using accounts::AccountId;

struct AccountOptions {
    ServerOption server;
    std::string who, name, into, owner, note, email, password_file, link, file, expires, overlap = "24h", kind;
    std::vector<std::string> scopes, teams;
    bool password = false, service = false, sees_all = false, json = false;
};
using Options = std::shared_ptr<AccountOptions>;

int failed(Problem const& problem) { return complain(problem), exit_of(problem); }

std::string json_text(std::string_view text) {
    std::string out;
    codec::append_json_string(out, text);
    return out;
}

std::string list_of(std::vector<std::string> const& texts) {
    std::string out = "[";
    for (auto const& text : texts) out += (out.size() > 1 ? "," : "") + json_text(text);
    return out + "]";
}

std::string joined(std::vector<std::string> const& parts) {
    std::string out;
    for (auto const& part : parts) out += (out.empty() ? "" : ",") + part;
    return out.empty() ? "-" : out;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-')
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    return out;
}

template <class T>
Result<T> call(AccountOptions const& o, std::string method, std::string target, std::string body = {}) {
    if (body.empty() && method != "GET" && method != "DELETE") body = "{}";
    TRY_ASSIGN(auto const answer, ask({o.server, std::move(method), std::move(target), std::move(body)}));
    return read_answer<T>(answer);
}

// "u_17", or what an account signs in by.
Result<std::string> id_of(AccountOptions const& o, std::string const& who) {
    if (who.starts_with("u_")) return who;
    TRY_ASSIGN(auto const page, call<Page<Account>>(o, "GET", "/accounts/v2/users?login=" + escaped(who)));
    if (page.items.empty()) return fail(404, "account_not_found", fmt::format("nobody signs in by '{}'", who));
    return fmt::format("u_{}", page.items.front().id.n);
}

std::string state_of(accounts::AccountState state) { return codec::encode_scalar(codec::type_of<accounts::AccountState>(), &state); }

int tell(AccountOptions const& o, Account const& a) {
    if (o.json) return print(codec::to_json(a) + "\n") ? exit_ok : exit_failed;
    std::string emails;
    for (auto const& e : a.emails)
        emails += fmt::format("{}{}{}", emails.empty() ? "" : ", ", e.email, e.pending ? " (pending)" : e.verified ? " (verified)" : "");
    std::string text = fmt::format("u_{}  {}  {}\n  {}\n  scopes {}\n  teams {}\n", a.id.n, a.login, state_of(a.state), a.name,
                                   joined(a.scopes), joined(a.teams));
    if (!emails.empty()) text += "  mail " + emails + "\n";
    if (a.owner) text += fmt::format("  owner u_{}\n", a.owner->n);
    if (a.merged_into) text += fmt::format("  merged into u_{}\n", a.merged_into->n);
    text += fmt::format("  password {}, codes {}, sees {}\n", a.has_password ? "yes" : "no", a.has_codes ? "yes" : "no",
                        a.sees_all ? "all" : "its own");
    return print(text) ? exit_ok : exit_failed;
}

// One request about WHO, and what the account is then.
int change(AccountOptions const& o, std::string const& method, std::string const& rest, std::string const& body) {
    auto const id = id_of(o, o.who);
    if (!id) return failed(id.error());
    auto const changed = call<Account>(o, method, "/accounts/v2/users/" + *id + rest, body);
    return changed ? tell(o, *changed) : failed(changed.error());
}

int add(AccountOptions const& o) {
    std::string body = fmt::format(R"({{"kind":"{}","name":{},"login":{})", o.service ? "service" : "person",
                                   json_text(o.name.empty() ? o.who : o.name), json_text(o.who));
    if (!o.scopes.empty()) body += R"(,"scopes":)" + list_of(o.scopes);
    if (o.sees_all) body += R"(,"sees_all":true)";
    if (!o.owner.empty()) {
        auto const owner = id_of(o, o.owner);
        if (!owner) return failed(owner.error());
        body += R"(,"owner":)" + json_text(*owner);
    }
    if (o.password || !o.password_file.empty()) {
        auto const password = read_password(o.password_file);
        if (!password) return failed(password.error());
        body += R"(,"password":)" + json_text(*password);
    }
    auto const made = call<Account>(o, "POST", "/accounts/v2/users", body + "}");
    return made ? tell(o, *made) : failed(made.error());
}

int list(AccountOptions const& o) {
    std::string cursor;
    std::vector<std::vector<std::string>> rows;
    do {
        auto const target = fmt::format("/accounts/v2/users?limit=1000{}{}", o.kind.empty() ? "" : "&kind=" + escaped(o.kind),
                                        cursor.empty() ? "" : "&cursor=" + cursor);
        auto const page = call<Page<Account>>(o, "GET", target);
        if (!page) return failed(page.error());
        for (auto const& a : page->items) {
            if (o.json && !print(codec::to_json(a) + "\n")) return exit_failed;
            rows.push_back({fmt::format("u_{}", a.id.n), a.login.empty() ? "-" : a.login,
                            a.kind == accounts::Kind::service ? "service" : "person", state_of(a.state), joined(a.scopes), joined(a.teams),
                            a.name});
        }
        cursor = page->next.value_or("");
    } while (!cursor.empty());
    if (o.json) return exit_ok;
    return print(table({"ID", "LOGIN", "KIND", "STATE", "SCOPES", "TEAMS", "NAME"}, rows)) ? exit_ok : exit_failed;
}

int show(AccountOptions const& o) { return change(o, "GET", "", ""); }
int rename(AccountOptions const& o) { return change(o, "PUT", "/name", fmt::format(R"({{"name":{}}})", json_text(o.name))); }
int disable(AccountOptions const& o) { return change(o, "POST", "/disable", fmt::format(R"({{"note":{}}})", json_text(o.note))); }
int enable(AccountOptions const& o) { return change(o, "POST", "/enable", "{}"); }
int codes_off(AccountOptions const& o) { return change(o, "DELETE", "/codes", ""); }

int merge(AccountOptions const& o) {
    auto const into = id_of(o, o.into);
    return into ? change(o, "POST", "/merge", fmt::format(R"({{"into":{}}})", json_text(*into))) : failed(into.error());
}

int rights(AccountOptions const& o) {
    return change(o, "PUT", "/rights",
                  fmt::format(R"({{"scopes":{},"teams":{},"sees_all":{}}})", list_of(o.scopes), list_of(o.teams), o.sees_all));
}

int password(AccountOptions const& o) {
    auto const given = read_password(o.password_file);
    if (!given) return failed(given.error());
    return change(o, "PUT", "/password", fmt::format(R"({{"password":{}}})", json_text(*given)));
}

int sign_out(AccountOptions const& o) {
    auto const id = id_of(o, o.who);
    if (!id) return failed(id.error());
    auto const ended = call<accounts::Ended>(o, "DELETE", "/accounts/v2/users/" + *id + "/sessions");
    if (!ended) return failed(ended.error());
    if (o.json) return print(codec::to_json(*ended) + "\n") ? exit_ok : exit_failed;
    return print(fmt::format("{} sessions ended\n", ended->ended)) ? exit_ok : exit_failed;
}

int set_up(AccountOptions const& o) {
    auto const at = o.link.find("/#/setup/");
    if (at == o.link.npos) return complain("LINK: expected the line that serve printed, http://…/#/setup/…"), exit_usage;
    auto const given = read_password(o.password_file);
    if (!given) return failed(given.error());
    AccountOptions there = o;
    there.server.url = o.link.substr(0, at);
    auto const body = fmt::format(R"({{"proof":{},"name":{},"email":{},"password":{}}})", json_text(o.link.substr(at + 9)),
                                  json_text(o.name.empty() ? o.email : o.name), json_text(o.email), json_text(*given));
    auto const made = call<Account>(there, "POST", "/accounts/v1/setup", body);
    return made ? tell(o, *made) : failed(made.error());
}

// --- tokens --------------------------------------------------------------------------------------------------------------------

// The secret alone on standard output, so that it can be piped; what is said about it goes beside.
int tell_issued(AccountOptions const& o, accounts::Issued const& issued) {
    if (o.json) return print(codec::to_json(issued) + "\n") ? exit_ok : exit_failed;
    auto const& t = issued.token;
    fmt::print(stderr, "u_{} has the token t{}, until {}. It is shown once and kept nowhere:\n", t.account.n, t.id.n,
               t.expires_at ? format_time(*t.expires_at) : "for ever");
    if (issued.before) fmt::print(stderr, "t{} is valid until {}.\n", issued.before->id.n, format_time(*issued.before->expires_at));
    return print(issued.secret.value.str() + "\n") ? exit_ok : exit_failed;
}

Result<std::string> expiry_of(std::string const& text) {
    if (text.empty()) return std::string();
    auto at = parse_time(text);
    if (!at)
        if (auto in = parse_duration(text)) at = system_clock().wall() + *in;
    if (!at) return fail(400, "usage", fmt::format("--expires: expected a duration like 90d or an RFC 3339 time, found '{}'", text));
    return R"(,"expires_at":)" + json_text(format_time(*at));
}

int token_add(AccountOptions const& o) {
    auto const expires = expiry_of(o.expires);
    if (!expires) return failed(expires.error());
    auto const id = id_of(o, o.who);
    if (!id) return failed(id.error());
    auto body = fmt::format(R"({{"name":{}{})", json_text(o.name.empty() ? "token" : o.name), *expires);
    if (!o.scopes.empty()) body += R"(,"scopes":)" + list_of(o.scopes);
    auto const issued = call<accounts::Issued>(o, "POST", "/accounts/v2/users/" + *id + "/tokens", body + "}");
    return issued ? tell_issued(o, *issued) : failed(issued.error());
}

int token_rotate(AccountOptions const& o) {
    auto const expires = expiry_of(o.expires);
    if (!expires) return failed(expires.error());
    auto const body = fmt::format(R"({{"overlap":{}{}}})", json_text(o.overlap), *expires);
    auto const issued = call<accounts::Issued>(o, "POST", "/accounts/v2/tokens/" + escaped(o.who) + "/rotate", body);
    return issued ? tell_issued(o, *issued) : failed(issued.error());
}

int token_revoke(AccountOptions const& o) {
    auto const revoked = call<accounts::TokenView>(o, "DELETE", "/accounts/v2/tokens/" + escaped(o.who));
    if (!revoked) return failed(revoked.error());
    if (o.json) return print(codec::to_json(*revoked) + "\n") ? exit_ok : exit_failed;
    return print(fmt::format("t{} of u_{} is revoked\n", revoked->id.n, revoked->account.n)) ? exit_ok : exit_failed;
}

int token_list(AccountOptions const& o) {
    auto const id = id_of(o, o.who);
    if (!id) return failed(id.error());
    auto const page = call<Page<accounts::TokenView>>(o, "GET", "/accounts/v2/users/" + *id + "/tokens?limit=1000");
    if (!page) return failed(page.error());
    std::vector<std::vector<std::string>> rows;
    for (auto const& t : page->items) {
        if (o.json && !print(codec::to_json(t) + "\n")) return exit_failed;
        rows.push_back({fmt::format("t{}", t.id.n), codec::encode_scalar(codec::type_of<accounts::TokenState>(), &t.state),
                        t.expires_at ? format_time(*t.expires_at) : "-", t.used_at ? format_time(*t.used_at) : "-", joined(t.scopes),
                        t.name});
    }
    if (o.json) return exit_ok;
    return print(table({"ID", "STATE", "EXPIRES", "USED", "SCOPES", "NAME"}, rows)) ? exit_ok : exit_failed;
}

// --- the commands --------------------------------------------------------------------------------------------------------------

class Verbs {
   public:
    Verbs(CLI::App& command, Action& action) : command_(command), action_(action) {}
    CLI::App* add(std::string const& name, std::string const& what, Options o, int (*run)(AccountOptions const&)) {
        auto* verb = command_.add_subcommand(name, what);
        add_server_option(*verb, o->server);
        verb->add_flag("--json", o->json, "For programs: JSON, an object a line.");
        verb->callback([&action = action_, o, run] { action = [o, run] { return run(*o); }; });
        return verb;
    }
    // About one account.
    CLI::App* about(std::string const& name, std::string const& what, Options o, int (*run)(AccountOptions const&)) {
        auto* verb = add(name, what, o, run);
        verb->add_option("WHO", o->who, "An account: u_17, a mail address, or a service's handle.")->required();
        return verb;
    }

   private:
    CLI::App& command_;
    Action& action_;
};

Options options() { return std::make_shared<AccountOptions>(); }

void add_scopes(CLI::App& verb, AccountOptions& o) {
    verb.add_option("--scope", o.scopes, "What it may do: tracker:write, tracker:*, *:read, *.")->type_name("SCOPE");
}
void add_password_file(CLI::App& verb, AccountOptions& o) {
    verb.add_option("--password-file", o.password_file, "The password is the first line of this file; else it is asked for.")
        ->type_name("FILE");
}

void add_making(Verbs& verbs) {
    auto o = options();
    auto* made = verbs.add("add", "A person, or with --service a machine that a person answers for.", o, add);
    made->add_option("LOGIN", o->who, "A mail address; of a service its handle.")->required();
    made->add_option("--name", o->name, "What it is called; else as it signs in.")->type_name("TEXT");
    made->add_flag("--service", o->service, "A machine: it signs in by tokens alone.");
    made->add_option("--owner", o->owner, "Who answers for a service.")->type_name("WHO");
    made->add_flag("--password", o->password, "With a password, read from standard input or asked for without echo.");
    made->add_flag("--sees-all", o->sees_all, "It sees rows that services hide from others.");
    add_scopes(*made, *o), add_password_file(*made, *o);
    o = options();
    auto* first = verbs.add("setup", "The first account, by the link that serve printed; it may do everything.", o, set_up);
    first->add_option("LINK", o->link, "http://…/#/setup/…")->required();
    first->add_option("--email", o->email, "By what it signs in.")->required()->type_name("ADDRESS");
    first->add_option("--name", o->name, "What it is called.")->type_name("TEXT");
    add_password_file(*first, *o);
}

}  // namespace

void add_account(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("account", "Accounts: people and services, what they may do, and what they sign in with.");
    command->require_subcommand(1);
    Verbs verbs(*command, action);
    add_making(verbs);
    auto o = options();
    verbs.add("list", "All accounts.", o, list)->alias("ls")->add_option("--kind", o->kind, "person or service.");
    verbs.about("show", "One account.", options(), show);
    o = options();
    verbs.about("rename", "Another name.", o, rename)->add_option("NAME", o->name, "The new name.")->required();
    o = options();
    verbs.about("merge", "All that it has belongs to another one; it signs in no more.", o, merge)
        ->add_option("--into", o->into, "The one that stays.")
        ->required()
        ->type_name("WHO");
    o = options();
    verbs.about("disable", "Let it in no more: sessions end, tokens rest.", o, disable)->add_option("--note", o->note, "Why.");
    verbs.about("enable", "Let it in again.", options(), enable);
    o = options();
    auto* setting = verbs.about("rights", "What it may do, in place of what it might before.", o, rights);
    setting->add_option("--team", o->teams, "A team it belongs to.")->type_name("TEAM");
    setting->add_flag("--sees-all", o->sees_all, "It sees rows that services hide from others.");
    add_scopes(*setting, *o);
    o = options();
    add_password_file(*verbs.about("password", "Another password; its sessions end.", o, password), *o);
    verbs.about("codes-off", "Ask it for no codes any more: its device was lost.", options(), codes_off);
    verbs.about("sign-out", "End all its sessions.", options(), sign_out);
    add_account_tools(*command, action);
}

void add_token(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("token", "Tokens of accounts: named, scoped, ending, told once.");
    command->require_subcommand(1);
    Verbs verbs(*command, action);
    auto o = options();
    auto* made = verbs.about("add", "A token, printed once.", o, token_add);
    made->add_option("--name", o->name, "What it is for.")->type_name("TEXT");
    made->add_option("--expires", o->expires, "Its end: 90d, or a time.")->type_name("WHEN");
    add_scopes(*made, *o);
    verbs.about("list", "The tokens of an account; no secret is kept that could be shown.", options(), token_list)->alias("ls");
    o = options();
    auto* rotating = verbs.add("rotate", "A new token in place of an old one, with both valid for a while.", o, token_rotate);
    rotating->add_option("TOKEN", o->who, "Its id: t17.")->required();
    rotating->add_option("--overlap", o->overlap, "How long the old one stays valid.")->capture_default_str();
    rotating->add_option("--expires", o->expires, "The end of the new one.")->type_name("WHEN");
    o = options();
    verbs.add("revoke", "End a token at once.", o, token_revoke)->add_option("TOKEN", o->who, "Its id: t17.")->required();
}

}  // namespace gantry::app
