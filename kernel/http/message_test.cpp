#include "kernel/http/message.h"

#include <gtest/gtest.h>

#include "kernel/http/parse.h"

namespace gantry::http {
namespace {

TEST(Message, FindsHeadersWithoutCase) {
    Header const headers[] = {{"Content-Type", "a"}, {"X-One", "1"}, {"x-one", "2"}};
    RequestHead head;
    head.headers = headers;
    EXPECT_EQ(head.header("content-TYPE"), "a");
    EXPECT_EQ(head.header("X-ONE"), "1");
    EXPECT_EQ(head.find("X-On"), nullptr);
}

TEST(Message, AcceptsGzipByTheHeadersRules) {
    for (auto yes : {"gzip", "br, gzip", "GZIP;q=0.5", "*", "gzip;q=0.001", "x-gzip", "identity;q=0, gzip"})
        EXPECT_TRUE(accepts_gzip(yes)) << yes;
    for (auto no : {"", "br", "gzip;q=0", "gzip; q=0.000", "*, gzip;q=0", "gzipped", "*;q=0"}) EXPECT_FALSE(accepts_gzip(no)) << no;
}

TEST(Message, KnowsMediaTypes) {
    for (auto yes : {"text/html", "application/json; charset=utf-8", "image/svg+xml", "application/problem+json", "application/x-ndjson"})
        EXPECT_TRUE(is_compressible(yes)) << yes;
    for (auto no : {"", "image/png", "text/event-stream", "application/gzip", "application/octet-stream", "text/"})
        EXPECT_FALSE(is_compressible(no)) << no;
    for (auto yes : {"application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json", "application/x-ndjson"})
        EXPECT_TRUE(is_json_like(yes)) << yes;
    for (auto no : {"", "text/plain", "application/x-www-form-urlencoded", "application/+json", "text/x+json", "application/jsonp",
                    "multipart/form-data"})
        EXPECT_FALSE(is_json_like(no)) << no;
}

struct RangeRow {
    char const* range;
    char const* if_range;
    std::uint64_t total;
    char const* expected;  // content_range, or "" for the whole
};

TEST(Message, ChoosesByteRanges) {
    RangeRow const rows[] = {
        {"", "", 100, ""},
        {"bytes=0-9", "", 100, "bytes 0-9/100"},
        {"bytes=0-", "", 100, "bytes 0-99/100"},
        {"bytes=99-", "", 100, "bytes 99-99/100"},
        {"bytes=100-", "", 100, "bytes */100"},
        {"bytes=90-200", "", 100, "bytes 90-99/100"},
        {"bytes=-10", "", 100, "bytes 90-99/100"},
        {"bytes=-200", "", 100, "bytes 0-99/100"},
        {"bytes=-0", "", 100, "bytes */100"},
        {"bytes=-1", "", 0, "bytes */0"},
        {"bytes=0-0", "", 0, "bytes */0"},
        {"Bytes=5-5", "", 100, "bytes 5-5/100"},
        {"bytes=9-5", "", 100, ""},
        {"bytes=0-1,5-6", "", 100, ""},
        {"bytes=-", "", 100, ""},
        {"bytes=a-b", "", 100, ""},
        {"bytes=1-x", "", 100, ""},
        {"bytes=99999999999999999999-", "", 100, ""},
        {"lines=0-9", "", 100, ""},
        {"bytes=0-9", "\"v1\"", 100, "bytes 0-9/100"},
        {"bytes=0-9", "\"v2\"", 100, ""},
        {"bytes=0-9", "W/\"v1\"", 100, ""},
        {"bytes=0-9", "Sun, 06 Nov 1994 08:49:37 GMT", 100, "bytes 0-9/100"},
        {"bytes=0-9", "Sun, 06 Nov 1994 08:49:38 GMT", 100, ""},
    };
    for (auto const& row : rows) {
        auto const got = choose_range(row.range, row.if_range, row.total, "\"v1\"", "Sun, 06 Nov 1994 08:49:37 GMT");
        EXPECT_EQ(got.kind == ByteRange::Kind::Whole ? "" : content_range(got, row.total), row.expected)
            << row.range << " " << row.if_range;
    }
}

TEST(Message, KnowsLoopback) {
    for (auto yes : {"localhost", "LOCALHOST:80", "127.0.0.1", "127.255.0.1:7070", "[::1]", "[::1]:80", "acme.localhost",
                     "ACME.localhost:80", "a.b-2.localhost"})
        EXPECT_TRUE(is_loopback_authority(yes)) << yes;
    for (auto no : {"",
                    "localhost.evil.example",
                    "127.0.0.1.evil.example",
                    "128.0.0.1",
                    "127.0.0",
                    "127.0.0.1.1",
                    "127.0.0.256",
                    "[::2]",
                    "[",
                    "0.0.0.0",
                    "127.0.0.",
                    "127..0.1",
                    "1127.0.0.1",
                    ".localhost",
                    "..localhost",
                    "a..localhost",
                    "a b.localhost",
                    "acmelocalhost",
                    "acme.localhost.evil.example",
                    "acme.localhost."})
        EXPECT_FALSE(is_loopback_authority(no)) << no;
}

TEST(Message, TheFirstLabelOfAHostIsItsSite) {
    for (auto [authority, label] : {std::pair("acme.localhost:80", "acme"),
                                    {"ACME.localhost", "ACME"},
                                    {"acme.example.org", "acme"},
                                    {"localhost:80", ""},
                                    {"127.0.0.1", ""},
                                    {"127.0.0.1:80", ""},
                                    {"[::1]:80", ""},
                                    {"", ""}})
        EXPECT_EQ(site_label(authority), label) << authority;
}

struct LoopRow {
    char const* what;
    Method method;
    char const* host;
    std::vector<Header> headers;
    std::uint64_t body;
    char const* code;  // "": admitted
};

TEST(Message, OpenLoopbackRefusesWebPages) {
    LoopRow const rows[] = {
        {"plain read", Method::Get, "localhost:1", {}, 0, ""},
        {"json command", Method::Post, "127.0.0.1", {{"Content-Type", "application/json"}}, 2, ""},
        {"command without body", Method::Delete, "[::1]:5", {}, 0, ""},
        {"our own page",
         Method::Post,
         "localhost:7070",
         {{"Origin", "http://localhost:7070"}, {"Content-Type", "application/json"}, {"Sec-Fetch-Site", "same-origin"}},
         2,
         ""},
        {"rebound name", Method::Get, "evil.example", {}, 0, "not_loopback"},
        {"no host", Method::Get, "", {}, 0, "not_loopback"},
        {"foreign page", Method::Get, "localhost", {{"Origin", "https://evil.example"}}, 0, "cross_site"},
        {"look-alike page", Method::Get, "localhost", {{"Origin", "http://localhost.evil.example"}}, 0, "cross_site"},
        {"sandboxed page", Method::Post, "localhost", {{"Origin", "null"}, {"Content-Type", "application/json"}}, 2, "cross_site"},
        {"two origins", Method::Get, "localhost", {{"Origin", "http://localhost"}, {"Origin", "http://localhost"}}, 0, "cross_site"},
        {"extension", Method::Get, "localhost", {{"Origin", "chrome-extension://localhost"}}, 0, "cross_site"},
        {"image of a foreign page", Method::Get, "localhost", {{"Sec-Fetch-Site", "cross-site"}}, 0, "cross_site"},
        {"form", Method::Post, "localhost", {{"Content-Type", "application/x-www-form-urlencoded"}}, 2, "json_required"},
        {"plain text", Method::Post, "localhost", {{"Content-Type", "text/plain"}}, 2, "json_required"},
        {"untyped body", Method::Put, "localhost", {}, 2, "json_required"},
        {"typed empty form", Method::Post, "localhost", {{"Content-Type", "text/plain"}}, 0, "json_required"},
    };
    for (auto const& row : rows) {
        RequestHead head;
        head.method = row.method, head.host = row.host, head.headers = row.headers, head.content_length = row.body;
        auto const got = check_loopback(head);
        EXPECT_EQ(got ? "" : got.error().code, row.code) << row.what;
        if (!got) EXPECT_EQ(got.error().status, got.error().code == "json_required" ? 415 : 403);
    }
}

TEST(Message, WritesSseEvents) {
    std::string out;
    append_sse_event(out, "", "", "x");
    append_sse_event(out, "note", "12", "a\r\nb\rc\n");
    EXPECT_EQ(out, "data: x\n\nevent: note\nid: 12\ndata: a\ndata: b\ndata: c\ndata: \n\n");
}

TEST(Message, WritesProblems) {
    std::string out;
    Problem p{422, "invalid", "Not \"so\"\n."};
    p.faults = {{"/a", "b"}, {"/c", "d"}};
    p.cause = "secret";
    append_problem_json(out, p);
    EXPECT_EQ(out, R"({"type":"about:blank","title":"Unprocessable Content","status":422,"code":"invalid","detail":"Not \"so\"\u000a.",)"
                   R"("errors":[{"pointer":"/a","detail":"b"},{"pointer":"/c","detail":"d"}]})");
}

// Found by the fuzzer: a problem quotes what was asked for, whatever that was.
TEST(Message, AProblemIsUtf8WhateverItQuotes) {
    std::string out;
    append_json_string(out, "a\xff\xc3\xa9\xe2\x82\"");
    EXPECT_EQ(out, "\"a\ufffd\u00e9\ufffd\ufffd\\\"\"");
}

TEST(Message, WritesHttpDates) {
    EXPECT_EQ(http_date({784111777'000'000}), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date({0}), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(http_date({1709210096'999'999}), "Thu, 29 Feb 2024 12:34:56 GMT");
}

TEST(Message, AHeadSurvivesTheMoveOfItsBuffer) {
    for (std::string const request :
         {"GET http://h/p?q HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", "GET http://h?q HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"}) {
        std::vector<Header> headers;
        RequestHead head;
        std::string from = request;
        ASSERT_FALSE(parse_head(from, {}, headers, head));
        std::string const to = from;
        rebase(head, headers, from, to.data());
        std::string const path(head.path);
        std::fill(from.begin(), from.end(), '#');
        EXPECT_EQ(head.path, path);
        EXPECT_EQ(head.query, "q");
        EXPECT_EQ(head.host, "h");
        EXPECT_EQ(head.header("X"), "y");
    }
}

}  // namespace
}  // namespace gantry::http
