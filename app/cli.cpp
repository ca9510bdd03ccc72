#include "app/cli.h"

#include <fmt/format.h>

#include <array>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <string>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/terminal.h"
#include "app/version.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

constexpr char const* exit_codes =
    "Exit codes:\n"
    "  0  done\n"
    "  1  failed; standard error says why. rehearse: or the binaries differ; replay: or it went otherwise; doctor: or it\n"
    "     found a problem\n"
    "  2  wrong usage or configuration; nothing was done\n"
    "  3  done but for malformed input, each place of which was named\n"
    "  4  the data was refused: locked, damaged, of another version, on a network file system\n"
    "  5  no answer from the server\n"
    " 74  serve: a write or sync of the log failed; what was acknowledged is on disk\n";

void declare(CLI::App& app, Action& action) {
    app.footer(exit_codes);
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", fmt::format("gantry {}", version()), "The same as gantry version.");
    add_serve(app, action);
    add_fake(app, action);
    add_import(app, action);
    add_log(app, action);
    add_backup(app, action);
    add_restore(app, action);
    add_erase(app, action);
    add_account(app, action);
    add_token(app, action);
    add_auth(app, action);
    add_call(app, action);
    add_effects(app, action);
    add_followers(app, action);
    add_doctor(app, action);
    add_flags(app, action);
    add_proxy_config(app, action);
    add_queue(app, action);
    add_new(app, action);
    add_replay(app, action);
    add_rehearse(app, action);
    add_rehearse_worker(app, action);
    add_config(app, action);
    add_completions(app, action);
    add_status(app, action);
    add_drain(app, action);
    add_why(app, action);
    add_upgrade(app, action);
    add_version(app, action);
    add_help(app, action);
}

// The deepest subcommand that was given.
CLI::App& chosen(CLI::App& app) {
    auto given = app.get_subcommands();
    return given.empty() ? app : chosen(*given.front());
}

// The name of a subcommand or option of `app` that is near to what was given, or empty.
std::string near_name(CLI::App& app, std::string const& wrong) {
    std::vector<std::string> known;
    for (auto* sub : app.get_subcommands([](CLI::App* s) { return !s->get_group().empty(); })) known.push_back(sub->get_name());
    for (auto* option : app.get_options())
        for (auto const& name : option->get_lnames()) known.push_back("--" + name);
    std::vector<std::string_view> views(known.begin(), known.end());
    return std::string(codec::nearest(wrong.substr(0, wrong.find('=')), views));
}

int usage_error(CLI::App& app, CLI::ParseError const& error) {
    CLI::App& at = chosen(app);
    std::string said = error.what();
    auto extras = app.remaining(true);
    // What is unknown goes before what is missing: a misspelt subcommand is both.
    bool const missing = dynamic_cast<CLI::RequiredError const*>(&error) != nullptr;
    if ((missing || dynamic_cast<CLI::ExtrasError const*>(&error)) && !extras.empty()) {
        auto near = near_name(at, extras.front());
        said = fmt::format("there is no '{}'{}", extras.front(), near.empty() ? "" : fmt::format(", did you mean {}?", near));
    }
    while (!said.empty() && said.back() == '\n') said.pop_back();
    complain(said);
    std::string path;
    for (auto* a = &at; a; a = a->get_parent()) path = path.empty() ? a->get_name() : a->get_name() + " " + path;
    fmt::print(stderr, "Try: {} --help\n", path);
    return exit_usage;
}

}  // namespace

int run(int argc, char const* const* argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write, not an end
    CLI::App app("Gantry: small services for a software forge, in one program.", "gantry");
    Action action;
    declare(app, action);
    try {
        app.parse(argc, argv);
    } catch (CLI::CallForHelp const&) {
        return print(app.help()) ? exit_ok : exit_failed;  // of the deepest subcommand given
    } catch (CLI::CallForVersion const& asked) {
        return print(std::string(asked.what()) + "\n") ? exit_ok : exit_failed;
    } catch (CLI::ParseError const& error) {
        return usage_error(app, error);
    }
    if (!action) return print(app.help()) ? exit_usage : exit_failed;
    return action();
}

}  // namespace gantry::app
