#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "app/commands/commands.h"
#include "app/commands/settings_options.h"
#include "app/exit_codes.h"
#include "app/host.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/config/docs.h"

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

struct WrongValue {
    std::string where, what;
};
RECORD(WrongValue, where, what);
struct Checked {
    bool ok = true;
    std::vector<WrongValue> faults;
};
RECORD(Checked, ok, faults);

int check(GivenSettings const& given, bool json) {
    config::Config config = declared_config();
    auto loaded = try_load_config(config, given);
    if (loaded) loaded = check_settings(config);
    Checked checked{loaded.has_value(), {}};
    if (!loaded) {
        for (auto const& fault : loaded.error().faults) checked.faults.push_back({fault.pointer, fault.detail});
        if (checked.faults.empty()) checked.faults.push_back({given.file, config::explain(loaded.error())});
        if (!json) complain(config::explain(loaded.error()));
    }
    if (json && !print(codec::to_json(checked) + "\n")) return exit_failed;
    if (!json && loaded && !print("The configuration is good.\n")) return exit_failed;
    return loaded ? exit_ok : exit_usage;
}

std::string toml_text(std::string_view text) {
    std::string out;
    codec::append_json_string(out, text);  // a TOML basic string takes the same escapes
    return out;
}

std::string toml_value(config::Key const& key) {
    auto const kind = key.type->kind;
    if (kind == codec::Kind::boolean || kind == codec::Kind::integer || kind == codec::Kind::real || kind == codec::Kind::time)
        return key.fallback;
    if (kind != codec::Kind::list) return toml_text(key.fallback);
    std::string out;
    for (std::string_view rest = key.fallback; !rest.empty();) {
        auto const comma = std::min(rest.find(','), rest.size());
        out.append(out.empty() ? "" : ", ").append(toml_text(rest.substr(0, comma)));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return "[" + out + "]";
}

// Without the '#' in front of its keys the file says what holds without it.
int print_default(bool json) {
    if (json) {
        config::Config const config = declared_config();
        std::vector<ShownKey> keys;
        for (auto const& origin : config.show()) keys.push_back(shown(origin));
        return print(codec::to_json(keys) + "\n") ? exit_ok : exit_failed;
    }
    std::string out = "# Every key of Gantry's configuration. Flags go before environment variables, those before this file.\n";
    config::Config const config = declared_config();
    for (auto const& section : config.sections()) {
        out += fmt::format("\n[{}]\n", section.name);
        for (auto const& key : section.keys) {
            out += fmt::format("\n# {}\n# {}; {} {}{}\n", key.doc, key.expected, key.flag(), key.variable(),
                               key.change == config::Change::at_once ? "; takes effect at once" : "");
            bool const none = key.fallback.empty() && key.type->kind != codec::Kind::text && key.type->kind != codec::Kind::list;
            out += none ? fmt::format("# {}: not set\n", key.name) : fmt::format("#{} = {}\n", key.name, toml_value(key));
        }
    }
    return print(out) ? exit_ok : exit_failed;
}

struct DocumentedKey {
    std::string section, key, doc, expected, unit, fallback, flag, variable;
    bool secret = false, needs_restart = true;
};
RECORD(DocumentedKey, section, key, doc, expected, unit, fallback, flag, variable, secret, needs_restart);

int print_docs(bool json) {
    config::Config const config = declared_config();
    if (!json) return print(config::reference_page(config.sections())) ? exit_ok : exit_failed;
    std::vector<DocumentedKey> keys;
    for (auto const& section : config.sections())
        for (auto const& k : section.keys)
            keys.push_back({k.section, k.name, k.doc, k.expected, k.unit, k.secret ? "" : k.fallback, k.flag(), k.variable(), k.secret,
                            k.change == config::Change::needs_restart});
    return print(codec::to_json(keys) + "\n") ? exit_ok : exit_failed;
}

// A subcommand that looks at the configuration as serve would see it.
template <class Run>
void add_look(CLI::App& command, Action& action, std::string const& name, std::string const& about, Run run) {
    auto* sub = command.add_subcommand(name, about);
    auto json = std::make_shared<bool>();
    sub->add_flag("--json", *json, "As JSON.");
    auto given = add_settings_options(*sub);
    sub->callback([&action, sub, json, given, run] {
        action = [=] { return with_settings(*sub, *given, [&](GivenSettings const& s) { return run(s, *json); }); };
    });
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("config", "Look at the configuration.");
    command->require_subcommand(1);
    add_look(*command, action, "show", "Every key with its value in effect, and who said it.", show);
    add_look(*command, action, "check", "Say whether serve would take this configuration; starts nothing.", check);
    auto add_page = [&](std::string const& name, std::string const& about, std::string const& json_about, int (*run)(bool)) {
        auto* sub = command->add_subcommand(name, about);
        auto json = std::make_shared<bool>();
        sub->add_flag("--json", *json, json_about);
        sub->callback([&action, json, run] { action = [json, run] { return run(*json); }; });
    };
    add_page("default", "A configuration file that says what holds without it, with every key explained.", "As JSON, like config show.",
             print_default);
    add_page("docs", "The reference of every key, in Markdown.", "As JSON: a list of keys.", print_docs);
}

}  // namespace gantry::app
