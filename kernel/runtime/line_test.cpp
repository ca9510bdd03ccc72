#include "kernel/runtime/line.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <future>

#include "kernel/auth/file_callers.h"
#include "kernel/http/test_server.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/runtime/gate.h"
#include "kernel/runtime/line_protocol_for_test.h"
#include "kernel/runtime/line_server.h"
#include "kernel/runtime/replay.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace gantry::runtime {
namespace {

using http::eventually;
using http::RawClient;

// A memory log that says what is durable when it is told to.
class LineTest : public ::testing::Test {
   protected:
    LineTest() { start(); }
    ~LineTest() override { stop(); }
    void start() {
        store_ = std::make_shared<log::MemoryStore>();
        log_ = std::make_unique<log::MemoryLog>(store_, system_clock(), system_random(), log::Options{},
                                                codec::encode_event_schema(codec::type_of<notes::Event>()));
        threads_ = std::make_unique<net::IoThreads>(2);
        reports_ = std::make_unique<Reports>(
            Reports::Parts{log::system_disk(), "", system_clock(), system_random(), "1.0", [](auto task) { task(); }});
        Host::Parts parts{*log_, system_clock(), system_random()};
        parts.reports = reports_.get();
        parts.post = [this](int lane, std::move_only_function<void()> task) { threads_->post(lane, std::move(task)); };
        host_ = std::make_unique<Host>(declare<notes::Service>(), std::move(parts));
        ASSERT_TRUE(host_->start());
        protocol_ = notes::desk::protocol(options_);
        book_ = std::make_unique<LineBook>(std::vector<LineBook::Protocol>{{"main", "notes", protocol_.get()}}, 2, nullptr);
        LineServer::Parts of{*host_, *protocol_, *threads_};
        of.caller = caller_, of.admits = admits_, of.book = book_.get(), of.reports = reports_.get();
        server_ = std::make_unique<LineServer>(std::move(of));
        auto const port = server_->listen({"127.0.0.1", 0});
        ASSERT_TRUE(port) << port.error().detail;
        port_ = *port;
    }
    bool stop() {
        bool const clean = !server_ || server_->stop(Duration::seconds(5));
        server_.reset(), threads_.reset(), host_.reset(), log_.reset();
        return clean;
    }
    void again() { stop(), start(); }

    // What one connection is answered: bytes are sent as they are, our side is closed, and all is read to the end.
    std::string talk(std::string_view bytes) {
        RawClient client(port_);
        EXPECT_TRUE(client.send(bytes));
        client.half_close();
        return client.rest();
    }
    std::string metrics() {
        std::string out;
        observe::MetricsWriter writer(observe::MetricsFormat::prometheus, out);
        book_->write(writer);
        return out;
    }
    std::size_t archived() {
        std::size_t count = 0;
        Position at = 0;
        host_->look(Viewer{Str("u_local"), true}, at, [&](void const* state) {
            static_cast<notes::State const*>(state)->notes.walk(
                nullptr, [&](notes::NoteId const&, notes::Note const& n) { return count += n.archived, true; });
            return true;
        });
        return count;
    }

    LineOptions options_;
    std::function<Result<EdgeCallerRef>(int, auth::IpAddress const&)> caller_;
    std::function<bool(int)> admits_;
    std::shared_ptr<log::MemoryStore> store_;
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<net::IoThreads> threads_;
    std::unique_ptr<Reports> reports_;
    std::unique_ptr<Host> host_;
    LineProtocol protocol_;
    std::unique_ptr<LineBook> book_;
    std::unique_ptr<LineServer> server_;
    std::uint16_t port_ = 0;
};

// Ids are drawn: "n_…" is told as n.
std::string plain(std::string text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        out += text[i];
        if (text[i] == 'n' && i + 1 < text.size() && text[i + 1] == '_') {
            while (i + 1 < text.size() && text[i + 1] != '\r' && text[i + 1] != ' ') ++i;
        }
    }
    return out;
}

TEST_F(LineTest, WhatIsSaidIsAnswered) {
    struct Row {
        std::string_view said, answered;
    };
    std::string const long_line(223, 'x'), longer(224, 'x'), title(120, 't'), longer_title(121, 't'), body(199, 'b');
    for (auto const& [said, answered] : std::vector<std::pair<std::string, std::string>>{
             {"", ""},
             {"nonsense\r\n", "UNKNOWN\r\n"},
             {"name ann\n", "NAMED\r\n"},
             {"put 3\r\nabc\r\n", "PUT n\r\n"},
             {"put 3\r\nabcd\r\n", "NO_END\r\nUNKNOWN\r\n"},
             {"put 0\r\n\r\n", "BAD\r\n"},
             {"put x\r\n", "BAD\r\n"},
             {"put 120\r\n" + title + "\r\n", "PUT n\r\n"},
             {"put 121\r\n" + longer_title + "\r\nname a\r\n", "TOO_BIG\r\nNAMED\r\n"},
             {"huge\r\n" + body + "\r\nname a\r\n", "ERR  body_too_large\r\nNAMED\r\n"},
             {long_line.substr(0, 222) + "\r\n", "UNKNOWN\r\n"},
             {long_line + "\n", "UNKNOWN\r\n"},
             {longer + "\nname a\r\n", "TOO_LONG\r\nNAMED\r\n"},
             {longer + longer + longer + "\r\nname a\r\n", "TOO_LONG\r\nNAMED\r\n"},
             {"drop\r\n", "NOTHING\r\n"},
             {"hold a\r\ndrop\r\ndrop\r\n", "HELD n\r\nDROPPED n\r\nNOTHING\r\n"},
             {"show n_1\r\n", "ERR show note_not_found\r\n"},
             {"boom\r\nname a\r\n", "ERR boom internal_error\r\nNAMED\r\n"},
             {"throw\r\nname a\r\n", "ERR  internal_error\r\n"},
             {"quit\r\nname a\r\n", "BYE\r\n"},
             {"name a", ""},
             {"put 5\r\nab", ""},
             {"GET / HTTP/1.1\r\nname a\r\n", "ERR  not_http\r\n"},
             {"POST /x HTTP/1.1\r\n\r\nput 1\r\na\r\n", "ERR  not_http\r\n"},
             {"GET /" + longer + " HTTP/1.1\r\nname a\r\n", "ERR  not_http\r\n"},
         })
        EXPECT_EQ(plain(talk(said)), answered) << said;
    EXPECT_GE(reports_->filed() + reports_->dropped(), 2u) << "what failed was reported";
}

TEST_F(LineTest, AReportOfACommandFindsIt) {
    ServiceDecl decl = declare<notes::Service>();
    decl.lines = {protocol_};
    FailureReport report;
    report.route = "boom desk";
    auto const* found = route_of(decl, report);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->input, &codec::type_of<notes::desk::Boom>());
    report.route = "bang desk";
    EXPECT_FALSE(route_of(decl, report));
}

TEST_F(LineTest, HoweverItIsCutIntoPackets) {
    std::string const said =
        "name a-\r\nput 3\r\nabc\r\nhold x\r\ndrop\r\nput 121\r\n" + std::string(121, 't') + "\r\nnonsense\r\nquit\r\n";
    auto const whole = plain(talk(said));
    EXPECT_EQ(whole, "NAMED\r\nPUT n\r\nHELD n\r\nDROPPED n\r\nTOO_BIG\r\nUNKNOWN\r\nBYE\r\n");
    for (std::size_t cut = 1; cut < said.size(); ++cut) {
        RawClient client(port_);
        ASSERT_TRUE(client.send(std::string_view(said).substr(0, cut)));
        ASSERT_TRUE(client.send(std::string_view(said).substr(cut)));
        EXPECT_EQ(plain(client.rest()), whole) << cut;
    }
    RawClient bytewise(port_);
    for (char c : said) ASSERT_TRUE(bytewise.send({&c, 1}));
    EXPECT_EQ(plain(bytewise.rest()), whole);
}

TEST_F(LineTest, PipelinedCommandsAreAnsweredInTheirOrder) {
    std::string said, answered;
    for (int i = 0; i < 500; ++i) {
        auto const title = fmt::format("title {}", i);
        said += fmt::format("put {}\r\n{}\r\nhold {}\r\ndrop\r\nname {}\r\n", title.size(), title, title, i);
        answered += "PUT n\r\nHELD n\r\nDROPPED n\r\nNAMED\r\n";
    }
    EXPECT_EQ(plain(talk(said + "quit\r\n")), answered + "BYE\r\n");
    EXPECT_EQ(archived(), 500u);
    auto const told = metrics();
    EXPECT_NE(told.find(R"(gantry_line_commands_total{site="main",service="notes",protocol="desk",command="put",code="2xx"} 500)"),
              told.npos)
        << told;
}

TEST_F(LineTest, NothingIsAnsweredBeforeItIsDurableAndWhatOverlapsWaitsTogether) {
    log_->hold();
    RawClient client(port_);
    ASSERT_TRUE(client.send("put 1\r\na\r\nname b\r\nput 1\r\nc\r\nhold d\r\nput 1\r\ne\r\n"));
    EXPECT_TRUE(eventually([&] { return log_->held() == 3; })) << log_->held();
    EXPECT_FALSE(client.receive_some(50));
    EXPECT_EQ(log_->held(), 3u) << "the last one waits for the answer to hold";
    log_->release(1);
    while (client.in.size() < 8) ASSERT_TRUE(client.receive_some());
    EXPECT_TRUE(client.in.starts_with("PUT n_"));
    log_->release_all();
    client.half_close();
    EXPECT_EQ(plain(client.rest()), "PUT n\r\nNAMED\r\nPUT n\r\nHELD n\r\nPUT n\r\n");
}

TEST_F(LineTest, WhoGoesWhileItIsWrittenLetsGoAfterIt) {
    log_->hold();
    RawClient client(port_);
    ASSERT_TRUE(client.send("hold a\r\n"));
    EXPECT_TRUE(eventually([&] { return log_->held() == 1; }));
    client.reset();
    EXPECT_TRUE(eventually([&] { return server_->stats().open == 0; }));
    auto stopped = std::async(std::launch::async, [&] { return server_->stop(Duration::seconds(10)); });
    EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout) << "its last input is still to come";
    log_->release_all();
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(archived(), 1u);
}

TEST_F(LineTest, WhatAConnectionHoldsIsLetGoHoweverItEnds) {
    std::size_t expected = 0;
    for (int way = 0; way < 4; ++way) {
        auto client = std::make_unique<RawClient>(port_);
        ASSERT_TRUE(client->send("hold a\r\nhold b\r\n"));
        while (client->in.find("HELD", 6) == client->in.npos) ASSERT_TRUE(client->receive_some());
        EXPECT_EQ(archived(), expected);
        if (way == 0) client->close();
        if (way == 1) client->reset();
        if (way == 2) client->half_close();
        if (way == 3) ASSERT_TRUE(client->send("quit\r\n"));
        expected += 2;
        EXPECT_TRUE(eventually([&] { return archived() == expected; })) << way << ": " << archived();
    }
}

TEST_F(LineTest, WhoeverGoesBeforeItsAnswerHoldsNothingEither) {
    for (int i = 0; i < 20; ++i) {
        RawClient client(port_);
        ASSERT_TRUE(client.send("hold a\r\n"));
        client.reset();
    }
    EXPECT_TRUE(eventually([&] { return server_->stats().open == 0; }));
    EXPECT_TRUE(stop());  // waits for their last inputs
}

TEST_F(LineTest, AStopAnswersWhatRunsAndLetsGo) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 10; ++i) {
        auto& client = *clients.emplace_back(std::make_unique<RawClient>(port_));
        ASSERT_TRUE(client.send("hold a\r\n"));
        while (client.in.find("\r\n") == client.in.npos) ASSERT_TRUE(client.receive_some());
    }
    EXPECT_TRUE(server_->stop(Duration::seconds(5)));
    EXPECT_EQ(archived(), 10u);
    for (auto& client : clients) EXPECT_TRUE(client->ends());
    EXPECT_FALSE(RawClient(port_).connected());
}

TEST_F(LineTest, ManyConnections) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2200) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
        if (limit.rlim_cur < 2200 || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) GTEST_SKIP() << "this machine allows too few open files";
    }
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 1000; ++i) {
        clients.push_back(std::make_unique<RawClient>(port_));
        ASSERT_TRUE(clients.back()->connected()) << i;
    }
    for (auto& client : clients) ASSERT_TRUE(client->send("hold a\r\n"));
    for (auto& client : clients)
        while (client->in.find("\r\n") == client->in.npos) ASSERT_TRUE(client->receive_some());
    EXPECT_EQ(server_->stats().open, 1000u);
    clients.clear();
    EXPECT_TRUE(eventually([&] { return archived() == 1000; })) << archived();
    EXPECT_TRUE(eventually([&] { return server_->stats().open == 0; }));
}

TEST_F(LineTest, OneConnectionTooManyIsToldSo) {
    options_.connections_max = 2;
    again();
    RawClient a(port_), b(port_);
    ASSERT_TRUE(a.send("name a\r\n") && b.send("name b\r\n"));
    ASSERT_TRUE(a.receive_some() && b.receive_some());
    RawClient c(port_);
    EXPECT_EQ(c.rest(), "FULL\r\n");
    c.close(), a.close();
    EXPECT_TRUE(eventually([&] { return server_->stats().open == 1; }));
    EXPECT_EQ(talk("name c\r\n"), "NAMED\r\n");
    EXPECT_EQ(server_->stats().refused, 1u);
}

TEST_F(LineTest, WhoDoesntReadIsNotReadFrom) {
    options_.write_timeout = Duration::millis(300);
    again();
    RawClient client(port_, 4096);
    std::string const many = [] {
        std::string out;
        for (int i = 0; i < 10'000; ++i) out += "nonsense\r\n";
        return out;
    }();
    // Answers that nobody reads fill the buffers of both sides; then sending blocks, and in the end the connection is cut.
    std::uint64_t sent = 0;
    while (sent < (1u << 30) && client.send(many)) sent += many.size();
    EXPECT_LT(sent, 1u << 30);
    EXPECT_TRUE(eventually([&] { return server_->stats().timeouts == 1 && server_->stats().open == 0; }));
}

TEST_F(LineTest, TheSilentAreLeftAloneAndTheHalfSaidAreNot) {
    options_.partial_timeout = Duration::millis(100);
    again();
    RawClient silent(port_), half(port_);
    ASSERT_TRUE(silent.send("name a\r\n") && half.send("put 5\r\nab"));
    EXPECT_TRUE(half.ends());
    EXPECT_TRUE(silent.send("name b\r\n"));
    silent.half_close();
    EXPECT_EQ(silent.rest(), "NAMED\r\nNAMED\r\n");
    options_.partial_timeout = Duration::seconds(30), options_.idle_timeout = Duration::millis(100);
    again();
    EXPECT_TRUE(RawClient(port_).ends());
}

TEST_F(LineTest, WhoMayDoWhat) {
    auto const as = [](std::vector<std::string> scopes) {
        return [scopes](int, auth::IpAddress const&) -> Result<EdgeCallerRef> {
            auth::CallerTraits traits{.name = "worker"};
            traits.scopes = *auth::Scopes::parse(scopes);
            auto caller = std::make_shared<auth::Caller const>(std::move(traits));
            EdgeCaller out = seen_by(Viewer{Str(caller->id())});
            out.caller = std::move(caller);
            return std::make_shared<EdgeCaller const>(std::move(out));
        };
    };
    caller_ = as({"notes:read"});
    again();
    EXPECT_EQ(talk("put 1\r\na\r\nshow n_1\r\n"), "ERR put scope_missing\r\nERR show note_not_found\r\n");
    caller_ = as({"notes:write"});
    again();
    EXPECT_EQ(plain(talk("put 1\r\na\r\nshow n_1\r\n")), "PUT n\r\nERR show scope_missing\r\n");
    caller_ = [](int, auth::IpAddress const&) -> Result<EdgeCallerRef> {
        EdgeCaller nobody = seen_by(Viewer{Str("anonymous")});
        nobody.anonymous = true;
        return std::make_shared<EdgeCaller const>(std::move(nobody));
    };
    again();
    EXPECT_EQ(talk("put 1\r\na\r\n"), "ERR put credentials_missing\r\n");
    caller_ = [](int, auth::IpAddress const&) -> Result<EdgeCallerRef> { return fail(403, "address_refused", "not from there"); };
    again();
    EXPECT_EQ(talk("name a\r\n"), "");
    caller_ = {}, admits_ = [](int) { return false; };
    again();
    EXPECT_EQ(talk("put 1\r\na\r\nname a\r\n"), "ERR put overloaded\r\nNAMED\r\n");
}

// As the gate goes by its settings and its callers.
TEST_F(LineTest, AsWhomItsCommandsAreDecided) {
    auto const host = std::make_unique<Host>(declare<notes::Service>(), Host::Parts{*log_, system_clock(), system_random()});
    Edge edge({host.get()});
    auto const nobody_known = auth::FileCallers::make("");
    auto const some_known = auth::FileCallers::make(
        R"({"callers":[{"name":"worker","scopes":["notes:write"]},{"name":"far","scopes":["*"],"addresses":["10.0.0.0/8"]}]})");
    ASSERT_TRUE(nobody_known && some_known) << (some_known ? "" : some_known.error().faults.front().detail);
    auto const &nobody = *nobody_known, &callers = *some_known;
    auto const here = *auth::parse_address("127.0.0.1"), there = *auth::parse_address("10.1.2.3");
    struct Row {
        auth::FileCallers const* callers;
        std::string_view allow, name;
        auth::IpAddress peer;
        std::string_view told;
    };
    for (auto const& [known, allow, name, peer, told] : std::vector<Row>{
             {nobody.get(), "", "", here, "u_local"},
             {nobody.get(), "", "worker", here, "u_local"},
             {nobody.get(), "", "worker", there, "not_loopback"},
             {nobody.get(), "10.0.0.0/8", "", here, "address_refused"},
             {callers.get(), "", "", here, "anonymous"},
             {callers.get(), "", "worker", there, "u_worker"},
             {callers.get(), "", "far", there, "u_far"},
             {callers.get(), "", "far", here, "address_refused"},
             {callers.get(), "10.0.0.0/8", "worker", there, "u_worker"},
             {callers.get(), "10.0.0.0/8", "worker", here, "address_refused"},
             {callers.get(), "", "stranger", here, "caller_unknown"},
         }) {
        auto rules = std::make_shared<GateRules>();
        if (!allow.empty()) rules->addresses = *auth::AddressList::parse(std::vector<std::string>{std::string(allow)});
        Gate gate(std::vector<GateSite>{{"main", &edge, known}}, GateOptions{.rules = rules});
        auto const found = gate.caller_of_line(0, 0, name, peer);
        EXPECT_EQ(found ? (*found)->viewer.id.view() : found.error().code, told) << name;
        if (found) EXPECT_EQ((*found)->allows("notes:write"), told == "u_local" || told == "u_worker" || told == "u_far");
    }
}

// Anything at all, cut anywhere: every line is answered or the connection ends, and the server lives.
TEST_F(LineTest, AnythingAtAll) {
    std::array<std::string_view, 12> const words{"put 3\r\n",    "abc\r\n", "put 99999999\r\n", "hold a\r\n", "drop\r\n", "\r\n",
                                                 "show n_1\r\n", "\0\xff",  "huge\r\n",         "boom\r\n",   "\n\n\n\n", "put 120\r\nx"};
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SeededRandom random{seed};
        RawClient client(port_);
        std::string said;
        for (int i = 0; i < 30; ++i)
            said += random.next() % 8 == 0 ? std::string(random.next() % 400, char(random.next()))
                                           : std::string(words[random.next() % words.size()]);
        while (!said.empty()) {
            auto const n = std::min<std::size_t>(said.size(), 1 + random.next() % 50);
            if (!client.send(std::string_view(said).substr(0, n))) break;
            said.erase(0, n);
        }
        if (random.next() % 2) client.half_close(), client.rest();
    }
    EXPECT_EQ(talk("name a\r\n"), "NAMED\r\n");
    EXPECT_TRUE(eventually([&] { return server_->stats().open == 0; }));
    EXPECT_TRUE(stop());
}

// The fuzzer's property over fixed words in every order that a seed gives.
TEST(LineFuzz, BoundedRun) {
    std::array<std::string_view, 14> const words{"put 3\r\n", "abc\r\n",     "put 12\r\n", "hold a\r\n",        "drop\r\n",
                                                 "\r\n",      "huge\r\n",    "name b\r\n", "quit\r\n",          "boom\r\n",
                                                 "throw\r\n", "\n\nput 0\n", "\xff\xfe",   "GET / HTTP/1.1\r\n"};
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        SeededRandom random{seed};
        std::string input(1, char(random.next()));
        for (auto n = random.next() % 12; n > 0; --n) {
            input += words[random.next() % words.size()];
            if (random.next() % 10 == 0) input += std::string(random.next() % 400, char(random.next()));
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(input.data()), input.size());
    }
}

}  // namespace
}  // namespace gantry::runtime
