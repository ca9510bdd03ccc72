#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/runtime/fake_clock.h"
#include "kernel/runtime/fake_world.h"
#include "kernel/runtime/sse_reader_test.h"
#include "kernel/runtime/vault_for_test.h"

namespace gantry::vault {

// "u_1 blue,red" of the header X-Viewer.
inline Result<Viewer> viewer_of(http::RequestHead const& head) {
    auto const text = head.header("X-Viewer");
    if (text.empty()) return fail(401, "viewer_absent", "say who you are");
    auto const blank = std::min(text.find(' '), text.size());
    Viewer viewer{Str(text.substr(0, blank))};
    for (auto teams = text.substr(std::min(blank + 1, text.size())); !teams.empty();) {
        auto const comma = std::min(teams.find(','), teams.size());
        viewer.teams.emplace_back(teams.substr(0, comma));
        teams.remove_prefix(std::min(comma + 1, teams.size()));
    }
    return viewer;
}

// The vault behind a real socket, on a log in memory, with a clock and random that are the same for the same seed.
class World {
   public:
    World(runtime::ServiceDecl const& decl, std::uint64_t seed) : random_(seed) {
        runtime::EdgeOptions options;
        options.threads = &threads_, options.clock = &clock_, options.random = &random_, options.viewer = &viewer_of;
        auto made =
            runtime::FakeWorld::make({decl, clock_, random_, nullptr, options,
                                      [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); }});
        EXPECT_TRUE(made);
        world_ = std::move(*made);
        server_.emplace(threads_, world_->edge());
        url_ = "http://127.0.0.1:" + std::to_string(*server_->listen({}));
        client::Options once;
        once.retries = 0, once.gzip = false;
        session_.emplace(url_, once);
    }
    ~World() {
        session_.reset();
        server_->stop(Duration::seconds(2));
        server_.reset(), world_.reset();
    }
    runtime::Host& host() { return world_->host(); }
    log::MemoryLog& log() { return world_->log(); }
    runtime::FakeClock& clock() { return clock_; }
    std::string const& url() const { return url_; }

    client::Reply ask(std::string const& who, std::string const& method, std::string const& target, std::string const& body = {},
                      client::Headers headers = {}) {
        client::Request request{.method = method, .target = target, .headers = std::move(headers), .body = body};
        request.headers.emplace_back("X-Request-Id", "q_same");
        if (!who.empty()) request.headers.emplace_back("X-Viewer", who);
        if (method != "GET" && method != "HEAD") request.headers.emplace_back("Content-Type", "application/json");
        return session_->send(std::move(request));
    }
    // All that a caller could learn from an answer, but for its date.
    static std::string bytes(client::Reply const& reply) {
        std::string out = std::to_string(reply.status) + "\n";
        for (auto const& [name, value] : reply.headers)
            if (name != "Date" && name != "date") out += name + ": " + value + "\n";
        return out + "\n" + reply.body;
    }
    std::string told(std::string const& who, std::string const& method, std::string const& target, std::string const& body = {},
                     client::Headers headers = {}) {
        return bytes(ask(who, method, target, body, std::move(headers)));
    }
    std::string file(std::string const& who, std::string const& text, std::string const& team) {
        auto made = ask(who, "POST", "/vault/v1", R"({"text":")" + text + R"(","team":")" + team + R"("})");
        EXPECT_EQ(made.status, 200) << made.body;
        return codec::from_json<Paper>(made.body)->id.str();
    }
    // What filing a paper takes from the random source.
    void skip_id() { fresh_id("p_", 0, random_); }
    std::unique_ptr<runtime::SseReader> read(std::string const& who, std::string const& target) {
        return std::make_unique<runtime::SseReader>(url_, target, "Accept: text/event-stream\r\nX-Viewer: " + who + "\r\n");
    }

   private:
    runtime::FakeClock clock_{Time{1'900'000'000'000'000}};
    SeededRandom random_;
    net::IoThreads threads_{1};  // one: what it keeps is shared by all callers
    std::unique_ptr<runtime::FakeWorld> world_;
    std::optional<http::Server> server_;
    std::optional<client::Session> session_;
    std::string url_;
};

}  // namespace gantry::vault
