#pragma once
#include <CLI/App.hpp>
#include <functional>

// One function a subcommand: it declares the subcommand's options on `app` and, once that subcommand was chosen and parsed, puts what is to
// be done into `action`, which gives the exit code. Each lives in the file of its name.
namespace gantry::app {

using Action = std::function<int()>;

void add_serve(CLI::App& app, Action& action);
void add_fake(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_log(CLI::App& app, Action& action);
void add_backup(CLI::App& app, Action& action);
void add_restore(CLI::App& app, Action& action);
void add_erase(CLI::App& app, Action& action);
void add_account(CLI::App& app, Action& action);
void add_account_tools(CLI::App& account, Action& action);
void add_token(CLI::App& app, Action& action);
void add_auth(CLI::App& app, Action& action);
void add_call(CLI::App& app, Action& action);
void add_effects(CLI::App& app, Action& action);
void add_followers(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_flags(CLI::App& app, Action& action);
void add_proxy_config(CLI::App& app, Action& action);
void add_queue(CLI::App& app, Action& action);
void add_new(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_rehearse(CLI::App& app, Action& action);
void add_rehearse_worker(CLI::App& app, Action& action);  // hidden: what `rehearse` starts
void add_config(CLI::App& app, Action& action);
void add_completions(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_drain(CLI::App& app, Action& action);
void add_why(CLI::App& app, Action& action);
void add_upgrade(CLI::App& app, Action& action);
void add_version(CLI::App& app, Action& action);
void add_help(CLI::App& app, Action& action);

}  // namespace gantry::app
