#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {

// The whole way: a real client, a real socket, the edge, the host and the file log on this machine's disk.
class EdgeTest : public ::testing::Test {
   protected:
    EdgeTest() : directory_(std::filesystem::temp_directory_path() / ("gantry_edge_" + std::to_string(getpid()))) {
        std::filesystem::remove_all(directory_);
        start();
    }
    ~EdgeTest() override {
        stop();
        std::filesystem::remove_all(directory_);
    }
    void start() {
        auto decl = declare_();
        committer_ = std::make_unique<log::Committer>();
        auto log = log::FileLog::open(log::system_disk(), *committer_, (directory_ / "log").string(), log_options_,
                                      codec::encode_event_schema(*decl.event), *clock_, system_random());
        ASSERT_TRUE(log) << log.error().cause;
        log_ = std::move(*log);
        Host::Parts parts{*log_, *clock_, system_random()};
        parts.hash_key.fill(7);
        threads_ = std::make_unique<net::IoThreads>(2);
        reports_ = std::make_unique<Reports>(Reports::Parts{log::system_disk(), (directory_ / "reports").string(), system_clock(),
                                                            system_random(), "1.0", [](std::move_only_function<void()> task) { task(); }});
        parts.reports = reports_.get();
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); };
        if (adjust_) adjust_(decl, parts);
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        auto started = host_->start();
        ASSERT_TRUE(started) << started.error().detail;
        options_.reports = reports_.get(), options_.threads = threads_.get();
        edge_ = std::make_unique<Edge>(std::vector<Host*>{host_.get()}, options_);
        server_ = std::make_unique<http::Server>(*threads_, *edge_, http::ServerConfig{limits_, {}});
        auto port = server_->listen({});
        ASSERT_TRUE(port) << port.error().detail;
        url_ = "http://127.0.0.1:" + std::to_string(*port);
    }
    void stop() {
        server_->stop(Duration::seconds(2));
        server_.reset(), edge_.reset(), threads_.reset();
        EXPECT_TRUE(log_->close());
        host_.reset(), log_.reset(), committer_.reset();
    }
    client::Reply send(std::string method, std::string target, std::string body = {}, client::Headers headers = {}) {
        client::Session session(url_);
        client::Request request;
        request.method = std::move(method), request.target = std::move(target), request.body = std::move(body);
        request.headers = std::move(headers);
        if (std::ranges::none_of(request.headers, [](auto const& h) { return h.first == "Content-Type"; }))
            request.headers.emplace_back("Content-Type", "application/json");
        return session.send(std::move(request));
    }
    std::string create(std::string_view title) {
        auto made = send("POST", "/notes/v1", "{\"title\":\"" + std::string(title) + "\"}");
        EXPECT_EQ(made.status, 200) << made.body;
        return codec::from_json<notes::Note>(made.body)->id.str();
    }
    std::function<ServiceDecl()> declare_ = [] { return declare<notes::Service>(); };
    Clock* clock_ = &system_clock();
    EdgeOptions options_;
    log::Options log_options_;
    http::Limits limits_;
    std::function<void(ServiceDecl&, Host::Parts&)> adjust_;  // what is to be otherwise at the next start
    std::filesystem::path directory_;
    std::string url_;
    std::unique_ptr<log::Committer> committer_;
    std::unique_ptr<log::FileLog> log_;
    std::unique_ptr<Host> host_;
    std::unique_ptr<net::IoThreads> threads_;
    std::unique_ptr<Reports> reports_;
    std::unique_ptr<Edge> edge_;
    std::unique_ptr<http::Server> server_;
};

}  // namespace gantry::runtime
