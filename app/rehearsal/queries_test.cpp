#include "app/rehearsal/queries.h"

#include <gtest/gtest.h>

#include "kernel/base/varint.h"
#include "kernel/log/memory/memory_log.h"

namespace gantry::app::rehearsal {
namespace {

TEST(Queries, OnePathALine) {
    auto const queries = parse_queries("# what people ask\n\n/a/v1/b\n/a/v1/b?limit=3&as_of=17&q=%20x\r\n/a?as_of=2026-01-01T00:00:00Z");
    ASSERT_TRUE(queries) << queries.error().faults.front().detail;
    ASSERT_EQ(queries->size(), 3u);
    EXPECT_EQ((*queries)[0].target, "/a/v1/b");
    EXPECT_EQ((*queries)[0].as_of, "");
    EXPECT_EQ((*queries)[1].target, "/a/v1/b?limit=3&q=%20x");
    EXPECT_EQ((*queries)[1].as_of, "17");
    EXPECT_EQ((*queries)[2].as_of, "2026-01-01T00:00:00Z");
    EXPECT_TRUE(parse_queries("")->empty());
}

TEST(Queries, TheGetsOfAnAccessLogOnceEach) {
    auto const queries = parse_queries(
        "127.0.0.1 - - [21/Nov/2026:10:00:00 +0000] \"GET /a/v1/b?limit=3&as_of=17 HTTP/1.1\" 200 17 \"-\" \"an HTTP/1.1 client\"\n"
        "127.0.0.1 - - [21/Nov/2026:10:00:01 +0000] \"POST /a/v1/b HTTP/1.1\" 200 17\n"
        "haproxy[7]: 10.0.0.1:3317 [21/Nov/2026:10:00:02.655] http-in a/s1 0/0/0/1/1 200 17 - - ---- 1/1/1/1/0 0/0 \"GET /a/v1/b?limit=3 "
        "HTTP/1.1\"\n"
        "127.0.0.1 - - [21/Nov/2026:10:00:03 +0000] \"GET /a?live=full HTTP/1.1\" 200 17\n"
        "127.0.0.1 - - [21/Nov/2026:10:00:04 +0000] \"GET /a/v1/c HTTP/2.0\" 404 17\n"
        "/a/v1/d\n");
    ASSERT_TRUE(queries) << queries.error().faults.front().detail;
    std::vector<std::string> targets;
    for (auto const& query : *queries) targets.push_back(query.target + " " + query.as_of);
    EXPECT_EQ(targets, (std::vector<std::string>{"/a/v1/b?limit=3 ", "/a/v1/c ", "/a/v1/d "}));
}

TEST(Queries, EachMalformedLineIsNamedByNumber) {
    auto const queries = parse_queries("/fine\nGET /a\n\n/a b\n/a?live=full\n/a?as_of=1&as_of=2\n# fine\n/a?as_of=");
    ASSERT_FALSE(queries);
    EXPECT_EQ(queries.error().code, "rehearsal_queries_malformed");
    std::vector<std::string> lines;
    for (auto const& fault : queries.error().faults) {
        lines.push_back(fault.pointer);
        EXPECT_NE(fault.detail, "");
    }
    EXPECT_EQ(lines, (std::vector<std::string>{"2", "4", "5", "6", "8"}));
}

TEST(Queries, AMomentIsAPositionOrATime) {
    ManualClock clock;
    clock.set_wall(*parse_time("2026-03-01T10:00:00Z"));
    SeededRandom random(1);
    log::MemoryLog log(clock, random);
    for (int i = 0; i < 3; ++i) {
        log::BatchView batch;
        std::string events;
        put_varint(events, 0), put_string(events, "");
        batch.count = 1, batch.events = events, batch.time = clock.wall();
        ASSERT_TRUE(log.append(batch));
        clock.advance(Duration::seconds(60));
    }
    auto const incarnation = log::incarnation_text(log.status().incarnation);
    EXPECT_EQ(*position_of("", log), 3u);
    EXPECT_EQ(*position_of("0", log), 0u);
    EXPECT_EQ(*position_of("3", log), 3u);
    EXPECT_EQ(position_of("4", log).error().code, "as_of_ahead");
    EXPECT_EQ(*position_of(incarnation + ".2", log), 2u);
    EXPECT_EQ(position_of(log::incarnation_text(log.status().incarnation + 1) + ".2", log).error().code, "position_gone");
    EXPECT_EQ(*position_of("2026-03-01T10:01:30Z", log), 2u);
    EXPECT_EQ(*position_of("2026-03-01T09:00:00Z", log), 0u);
    EXPECT_EQ(position_of("yesterday", log).error().code, "rehearsal_query_malformed");
}

}  // namespace
}  // namespace gantry::app::rehearsal
