// Live queries over real sockets.
#include <thread>

#include "kernel/runtime/edge_fixture_test.h"
#include "kernel/runtime/sse_reader_test.h"

namespace gantry::runtime {
namespace {

class Live : public EdgeTest {
   protected:
    std::string rename(std::string const& path, std::string const& title) {
        auto renamed = send("PATCH", path, "{\"title\":\"" + title + "\"}");
        EXPECT_EQ(renamed.status, 200) << renamed.body;
        return std::string(renamed.header("Gantry-Position"));
    }
    void wait_for_readers(std::uint64_t count) {
        for (int i = 0; i < patience_ms / 10 && edge_->live_counts().readers != count; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        EXPECT_EQ(edge_->live_counts().readers, count);
    }
};

TEST_F(Live, FirstTheAnswerThenEachChangedOne) {
    auto const path = "/notes/v1/" + create("one");
    auto const shown = send("GET", path);
    SseReader by_header(url_, path, "Accept: text/event-stream\r\n"), by_query(url_, path + "?live=full");
    for (auto* reader : {&by_header, &by_query}) {
        EXPECT_EQ(reader->status(), 200);
        EXPECT_NE(reader->head().find("text/event-stream"), std::string::npos);
        auto first = reader->next();
        ASSERT_TRUE(first);
        EXPECT_EQ(first->name, "");
        EXPECT_EQ(first->data, shown.body);
        EXPECT_EQ(first->id, shown.header("Gantry-Position"));
    }
    for (auto title : {"two", "three", "four"}) {
        auto const position = rename(path, title);
        for (auto* reader : {&by_header, &by_query}) {
            auto event = reader->next();
            ASSERT_TRUE(event) << title;
            EXPECT_EQ(event->data, send("GET", path).body);
            EXPECT_EQ(event->id, position);
        }
    }
    rename("/notes/v1/" + create("another"), "other");
    EXPECT_FALSE(by_header.next(300)) << "what it doesn't look at is none of its business";
}

TEST_F(Live, AMergePatchSaysWhatChanged) {
    auto const path = "/notes/v1/" + create("one");
    SseReader reader(url_, path + "?live=patch");
    EXPECT_EQ(reader.next()->data, send("GET", path).body);
    rename(path, "two");
    auto patch = reader.next();
    ASSERT_TRUE(patch);
    EXPECT_EQ(patch->name, "patch");
    EXPECT_EQ(patch->data, R"({"title":"two"})");
    EXPECT_EQ(send("DELETE", path).status, 200);
    EXPECT_EQ(reader.next()->data, R"({"archived":true})");
}

TEST_F(Live, AListIsKeptUpToDate) {
    SseReader reader(url_, "/notes/v1?live=full");
    EXPECT_NE(reader.next()->data.find(R"("items":[])"), std::string::npos);
    for (auto title : {"one", "two"}) {
        create(title);
        auto event = reader.next();
        ASSERT_TRUE(event);
        EXPECT_NE(event->data.find(title), std::string::npos);
    }
    SseReader short_one(url_, "/notes/v1?live=full&limit=1");
    auto const first = short_one.next();
    create("three");
    EXPECT_NE(reader.next()->data.find("three"), std::string::npos);
    EXPECT_FALSE(short_one.next(600)) << "a page on which nothing changed but its position";
}

TEST_F(Live, AResumedReaderGetsOnlyWhatItMissed) {
    auto const path = "/notes/v1/" + create("one");
    auto const seen = rename(path, "two");
    SseReader unchanged(url_, path, "Accept: text/event-stream\r\nLast-Event-ID: " + seen + "\r\n");
    auto comment = unchanged.next();
    ASSERT_TRUE(comment);
    EXPECT_EQ(comment->comment, "unchanged");
    auto const later = rename(path, "three");
    EXPECT_NE(unchanged.next()->data.find("three"), std::string::npos);
    SseReader changed(url_, path, "Accept: text/event-stream\r\nLast-Event-ID: " + seen + "\r\n");
    auto event = changed.next();
    EXPECT_NE(event->data.find("three"), std::string::npos);
    EXPECT_EQ(event->id, later);
    for (auto id : {"0000000000000.99", "junk", "."})
        EXPECT_NE(SseReader(url_, path, std::string("Accept: text/event-stream\r\nLast-Event-ID: ") + id + "\r\n").next()->data, "") << id;
}

TEST_F(Live, AReaderThatIsAheadWaits) {
    auto const path = "/notes/v1/" + create("one");
    auto const now = std::string(send("GET", path).header("Gantry-Position"));
    auto const next = now.substr(0, now.find('.') + 1) + std::to_string(std::stoi(now.substr(now.find('.') + 1)) + 1);
    std::thread writer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        rename(path, "two");
    });
    SseReader reader(url_, path, "Accept: text/event-stream\r\nLast-Event-ID: " + next + "\r\n");
    EXPECT_EQ(reader.status(), 200);
    EXPECT_EQ(reader.next()->comment, "unchanged") << "never an answer from before what it has seen";
    writer.join();
}

TEST_F(Live, WhatCantBeReadIsAPlainProblem) {
    auto const path = "/notes/v1/" + create("one");
    auto const position = std::string(send("GET", path).header("Gantry-Position"));
    EXPECT_EQ(send("GET", "/notes/v1/n_none?live=full").status, 404);
    EXPECT_EQ(send("GET", path + "?live=fast").status, 400);
    EXPECT_EQ(send("GET", path + "?live=full&as_of=" + position).status, 400);
    EXPECT_EQ(send("GET", "/notes/v1?live=full&limit=0").status, 400);
    wait_for_readers(0);
}

TEST_F(Live, AReportCostsOneEvaluation) {
    std::vector<std::string> paths;
    std::vector<std::unique_ptr<SseReader>> readers;
    for (int i = 0; i < 40; ++i) {
        paths.push_back("/notes/v1/" + create("note"));
        for (int twice = 0; twice < 2; ++twice) {
            readers.push_back(std::make_unique<SseReader>(url_, paths.back() + "?live=full"));
            ASSERT_TRUE(readers.back()->next());
        }
    }
    EXPECT_EQ(edge_->live_counts().readers, 80u);
    auto const before = edge_->live_counts().evaluations;
    for (auto& path : paths) rename(path, "renamed");
    for (auto& reader : readers) EXPECT_NE(reader->next()->data.find("renamed"), std::string::npos);
    // The two readers of a note may be on two threads.
    EXPECT_LE(edge_->live_counts().evaluations - before, 80u);
    readers.clear();
    wait_for_readers(0);
    auto const after = edge_->live_counts().evaluations;
    for (auto& path : paths) rename(path, "again");
    EXPECT_EQ(edge_->live_counts().evaluations, after);
}

TEST_F(Live, ASlowReaderMissesSomeButNeverTheLast) {
    stop();
    limits_.write_buffer_bytes = 4096;
    start();
    auto const path = "/notes/v1/" + create("one");
    SseReader slow(url_, path + "?live=patch");
    ASSERT_TRUE(slow.next());
    client::Session session(url_);
    session.set_header("Content-Type", "application/json");
    std::string const padding(100, 'x');
    int changes = 0;
    auto change = [&] { ASSERT_EQ(session.patch(path, "{\"title\":\"" + padding + std::to_string(++changes) + "\"}").status, 200); };
    // How much the system's own buffers hold differs from one to the next, and they take more for a while after the server's is full.
    for (int checks = 0; checks < 5 && changes < 100'000; checks = edge_->live_counts().behind == 1 ? checks + 1 : 0)
        for (int i = 0; i < 50; ++i) change();
    std::string last;
    int events = 0;
    while (last.find(padding + std::to_string(changes)) == std::string::npos) {
        auto event = slow.next();
        ASSERT_TRUE(event) << "the last answer never came; " << events << " events, then " << last;
        last = event->data, ++events;
    }
    EXPECT_LT(events, changes);
}

TEST_F(Live, APlannedStopSaysComeBack) {
    auto const path = "/notes/v1/" + create("one");
    SseReader first(url_, path + "?live=full"), second(url_, "/notes/v1?live=full");
    first.next(), second.next();
    edge_->announce_stop();
    for (auto* reader : {&first, &second}) {
        auto moved = reader->next();
        ASSERT_TRUE(moved);
        EXPECT_EQ(moved->name, "moved");
        EXPECT_LT(std::stoi(moved->retry), 3000);
        EXPECT_EQ(moved->data, "{\"retry_ms\":" + moved->retry + "}");
        EXPECT_FALSE(reader->next());
        EXPECT_TRUE(reader->ended());
    }
}

TEST(Watch, WakesEachWatcherOnceAndOnlyWhenDurable) {
    Watch watch;
    std::vector<std::pair<int, std::vector<std::uint64_t>>> woken;
    watch.on_wake([&](int lane, std::vector<std::uint64_t> numbers) { woken.emplace_back(lane, std::move(numbers)); });
    EXPECT_FALSE(watch.any());
    watch.add({0, 1}, std::array<state::KeyHash, 2>{10, 11});
    watch.add({1, 2}, std::array<state::KeyHash, 1>{10});
    watch.add({1, 3}, std::array<state::KeyHash, 1>{12});
    EXPECT_TRUE(watch.any());
    watch.changed(5, {10, 11}), watch.changed(6, {99}), watch.changed(7, {12});
    watch.durable(4);
    EXPECT_TRUE(woken.empty());
    watch.durable(6);
    EXPECT_EQ(woken, (decltype(woken){{0, {1}}, {1, {2}}}));
    woken.clear();
    watch.remove({1, 3}, std::array<state::KeyHash, 1>{12});
    watch.durable(7);
    EXPECT_TRUE(woken.empty());
    watch.remove({0, 1}, std::array<state::KeyHash, 2>{10, 11}), watch.remove({1, 2}, std::array<state::KeyHash, 1>{10});
    EXPECT_FALSE(watch.any());
}

}  // namespace
}  // namespace gantry::runtime
