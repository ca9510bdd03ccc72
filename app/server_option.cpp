#include "app/server_option.h"

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <cstdlib>

#include "kernel/codec/json.h"
#include "kernel/log/disk.h"

namespace gantry::app {
namespace {

constexpr char const* usual_url = "http://127.0.0.1:8080";

struct Announced {
    std::string url, token;
    std::int64_t pid = 0;
};
RECORD(Announced, url, token, pid);

// A file that stayed behind speaks of a process that has gone.
std::optional<Announced> announced_in(std::string const& data) {
    auto text = log::read_file(log::system_disk(), data + "/server.json");
    if (!text) return {};
    auto found = codec::from_json<Announced>(*text);
    if (!found || (::kill(pid_t(found->pid), 0) != 0 && errno == ESRCH)) return {};
    return std::move(*found);
}

std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

}  // namespace

CLI::Option* add_server_option(CLI::App& command, ServerOption& option, std::string const& about) {
    command.add_option("--token-file", option.token_file, "A file with the token to show; else that of the server on this machine's data.")
        ->type_name("FILE");
    return command
        .add_option("--server", option.url,
                    about + " Else the one on this machine's data (GANTRY_SERVER_DATA, ./data, /var/lib/gantry), or " + usual_url + ".")
        ->type_name("URL");
}

std::optional<ServerFound> server_on(std::string const& data) {
    auto found = announced_in(data);
    return found ? std::optional(ServerFound{std::move(found->url), std::move(found->token)}) : std::nullopt;
}

Result<ServerFound> find_server(ServerOption const& option) {
    ServerFound out{without_slash(option.url), {}};
    if (!option.token_file.empty()) {
        auto text = log::read_file(log::system_disk(), option.token_file);
        if (!text) return fail(400, "usage", fmt::format("--token-file {}: {}", option.token_file, text.error().cause));
        while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
        out.token = std::move(*text);
    }
    auto const* given = std::getenv("GANTRY_SERVER_DATA");
    for (std::string const& data : {std::string(given ? given : ""), std::string("./data"), std::string("/var/lib/gantry")}) {
        if (data.empty()) continue;
        auto const found = announced_in(data);
        if (!found || (!out.url.empty() && out.url != found->url)) continue;
        out.url = found->url;
        if (out.token.empty()) out.token = found->token;
        break;
    }
    if (out.url.empty()) out.url = usual_url;
    return out;
}

}  // namespace gantry::app
