#include <fmt/format.h>

#include <memory>
#include <vector>

#include "app/commands/commands.h"
#include "app/commands/settings_options.h"
#include "app/exit_codes.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

struct ShownKey {
    std::string section, key, value, source, doc, expected, unit, flag, variable;
    bool needs_restart = true;
};
RECORD(ShownKey, section, key, value, source, doc, expected, unit, flag, variable, needs_restart);

ShownKey shown(config::Origin const& o) {
    return {o.key->section,  o.key->name, o.value,       o.source,          o.key->doc,
            o.key->expected, o.key->unit, o.key->flag(), o.key->variable(), o.key->change == config::Change::needs_restart};
}

int show(GivenSettings const& given, bool json) {
    config::Config config = declared_config();
    if (!load_config(config, given)) return exit_usage;
    std::vector<ShownKey> keys;
    for (auto const& origin : config.show()) keys.push_back(shown(origin));
    if (json) return print(codec::to_json(keys) + "\n") ? exit_ok : exit_failed;
    std::vector<std::vector<std::string>> rows;
    for (auto const& k : keys) rows.push_back({fmt::format("[{}] {}", k.section, k.key), k.value.empty() ? "-" : k.value, k.source});
    return print(table({"KEY", "VALUE", "FROM"}, rows)) ? exit_ok : exit_failed;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("config", "Look at the configuration.");
    command->require_subcommand(1);
    auto* sub = command->add_subcommand("show", "Every key with its value in effect, and who said it.");
    auto json = std::make_shared<bool>();
    sub->add_flag("--json", *json, "One JSON list.");
    auto given = add_settings_options(*sub);
    sub->callback([&action, sub, json, given] {
        action = [=] { return with_settings(*sub, *given, [&](GivenSettings const& s) { return show(s, *json); }); };
    });
}

}  // namespace gantry::app
