#include "app/commands/settings_options.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "app/exit_codes.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

constexpr std::array<std::string_view, 3> short_names = {"data", "listen", "log"};

void add_key(CLI::App& command, config::Key const& key, std::shared_ptr<GivenSettings> const& given) {
    std::string flag = key.flag().substr(2), names = "--" + flag;
    for (auto name : short_names)
        if (flag == fmt::format("server.{}", name)) names = fmt::format("--{},{}", name, names);
    std::string about = key.doc;
    if (!key.fallback.empty() && !key.secret) about += fmt::format(" [{}]", key.fallback);
    auto take = [given, flag](std::vector<std::string> const& values) {
        for (auto const& value : values) given->flags.push_back({flag, value});
    };
    command.add_option_function<std::vector<std::string>>(names, take, about)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("VALUE")
        ->group(fmt::format("[{}]", key.section));
}

std::string near_option(CLI::App const& command, std::string const& wrong) {
    std::vector<std::string> known;
    for (auto* option : command.get_options())
        for (auto const& name : option->get_lnames()) known.push_back("--" + name);
    std::vector<std::string_view> views(known.begin(), known.end());
    return std::string(codec::nearest(wrong, views));
}

}  // namespace

std::shared_ptr<GivenSettings> add_settings_options(CLI::App& command) {
    auto given = std::make_shared<GivenSettings>();
    command.add_option("--config", given->file, "TOML file with sections and keys.")->type_name("FILE");
    config::Config const config = declared_config();
    for (auto const& section : config.sections())
        for (auto const& key : section.keys) add_key(command, key, given);
    command.allow_extras();
    return given;
}

int with_settings(CLI::App const& command, GivenSettings given, std::function<int(GivenSettings const&)> const& run) {
    for (auto const& extra : command.remaining()) {
        if (!extra.starts_with("--") || extra.size() < 3) return complain(fmt::format("there is no option '{}'", extra)), exit_usage;
        auto equals = extra.find('=');
        if (auto near = near_option(command, extra.substr(0, equals)); extra.find('.') == extra.npos)
            return complain(fmt::format("there is no option '{}'{}", extra, near.empty() ? "" : fmt::format(", did you mean {}?", near))),
                   exit_usage;
        given.flags.push_back(
            {extra.substr(2, equals == extra.npos ? extra.npos : equals - 2), equals == extra.npos ? "" : extra.substr(equals + 1)});
    }
    return run(given);
}

}  // namespace gantry::app
