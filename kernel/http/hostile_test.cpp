#include <gtest/gtest.h>

#include <atomic>

#include "kernel/base/random.h"
#include "kernel/http/test_server.h"

// What hostile or broken clients send, over real sockets.
namespace gantry::http {
namespace {

struct Row {
    char const* what;
    std::string request;
    int status;
    char const* code;
};

std::string head(std::string_view headers, std::string_view body = "") {
    return "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n" + std::string(body);
}
std::string target(std::string_view t) { return "GET " + std::string(t) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }
std::string host(std::string_view h) { return "GET / HTTP/1.1\r\nHost: " + std::string(h) + "\r\n\r\n"; }
std::string chunks(std::string_view body) { return head("Transfer-Encoding: chunked\r\n", body); }

std::vector<Row> refused() {
    using namespace std::string_literals;
    return {
        {"length beside coding", head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "bad_request"},
        {"coding beside length", head("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400, "bad_request"},
        {"two lengths", head("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400, "bad_request"},
        {"the same length twice", head("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400, "bad_request"},
        {"a list of lengths", head("Content-Length: 3, 3\r\n", "abc"), 400, "bad_request"},
        {"a signed length", head("Content-Length: +3\r\n", "abc"), 400, "bad_request"},
        {"a negative length", head("Content-Length: -1\r\n"), 400, "bad_request"},
        {"a hex length", head("Content-Length: 0x3\r\n", "abc"), 400, "bad_request"},
        {"an empty length", head("Content-Length: \r\n"), 400, "bad_request"},
        {"a huge length", head("Content-Length: 99999999999999999999\r\n"), 400, "bad_request"},
        {"a folded header", head("X: a\r\n b\r\n"), 400, "bad_request"},
        {"a folded header with a tab", head("X: a\r\n\tb\r\n"), 400, "bad_request"},
        {"a blank before the colon", head("X : a\r\n"), 400, "bad_request"},
        {"a blank before the coding's colon", head("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, "bad_request"},
        {"an empty header name", head(": a\r\n"), 400, "bad_request"},
        {"no colon", head("Xa\r\n"), 400, "bad_request"},
        {"a bare LF in the head", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400, "bad_request"},
        {"a bare LF between headers", head("X: a\nY: b\r\n"), 400, "bad_request"},
        {"a bare CR in a value", head("X: a\rb\r\n"), 400, "bad_request"},
        {"a NUL in a value", head("X: a\0b\r\n"s), 400, "bad_request"},
        {"a NUL in a name", head("X\0: b\r\n"s), 400, "bad_request"},
        {"a control character in a value", head("X: a\x01\r\n"), 400, "bad_request"},
        {"a DEL in a value", head("X: a\x7f\r\n"), 400, "bad_request"},
        {"an unknown coding", head("Transfer-Encoding: gzip\r\n"), 501, "transfer_coding_unknown"},
        {"chunked not last", head("Transfer-Encoding: chunked, gzip\r\n"), 501, "transfer_coding_unknown"},
        {"gzip, chunked", head("Transfer-Encoding: gzip, chunked\r\n"), 501, "transfer_coding_unknown"},
        {"identity", head("Transfer-Encoding: identity\r\n"), 501, "transfer_coding_unknown"},
        {"a disguised chunked", head("Transfer-Encoding: xchunked\r\n"), 501, "transfer_coding_unknown"},
        {"chunked twice", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, "bad_request"},
        {"two codings", head("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 400, "bad_request"},
        {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "bad_request"},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_request"},
        {"an empty Host", host(""), 400, "bad_request"},
        {"a Host with a path", host("a/b"), 400, "bad_request"},
        {"a Host with a user", host("u@a"), 400, "bad_request"},
        {"a Host with a blank", host("a b"), 400, "bad_request"},
        {"a Host with a wild port", host("a:99999"), 400, "bad_request"},
        {"a Host with a port of letters", host("a:http"), 400, "bad_request"},
        {"a Host with a broken v6", host("[::1"), 400, "bad_request"},
        {"a list of Hosts", host("a, b"), 400, "bad_request"},
        {"a relative target", target("index.html"), 400, "bad_request"},
        {"a foreign scheme", target("ftp://h/"), 400, "bad_request"},
        {"an absolute target without host", target("http:///x"), 400, "bad_request"},
        {"an absolute target with a user", target("http://u:p@h/x"), 400, "bad_request"},
        {"a fragment", target("/a#b"), 400, "bad_request"},
        {"a raw byte above ASCII", target("/\xc3\xa4"), 400, "bad_request"},
        {"* for GET", target("*"), 400, "bad_request"},
        {"an unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "method_unknown"},
        {"TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "method_unknown"},
        {"CONNECT", "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "method_unknown"},
        {"a method in small letters", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "method_unknown"},
        {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, "http_version"},
        {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505, "http_version"},
        {"no version", "GET /\r\nHost: h\r\n\r\n", 400, "bad_request"},
        {"rubbish", "\x16\x03\x01\x02\r\n\r\n", 400, "bad_request"},
        {"two blanks in the request line", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad_request"},
        {"another expectation", head("Expect: 200-ok\r\nContent-Length: 1\r\n", "a"), 417, "expectation_failed"},
        {"a chunk without a size", chunks("\r\n"), 400, "bad_request"},
        {"a chunk size of letters", chunks("xyz\r\n"), 400, "bad_request"},
        {"a signed chunk size", chunks("+1\r\na\r\n0\r\n\r\n"), 400, "bad_request"},
        {"a 0x chunk size", chunks("0x1\r\na\r\n0\r\n\r\n"), 400, "bad_request"},
        {"a blank after the chunk size", chunks("1 \r\na\r\n0\r\n\r\n"), 400, "bad_request"},
        {"a huge chunk size", chunks("fffffffffffffffff\r\n"), 400, "bad_request"},
        {"a chunk longer than its size", chunks("1\r\nab\r\n0\r\n\r\n"), 400, "bad_request"},
        {"a chunk line ending in LF", chunks("1\na\r\n0\r\n\r\n"), 400, "bad_request"},
        {"a chunk ending in LF", chunks("1\r\na\n0\r\n\r\n"), 400, "bad_request"},
        {"a control character in an extension", chunks("1;a\x01\r\na\r\n0\r\n\r\n"), 400, "bad_request"},
        {"a folded trailer", chunks("0\r\n a\r\n\r\n"), 400, "bad_request"},
        {"a trailer without a name", chunks("0\r\n: a\r\n\r\n"), 400, "bad_request"},
        {"a trailer ending in CR alone", chunks("0\r\nA: b\rc\r\n\r\n"), 400, "bad_request"},
        {"unknown content coding", head("Content-Encoding: br\r\nContent-Length: 1\r\n", "a"), 415, "encoding_unknown"},
        {"bad gzip", head("Content-Encoding: gzip\r\nContent-Length: 4\r\n", "abcd"), 400, "bad_request"},
    };
}

TEST(Hostile, IsRefusedWithAProblemAndTheConnectionCloses) {
    TestServer s;
    std::atomic<int> handled = 0;
    s.handler.on_handle = [&](Exchange& ex) { ++handled, ex.response().begin(200).body("reached"); };
    for (auto const& row : refused()) {
        RawClient c(s.port);
        // What follows must not be taken for a second request.
        ASSERT_TRUE(c.send(row.request + get("/smuggled")));
        std::string const a = c.answer();
        EXPECT_EQ(status_of(a), row.status) << row.what << "\n" << a;
        EXPECT_NE(a.find("Content-Type: application/problem+json"), a.npos) << row.what;
        EXPECT_NE(a.find("\"code\":\"" + std::string(row.code) + "\""), a.npos) << row.what << "\n" << a;
        EXPECT_NE(a.find("Connection: close"), a.npos) << row.what;
        EXPECT_EQ(c.rest(), "") << row.what;
        EXPECT_TRUE(c.closed) << row.what;
    }
    EXPECT_EQ(handled, 0);
}

TEST(Hostile, WhatOnlyLooksStrangeIsAccepted) {
    TestServer s;
    s.handler.on_handle = [&](Exchange& ex) {
        ex.response().begin(200).body(std::string(ex.head().host) + " " + std::string(ex.head().path) + " " + std::string(ex.head().query) +
                                      " " + std::string(ex.body()));
    };
    std::vector<std::pair<std::string, std::string>> const rows = {
        {"GET http://a.example:80/x?y=1 HTTP/1.1\r\nHost: other\r\n\r\n", "a.example:80 /x y=1 "},
        {"GET HTTPS://a.example HTTP/1.1\r\nHost: h\r\n\r\n", "a.example /  "},
        {"GET http://a.example?q HTTP/1.1\r\nHost: h\r\n\r\n", "a.example / q "},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "h *  "},
        {"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "h /  "},
        {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "h /  "},
        {"GET / HTTP/1.1\r\nHost:h:\r\n\r\n", "h: /  "},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\nX:\r\nY: \t a\xc3\xa4 \t\r\n\r\n", "[::1]:80 /  "},
        {"GET /??a=/../%00 HTTP/1.1\r\nHost: h\r\n\r\n", "h / ?a=/../%00 "},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0005;a=\"b\"\r\nhello\r\nA\r\n0123456789\r\n000\r\nT: x\r\nU: "
         "y\r\n\r\n",
         "h /  hello0123456789"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0003\r\n\r\nabc", "h /  abc"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", " /  "},
    };
    RawClient c(s.port);
    for (auto const& [request, expected] : rows) EXPECT_EQ(body_of(c.exchange(request)), expected) << request;
}

TEST(Hostile, AnErrorWaitsForTheAnswersBeforeIt) {
    TestServer s({}, 1);
    std::atomic<bool> parked = false;
    Deferred waiting;
    s.handler.on_handle = [&](Exchange& ex) { waiting = ex.defer(), parked = true; };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/") + "GET\r\n\r\n"));
    ASSERT_TRUE(eventually([&] { return parked && s.server.stats().requests_refused == 1; }));
    s.server.post(0, [&] { waiting.response().begin(200).body("first"), waiting = {}; });
    EXPECT_EQ(body_of(c.answer()), "first");
    EXPECT_EQ(status_of(c.answer()), 400);
    EXPECT_TRUE(c.ends());
}

// Seeded mutations of good requests: whatever comes, each answer is well-formed, the connection ends or goes on, and the server lives.
TEST(Hostile, MutatedRequestsNeverBreakTheServer) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).header("Content-Type", "text/plain").body(ex.body()); };
    std::vector<std::string> const seeds = {
        get("/a/b?c=d", "Accept-Encoding: gzip\r\n"), post("/x", R"({"a":1})", "Content-Type: application/json\r\n"),
        chunks("5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n"), head("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab"),
        get("/1") + get("/2") + post("/3", "x")};
    SeededRandom random(20260101);
    std::string const spice("\r\n\0 :;,\t\x7f\xff%0fA9", 15);
    for (int round = 0; round < 1500; ++round) {
        std::string request = seeds[random.below(seeds.size())];
        for (std::uint64_t n = 1 + random.below(4); n > 0 && !request.empty(); --n) {
            std::size_t const at = random.below(request.size());
            switch (random.below(5)) {
                case 0: request[at] = char(random.next()); break;
                case 1: request.erase(at, 1 + random.below(8)); break;
                case 2: request.insert(at, 1, spice[random.below(spice.size())]); break;
                case 3: request.insert(at, request.substr(random.below(request.size()), random.below(30))); break;
                default: request[at] = spice[random.below(spice.size())];
            }
        }
        RawClient c(s.port);
        ASSERT_TRUE(c.send(request));
        c.half_close();
        std::string const all = c.rest();
        ASSERT_FALSE(c.timed_out) << "round " << round;
        ASSERT_TRUE(all.empty() || all.starts_with("HTTP/1.1 ")) << "round " << round << "\n" << all;
    }
    RawClient c(s.port);
    EXPECT_EQ(status_of(c.exchange(get("/"))), 200);
}

}  // namespace
}  // namespace gantry::http
