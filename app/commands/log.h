#pragma once
#include "app/commands/commands.h"

namespace gantry::app {

void add_log_ls(CLI::App& log, Action& action);
void add_log_cat(CLI::App& log, Action& action);
void add_log_tail(CLI::App& log, Action& action);
void add_log_verify(CLI::App& log, Action& action);
void add_log_repair(CLI::App& log, Action& action);
void add_log_export(CLI::App& log, Action& action);
void add_log_import(CLI::App& log, Action& action);
void add_log_upgrade(CLI::App& log, Action& action);

}  // namespace gantry::app
