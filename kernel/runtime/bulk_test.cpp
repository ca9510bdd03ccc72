// Many commands in one request: what comes together is decided in order, recorded as one batch, and told one by one.
#include "kernel/runtime/edge_fixture_test.h"

namespace gantry::runtime {
namespace {

class BulkTest : public EdgeTest {
   protected:
    // How many events each batch of the log has.
    std::vector<std::uint32_t> batches() {
        std::vector<std::uint32_t> counts;
        auto scanned = log_->scan(0, [&](log::BatchView const& batch) {
            if (batch.count > 0) counts.push_back(batch.count);
            return true;
        });
        EXPECT_TRUE(scanned);
        return counts;
    }
    std::string array(std::vector<std::string> const& titles) {
        std::string body = "[";
        for (auto const& title : titles) body += (body.size() > 1 ? ",{\"title\":\"" : "{\"title\":\"") + title + "\"}";
        return send("POST", "/notes/v1", body + "]").body;
    }
    std::vector<std::string> titles() {
        auto page = codec::from_json<Page<notes::Note>>(send("GET", "/notes/v1").body);
        std::vector<std::string> out;
        for (auto const& note : page->items) out.push_back(note.title.str());
        std::ranges::sort(out);
        return out;
    }
    static std::vector<int> statuses(std::string_view body) {
        std::vector<int> out;
        for (auto at = body.find("\"status\":"); at != body.npos; at = body.find("\"status\":", at + 1))
            if (auto const before = body.rfind("{\"", at);
                body.substr(before, 9) == "{\"index\":" || body.substr(before, 8) == "{\"line\":")
                out.push_back(std::stoi(std::string(body.substr(at + 9, 3))));
        return out;
    }
};

TEST_F(BulkTest, WhatComesTogetherIsOneBatch) {
    std::vector<std::string> wanted;
    for (int i = 0; i < 150; ++i) wanted.push_back("n" + std::to_string(100 + i));
    EXPECT_EQ(statuses(array(wanted)), std::vector<int>(150, 200));
    EXPECT_EQ(batches(), (std::vector<std::uint32_t>{64, 64, 22}));
    EXPECT_EQ(host_->durable(), 150u) << "all that was told is durable";
    EXPECT_EQ(titles().size(), 100u) << "a page of them";
    stop(), start();
    EXPECT_EQ(host_->applied(), 150u);
}

TEST_F(BulkTest, ARefusedOneIsRefusedAlone) {
    auto const body = array({"a", std::string(121, 'x'), "b", "", "c"});
    EXPECT_EQ(statuses(body), (std::vector<int>{200, 400, 200, 400, 200})) << body;
    EXPECT_EQ(batches(), (std::vector<std::uint32_t>{3}));
    EXPECT_EQ(titles(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(BulkTest, ADecisionThatFailsLeavesTheOthers) {
    auto const body = array({"a", "b", "boom", "c"});
    EXPECT_EQ(statuses(body), (std::vector<int>{200, 200, 500, 200})) << body;
    EXPECT_NE(body.find(R"("oops_id":"OOPS-)"), std::string::npos) << body;
    EXPECT_EQ(batches(), (std::vector<std::uint32_t>{2, 1})) << "what its report says it saw is a moment of the log";
    EXPECT_EQ(titles(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(BulkTest, AFoldThatBreaksItsPromiseLeavesWhatCameBeforeAndAfter) {
    auto const body = array({"a", "b", "poison", "c"});
    EXPECT_EQ(statuses(body), (std::vector<int>{200, 200, 500, 200})) << body;
    EXPECT_NE(body.find("apply_failed"), std::string::npos) << body;
    EXPECT_EQ(titles(), (std::vector<std::string>{"a", "b", "c"}));
    auto const digest = host_->digest();
    stop(), start();
    EXPECT_EQ(titles(), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(host_->digest(), digest) << "the fold of the log";
}

TEST_F(BulkTest, LinesWithAKeyAreRecordedByThemselves) {
    auto const body = "{\"title\":\"a\"}\n{\"title\":\"b\"}\n";
    client::Headers headers{{"Content-Type", "application/x-ndjson"}, {"Idempotency-Key", "k"}};
    EXPECT_EQ(statuses(send("POST", "/notes/v1", body, headers).body), (std::vector<int>{200, 200}));
    EXPECT_EQ(batches(), (std::vector<std::uint32_t>{1, 1})) << "a batch remembers one reply";
    EXPECT_EQ(statuses(send("POST", "/notes/v1", body, headers).body), (std::vector<int>{200, 200}));
    EXPECT_EQ(host_->applied(), 2u);
}

TEST_F(BulkTest, ALogThatTakesNothingMoreFailsAllThatItShouldHaveTaken) {
    ASSERT_EQ(statuses(array({"a"})), (std::vector<int>{200}));
    ASSERT_TRUE(log_->close());
    auto const body = array({"b", std::string(121, 'x'), "c"});
    auto const told = statuses(body);
    ASSERT_EQ(told.size(), 3u) << body;
    EXPECT_GE(told[0], 500) << body;
    EXPECT_EQ(told[1], 400) << body;
    EXPECT_GE(told[2], 500) << body;
    EXPECT_EQ(host_->applied(), 1u);
}

TEST_F(BulkTest, ReadersSeeTheWholeGroupOrNothingOfIt) {
    std::atomic<bool> ended = false;
    std::atomic<int> torn = 0, seen = 0;
    std::thread reader([&] {
        while (!ended) {
            Position at = 0;
            Viewer const all{Str("t"), true};
            host_->look(all, at, [&](void const* state) {
                auto const size = static_cast<notes::State const*>(state)->notes.size();
                if (size % 8 != 0 || size != at) ++torn;
                ++seen;
                return true;
            });
        }
    });
    for (int i = 0; i < 200; ++i) array({"1", "2", "3", "4", "5", "6", "7", "8"});
    ended = true;
    reader.join();
    EXPECT_GT(seen, 0);
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(host_->applied(), 1600u);
}

}  // namespace
}  // namespace gantry::runtime
