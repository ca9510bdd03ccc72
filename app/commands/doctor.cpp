#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/commands/commands.h"
#include "app/commands/settings_options.h"
#include "app/doctor/check.h"
#include "app/exit_codes.h"
#include "app/host.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

using doctor::Check;
using doctor::Verdict;

struct Examined {
    bool ok = true;
    std::vector<Check> checks;
};
RECORD(Examined, ok, checks);

// With faults the other checks go on with the defaults.
std::vector<Check> check_config(config::Config& config, GivenSettings const& given) {
    auto good = try_load_config(config, given);
    if (good) good = check_settings(config);
    if (good) return {doctor::fine("configuration", given.file.empty() ? "good; no file" : given.file + " is good")};
    std::vector<Check> out;
    std::string const remedy = "gantry config docs explains every key";
    for (auto const& fault : good.error().faults)
        out.push_back(doctor::wrong("configuration", fmt::format("{}: {}", fault.pointer, fault.detail), remedy));
    if (out.empty()) out.push_back(doctor::wrong("configuration", config::explain(good.error()), remedy));
    return out;
}

Examined examine(GivenSettings const& given) {
    config::Config config = declared_config();
    Examined out;
    auto add = [&](std::vector<Check> more) { std::ranges::move(more, std::back_inserter(out.checks)); };
    add(check_config(config, given));
    auto const server = config.get<ServerSettings>("server");
    auto const http = config.get<HttpSettings>("http");
    doctor::Machine const machine;
    auto const data = server.data.str();
    auto const now = machine.clock->wall();
    bool const in_memory = server.log.view() == "memory:";
    if (!in_memory) {
        add(doctor::check_data(data, machine));
        if (server.log.view().starts_with("file:")) add(doctor::check_data(server.log.str().substr(5), machine));
        add({doctor::check_backup(data, now), doctor::check_scrub(data, config.get<LogSettings>("log").scrub_every, now)});
    }
    add(doctor::check_clock(data, machine)), add(doctor::check_limits(std::uint64_t(http.connections)));
    auto const services = std::uint64_t(server.services.empty() ? service_names().size() : server.services.size()) *
                          std::max<std::uint64_t>(1, server.sites.size());
    add(doctor::check_memory(
        {services * (std::uint64_t(server.memory_max_mib) << 20), services * (std::uint64_t(server.history_memory_max_mib) << 20)},
        machine));
    if (auto const at = parse_listen(server.listen.view()))
        add({doctor::check_port(at->host, at->port, in_memory ? 0 : doctor::holder_of(data), machine)});
    add(doctor::check_certificates(http.tls_certificate.str(), http.tls_key.str(), now));
    out.ok = std::ranges::find(out.checks, Verdict::problem, &Check::verdict) == out.checks.end();
    return out;
}

std::string lines_of(Check const& check) {
    auto const style = check.verdict == Verdict::ok ? Style::green : check.verdict == Verdict::warning ? Style::yellow : Style::red;
    std::string const word = check.verdict == Verdict::ok ? "ok" : check.verdict == Verdict::warning ? "warning" : "problem";
    auto out = fmt::format("{}{:{}}{:<21}  {}\n", styled(Stream::out, style, word), "", 9 - word.size(), check.name, check.found);
    if (!check.remedy.empty()) out += fmt::format("{:32}→ {}\n", "", check.remedy);
    return out;
}

int examine(GivenSettings const& given, bool json) {
    auto const examined = examine(given);
    std::string out;
    std::array<std::size_t, 3> count{};
    for (auto const& check : examined.checks) out += lines_of(check), ++count[std::size_t(check.verdict)];
    out += fmt::format("\n{} fine, {} to look at, {} wrong\n", count[0], count[1], count[2]);
    if (!print(json ? codec::to_json(examined) + "\n" : out)) return exit_failed;
    return examined.ok ? exit_ok : exit_failed;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("doctor", "Look for what keeps the server from running well, and say what to do; changes nothing.");
    auto json = std::make_shared<bool>();
    command->add_flag("--json", *json, "For programs: one JSON object.");
    auto given = add_settings_options(*command);
    command->callback([&action, command, json, given] {
        action = [=] { return with_settings(*command, *given, [&](GivenSettings const& s) { return examine(s, *json); }); };
    });
}

}  // namespace gantry::app
