#include <fmt/format.h>

#include <memory>

#include "app/commands/log.h"
#include "app/log_reader.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

struct LogListed {
    std::string site, service;
    std::uint64_t begin = 0, end = 0, segments = 0, bytes = 0;
    std::string incarnation;
    std::optional<Time> last_time;
};
RECORD(LogListed, site, service, begin, end, segments, bytes, incarnation, last_time);

// Reads the newest segment alone.
Result<LogListed> look_at(log::Disk& disk, std::string const& data, std::string const& site, std::string const& service) {
    TRY_ASSIGN(auto reader, LogReader::open(disk, fmt::format("{}/{}/{}/log", data, site, service), ~log::Position{0} - 1));
    TRY_VOID(reader.advance([](auto const&) { return true; }));
    LogListed out{
        site, service, reader.begin(), reader.end(), reader.segments(), reader.bytes(), log::incarnation_text(reader.incarnation()), {}};
    if (reader.last_time().us != 0) out.last_time = reader.last_time();
    return out;
}

std::string render(std::vector<LogListed> const& logs) {
    std::vector<std::vector<std::string>> rows;
    for (auto const& l : logs)
        rows.push_back({l.site, l.service, fmt::format("{}", l.begin), fmt::format("{}", l.end), fmt::format("{}", l.segments),
                        format_bytes(l.bytes), l.last_time ? format_time(*l.last_time) : "-", l.incarnation});
    return table({"SITE", "SERVICE", "FROM", "TO", "SEGMENTS", "SIZE", "LAST EVENT", "INCARNATION"}, rows);
}

int list(std::string const& data, bool json) {
    auto& disk = log::system_disk();
    std::vector<LogListed> logs;
    Exit exit = exit_ok;
    auto sites = disk.list(data);
    if (!sites) return complain(sites.error()), exit_of(sites.error());
    for (auto const& site : *sites) {
        auto services = disk.list(data + "/" + site);
        for (auto const& service : services ? *services : std::vector<std::string>()) {
            if (service.find('.') != service.npos) continue;  // a file of the site, like its keys
            auto found = look_at(disk, data, site, service);
            if (found)
                logs.push_back(*found);
            else if (found.error().code != "log_not_found")
                complain(found.error()), exit = exit_of(found.error());
        }
    }
    if (logs.empty() && exit == exit_ok) return complain(fmt::format("there is no log in {}", data)), exit_failed;
    return print(json ? codec::to_json(logs) + "\n" : render(logs)) ? exit : exit_failed;
}

}  // namespace

void add_log_ls(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("ls", "List the logs of a data directory.");
    auto data = std::make_shared<std::string>("./data");
    auto json = std::make_shared<bool>();
    command->add_option("--data", *data, "Directory of all data.")->type_name("DIR")->envname("GANTRY_SERVER_DATA")->capture_default_str();
    command->add_flag("--json", *json, "One JSON list.");
    command->callback([&action, data, json] { action = [=] { return list(*data, *json); }; });
}

}  // namespace gantry::app
