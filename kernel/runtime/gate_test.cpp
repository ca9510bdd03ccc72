// Who comes in, through real sockets: what a request shows, and what the gate makes of it.
#include "kernel/runtime/gate.h"

#include <array>
#include <optional>

#include "kernel/auth/callers_file.h"
#include "kernel/auth/file_callers.h"
#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/http/test_server.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/inbox_for_test.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

using http::get;
using http::post;
using http::status_of;

std::string base64(std::string_view text) {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        unsigned bits = 0;
        for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0);
        for (std::size_t j = 0; j < 4; ++j) out += i + j <= text.size() ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
    return out;
}

constexpr auth::PasswordCost cheap{1, 8192};

class GateTest : public ::testing::Test {
   protected:
    GateTest() {
        queue_.emplace(system_clock(), observe::LogQueueOptions{}, std::vector<observe::LogOutput*>{},
                       std::vector<observe::LogOutput*>{&output_});
    }
    ~GateTest() override {
        if (server_) server_->stop(Duration::seconds(2));
        server_.reset(), gate_.reset(), edge_.reset();
    }
    // A credential more in the callers' file; its token, if it is one.
    std::string add(std::string_view name, std::vector<std::string> scopes, auth::NewCredential credential = {},
                    auth::CallerChange change = {}) {
        change.scopes = std::move(scopes), credential.cost = cheap;
        if (!credential.password.empty()) credential.kind = auth::CredentialKind::password;
        auto edited = auth::add_credential(text_, name, change, credential, system_clock().wall(), random_);
        EXPECT_TRUE(edited) << edited.error().detail;
        text_ = edited->text, credential_ = edited->credentials.front();
        return edited->secret;
    }
    void start(auth::OriginSettings const& origin = {}, std::vector<std::string> const& addresses = {}) {
        callers_ = *auth::FileCallers::make(text_);
        auto rules = std::make_shared<GateRules>();
        rules->origin = *auth::OriginRules::make(origin), rules->addresses = *auth::AddressList::parse(addresses);
        Host::Parts parts{log_, system_clock(), random_};
        parts.hash_key.fill(7);
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); };
        auto decl = declare<notes::Service>();
        for (auto& route : notes::inbox_routes()) decl.routes.push_back(route);
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        ASSERT_TRUE(host_->start());
        EdgeOptions options;
        options.threads = &threads_;
        edge_ = std::make_unique<Edge>(std::vector<Host*>{host_.get()}, options);
        book_ = std::make_unique<RequestBook>(
            RequestBook::Parts{{{"main", edge_->targets()}}, threads_.count(), system_clock(), &*queue_, &traces_});
        GateOptions gate{.rules = rules, .operator_token = "gnt_operator_0123"};
        gate.book = book_.get(), gate.threads = &threads_, gate.verifiers = &verifiers_;
        gate_ =
            std::make_unique<Gate>(std::vector<GateSite>{{"main", edge_.get(), callers_.get(), nullptr, &session_book_}}, std::move(gate));
        server_ = std::make_unique<http::Server>(threads_, *gate_);
        port_ = *server_->listen({});
    }
    std::string ask(std::string const& request) { return http::RawClient(port_).exchange(request); }
    std::string code_of(std::string const& answer) {
        auto const at = answer.find("\"code\":\"");
        return at == answer.npos ? "" : answer.substr(at + 8, answer.find('"', at + 8) - at - 8);
    }
    // "401 token_unknown", or "200".
    std::string outcome(std::string const& request) {
        auto const answer = ask(request);
        auto const code = code_of(answer);
        return std::to_string(status_of(answer)) + (code.empty() ? "" : " " + code);
    }
    static std::string bearer(std::string_view token) { return "Authorization: Bearer " + std::string(token) + "\r\n"; }
    static std::string basic(std::string_view name, std::string_view password) {
        return "Authorization: Basic " + base64(std::string(name) + ":" + std::string(password)) + "\r\n";
    }
    static constexpr std::string_view json = "Content-Type: application/json\r\n";
    std::string access_log() {
        queue_->drain();
        return sink_.text;
    }

    SeededRandom random_{1};
    std::string text_, credential_;
    observe::CapturingSink sink_;
    observe::TextOutput output_{sink_, observe::LogFormat::json, observe::AccessFormat::json};
    std::optional<observe::LogQueue> queue_;
    observe::TraceStore traces_;
    log::MemoryLog log_{
        std::make_shared<log::MemoryStore>(), system_clock(), random_, {}, codec::encode_event_schema(codec::type_of<notes::Event>())};
    std::unique_ptr<auth::FileCallers> callers_;
    auth::Sessions sessions_{random_};
    auth::SessionsInMemory session_book_{sessions_};
    net::IoThreads threads_{2}, verifiers_{1};
    std::unique_ptr<Host> host_;
    std::unique_ptr<Edge> edge_;
    std::unique_ptr<RequestBook> book_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
};

TEST_F(GateTest, WithoutCallersItIsTheOpenLoopback) {
    start();
    EXPECT_EQ(outcome(get("/notes/v1")), "200");
    EXPECT_EQ(outcome(get("/notes/v1", bearer("gnt_of_somebody"))), "200") << "there is nothing to hold it against";
    EXPECT_EQ(outcome("GET /notes/v1 HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "403 not_loopback");
}

TEST_F(GateTest, NobodyMayAskWhatIsOpenToAllAndNothingElse) {
    add("ci", {"*"});
    start();
    auto const refused = ask(get("/notes/v1"));
    EXPECT_EQ(status_of(refused), 401);
    EXPECT_EQ(code_of(refused), "credentials_missing");
    EXPECT_NE(refused.find("WWW-Authenticate: Bearer"), refused.npos);
    EXPECT_NE(refused.find("WWW-Authenticate: Basic"), refused.npos);
    EXPECT_EQ(ask(get("/notes/v1", "Sec-Fetch-Dest: empty\r\n")).find("WWW-Authenticate: Basic"), std::string::npos)
        << "a page's own script signs in by itself";
    EXPECT_EQ(outcome(get("/health/ready")), "200");
    EXPECT_EQ(outcome(get("/health/ready", bearer("gnt_wrong"))), "200") << "health is told whatever comes with the question";
    EXPECT_EQ(outcome(get("/nothing", "Cookie: __Host-gantry=x\r\n")), "404 route_not_found");
    EXPECT_EQ(outcome(get("/nothing")), "404 route_not_found");
}

TEST_F(GateTest, ATokenSaysWhoCallsAndItsScopesWhatThatOneMay) {
    auto const reader = add("reader", {"notes:read"}), writer = add("writer", {"notes:*"});
    auto const expired = add("late", {"*"}, {.expires_at = Time{1}});
    auto const revoked = add("gone", {"*"});
    text_ = auth::revoke_credential(text_, credential_, system_clock().wall())->text;
    start();
    EXPECT_EQ(outcome(get("/notes/v1", bearer(reader))), "200");
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"Plan"})", bearer(reader) + std::string(json))), "403 scope_missing");
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"Plan"})", bearer(writer) + std::string(json))), "200");
    EXPECT_EQ(outcome(get("/notes/v1", bearer("gnt_operator_0123"))), "200");
    EXPECT_EQ(outcome(get("/notes/v1", bearer("gnt_operator_0124"))), "401 token_malformed");
    EXPECT_EQ(outcome(get("/notes/v1", bearer(expired))), "401 token_expired");
    EXPECT_EQ(outcome(get("/notes/v1", bearer(revoked))), "401 token_revoked");
    EXPECT_EQ(outcome(get("/notes/v1", "Authorization: Digest a=b\r\n")), "401 authorization_unsupported");
    EXPECT_EQ(outcome(get("/notes/v1", bearer(reader) + bearer(reader))), "401 authorization_malformed");
    std::string callers;
    ASSERT_TRUE(log_.scan(0, [&](log::BatchView const& batch) { return callers += batch.caller, callers += ' ', true; }));
    EXPECT_NE(callers.find("u_writer"), callers.npos) << "the caller is in the log: " << callers;
}

TEST_F(GateTest, EachRequestOfAConnectionIsItsOwnCallers) {
    auto const ada = add("ada", {"*"}), bob = add("bob", {"notes:none"});
    start();
    http::RawClient c(port_);
    ASSERT_EQ(status_of(c.exchange(post("/notes/v1", R"({"title":"t"})", std::string(json) + bearer(ada)))), 200);
    for (int round = 0; round < 3; ++round)
        for (int again = 0; again < 2; ++again) {
            EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(ada)))), 200);
            EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(bob)))), 403);
            EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(ada) + "Gantry-Timeout: x\r\n"))), 400);
            EXPECT_EQ(status_of(c.exchange(get("/notes/v1"))), 401);
            EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer("gnt_wrong")))), 401);
        }
}

TEST_F(GateTest, ACachedAnswerIsForThoseWhoMay) {
    auto const may = add("may", {"notes:*"}), may_not = add("maynot", {"tracker:*"});
    start();
    http::RawClient c(port_);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(may)))), 200);
    EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(may_not)))), 403) << "the same connection, another caller";
    EXPECT_EQ(status_of(c.exchange(get("/notes/v1"))), 401);
    EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(may)))), 200);
}

TEST_F(GateTest, NoBodyIsTakenOfOneWhoIsRefused) {
    add("ci", {"*"});
    start();
    http::RawClient c(port_);
    ASSERT_TRUE(
        c.send("POST /notes/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 60000000\r\n\r\n"));
    EXPECT_EQ(status_of(c.answer()), 401) << "before the first byte of it";
    EXPECT_TRUE(c.ends());
}

TEST_F(GateTest, APasswordIsVerifiedOnceAndNothingOvertakesIt) {
    add("ann", {"notes:*"}, {.password = "correct horse"});
    start();
    http::RawClient c(port_);
    auto const ann = basic("ann", "correct horse");
    ASSERT_TRUE(c.send(post("/notes/v1", R"({"title":"One"})", ann + std::string(json)) + get("/notes/v1", ann)));
    EXPECT_EQ(status_of(c.answer()), 200);
    auto const listed = c.answer();
    EXPECT_EQ(status_of(listed), 200);
    EXPECT_NE(listed.find("One"), listed.npos);
    EXPECT_EQ(outcome(get("/notes/v1", ann)), "200") << "of another connection, from memory";
    EXPECT_EQ(outcome(get("/notes/v1", basic("ann", "wrong horse"))), "401 password_wrong");
    EXPECT_EQ(outcome(get("/notes/v1", basic("nobody", "correct horse"))), "401 password_wrong") << "it doesn't say which";
}

TEST_F(GateTest, WhoGuessesWaits) {
    add("ann", {"*"}, {.password = "correct horse"});
    start();
    int wrong = 0;
    std::string last;
    while ((last = outcome(get("/notes/v1", basic("ann", "guess" + std::to_string(wrong))))) == "401 password_wrong")
        ASSERT_LT(++wrong, 50);
    EXPECT_EQ(last, "429 too_many_failures");
    EXPECT_GE(wrong, 5) << "some are free: people mistype";
}

TEST_F(GateTest, OnlyListedAddressesComeInAndProxiesSpeakForTheirs) {
    auto const token = add("ci", {"*"});
    start({.trusted_proxies = {"127.0.0.1"}}, {"10.1.0.0/16", "2001:db8::/32"});
    auto from = [&](std::string_view header) { return outcome(get("/notes/v1", std::string(header) + bearer(token))); };
    EXPECT_EQ(from("X-Forwarded-For: 10.1.2.3\r\n"), "200");
    EXPECT_EQ(from("X-Forwarded-For: 2001:db8::7\r\n"), "200");
    EXPECT_EQ(from("X-Forwarded-For: 10.2.2.3\r\n"), "403 address_refused");
    EXPECT_EQ(from("X-Forwarded-For: 10.1.2.3, 192.0.2.1\r\n"), "403 address_refused") << "what stands left of the client is its own word";
    EXPECT_EQ(from("X-Forwarded-For: nonsense\r\n"), "400 forwarding_invalid");
    EXPECT_EQ(from(""), "403 address_refused") << "the proxy itself isn't listed";
    EXPECT_NE(access_log().find(R"("client":"10.2.2.3")"), std::string::npos);
}

TEST_F(GateTest, AForgedHeaderOfNoProxyIsRefused) {
    auto const token = add("ci", {"*"});
    start({.trusted_proxies = {"192.0.2.1"}, .caller_header = "X-Remote-User"});
    EXPECT_EQ(outcome(get("/notes/v1", "X-Forwarded-For: 10.0.0.1\r\n" + bearer(token))), "403 proxy_untrusted");
    EXPECT_EQ(outcome(get("/notes/v1", "X-Remote-User: ci\r\n")), "403 proxy_untrusted");
    EXPECT_EQ(outcome(get("/notes/v1", bearer(token))), "200");
}

TEST_F(GateTest, AProxyNamesTheCallerThatItRecognised) {
    add("ci", {"notes:*"});
    start({.trusted_proxies = {"127.0.0.1"}, .caller_header = "X-Remote-User"});
    EXPECT_EQ(outcome(get("/notes/v1", "X-Remote-User: ci\r\n")), "200");
    EXPECT_EQ(outcome(get("/notes/v1", "X-Remote-User: stranger\r\n")), "401 caller_unknown");
    EXPECT_EQ(outcome(get("/notes/v1")), "401 credentials_missing");
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"x"})", "X-Remote-User: ci\r\nOrigin: https://evil.example\r\n" + std::string(json))),
              "403 cross_site")
        << "the page of somebody else made the browser say it";
}

TEST_F(GateTest, ACallerMayAskSoOftenAndSoMuchAtOnce) {
    auto const fast = add("fast", {"*"}, {}, {.rate = auth::RateRow{1, 2}});
    auto const narrow = add("narrow", {"*"}, {}, {.concurrent = 1});
    start();
    http::RawClient c(port_);
    auto const first = c.exchange(get("/notes/v1", bearer(fast)));
    EXPECT_EQ(status_of(first), 200);
    EXPECT_NE(first.find("RateLimit: \"caller\";r=1"), first.npos) << first;
    EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(fast)))), 200);
    auto const third = c.exchange(get("/notes/v1", bearer(fast)));
    EXPECT_EQ(status_of(third), 429);
    EXPECT_NE(third.find("Retry-After: "), third.npos);
    {
        // One that waits and one that asks race for the caller's only place: where the one that waits lost, another takes its turn.
        std::optional<http::RawClient> waiting;
        ASSERT_TRUE(http::eventually([&] {
            waiting.emplace(port_);
            if (!waiting->send(get("/notes/v1/events?wait=30s", bearer(narrow)))) return false;
            for (int asked = 0; asked < 20; ++asked)
                if (outcome(get("/notes/v1", bearer(narrow))) == "429 concurrency_exceeded") return true;
            return false;
        }));
    }
    EXPECT_TRUE(http::eventually([&] { return outcome(get("/notes/v1", bearer(narrow))) == "200"; })) << "it left";
}

TEST_F(GateTest, SigningInMakesACookieThatEndsWhenOneSignsOut) {
    add("ann", {"notes:*"}, {.password = "correct horse"});
    start();
    auto const signed_in = ask(post("/_gantry/v1/session", "", basic("ann", "correct horse") + std::string(json)));
    ASSERT_EQ(status_of(signed_in), 200) << signed_in;
    auto const at = signed_in.find("Set-Cookie: ");
    ASSERT_NE(at, signed_in.npos);
    auto const cookie = "Cookie: " + signed_in.substr(at + 12, signed_in.find(';', at) - at - 12) + "\r\n";
    EXPECT_EQ(outcome(get("/notes/v1", cookie)), "200");
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"x"})", cookie + "Origin: http://localhost\r\n" + std::string(json))), "200");
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"x"})", cookie + "Origin: http://evil.example\r\n" + std::string(json))),
              "403 cross_site");
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"x"})", cookie + "Sec-Fetch-Site: cross-site\r\n" + std::string(json))),
              "403 cross_site");
    EXPECT_NE(ask(get("/_gantry/v1/sessions", cookie)).find(R"("current":true)"), std::string::npos);
    EXPECT_EQ(status_of(ask("DELETE /_gantry/v1/session HTTP/1.1\r\nHost: localhost\r\n" + cookie + "\r\n")), 204);
    EXPECT_EQ(outcome(get("/notes/v1", cookie)), "401 session_ended") << "shown again";
    EXPECT_EQ(outcome(get("/nothing", cookie)), "404 route_not_found") << "what is open to all stays so";
    EXPECT_EQ(outcome(post("/_gantry/v1/session", "", std::string(json))), "401 credentials_missing");
}

TEST_F(GateTest, APasskeySignsInAtTheSessionAloneAndFailuresCount) {
    add("ann", {"notes:*"});
    start();
    auto shown = [](std::string const& text) { return "Authorization: Passkey " + text + "\r\n" + std::string(json); };
    EXPECT_EQ(outcome(get("/notes/v1", shown("e30"))), "401 authorization_unsupported");
    EXPECT_EQ(outcome(get("/_gantry/v1/session", shown("e30"))), "401 authorization_unsupported");
    EXPECT_EQ(outcome(post("/_gantry/v1/session", "", shown("no base64url"))), "401 authorization_malformed");
    EXPECT_EQ(outcome(post("/_gantry/v1/session", "", "Origin: https://evil.example\r\n" + shown("e30"))), "403 cross_site");
    // The file's callers have none.
    std::string last;
    for (int tries = 0; tries < 8; ++tries) last = outcome(post("/_gantry/v1/session", "", shown("e30")));
    EXPECT_EQ(last, "429 too_many_failures");
}

TEST_F(GateTest, WhatIsRevokedEndsAtOnce) {
    auto const token = add("ci", {"notes:*"});
    auto const id = credential_;
    start();
    http::RawClient c(port_), live(port_), feed(port_);
    EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(token)))), 200);
    ASSERT_TRUE(live.send(get("/notes/v1", "Accept: text/event-stream\r\n" + bearer(token))));
    ASSERT_TRUE(feed.send(get("/notes/v1/events", "Accept: text/event-stream\r\n" + bearer(token))));
    ASSERT_TRUE(live.receive_some() && feed.receive_some());
    text_ = auth::revoke_credential(text_, id, system_clock().wall())->text;
    ASSERT_TRUE(callers_->reload(text_));
    gate_->drop_ended();
    EXPECT_EQ(status_of(c.exchange(get("/notes/v1", bearer(token)))), 401) << "on a connection that had shown it";
    for (auto* stream : {&live, &feed}) {
        while (stream->in.find("caller_ended") == std::string::npos && stream->receive_some(5000)) {
        }
        EXPECT_NE(stream->in.find("caller_ended"), std::string::npos) << (stream == &live ? "live " : "feed ") << stream->in;
    }
}

TEST_F(GateTest, ATimeoutIsAWholeNumberOfMilliseconds) {
    start();
    for (auto* wrong : {"0", "-1", "1.5", "soon", "86400001"})
        EXPECT_EQ(outcome(get("/notes/v1", "Gantry-Timeout: " + std::string(wrong) + "\r\n")), "400 request_invalid") << wrong;
    for (auto* right : {"5000", "86400000"}) EXPECT_EQ(outcome(get("/notes/v1", "Gantry-Timeout: " + std::string(right) + "\r\n")), "200");
}

TEST_F(GateTest, WhatBecameOfARequestIsToldWithoutItsSecrets) {
    auto const token = add("ci", {"notes:*"});
    start();
    auto const answer = ask(get("/notes/v1?token=hush", "X-Request-Id: mine-1\r\nUser-Agent: probe\r\n" + bearer(token)));
    EXPECT_EQ(status_of(answer), 400);
    ask("GET /notes/v1 HTTP/1.1\r\nHost: a b\r\n\r\n");
    auto const log = access_log();
    for (auto* part : {R"("caller":"u_ci")", R"("request_id":"mine-1")", R"("user_agent":"probe")", R"("status":400)",
                       R"("route":"/notes/v1")", R"("service":"notes")", R"("refused":"bad_request")"})
        EXPECT_NE(log.find(part), log.npos) << part << " in " << log;
    EXPECT_EQ(log.find("hush"), log.npos) << log;
    EXPECT_EQ(log.find(token), log.npos);
}

struct ForeignRow {
    std::string_view path, headers, open, closed;  // what comes of it on the open loopback, and where callers are known
};
constexpr ForeignRow foreign_rows[] = {
    {"/notes/inbox/a", "Content-Type: text/plain\r\n", "201", "401"},
    {"/notes/inbox/a", "Origin: https://else.example\r\n", "403 cross_site", "401"},
    {"/notes/open/a", "Content-Type: text/plain\r\n", "201", "201"},
    {"/notes/open/a", "Origin: https://else.example\r\nSec-Fetch-Site: cross-site\r\n", "201", "201"},
    {"/notes/open/a", "Authorization: Bearer gnt_of_somebody\r\n", "201", "201"},
    {"/notes/keyed/a", "Authorization: Basic Y2xpZW50OnNlY3JldA==\r\n", "201", "201"},
    {"/notes/keyed/a", "Origin: https://else.example\r\n", "403 cross_site", "201"},
};
std::string foreign(ForeignRow const& row) { return post(row.path, "title=x", "X-Key: k\r\n" + std::string(row.headers)); }

TEST_F(GateTest, ForeignRoutesOnTheOpenLoopback) {
    start();
    for (auto const& row : foreign_rows) EXPECT_EQ(outcome(foreign(row)), row.open) << row.path << ' ' << row.headers;
    EXPECT_EQ(outcome("POST /notes/open/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n"), "403 not_loopback");
}

TEST_F(GateTest, ForeignRoutesWhereCallersAreKnown) {
    add("ci", {"*"});
    start();
    for (auto const& row : foreign_rows) EXPECT_EQ(outcome(foreign(row)).substr(0, 3), row.closed) << row.path << ' ' << row.headers;
}

TEST_F(GateTest, PagesOfAnyOriginAreToldThatTheyMayAsk) {
    start();
    auto const preflight =
        ask("OPTIONS /notes/open/a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://else.example\r\n"
            "Access-Control-Request-Method: POST\r\n\r\n");
    EXPECT_EQ(status_of(preflight), 204);
    for (auto* part : {"Access-Control-Allow-Origin: *\r\n", "Access-Control-Allow-Methods: POST, OPTIONS\r\n",
                       "Access-Control-Allow-Headers: *, Authorization\r\n"})
        EXPECT_NE(preflight.find(part), preflight.npos) << part << preflight;
    auto const origin = std::string("Origin: https://else.example\r\n");
    for (auto const* key : {"X-Key: k\r\n", "X-Key: wrong\r\n"}) {
        auto const answer = ask(post("/notes/open/a", "title=x", origin + key));
        EXPECT_NE(answer.find("Access-Control-Allow-Origin: *\r\n"), answer.npos) << answer;
        EXPECT_NE(answer.find("Access-Control-Expose-Headers: X-Note\r\n"), answer.npos) << answer;
    }
    EXPECT_EQ(ask(post("/notes/keyed/a", "title=x", "X-Key: k\r\n")).find("Access-Control"), std::string::npos);
}

TEST_F(GateTest, ATraceOfAFailureIsKeptAndGoesOnFromTheCallers) {
    start();
    std::string const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    auto const answer = ask(post("/notes/v1", R"({"title":"boom"})",
                                 "traceparent: 00-" + trace + "-00f067aa0ba902b7-01\r\nGantry-Timing: 1\r\n" + std::string(json)));
    EXPECT_EQ(status_of(answer), 500);
    EXPECT_NE(answer.find("Server-Timing: "), answer.npos) << answer;
    ASSERT_TRUE(http::eventually([&] { return !traces_.of_trace(*observe::parse_trace_id(trace)).empty(); }));
    auto const kept = traces_.of_trace(*observe::parse_trace_id(trace)).front();
    EXPECT_EQ(kept->status, 500);
    EXPECT_EQ(kept->route, "/notes/v1");
    EXPECT_EQ(kept->service, "notes");
    ASSERT_GE(kept->spans.size(), 2u);
    EXPECT_EQ(kept->spans[1].name, "decide");
}

TEST_F(GateTest, TheTraceStandsInTheLog) {
    start();
    std::string const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"x"})", "traceparent: 00-" + trace + "-00f067aa0ba902b7-00\r\n" + std::string(json))),
              "200");
    std::string found;
    ASSERT_TRUE(log_.scan(0, [&](log::BatchView const& batch) { return found = batch.trace_id, true; }));
    auto const bytes = observe::parse_trace_id(trace)->bytes();
    EXPECT_EQ(found, std::string(bytes.data(), bytes.size()));
}

TEST_F(GateTest, WhatCameAsTracestateStandsInTheLogToo) {
    start();
    std::string const parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n";
    std::vector<std::string> sent{
        parent + "tracestate: vendor=1,other=two\r\n",
        parent + "tracestate: vendor=1\r\nTraceState: other=two\r\n",
        parent + "tracestate: Not A Key=1\r\n",
        parent + "tracestate: a=" + std::string(256, 'x') + ",b=" + std::string(251, 'y') + "\r\n",
        parent + "tracestate: a=" + std::string(256, 'x') + ",b=" + std::string(252, 'y') + "\r\n",
        "tracestate: vendor=1\r\n",
    };
    for (auto const& headers : sent) EXPECT_EQ(outcome(post("/notes/v1", R"({"title":"x"})", headers + std::string(json))), "200");
    std::vector<std::string> found;
    ASSERT_TRUE(log_.scan(0, [&](log::BatchView const& batch) {
        if (batch.count > 0) found.emplace_back(batch.trace_state);
        return true;
    }));
    EXPECT_EQ(found, (std::vector<std::string>{"vendor=1,other=two", "vendor=1,other=two", "",
                                               "a=" + std::string(256, 'x') + ",b=" + std::string(251, 'y'), "", ""}));
}

}  // namespace
}  // namespace gantry::runtime
