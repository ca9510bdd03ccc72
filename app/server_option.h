#pragma once
#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "kernel/base/result.h"

namespace gantry::app {

// Which server a command asks, and as whom.
struct ServerOption {
    std::string url;         // empty: the one that runs on this machine's data, else http://127.0.0.1:8080
    std::string token_file;  // empty: the operator's token of that server, where this user may read it
};
// Declares --server and --token-file; gives the former.
CLI::Option* add_server_option(CLI::App& command, ServerOption& option, std::string const& about = "The running server.");

struct ServerFound {
    std::string url, token;  // token: empty: none
};
// The server that runs on a data directory; nothing where none does, or this user may not know.
std::optional<ServerFound> server_on(std::string const& data);

// A server says where it is in DATA/server.json, which only its owner can read: DATA is GANTRY_SERVER_DATA, ./data or /var/lib/gantry. Its
// token is sent to that server alone. "usage" for a token file that can't be read.
Result<ServerFound> find_server(ServerOption const& option);

}  // namespace gantry::app
