// The event feed over real sockets.
#include <thread>

#include "kernel/runtime/edge_fixture_test.h"
#include "kernel/runtime/feed.h"
#include "kernel/runtime/sse_reader_test.h"

namespace gantry::runtime {
namespace {

class FeedTest : public EdgeTest {
   protected:
    static constexpr auto path = "/notes/v1/events";
    Page<CloudEvent> page(std::string const& query = {}) {
        auto reply = send("GET", path + query);
        EXPECT_EQ(reply.status, 200) << reply.body;
        auto page = codec::from_json<Page<CloudEvent>>(reply.body);
        EXPECT_TRUE(page) << reply.body << page.error().detail;
        return page.value_or(Page<CloudEvent>{});
    }
    std::vector<std::string> lines(std::string const& query = {}) {
        auto reply = send("GET", path + query, {}, {{"Accept", "application/x-ndjson"}});
        EXPECT_EQ(reply.status, 200) << reply.body;
        std::vector<std::string> out;
        for (std::size_t at = 0; at < reply.body.size();) {
            auto const end = reply.body.find('\n', at);
            out.push_back(reply.body.substr(at, end - at));
            at = end == std::string::npos ? reply.body.size() : end + 1;
        }
        return out;
    }
    std::string now() { return host_->position_text(host_->durable()); }
    static std::string id_of(std::string const& line) {
        auto event = codec::from_json<CloudEvent>(line);
        EXPECT_TRUE(event) << line;
        return event ? event->id : "";
    }
};

TEST_F(FeedTest, TellsWhatWasRecordedAsCloudEvents) {
    auto const id = create("Plan");
    EXPECT_EQ(send("DELETE", "/notes/v1/" + id).status, 200);
    auto all = page();
    ASSERT_EQ(all.items.size(), 2u);
    EXPECT_TRUE(all.complete);
    auto const& made = all.items[0];
    EXPECT_EQ(made.specversion, "1.0");
    EXPECT_EQ(made.id, host_->position_text(1));
    EXPECT_EQ(made.source, "/notes");
    EXPECT_EQ(made.type, "notes.created");
    EXPECT_EQ(made.subject, id);
    EXPECT_EQ(made.data.text, "{\"id\":\"" + id + R"(","title":"Plan","owner":"u_local"})");
    EXPECT_LE(system_clock().wall() - made.time, Duration::seconds(60));
    EXPECT_EQ(all.items[1].type, "notes.archived");
    EXPECT_EQ(*all.next, host_->position_text(2));
    EXPECT_TRUE(page("?after=" + *all.next).items.empty());
    auto batch = send("GET", path, {}, {{"Accept", "application/cloudevents-batch+json"}});
    EXPECT_EQ(batch.header("Content-Type"), "application/cloudevents-batch+json");
    EXPECT_EQ(codec::from_json<std::vector<CloudEvent>>(batch.body)->size(), 2u);
    EXPECT_EQ(batch.header("Gantry-Next"), *all.next);
}

TEST_F(FeedTest, PagesMissNothingAndRepeatNothing) {
    std::string body = "[";
    for (int i = 0; i < 250; ++i) body += std::string(i ? "," : "") + R"({"title":"note"})";
    ASSERT_EQ(send("POST", "/notes/v1", body + "]").status, 200);
    std::vector<std::string> ids;
    std::string after;
    for (bool more = true; more;) {
        auto one = page("?limit=7" + after);
        for (auto& event : one.items) ids.push_back(event.id);
        after = "&after=" + *one.next, more = !one.complete;
    }
    ASSERT_EQ(ids.size(), 250u);
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], host_->position_text(i + 1));
    auto const all = lines();
    ASSERT_EQ(all.size(), 250u);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(id_of(all[i]), ids[i]);
    EXPECT_EQ(lines("?after=" + ids[248]).size(), 1u);
}

TEST_F(FeedTest, ByTypeAndSubject) {
    auto const one = create("one"), two = create("two");
    for (auto& id : {one, two, one}) send("PATCH", "/notes/v1/" + id, R"({"title":"other"})");
    send("DELETE", "/notes/v1/" + two);
    EXPECT_EQ(page("?type=renamed").items.size(), 3u);
    EXPECT_EQ(page("?type=notes.renamed,archived").items.size(), 4u);
    EXPECT_EQ(page("?subject=" + one).items.size(), 3u);
    EXPECT_EQ(page("?type=renamed&subject=" + one).items.size(), 2u);
    EXPECT_EQ(lines("?type=archived").size(), 1u);
    EXPECT_EQ(*page("?type=archived").next, now()) << "what was looked at need not be looked at again";
}

TEST_F(FeedTest, APageMayWaitForAnEvent) {
    create("before");
    auto const after = now();
    std::thread writer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        create("after");
    });
    auto const waited = page("?wait=20s&after=" + after);
    writer.join();
    ASSERT_EQ(waited.items.size(), 1u);
    EXPECT_NE(waited.items[0].data.text.find("after"), std::string::npos);
    auto const began = std::chrono::steady_clock::now();
    auto const nothing = page("?wait=200ms&after=" + now());
    EXPECT_TRUE(nothing.items.empty() && nothing.complete);
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(150));
    EXPECT_FALSE(page("?wait=20s").items.empty()) << "what is there is told at once";
    // A wait for what a filter lets through.
    auto const before = now();
    std::thread other([&] {
        create("not this");
        send("DELETE", "/notes/v1/" + create("this"));
    });
    EXPECT_EQ(page("?wait=20s&type=archived&after=" + before).items.size(), 1u);
    other.join();
}

TEST_F(FeedTest, AStreamGoesOn) {
    create("one");
    SseReader reader(url_, path, "Accept: text/event-stream\r\n");
    EXPECT_EQ(reader.status(), 200);
    auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->id, host_->position_text(1));
    EXPECT_EQ(id_of(first->data), first->id);
    for (int i = 2; i <= 20; ++i) {
        create("more");
        auto event = reader.next();
        ASSERT_TRUE(event);
        EXPECT_EQ(event->id, host_->position_text(Position(i)));
    }
    SseReader resumed(url_, std::string(path) + "?live=full", "Last-Event-ID: " + host_->position_text(18) + "\r\n");
    EXPECT_EQ(resumed.next()->id, host_->position_text(19));
    EXPECT_EQ(resumed.next()->id, host_->position_text(20));
    edge_->announce_stop();
    EXPECT_EQ(resumed.next()->name, "moved");
    EXPECT_EQ(reader.next()->name, "moved");
}

TEST_F(FeedTest, ManyReadersAndWritersGapless) {
    constexpr int each = 500;
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int r = 0; r < 4; ++r)
        threads.emplace_back([&] {
            SseReader reader(url_, path, "Accept: text/event-stream\r\n");
            for (Position expected = 1; expected <= 2 * each; ++expected) {
                auto event = reader.next();
                if (!event || event->id != host_->position_text(expected)) return;
            }
            ++good;
        });
    for (int w = 0; w < 2; ++w)
        threads.emplace_back([&] {
            for (int i = 0; i < each; ++i) create("note");
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 4);
}

TEST_F(FeedTest, WhatIsMissingIsSaid) {
    create("one");
    auto const elsewhere = page("?after=0123456789abc.7");
    ASSERT_EQ(elsewhere.items.size(), 2u);
    EXPECT_EQ(elsewhere.items[0].type, "gantry.gap");
    EXPECT_EQ(elsewhere.items[0].data.text, R"({"reason":"history","after":"0123456789abc.7","next":")" + host_->position_text(0) + "\"}");
    EXPECT_EQ(elsewhere.items[1].type, "notes.created");
    SseReader reader(url_, path, "Accept: text/event-stream\r\nLast-Event-ID: 0123456789abc.7\r\n");
    EXPECT_EQ(reader.next()->name, "gap");
    EXPECT_EQ(reader.next()->id, host_->position_text(1));
    EXPECT_EQ(lines("?after=0123456789abc.7").size(), 2u);
}

TEST_F(FeedTest, WhatCantBeMeantIsRefused) {
    create("one");
    struct Row {
        std::string query;
        std::string_view says;
    };
    for (auto const& row : {Row{"?after=7", "expected a position"}, Row{"?after=" + now() + "0", "after_ahead"},
                            Row{"?type=craeted", "did you mean 'created'?"}, Row{"?type=unheard", "it has created, archived, renamed"},
                            Row{"?wait=2m", "at most 60s"}, Row{"?wait=soon", "expected a duration"}, Row{"?limit=0", "?limit"},
                            Row{"?limit=1001", "?limit"}, Row{"?as_of=" + now(), "use after"}, Row{"?subjct=x", "did you mean"}}) {
        auto reply = send("GET", path + row.query);
        EXPECT_EQ(reply.status, 400) << row.query;
        EXPECT_NE(reply.body.find(row.says), std::string::npos) << row.query << reply.body;
        EXPECT_NE(reply.header("X-Request-Id"), "") << row.query;
    }
    EXPECT_EQ(send("POST", path, "{}").status, 405);
}

TEST_F(FeedTest, NobodyIsToldWhatTheyMayNotSee) {
    create("mine");
    notes::Created const theirs{notes::NoteId("n_theirs"), Text<1, 120>("theirs"), UserId("u_bob")};
    std::string payload, events;
    codec::put(payload, theirs);
    put_varint(events, std::uint64_t{0}), put_string(events, payload);
    stop();
    {
        log::Committer committer;
        auto log = log::FileLog::open(log::system_disk(), committer, (directory_ / "log").string(), {},
                                      codec::encode_event_schema(codec::type_of<notes::Event>()), system_clock(), system_random());
        log::BatchView batch;
        batch.count = 1, batch.events = events, batch.caller = "u_bob", batch.time = system_clock().wall();
        ASSERT_TRUE((*log)->append(batch));
        ASSERT_TRUE((*log)->close());
    }
    start();
    create("mine too");
    auto const all = page();
    ASSERT_EQ(all.items.size(), 2u);
    EXPECT_EQ(all.items[1].id, host_->position_text(3));
    EXPECT_EQ(send("GET", std::string(path) + "?subject=n_theirs").body.find("theirs\""), std::string::npos);
}

TEST_F(FeedTest, ASlowReaderHoldsNothingUp) {
    std::string body = "[";
    for (int i = 0; i < 5000; ++i) body += std::string(i ? "," : "") + R"({"title":"note"})";
    for (int i = 0; i < 6; ++i) ASSERT_EQ(send("POST", "/notes/v1", body + "]").status, 200);
    SseReader slow(url_, path, "Accept: text/event-stream\r\n");
    EXPECT_EQ(send("GET", "/notes/v1?limit=1").status, 200);
    for (Position expected = 1; expected <= 30'000; ++expected) {
        auto event = slow.next();
        ASSERT_TRUE(event) << expected;
        ASSERT_EQ(event->id, host_->position_text(expected));
    }
}

}  // namespace
}  // namespace gantry::runtime
