#include <fmt/format.h>

#include <memory>
#include <optional>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/codec/keyed_hash.h"
#include "kernel/log/data_dir.h"
#include "kernel/log/erasures.h"
#include "kernel/log/subject_keys_file.h"

namespace gantry::app {
namespace {

struct EraseOptions {
    std::string subject, name, data, site = "main";
    ServerOption server;
    bool json = false;
};
struct EraseBody {
    std::optional<std::string> subject, name;
};
RECORD(EraseBody, subject, name);
struct Erased {
    std::string subject;
    Time at{};
};
RECORD(Erased, subject, at);

Result<Erased> erase_online(EraseOptions const& o) {
    EraseBody body;
    (o.name.empty() ? body.subject : body.name) = o.name.empty() ? o.subject : o.name;
    TRY_ASSIGN(auto answer, ask({o.server, "POST", "/_gantry/v1/erasures", codec::to_json(body), 0, true}));
    return read_answer<Erased>(answer);
}

Result<std::string> pseudonym_in(log::Disk& disk, std::string const& site, std::string const& name) {
    TRY_ASSIGN(auto bytes, log::read_file(disk, site + "/request.key"));
    codec::HashKey key;
    if (bytes.size() != key.size()) return fail(500, "key_damaged", site + "/request.key must hold 32 bytes: put back the right file");
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return codec::pseudonym(key, name);
}

Result<Erased> erase_stopped(EraseOptions const& o) {
    auto& disk = log::system_disk();
    auto const site = o.data + "/" + o.site;
    TRY_ASSIGN(bool there, disk.exists(site + "/subject.keys"));
    if (!there) return fail(404, "data_not_found", fmt::format("{} holds no keys of subjects: expected DATA/<site>/subject.keys", site));
    TRY_ASSIGN(auto data, log::DataDirectory::open(disk, o.data));
    TRY_ASSIGN(auto keys, log::open_subject_keys(disk, site + "/subject.keys", system_random()));
    TRY_ASSIGN(auto erasures, log::Erasures::open(disk, site + "/erasures.ndjson"));
    TRY_VOID(erasures.finish(*keys));
    TRY_ASSIGN(auto subject, o.name.empty() ? Result<std::string>(o.subject) : pseudonym_in(disk, site, o.name));
    TRY_ASSIGN(auto erased, erasures.erase(*keys, subject, system_clock().wall()));
    return Erased{erased.subject, erased.at};
}

int erase(EraseOptions const& o) {
    if (o.subject.empty() == o.name.empty()) return complain("name a SUBJECT or --name TEXT, one of them"), exit_usage;
    auto erased = o.data.empty() ? erase_online(o) : erase_stopped(o);
    if (!erased) return complain(erased.error()), exit_of(erased.error());
    auto const people = fmt::format("{} was erased at {}. Backups from before hold its key still: a restore erases it again.\n",
                                    erased->subject, format_time(erased->at));
    return print(o.json ? codec::to_json(*erased) + "\n" : people) ? exit_ok : exit_failed;
}

}  // namespace

void add_erase(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("erase", "Erase what is personal about one subject, everywhere and for good.");
    auto o = std::make_shared<EraseOptions>();
    command->add_option("SUBJECT", o->subject, "The subject: \"s_\" and 32 hexadecimal digits, as gantry log cat shows it.");
    command->add_option("--name", o->name, "Instead of SUBJECT: what the person goes by, mostly a mail address.")->type_name("TEXT");
    auto* server = add_server_option(*command, o->server);
    command->add_option("--data", o->data, "Instead: the data directory of a server that is stopped.")->type_name("DIR")->excludes(server);
    command->add_option("--site", o->site, "Site, with --data.")->capture_default_str();
    command->add_flag("--json", o->json, "For programs: one JSON object.");
    command->callback([&action, o] { action = [o] { return erase(*o); }; });
}

}  // namespace gantry::app
