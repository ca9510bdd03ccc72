#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/password_prompt.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/auth/callers_file.h"
#include "kernel/codec/json.h"
#include "kernel/log/disk.h"
#include "kernel/runtime/sites.h"

// Edits DATA/<site>/callers.json, whether a server runs on it or not. Secrets never come by the command line, where every user of the
// machine can read them.
namespace gantry::app {
namespace {

struct AuthOptions {
    std::string data = "./data", site = "main", what;
    bool password = false, token = false, sees_all = false, json = false;
    std::string certificate, password_file, expires, note, overlap = "24h";
    std::vector<std::string> scopes, teams, addresses;
    double rate = 0;
    std::int64_t burst = 0, concurrent = 0;
};

struct AuthChanged {
    std::string name;
    std::vector<std::string> credentials;
    std::optional<std::string> token;
};
RECORD(AuthChanged, name, credentials, token);

struct ListedCredential {
    std::string id;
    auth::CredentialKind kind{};
    std::string state;
    std::optional<std::string> certificate;
    std::optional<Time> created_at, expires_at, revoked_at;
    std::string note;
};
RECORD(ListedCredential, id, kind, state, certificate, created_at, expires_at, revoked_at, note);
struct ListedCaller {
    std::string name;
    std::vector<std::string> scopes, teams, addresses;
    bool sees_all = false, disabled = false;
    std::optional<auth::RateRow> rate;
    std::optional<std::int64_t> concurrent;
    std::vector<ListedCredential> credentials;
};
RECORD(ListedCaller, name, scopes, teams, addresses, sees_all, disabled, rate, concurrent, credentials);

struct AuthChecked {
    bool ok = true;
    std::uint64_t callers = 0;
    std::vector<std::string> warnings;
    std::vector<std::string> faults;
};
RECORD(AuthChecked, ok, callers, warnings, faults);

std::string path_of(AuthOptions const& o) { return fmt::format("{}/{}/callers.json", o.data, o.site); }

int failed(Problem const& problem) { return complain(problem), exit_of(problem); }

// The file's text, or nothing where there is no file yet. What others may read is refused: the hashes of passwords can be tried.
Result<std::string> read_callers(AuthOptions const& o) {
    auto const path = path_of(o);
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0 && errno == ENOENT) return std::string();
    if (found.st_mode & 077)
        return fail(409, "callers_exposed",
                    fmt::format("{} can be read or written by others than its owner, run: chmod 600 {}", path, path));
    return log::read_file(log::system_disk(), path);
}

// A fault of the file as it is, in its own words.
Result<void> check_file(AuthOptions const& o, std::string const& text) {
    auto file = auth::parse_callers(text);
    if (file) return {};
    auto problem = std::move(file.error());
    problem.detail = fmt::format("{} is malformed", path_of(o));
    return fail(std::move(problem));
}

// What root makes belongs to whoever the data belongs to: the server must read it.
Result<void> hand_over(AuthOptions const& o) {
    struct stat data{};
    if (::geteuid() != 0 || ::stat(o.data.c_str(), &data) != 0 || data.st_uid == 0) return {};
    auto const site = fmt::format("{}/{}", o.data, o.site);
    for (auto const& path : {site, site + "/callers.json", site + "/callers.lock"})
        if (::lchown(path.c_str(), data.st_uid, data.st_gid) != 0 && errno != ENOENT)
            return fail(
                Problem{500, "disk_failed", fmt::format("{} can't be given to the owner of {}", path, o.data), {}, std::strerror(errno)});
    return {};
}

using Edit = std::function<Result<auth::Edited>(std::string const& text)>;

// Under the lock: read, edit, write beside, sync, rename.
Result<auth::Edited> edit_file(AuthOptions const& o, Edit const& edit) {
    auto& disk = log::system_disk();
    TRY_VOID(disk.make_directories(fmt::format("{}/{}", o.data, o.site)));
    TRY_ASSIGN(auto lock, disk.lock(fmt::format("{}/{}/callers.lock", o.data, o.site)));
    TRY_ASSIGN(auto const text, read_callers(o));
    TRY_VOID(check_file(o, text));
    auto edited = edit(text);
    if (!edited) {
        // The file was sound: what is wrong came by the command line.
        if (edited.error().code == "callers_invalid" || edited.error().code == "password_unusable") edited.error().code = "usage";
        return edited;
    }
    TRY_VOID(log::write_file_durably(disk, path_of(o), edited->text, log::Open::create_private));
    TRY_VOID(hand_over(o));
    return edited;
}

// A new token goes to standard output alone, so that it can be piped; what is said about it goes beside.
int tell(AuthOptions const& o, auth::Edited const& edited, std::string const& said) {
    if (o.json) {
        AuthChanged out{edited.name, edited.credentials, {}};
        if (!edited.secret.empty()) out.token = edited.secret;
        return print(codec::to_json(out) + "\n") ? exit_ok : exit_failed;
    }
    if (edited.secret.empty()) return print(said + "\n") ? exit_ok : exit_failed;
    fmt::print(stderr, "{}. This token is shown once and kept nowhere:\n", said);
    return print(edited.secret + "\n") ? exit_ok : exit_failed;
}

// A server that runs on the data takes the change before this ends.
int change(AuthOptions const& o, Edit const& edit, std::function<std::string(auth::Edited const&)> const& said) {
    auto edited = edit_file(o, edit);
    if (!edited) return failed(edited.error());
    if (auto const server = server_on(o.data)) {
        ServerOption const at;
        auto taken = ask_at(*server, {.server = at, .method = "POST", .target = "/_gantry/v1/callers/reload", .body = "{}"});
        if (!taken) {
            tell(o, *edited, said(*edited));
            complain("the file is changed, and the server that runs on it has not taken it: " + taken.error().detail);
            return exit_failed;
        }
    }
    return tell(o, *edited, said(*edited));
}

Result<std::optional<Time>> parse_expiry(std::string const& text, Time now) {
    if (text.empty()) return std::nullopt;
    auto at = parse_time(text);
    if (!at)
        if (auto in = parse_duration(text)) at = now + *in;
    if (!at) return fail(400, "usage", fmt::format("--expires: expected a duration like 90d or an RFC 3339 time, found '{}'", text));
    if (*at <= now) return fail(400, "usage", "--expires: the time has passed");
    return *at;
}

Result<auth::NewCredential> asked_credential(AuthOptions const& o, auth::CredentialKind kind) {
    auth::NewCredential out;
    out.kind = kind, out.certificate = o.certificate, out.note = o.note;
    TRY_ASSIGN(out.expires_at, parse_expiry(o.expires, system_clock().wall()));
    if (kind == auth::CredentialKind::password) {
        TRY_ASSIGN(out.password, read_password(o.password_file));
    }
    return out;
}

auth::CallerChange asked_change(AuthOptions const& o) {
    auth::CallerChange out;
    if (!o.scopes.empty()) out.scopes = o.scopes;
    if (!o.teams.empty()) out.teams = o.teams;
    if (!o.addresses.empty()) out.addresses = o.addresses;
    if (o.sees_all) out.sees_all = true;
    if (o.rate > 0) out.rate = auth::RateRow{o.rate, o.burst > 0 ? o.burst : std::max<std::int64_t>(1, std::int64_t(o.rate))};
    if (o.concurrent > 0) out.concurrent = o.concurrent;
    return out;
}

std::string until(AuthOptions const& o) { return o.expires.empty() ? "" : fmt::format(", until {}", o.expires); }

int add(AuthOptions const& o) {
    bool const password = o.password || !o.password_file.empty(), certificate = !o.certificate.empty();
    if (password + certificate + o.token > 1) return complain("say --password, --token or --certificate, one of them"), exit_usage;
    if (o.burst > 0 && o.rate == 0) return complain("--burst goes with --rate"), exit_usage;
    auto const kind = password      ? auth::CredentialKind::password
                      : certificate ? auth::CredentialKind::certificate
                                    : auth::CredentialKind::token;
    auto const credential = asked_credential(o, kind);
    if (!credential) return failed(credential.error());
    return change(
        o,
        [&](std::string const& text) {
            return auth::add_credential(text, o.what, asked_change(o), *credential, system_clock().wall(), system_random());
        },
        [&](auth::Edited const& e) {
            return fmt::format("{} has the {} {}{}", e.name,
                               kind == auth::CredentialKind::certificate ? "certificate"
                               : password                                ? "password"
                                                                         : "token",
                               e.credentials.front(), until(o));
        });
}

int rotate(AuthOptions const& o) {
    auto const overlap = parse_duration(o.overlap);
    if (!overlap) return complain(fmt::format("--overlap: {}", overlap.error().detail)), exit_usage;
    auto const text = read_callers(o);
    if (!text) return failed(text.error());
    if (auto sound = check_file(o, *text); !sound) return failed(sound.error());
    auto const kind = auth::kind_to_rotate(*text, o.what, system_clock().wall());
    if (!kind) return failed(kind.error());
    if (*kind == auth::CredentialKind::certificate && o.certificate.empty())
        return complain("name the new certificate: --certificate CN"), exit_usage;
    auto const credential = asked_credential(o, *kind);
    if (!credential) return failed(credential.error());
    return change(
        o,
        [&](std::string const& now_text) {
            return auth::rotate_credential(now_text, o.what, *credential, *overlap, system_clock().wall(), system_random());
        },
        [&](auth::Edited const& e) {
            return fmt::format("{} has {}; {} is valid for another {}", e.name, e.credentials[0], e.credentials[1],
                               format_duration(*overlap));
        });
}

int revoke(AuthOptions const& o) {
    return change(
        o, [&](std::string const& text) { return auth::revoke_credential(text, o.what, system_clock().wall()); },
        [](auth::Edited const& e) {
            std::string ids;
            for (auto const& id : e.credentials) ids += " " + id;
            return ids.empty() ? fmt::format("{} had nothing to revoke", e.name) : fmt::format("{}: revoked{}", e.name, ids);
        });
}

int forget(AuthOptions const& o) {
    return change(
        o, [&](std::string const& text) { return auth::remove_caller(text, o.what); },
        [](auth::Edited const& e) { return fmt::format("{} is no caller any more", e.name); });
}

int set_state(AuthOptions const& o, auth::CallerState state) {
    return change(
        o, [&](std::string const& text) { return auth::set_caller_state(text, o.what, state); },
        [&](auth::Edited const& e) {
            return fmt::format("{} is {}", e.name, state == auth::CallerState::disabled ? "disabled" : "enabled");
        });
}

Result<auth::CallersFile> sound_file(AuthOptions const& o) {
    TRY_ASSIGN(auto const text, read_callers(o));
    TRY_VOID(check_file(o, text));
    return auth::parse_callers(text);
}

std::string state_of(auth::CallerRow const& caller, auth::CredentialRow const& c, Time now) {
    if (c.revoked_at && *c.revoked_at <= now) return "revoked";
    if (c.expires_at && *c.expires_at <= now) return "expired";
    return caller.disabled ? "disabled" : "active";
}

std::string joined(std::vector<std::string> const& parts) {
    std::string out;
    for (auto const& part : parts) out += (out.empty() ? "" : ",") + part;
    return out.empty() ? "-" : out;
}

std::string render(auth::CallersFile const& file, Time now) {
    std::vector<std::vector<std::string>> rows;
    for (auto const& caller : file.callers) {
        auto row = [&](std::string id, std::string kind, std::string state, std::string expires, std::string note) {
            rows.push_back({caller.name, std::move(id), std::move(kind), std::move(state), std::move(expires), joined(caller.scopes),
                            joined(caller.teams), joined(caller.addresses), std::move(note)});
        };
        if (caller.credentials.empty()) row("-", "-", caller.disabled ? "disabled" : "-", "-", "");
        for (auto const& c : caller.credentials)
            row(c.id, codec::encode_scalar(codec::type_of<auth::CredentialKind>(), &*c.kind), state_of(caller, c, now),
                c.expires_at ? format_time(*c.expires_at) : "-", c.certificate ? fmt::format("{} {}", *c.certificate, c.note) : c.note);
    }
    return table({"CALLER", "CREDENTIAL", "KIND", "STATE", "EXPIRES", "SCOPES", "TEAMS", "ADDRESSES", "NOTE"}, rows);
}

std::vector<ListedCaller> listed(auth::CallersFile const& file, Time now) {
    std::vector<ListedCaller> out;
    for (auto const& r : file.callers) {
        out.push_back({r.name, r.scopes, r.teams, r.addresses, r.sees_all, r.disabled, r.rate, r.concurrent, {}});
        for (auto const& c : r.credentials)
            out.back().credentials.push_back(
                {c.id, *c.kind, state_of(r, c, now), c.certificate, c.created_at, c.expires_at, c.revoked_at, c.note});
    }
    return out;
}

int list(AuthOptions const& o) {
    auto file = sound_file(o);
    if (!file) return failed(file.error());
    auto const now = system_clock().wall();
    if (o.json) return print(codec::to_json(listed(*file, now)) + "\n") ? exit_ok : exit_failed;
    if (file->callers.empty()) return complain(fmt::format("there is no caller in {}", path_of(o))), exit_ok;
    return print(render(*file, now)) ? exit_ok : exit_failed;
}

std::vector<std::string> warnings(auth::CallersFile const& file, Time now) {
    std::vector<std::string> out;
    auto const soon = now + Duration::days(14);
    for (auto const& caller : file.callers) {
        if (caller.scopes.empty()) out.push_back(fmt::format("{} has no scope: it may do only what is open to all", caller.name));
        bool active = false;
        for (auto const& c : caller.credentials) {
            if (!c.is_active(now)) continue;
            active = true;
            if (c.expires_at && *c.expires_at <= soon)
                out.push_back(fmt::format("{}: {} expires at {}", caller.name, c.id, format_time(*c.expires_at)));
        }
        if (!active) out.push_back(fmt::format("{} has no credential that is valid", caller.name));
    }
    return out;
}

int check(AuthOptions const& o) {
    auto file = sound_file(o);
    AuthChecked out;
    if (file) {
        out.callers = file->callers.size(), out.warnings = warnings(*file, system_clock().wall());
    } else {
        out.ok = false;
        for (auto const& f : file.error().faults) out.faults.push_back(fmt::format("{}: {}", f.pointer, f.detail));
        if (out.faults.empty()) out.faults.push_back(file.error().detail);
    }
    int const code = file ? int(exit_ok) : int(exit_of(file.error()));
    if (o.json) return print(codec::to_json(out) + "\n") ? code : exit_failed;
    if (!file) return failed(file.error());
    for (auto const& warning : out.warnings) complain(warning);
    return print(fmt::format("{} is good: {} callers.\n", path_of(o), out.callers)) ? exit_ok : exit_failed;
}

class Verbs {
   public:
    Verbs(CLI::App& parent, Action& action) : parent_(parent), action_(action) {}
    CLI::App* add(std::string const& name, std::string const& about, std::shared_ptr<AuthOptions> const& o,
                  std::function<int(AuthOptions const&)> run) {
        auto* sub = parent_.add_subcommand(name, about);
        sub->add_option("--data", o->data, "Directory of all data.")
            ->type_name("DIR")
            ->envname("GANTRY_SERVER_DATA")
            ->capture_default_str();
        sub->add_option("--site", o->site, "Site.")->capture_default_str();
        sub->add_flag("--json", o->json, "As JSON.");
        sub->callback([&action = action_, o, run = std::move(run)] {
            action = [o, run] {
                if (auto site = runtime::check_site_names(std::span(&o->site, 1)); !site) return failed(site.error());
                return run(*o);
            };
        });
        return sub;
    }
    // With the caller or the credential that it is about.
    CLI::App* add_about(std::string const& name, std::string const& about, std::string const& what, std::string const& what_about,
                        std::function<int(AuthOptions const&)> run) {
        options_ = std::make_shared<AuthOptions>();
        auto* sub = add(name, about, options_, std::move(run));
        sub->add_option(what, options_->what, what_about)->required();
        return sub;
    }
    AuthOptions& options() { return *options_; }

   private:
    CLI::App& parent_;
    Action& action_;
    std::shared_ptr<AuthOptions> options_;
};

void add_secret_options(CLI::App& sub, AuthOptions& o) {
    sub.add_option("--certificate", o.certificate, "The name in a client's certificate.")->type_name("CN");
    sub.add_option("--password-file", o.password_file, "Take the password from the first line of this file.")->type_name("FILE");
    sub.add_option("--expires", o.expires, "When the new one ends: in 90d, or a time. Never, if not said.")->type_name("WHEN");
    sub.add_option("--note", o.note, "What it is for.")->type_name("TEXT");
}

}  // namespace

void add_auth(CLI::App& app, Action& action) {
    auto* command =
        app.add_subcommand("auth", "Who may call: callers, their tokens, passwords and certificates, in DATA/<site>/callers.json.");
    command->require_subcommand(1);
    Verbs verbs(*command, action);
    auto* adding =
        verbs.add_about("add", "A caller, or another credential of one. A new token is printed once.", "NAME", "The caller.", add);
    auto& o = verbs.options();
    adding->add_flag("--token", o.token, "A token; so it is when nothing else is said.");
    adding->add_flag("--password", o.password, "A password, read from standard input or asked for without echo.");
    add_secret_options(*adding, o);
    adding->add_option("--scope", o.scopes, "What it may do: tracker:write, tracker:*, *:read, *.")->type_name("SCOPE");
    adding->add_option("--team", o.teams, "A team it belongs to.")->type_name("TEAM");
    adding->add_option("--address", o.addresses, "From where it may come; anywhere, if not said.")->type_name("CIDR");
    adding->add_flag("--sees-all", o.sees_all, "It sees rows that services hide from others.");
    adding->add_option("--rate", o.rate, "Requests a second.")->check(CLI::PositiveNumber);
    adding->add_option("--burst", o.burst, "Requests at once after a rest.")->check(CLI::PositiveNumber);
    adding->add_option("--concurrent", o.concurrent, "Requests in the works.")->check(CLI::PositiveNumber);
    auto* rotating = verbs.add_about("rotate", "A new credential in place of an old one, with both valid for a while.", "WHAT",
                                     "A credential's id, or a caller with one credential.", rotate);
    add_secret_options(*rotating, verbs.options());
    rotating->add_option("--overlap", verbs.options().overlap, "How long the old one stays valid.")->capture_default_str();
    verbs.add_about("revoke", "End a credential, or all of a caller. It stays listed.", "WHAT", "A credential's id, or a caller.", revoke);
    verbs.add_about("remove", "Forget a caller and its credentials.", "NAME", "The caller.", forget);
    verbs.add_about("disable", "Let a caller in no more; its credentials stay.", "NAME", "The caller.",
                    [](AuthOptions const& with) { return set_state(with, auth::CallerState::disabled); });
    verbs.add_about("enable", "Let a disabled caller in again.", "NAME", "The caller.",
                    [](AuthOptions const& with) { return set_state(with, auth::CallerState::enabled); });
    verbs.add("ls", "Callers and credentials; no secret is kept that could be shown.", std::make_shared<AuthOptions>(), list);
    verbs.add("check", "Say whether serve would take the file, and what will end soon.", std::make_shared<AuthOptions>(), check);
}

}  // namespace gantry::app
