#include "kernel/http/head_reader.h"

#include <gtest/gtest.h>

#include "kernel/http/test_server.h"

namespace gantry::http {
namespace {

std::string const lines = "Host: localhost\r\nAccept-Encoding: gzip\r\nX-Who: a\r\n\r\n";

struct Reading {
    explicit Reading(std::string before) : first(std::move(before)) {
        RequestHead head;
        EXPECT_FALSE(reader.parse(first, limits, head)) << first;
        id = head.headers_id;
    }
    std::size_t repeat(std::string bytes) {
        now = std::move(bytes);
        return reader.repeat(now, limits, head);
    }
    std::string first, now;
    Limits limits;
    HeadReader reader;
    RequestHead head;
    std::uint64_t id = 0;
};

TEST(HeadReader, TheSameLinesAreKnownWhateverIsAskedFor) {
    Reading r("GET /a HTTP/1.1\r\n" + lines);
    ASSERT_NE(r.id, 0u);
    auto const asked = "DELETE /b/c?d=e&f HTTP/1.1\r\n" + lines;
    ASSERT_EQ(r.repeat(asked + "GET"), asked.size());
    EXPECT_EQ(r.head.method, Method::Delete);
    EXPECT_EQ(r.head.target, "/b/c?d=e&f");
    EXPECT_EQ(r.head.path, "/b/c");
    EXPECT_EQ(r.head.query, "d=e&f");
    EXPECT_EQ(r.head.host, "localhost");
    EXPECT_EQ(r.head.headers.size(), 3u);
    EXPECT_EQ(r.head.header("x-who"), "a");
    EXPECT_EQ(r.head.headers_id, r.id);
    EXPECT_TRUE(r.reader.accepts_gzip());
}

TEST(HeadReader, WhatIsDifferentInAnyWayIsForTheParser) {
    Reading r("GET /a HTTP/1.1\r\n" + lines);
    r.limits.target_bytes = 100;
    auto const other = "GET /a HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nX-Who: b\r\n\r\n";
    for (std::string const& bytes :
         {std::string(other), "GET /a HTTP/1.0\r\n" + lines, "GET http://h/a HTTP/1.1\r\n" + lines, "GET /a#b HTTP/1.1\r\n" + lines,
          "GET /a b HTTP/1.1\r\n" + lines, "GET  HTTP/1.1\r\n" + lines, "GET /a HTTP/1.1\n" + lines, "get /a HTTP/1.1\r\n" + lines,
          "GETS /a HTTP/1.1\r\n" + lines, "\r\nGET /a HTTP/1.1\r\n" + lines, "GET /\x7f HTTP/1.1\r\n" + lines,
          "GET /" + std::string(100, 'a') + " HTTP/1.1\r\n" + lines, "GET /a HTTP/1.1\r\n" + lines.substr(0, lines.size() - 1)})
        EXPECT_EQ(r.repeat(bytes), 0u) << bytes;
    r.limits.head_bytes = lines.size();
    EXPECT_EQ(r.repeat("GET /a HTTP/1.1\r\n" + lines), 0u);
}

TEST(HeadReader, OtherLinesTakeThePlaceOfThoseThatAreKept) {
    Reading r("GET /a HTTP/1.1\r\n" + lines);
    RequestHead head;
    std::string const second = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ASSERT_FALSE(r.reader.parse(second, r.limits, head));
    EXPECT_NE(head.headers_id, r.id);
    EXPECT_FALSE(r.reader.accepts_gzip());
    EXPECT_EQ(r.repeat("GET /a HTTP/1.1\r\n" + lines), 0u);
    EXPECT_NE(r.repeat(second), 0u);
    EXPECT_TRUE(r.reader.parse("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", r.limits, head));
    EXPECT_EQ(r.repeat(second), 0u) << "nothing is known after a refusal";
    for (std::string const& unkept : {"GET /a HTTP/1.0\r\n" + lines, "GET http://h/a HTTP/1.1\r\n" + lines,
                                      "GET /a HTTP/1.1\r\nX: " + std::string(3000, 'x') + "\r\n" + lines}) {
        ASSERT_FALSE(r.reader.parse(unkept, r.limits, head)) << unkept;
        EXPECT_EQ(head.headers_id, 0u);
        EXPECT_EQ(head.header("X-Who"), "a");
        EXPECT_EQ(r.repeat("GET /a HTTP/1.1\r\n" + lines), 0u);
    }
}

TEST(HeadReader, AConnectionTellsTheHeadersOfEachOfItsRequests) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        ex.response().begin(200).body(std::string(ex.head().header("X-Who")) + std::string(ex.head().path) + std::string(ex.body()));
    };
    RawClient c(s.port);
    for (std::string const who : {"a", "a", "b", "b", "", "a"}) {
        auto const shown = who.empty() ? "" : "X-Who: " + who + "\r\n";
        EXPECT_EQ(body_of(c.exchange(get("/1", shown))), who + "/1");
        EXPECT_EQ(body_of(c.exchange(get("/22", shown))), who + "/22");
        ASSERT_TRUE(c.send(post("/3", "xy", shown) + post("/44", "zz", shown) + get("/5", shown)));
        EXPECT_EQ(body_of(c.answer()), who + "/3xy");
        EXPECT_EQ(body_of(c.answer()), who + "/44zz");
        EXPECT_EQ(body_of(c.answer()), who + "/5");
        // Its body moves the buffer.
        auto const late = post("/6", std::string(20'000, 'l'), shown);
        ASSERT_TRUE(c.send(late.substr(0, late.size() - 10'000)));
        ASSERT_TRUE(c.send(late.substr(late.size() - 10'000)));
        EXPECT_EQ(body_of(c.answer()), who + "/6" + std::string(20'000, 'l'));
    }
}

}  // namespace
}  // namespace gantry::http
