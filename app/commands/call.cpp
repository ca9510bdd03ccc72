#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problem_document.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"

namespace gantry::app {
namespace {

struct CallOptions {
    ServerOption server;
    std::string method, path, body;
    std::vector<std::string> headers;
    bool json = false, stream = false, include = false;
    std::int64_t timeout_s = 30;
};

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return text;
}

std::string const* find(client::Headers const& headers, std::string_view name) {
    auto found = std::ranges::find_if(headers, [&](auto const& h) { return lower(h.first) == name; });
    return found == headers.end() ? nullptr : &found->second;
}

// "Name: value". False after it was said what is wrong.
bool add_headers(CallOptions const& o, client::Headers& out) {
    for (auto const& line : o.headers) {
        auto colon = line.find(':');
        if (colon == line.npos || colon == 0) return complain(fmt::format("-H '{}': expected 'Name: value'", line)), false;
        auto value = line.find_first_not_of(' ', colon + 1);
        out.emplace_back(line.substr(0, colon), value == line.npos ? "" : line.substr(value));
    }
    return true;
}

// What goes out as it is read.
struct Upload {
    std::string path;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{nullptr, &std::fclose};
    int error = 0;  // errno of a read that failed

    std::size_t read(char* buffer, std::size_t capacity) {
        auto const n = std::fread(buffer, 1, capacity, file.get());
        if (n > 0 || !std::ferror(file.get())) return n;
        error = errno;
        return client::upload_failed;
    }
};

bool open_body(CallOptions const& o, client::Request& request, std::shared_ptr<Upload> const& upload) {
    if (o.body.empty()) return true;
    bool const lines = o.body.starts_with('@') && o.body.ends_with(".ndjson");
    if (!find(request.headers, "content-type"))
        request.headers.emplace_back("Content-Type", lines ? "application/x-ndjson" : "application/json");
    if (o.body != "-" && !o.body.starts_with('@')) return request.body = o.body, true;
    upload->path = o.body == "-" ? "standard input" : o.body.substr(1);
    upload->file.reset(o.body == "-" ? ::fdopen(::dup(STDIN_FILENO), "rb") : std::fopen(upload->path.c_str(), "rb"));
    if (!upload->file) return complain(fmt::format("{}: {}", upload->path, std::strerror(errno))), false;
    request.upload = [upload](char* buffer, std::size_t capacity) { return upload->read(buffer, capacity); };
    return true;
}

void show_head(client::Reply const& reply) {
    std::string out = fmt::format("{}\n", reply.status);
    for (auto const& [name, value] : reply.headers) out += fmt::format("{}: {}\n", styled(Stream::err, Style::bold, name), value);
    fmt::print(stderr, "{}\n", out);
}

// What no server answered.
int unanswered(std::string const& server, client::Error const& error) {
    complain(fmt::format("{}: {}", server, error.detail.empty() ? error.code : error.detail));
    if (error.code == "invalid_request") return exit_usage;
    return error.code == "connect_failed" || error.code == "timeout" || error.code == "tls_failed" ? exit_unreachable : exit_failed;
}

int refused(CallOptions const& o, client::Reply const& reply) {
    if (o.json) return print(reply.body.ends_with('\n') ? reply.body : reply.body + "\n"), exit_failed;
    auto text = problem_text(reply.body, reply.status);
    complain(text ? *text : fmt::format("{} {}", reply.status, reply.body));
    return exit_failed;
}

int call(CallOptions const& o) {
    if (!o.path.starts_with('/') && !o.path.starts_with("http://") && !o.path.starts_with("https://"))
        return complain(fmt::format("PATH '{}': expected /service/v1/…", o.path)), exit_usage;
    client::Request request{.method = o.method, .target = o.path};
    std::ranges::transform(request.method, request.method.begin(), [](unsigned char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
    if (!add_headers(o, request.headers)) return exit_usage;
    auto const upload = std::make_shared<Upload>();
    if (!open_body(o, request, upload)) return exit_failed;
    if (o.stream && !find(request.headers, "accept")) request.headers.emplace_back("Accept", "text/event-stream");
    auto* accept = find(request.headers, "accept");
    bool const stream = o.stream || (accept && (accept->find("event-stream") != accept->npos || accept->find("ndjson") != accept->npos));
    bool const pretty = !o.json && !stream && is_terminal(Stream::out);
    bool written = true;
    if (!pretty) request.download = [&](std::string_view bytes) { return written = print(bytes); };
    request.total_timeout_ms = stream ? 0 : o.timeout_s * 1000;
    auto const server = find_server(o.server);
    if (!server) return complain(server.error()), exit_of(server.error());
    client::Session session(server->url);
    if (!server->token.empty() && !find(request.headers, "authorization")) session.set_bearer(server->token);
    auto reply = session.send(std::move(request));
    if (!written) return exit_failed;
    if (upload->error) return complain(fmt::format("{}: {}", upload->path, std::strerror(upload->error))), exit_failed;
    if (o.include && reply.status) show_head(reply);
    if (reply.status == 0 || (reply.error && reply.status < 400)) return unanswered(server->url, *reply.error);
    if (reply.status >= 400) return refused(o, reply);
    if (!pretty) return print(reply.body) ? exit_ok : exit_failed;
    auto text = codec::pretty_json(reply.body);
    return print(text.empty() || text.ends_with('\n') ? text : text + "\n") ? exit_ok : exit_failed;
}

}  // namespace

void add_call(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("call", "Call a server's HTTP API: gantry call GET /tracker/v1/summary");
    auto o = std::make_shared<CallOptions>();
    command->add_option("METHOD", o->method, "GET, POST, …")->required();
    command->add_option("PATH", o->path, "Path and query.")->required();
    command->add_option("BODY", o->body,
                        "The body itself, @FILE, or - for standard input. JSON unless -H says otherwise; @….ndjson is NDJSON.");
    add_server_option(*command, o->server, "The server.");
    command->add_option("-H,--header", o->headers, "'Name: value'; may be repeated.")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_flag("--json", o->json, "The answer as it came, a problem document too.");
    command->add_flag("--stream", o->stream, "Ask for server-sent events and print them as they come.");
    command->add_flag("-i,--include", o->include, "Status and headers, on standard error.");
    command->add_option("--timeout", o->timeout_s, "Longest wait for the whole answer; 0: none.")
        ->type_name("SECONDS")
        ->capture_default_str();
    command->callback([&action, o] { action = [o] { return call(*o); }; });
}

}  // namespace gantry::app
