#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "services/accounts/oidc_keys.h"
#include "services/accounts/oidc_tools.h"

// gantry account tool, gantry account oidc-key: who people sign in to by their account here.
namespace gantry::app {
namespace {

struct ToolOptions {
    ServerOption server;
    std::string tool, home, backchannel, overlap = "24h";
    std::vector<std::string> redirects, after_logout, teams, scopes;
    bool is_public = false, json = false;
};
using Options = std::shared_ptr<ToolOptions>;

int failed(Problem const& problem) { return complain(problem), exit_of(problem); }

template <class T>
Result<T> call(ToolOptions const& o, std::string method, std::string target, std::string body = {}) {
    TRY_ASSIGN(auto const answer, ask({o.server, std::move(method), std::move(target), std::move(body)}));
    return read_answer<T>(answer);
}

std::string text_of(std::string_view text) {
    std::string out;
    codec::append_json_string(out, text);
    return out;
}
std::string list_of(std::vector<std::string> const& texts) {
    std::string out = "[";
    for (auto const& text : texts) out += (out.size() > 1 ? "," : "") + text_of(text);
    return out + "]";
}
std::string joined(std::vector<std::string> const& parts) {
    std::string out;
    for (auto const& part : parts) out += (out.empty() ? "" : ",") + part;
    return out.empty() ? "-" : out;
}

// The secret alone on standard output, so that it can be piped.
int tell_made(ToolOptions const& o, accounts::MadeTool const& made) {
    if (o.json) return print(codec::to_json(made) + "\n") ? exit_ok : exit_failed;
    fmt::print(stderr, "{} has the client_id {}.{}\n", made.tool.name, made.tool.client_id,
               made.secret ? " Its secret is shown once and kept nowhere:" : " It is public: it has no secret.");
    if (made.tool.old_secret_until) fmt::print(stderr, "The old one is valid until {}.\n", format_time(*made.tool.old_secret_until));
    return !made.secret || print(made.secret->value.str() + "\n") ? exit_ok : exit_failed;
}

int add(ToolOptions const& o) {
    auto body = fmt::format(R"({{"name":{},"home":{},"redirect_uris":{},"after_logout_uris":{},"is_public":{},"teams":{},"scopes":{})",
                            text_of(o.tool), text_of(o.home), list_of(o.redirects), list_of(o.after_logout), o.is_public, list_of(o.teams),
                            list_of(o.scopes));
    if (!o.backchannel.empty()) body += R"(,"backchannel_logout_uri":)" + text_of(o.backchannel);
    auto const made = call<accounts::MadeTool>(o, "POST", "/accounts/v1/tools", body + "}");
    return made ? tell_made(o, *made) : failed(made.error());
}

int rotate(ToolOptions const& o) {
    auto const body = fmt::format(R"({{"overlap":{}}})", text_of(o.overlap));
    auto const made = call<accounts::MadeTool>(o, "POST", "/accounts/v1/tools/" + accounts::percent_encoded(o.tool) + "/rotate", body);
    return made ? tell_made(o, *made) : failed(made.error());
}

int remove(ToolOptions const& o) {
    auto const gone = call<accounts::ToolView>(o, "DELETE", "/accounts/v1/tools/" + accounts::percent_encoded(o.tool));
    if (!gone) return failed(gone.error());
    if (o.json) return print(codec::to_json(*gone) + "\n") ? exit_ok : exit_failed;
    return print(fmt::format("{} ({}) is removed\n", gone->client_id, gone->name)) ? exit_ok : exit_failed;
}

int list(ToolOptions const& o) {
    auto const page = call<Page<accounts::ToolView>>(o, "GET", "/accounts/v1/tools?limit=1000");
    if (!page) return failed(page.error());
    std::vector<std::vector<std::string>> rows;
    for (auto const& t : page->items) {
        if (o.json && !print(codec::to_json(t) + "\n")) return exit_failed;
        rows.push_back({t.client_id, t.is_public ? "public" : "secret", joined(t.teams), joined(t.scopes), t.home, t.name});
    }
    if (o.json) return exit_ok;
    return print(table({"ID", "KIND", "TEAMS", "SCOPES", "HOME", "NAME"}, rows)) ? exit_ok : exit_failed;
}

int list_keys(ToolOptions const& o) {
    auto const page = call<Page<accounts::SigningKeyView>>(o, "GET", "/accounts/v1/oidc-keys");
    if (!page) return failed(page.error());
    std::vector<std::vector<std::string>> rows;
    for (auto const& k : page->items) {
        if (o.json && !print(codec::to_json(k) + "\n")) return exit_failed;
        rows.push_back({fmt::format("key_{}", k.id.n), k.until ? "shown" : "signs", format_time(k.made_at),
                        k.until ? format_time(*k.until) : "-", k.kid});
    }
    if (o.json) return exit_ok;
    return print(table({"ID", "STATE", "MADE", "UNTIL", "KID"}, rows)) ? exit_ok : exit_failed;
}

int rotate_key(ToolOptions const& o) {
    auto const asked = call<accounts::KeyAsked>(o, "POST", "/accounts/v1/oidc-keys/rotate", "{}");
    if (!asked) return failed(asked.error());
    if (o.json) return print(codec::to_json(*asked) + "\n") ? exit_ok : exit_failed;
    return print("a new key is being made; `gantry account oidc-key list` shows it\n") ? exit_ok : exit_failed;
}

CLI::App* verb_of(CLI::App& command, Action& action, std::string const& name, std::string const& what, Options o,
                  int (*run)(ToolOptions const&)) {
    auto* verb = command.add_subcommand(name, what);
    add_server_option(*verb, o->server);
    verb->add_flag("--json", o->json, "For programs: JSON, an object a line.");
    verb->callback([&action, o, run] { action = [o, run] { return run(*o); }; });
    return verb;
}
Options options() { return std::make_shared<ToolOptions>(); }

}  // namespace

void add_account_tools(CLI::App& account, Action& action) {
    auto* tool = account.add_subcommand("tool", "Tools that people sign in to by their account here (OpenID Connect).");
    tool->require_subcommand(1);
    auto o = options();
    auto* made = verb_of(*tool, action, "add", "Register a tool; its secret is printed once.", o, add);
    made->add_option("NAME", o->tool, "What people call it.")->required();
    made->add_option("--home", o->home, "Its first page.")->required()->type_name("URL");
    made->add_option("--redirect", o->redirects, "Where people may be sent back to, to the letter.")->required()->type_name("URL");
    made->add_option("--after-logout", o->after_logout, "Where they may be sent after signing out.")->type_name("URL");
    made->add_option("--backchannel-logout", o->backchannel, "Where it is told that somebody signed out.")->type_name("URL");
    made->add_flag("--public", o->is_public, "It can keep no secret: a page, a program on a desk.");
    made->add_option("--team", o->teams, "Whose members may use it; without this and --scope everyone may.")->type_name("TEAM");
    made->add_option("--scope", o->scopes, "And who has one of these.")->type_name("SCOPE");
    verb_of(*tool, action, "list", "The registered tools.", options(), list)->alias("ls");
    o = options();
    auto* rotating = verb_of(*tool, action, "rotate", "A new secret, with both valid for a while.", o, rotate);
    rotating->add_option("TOOL", o->tool, "Its client_id: tl_3.")->required();
    rotating->add_option("--overlap", o->overlap, "How long the old one stays valid.")->capture_default_str();
    o = options();
    verb_of(*tool, action, "remove", "Let nobody in to it any more.", o, remove)
        ->add_option("TOOL", o->tool, "Its client_id: tl_3.")
        ->required();
    auto* key = account.add_subcommand("oidc-key", "The keys that ID tokens are signed with.");
    key->require_subcommand(1);
    verb_of(*key, action, "list", "Those that tokens may be verified with.", options(), list_keys)->alias("ls");
    verb_of(*key, action, "rotate", "A new key; the old one is shown until its tokens have expired.", options(), rotate_key);
}

}  // namespace gantry::app
