#include <gtest/gtest.h>

#include "kernel/runtime/shouts_for_test.h"
#include "kernel/testing/harness.h"

namespace gantry::shouts {
namespace {

std::string shout_of(std::string_view text, bool hidden = false) {
    return "{\"text\":\"" + std::string(text) + "\",\"mail\":\"ann@example.org\",\"hidden\":" + (hidden ? "true}" : "false}");
}

TEST(TextInAHarness, WhatWasRecordedIsFoundAtOnce) {
    Harness<Service> h;
    h.as("u_ann").post("/shouts/v1", shout_of("hello foo_bar.Baz")).ok();
    h.advance(Duration::seconds(1)).post("/shouts/v1", shout_of("hello again")).ok();
    auto said = h.get("/shouts/v1/search?q=hello");
    said.ok().has(R"("complete":true)");
    EXPECT_EQ(said.json_at("/items/0/text"), "hello again");
    EXPECT_EQ(said.json_at("/items/1/text"), "hello foo_bar.Baz");
    h.get("/shouts/v1/search?q=bar").ok().has("foo_bar").lacks("again");
    h.get("/shouts/v1/search?q=owner:u_ann%20-bar").ok().has("again").lacks("foo_bar");
    h.get("/shouts/v1/search?q=owner:u_bob").ok().has(R"("items":[])");
}

TEST(TextInAHarness, ChangesAndRemovalsAreSeen) {
    Harness<Service> h;
    auto const id = h.post("/shouts/v1", shout_of("first words")).json_at("/id");
    h.call("PATCH", "/shouts/v1/" + id, R"({"text":"other words"})").ok();
    h.get("/shouts/v1/search?q=first").ok().has(R"("items":[])");
    h.get("/shouts/v1/search?q=other").ok().has(id);
    h.call("DELETE", "/shouts/v1/" + id).ok();
    h.get("/shouts/v1/search?q=words").ok().has(R"("items":[])").has(R"("complete":true)");
}

TEST(TextInAHarness, HiddenRowsAreLeftOutAndPagesGoOn) {
    Harness<Service> h;
    for (int i = 0; i < 6; ++i)
        h.as(i % 2 ? "u_ann" : "u_bob").advance(Duration::seconds(1)).post("/shouts/v1", shout_of("word", i % 2 == 1)).ok();
    auto read = [&](std::string_view who) {
        std::size_t items = 0, pages = 0;
        for (std::string next;; ++pages) {
            auto page = h.as(who).get("/shouts/v1/search?q=word&limit=2" + (next.empty() ? "" : "&after=" + next));
            page.ok();
            items += page.as<Page<Shout>>().items.size();
            next = page.next();
            if (next.empty()) return page.has(R"("complete":true)"), std::pair(items, pages);
            page.has(R"("complete":false)");
        }
    };
    EXPECT_EQ(read("u_ann"), std::pair(std::size_t(6), std::size_t(2)));
    EXPECT_EQ(read("u_bob"), std::pair(std::size_t(3), std::size_t(2)));
}

TEST(TextInAHarness, FaultsSayWhere) {
    Harness<Service> h;
    h.get("/shouts/v1/search?q=%22a").fails(400, "query_invalid").has("?q: character 1: this \" has no second one");
    h.get("/shouts/v1/search?q=a&after=nonsense").fails(400, "cursor_invalid");
    h.get("/shouts/v1/search?q=host:x")
        .fails(400, "query_invalid")
        .has("there is no field host; there are: text, mail, owner, after, before");
    h.post("/shouts/v1", shout_of("a")).ok();
    h.get("/shouts/v1/search?q=a&as_of=2026-01-01T00:00:00Z").fails(400, "as_of_ahead");
    h.get("/shouts/v1/search?q=a&best_first=true").ok().has(R"("complete":true)");
}

TEST(TextInAHarness, RandomCommandsKeepTheLaws) {
    Harness<Service> h;
    h.random_commands(7, 200);
}

}  // namespace
}  // namespace gantry::shouts
