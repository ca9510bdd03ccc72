#include "kernel/testing/mirror.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "kernel/codec/seal.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/fake.h"
#include "kernel/runtime/fake_clock.h"
#include "kernel/runtime/text_indexer.h"
#include "kernel/testing/json_at.h"

namespace gantry::testing {
namespace {

std::string_view asked_for() {
    char const* named = std::getenv("GANTRY_ASK");
    return named ? named : "";
}

class FakeMirror final : public Mirror {
   public:
    FakeMirror(runtime::ServiceDecl const& decl, void const* settings, Time now) : fake_(decl, {.clock = now, .settings = settings}) {}
    void set_clock(Time now) override {
        auto set = fake_.clock().set(now);
        EXPECT_TRUE(set) << set.error().detail;
    }
    void restart() override {}  // a fake has nothing to start from again
    std::string const& url() const override { return fake_.url(); }
    std::string incarnation() override { return fake_.host().incarnation(); }

   private:
    runtime::Fake fake_;
};

class ServerMirror final : public Mirror {
   public:
    ServerMirror(runtime::ServiceDecl const& decl, void const* settings, Time now) : decl_(decl), settings_(settings), clock_(now) {
        static int number = 0;
        directory_ =
            std::filesystem::temp_directory_path() / ("gantry_mirror_" + std::to_string(getpid()) + "_" + std::to_string(++number));
        start();
    }
    ~ServerMirror() override {
        stop();
        std::filesystem::remove_all(directory_);
    }
    void set_clock(Time now) override {
        clock_.set(now);
        auto kept = host_->keep_house();
        EXPECT_TRUE(kept) << kept.error().detail;
    }
    void restart() override { stop(), start(); }
    std::string const& url() const override { return url_; }
    std::string incarnation() override { return host_->incarnation(); }

   private:
    void start() {
        auto& disk = log::system_disk();
        committer_.emplace();
        auto opened = log::FileLog::open(disk, *committer_, (directory_ / "log").string(), {}, codec::encode_event_schema(*decl_.event),
                                         clock_, system_random());
        ASSERT_TRUE(opened) << opened.error().detail << opened.error().cause;
        log_ = std::move(*opened);
        snapshots_ = log::file_snapshots(disk, (directory_ / "snapshots").string());
        runtime::Host::Parts parts{*log_, clock_, system_random()};
        parts.sealer = &sealer_, parts.settings = settings_, parts.snapshots = snapshots_.get(), parts.hash_key.fill(7);
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); };
        host_ = std::make_unique<runtime::Host>(decl_, std::move(parts));
        auto started = host_->start();
        ASSERT_TRUE(started) << started.error().detail << started.error().cause;
        if (decl_.text) text_.emplace(*host_, clock_);
        threads_.emplace(1);
        runtime::EdgeOptions options;
        options.threads = &*threads_, options.clock = &clock_;
        edge_ = std::make_unique<runtime::Edge>(std::vector<runtime::Host*>{host_.get()}, options);
        server_.emplace(*threads_, *edge_);
        auto port = server_->listen({});
        ASSERT_TRUE(port) << port.error().detail;
        url_ = "http://127.0.0.1:" + std::to_string(*port);
    }
    void stop() {
        server_->stop(Duration::seconds(2));
        EXPECT_TRUE(host_->save_snapshot());
        server_.reset(), edge_.reset(), threads_.reset();
        EXPECT_TRUE(log_->close());
        text_.reset(), host_.reset(), log_.reset(), committer_.reset();
    }
    runtime::ServiceDecl const decl_;
    void const* settings_;
    runtime::FakeClock clock_;
    std::filesystem::path directory_;
    std::string url_;
    codec::MemorySubjectKeys keys_{system_random()};
    codec::Sealer sealer_ = codec::make_sealer(keys_, system_random());
    std::optional<log::Committer> committer_;
    std::unique_ptr<log::Log> log_;
    std::unique_ptr<log::Snapshots> snapshots_;
    std::unique_ptr<runtime::Host> host_;
    std::optional<runtime::TextAtOnce> text_;
    std::unique_ptr<runtime::Edge> edge_;
    std::optional<net::IoThreads> threads_;
    std::optional<http::Server> server_;
};

// A history of its own has positions of its own, which are the same but for its name.
std::string renamed(std::string text, std::string const& from, std::string const& to) {
    for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
    return text;
}

// An answer that is kept because nothing that it rests on was touched since has an older position, in its header and at the end of a page.
std::string without_position(std::string body) {
    auto const at = body.rfind(",\"position\":\"");
    return at == body.npos ? body : body.erase(at, body.find('"', at + 13) + 1 - at);
}
std::uint64_t number_of(std::string_view position) {
    return std::strtoull(std::string(position.substr(std::min(position.find('.') + 1, position.size()))).c_str(), nullptr, 10);
}

// A problem as BenchOfOne tells it.
std::string said_by(std::string const& problem) {
    std::string out = json_at(problem, "/detail").value_or("");
    for (int i = 0;; ++i) {
        auto const place = "/errors/" + std::to_string(i);
        auto pointer = json_at(problem, place + "/pointer");
        if (!pointer) return out;
        out += "\n" + *pointer + ": " + json_at(problem, place + "/detail").value_or("");
    }
}

}  // namespace

bool Mirror::wanted() { return !asked_for().empty(); }

std::unique_ptr<Mirror> Mirror::make(runtime::ServiceDecl const& decl, void const* settings, Time now) {
    if (asked_for() == "fake") return std::make_unique<FakeMirror>(decl, settings, now);
    EXPECT_EQ(asked_for(), "server") << "GANTRY_ASK is neither fake nor server";
    return std::make_unique<ServerMirror>(decl, settings, now);
}

void Mirror::expect_same(runtime::Host const& host, std::string_view verb, std::string_view target, std::string_view body,
                         Headers const& headers, Reply const& reply) {
    auto const here = host.incarnation() + ".", there = incarnation() + ".";
    client::Options once;
    once.retries = 0;
    client::Session session(url(), once);
    client::Request request{.method = std::string(verb), .target = renamed(std::string(target), here, there), .body = std::string(body)};
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    if (!headers.idempotency_key.empty()) request.headers.emplace_back("Idempotency-Key", headers.idempotency_key);
    if (auto known = etags_.find(headers.if_match); known != etags_.end())
        request.headers.emplace_back("If-Match", known->second);
    else if (!headers.if_match.empty())
        request.headers.emplace_back("If-Match", headers.if_match);
    auto const answer = session.send(std::move(request));
    std::string const asked = "GANTRY_ASK: " + std::string(verb) + " " + std::string(target) + " " + std::string(body);
    EXPECT_EQ(answer.status, reply.status) << asked << "\n" << answer.body << (answer.error ? answer.error->detail : "");
    if (!reply.etag.empty()) etags_[reply.etag] = answer.header("ETag");
    if (reply.status < 400) {
        auto const told = renamed(answer.body, there, here), position = renamed(std::string(answer.header("Gantry-Position")), there, here);
        bool const read = verb == "GET";
        EXPECT_EQ(read ? without_position(told) : told, read ? without_position(reply.body) : reply.body) << asked;
        EXPECT_TRUE(position == reply.position || (read && number_of(position) < number_of(reply.position))) << position << " " << asked;
        EXPECT_EQ(answer.header("Gantry-Replayed") == "true", reply.replayed) << asked;
        return;
    }
    EXPECT_EQ(json_at(answer.body, "/code").value_or(""), reply.code) << asked;
    bool const no_route = reply.code == "route_not_found" || reply.code == "method_not_allowed";  // of which the host alone says no more
    if (!no_route) EXPECT_EQ(said_by(answer.body), reply.body) << asked;
}

}  // namespace gantry::testing
