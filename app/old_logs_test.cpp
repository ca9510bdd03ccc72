// Logs that each released schema of each service's events has written: today's program reads them all, and answers as then.
//
// tests/logs/<service>/commands.txt and queries.txt say what was done and asked: VERB TARGET BODY, a line each. <fingerprint>.log is an
// export, .keys its subject keys, .answers what was answered. UPDATE_GOLDEN=1 adds those of today's schema; the others stay as they are.
#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "app/services.h"
#include "app/serving_fixture_test.h"
#include "kernel/base/source_dir_for_test.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/data_dir.h"
#include "kernel/log/file/tools.h"

namespace gantry::app {
namespace {

std::filesystem::path const kept = std::filesystem::path(source_dir()) / "tests" / "logs";

runtime::ServiceDecl service(std::string_view name) {
    auto services = all_services();
    auto found = std::ranges::find(services, name, &runtime::ServiceDecl::name);
    return std::move(*found);
}
std::string fingerprint(std::string_view name) { return fmt::format("{:016x}", codec::fingerprint(*service(name).event)); }

class OldLogs : public ServingTest {
   protected:
    ~OldLogs() override { stop(); }
    // What each line of a file is answered, one after another.
    std::string ask(std::filesystem::path const& lines) {
        client::Session session(url_);
        std::istringstream in(contents(lines.string()));
        std::string out;
        for (std::string verb, target, body; in >> verb >> target;) {
            std::getline(in >> std::ws, body);
            client::Request request{.method = verb, .target = target, .body = body == "-" ? "" : body};
            if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
            auto reply = session.send(std::move(request));
            EXPECT_EQ(reply.status / 100, 2) << target << ": " << reply.body;
            out += fmt::format("{} {}\n{}\n\n", verb, target, reply.body);
        }
        return std::regex_replace(out, std::regex(R"("position":"[^".]*\.)"), R"("position":")");  // an import is another history
    }
    std::string log_of(std::string_view name) const { return dir_ / ("data/main/" + std::string(name) + "/log"); }

    // A log of today's schema, with its answers.
    void keep(std::string const& name) {
        serve({service(name)});
        ask(kept / name / "commands.txt");
        auto const answers = ask(kept / name / "queries.txt");
        stop();
        auto const path = kept / name / fingerprint(name);
        std::ofstream log(path.string() + ".log", std::ios::binary);
        auto exported = log::export_log(log::system_disk(), log_of(name), [&](std::string_view bytes) -> Result<void> {
            log << bytes;
            return {};
        });
        EXPECT_TRUE(exported);
        std::ofstream(path.string() + ".answers", std::ios::binary) << answers;
        auto keys = contents(dir_ / "data/main/subject.keys");  // without the room that it has reserved
        keys.resize((keys.find_last_not_of('\0') / 512 + 1) * 512);
        std::ofstream(path.string() + ".keys", std::ios::binary) << keys;
    }
    void read(std::string const& name, std::filesystem::path log) {
        auto const data = dir_ / "data";
        std::filesystem::remove_all(data);
        std::filesystem::create_directories(data + "/main");
        std::filesystem::permissions(data, std::filesystem::perms::owner_all);
        std::ifstream in(log, std::ios::binary);
        auto fill = [&](std::span<char> into) -> Result<std::size_t> {
            in.read(into.data(), std::streamsize(into.size()));
            return std::size_t(in.gcount());
        };
        {
            auto directory = log::DataDirectory::open(log::system_disk(), data);
            ASSERT_TRUE(directory) << directory.error().detail;
            auto report = log::import_log(log::system_disk(), log_of(name), fill, {}, system_clock(), system_random());
            ASSERT_TRUE(report) << log << report.error().detail;
            EXPECT_GT(report->events, 0u);
        }
        std::filesystem::copy_file(log.replace_extension(".keys"), data + "/main/subject.keys");
        std::filesystem::permissions(data + "/main/subject.keys", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        serve({service(name)});
        EXPECT_EQ(ask(kept / name / "queries.txt"), contents(log.replace_extension(".answers").string())) << log;
        stop();
    }
};

TEST_F(OldLogs, AreAllReadByTodaysProgram) {
    char const* update = std::getenv("UPDATE_GOLDEN");
    std::size_t logs = 0;
    for (auto const& decl : all_services()) {
        std::string const name(decl.name);
        if (!std::filesystem::exists(kept / name)) continue;  // nothing of it is released
        auto const todays = kept / name / (fingerprint(name) + ".log");
        if (update && *update == '1' && !std::filesystem::exists(todays)) keep(name);
        EXPECT_TRUE(std::filesystem::exists(todays))
            << name << " has events of a new shape: UPDATE_GOLDEN=1 keeps a log of them beside those of before, which stay";
        for (auto const& entry : std::filesystem::directory_iterator(kept / name))
            if (entry.path().extension() == ".log") read(name, entry.path()), ++logs;
    }
    EXPECT_GT(logs, 0u);
}

}  // namespace
}  // namespace gantry::app
