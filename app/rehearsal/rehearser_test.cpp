#include "app/rehearsal/rehearser.h"

#include "app/rehearsal/rehearsal_fixture_test.h"

namespace gantry::app::rehearsal {
namespace {

using RehearserTest = TallyTest;

TEST_F(RehearserTest, SaysWhatItIs) {
    write(10);
    auto const hello = side(tally::service())->hello();
    EXPECT_EQ(hello.protocol, 1u);
    EXPECT_EQ(hello.version, "1.2.3");
    EXPECT_EQ(hello.service, "tally");
    EXPECT_EQ(hello.from, 0u);
    EXPECT_EQ(hello.events, 30u);
    EXPECT_EQ(hello.reads, std::vector<std::string>{"/tally/v1/rows?limit=1000"});
}

TEST_F(RehearserTest, DigestsAreThoseOfTheirPositionInWhateverOrder) {
    write(100);
    std::vector<std::string> forward;
    auto first = side(tally::service());
    for (std::uint64_t position = 0; position <= 300; ++position) forward.push_back(first->digest_at(position)->digest);
    EXPECT_NE(forward[7], forward[8]);
    auto second = side(tally::service());
    for (std::uint64_t position : {300, 0, 150, 151, 149, 150, 299, 1, 300})
        EXPECT_EQ(second->digest_at(position)->digest, forward[position]);
}

TEST_F(RehearserTest, GoesOnFromTheNearestStateThatItHas) {
    write(100);
    auto one = side(tally::service());
    EXPECT_EQ(one->digest_at(100)->folded, 100u);
    EXPECT_EQ(one->digest_at(200)->folded, 100u);
    EXPECT_EQ(one->digest_at(150)->folded, 50u) << "from 100, which was kept";
    EXPECT_EQ(one->digest_at(125)->folded, 25u);
    EXPECT_EQ(one->digest_at(10)->folded, 10u) << "from the beginning";
}

TEST_F(RehearserTest, AnswersAsOfAPosition) {
    write(10);
    auto one = side(tally::service());
    for (std::uint64_t position : {30, 17}) {
        auto const answer = one->get("/tally/v1/rows/all", position);
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 200);
        EXPECT_EQ(answer->body, R"({"name":"all","sum":)" + std::to_string(position) + "}");
    }
    EXPECT_EQ(one->get("/tally/v1/rows/none", 30)->status, 404);
    EXPECT_NE(one->get("/tally/v1/rows/none", 30)->body.find("row_not_found"), std::string::npos);
    EXPECT_EQ(one->get("/tally/v1/rows?limit=many", 30)->status, 400);
    EXPECT_EQ(one->get("/tally/v1/nothing", 30)->status, 404);
    EXPECT_EQ(one->get("/tally/v1/events", 30)->status, 400);
}

TEST_F(RehearserTest, PositionsThatAreNotThereAreRefused) {
    write(1);
    auto one = side(tally::service());
    EXPECT_TRUE(one->digest_at(3));
    EXPECT_EQ(one->digest_at(4).error().code, "rehearsal_position_invalid");
    EXPECT_EQ(one->get("/tally/v1/rows", 4).error().code, "rehearsal_position_invalid");
}

TEST_F(RehearserTest, ALogThatThisServiceCantReadIsSaid) {
    write(1);
    auto decl = tally::service();
    decl.event = &codec::type_of<std::variant<tally::Row>>();
    EXPECT_EQ(side(std::move(decl))->digest_at(3).error().code, "event_type_unknown");
    EXPECT_EQ(Rehearser::open(tally::service(), {path_ + "/nowhere", ""}, "1").error().code, "log_not_found");
}

TEST_F(RehearserTest, ChangesNothing) {
    write(10);
    auto const names = [&] {
        std::vector<std::string> out;
        for (auto const& entry : std::filesystem::recursive_directory_iterator(path_)) out.push_back(entry.path());
        return std::ranges::sort(out), out;
    };
    auto const before = names();
    ASSERT_TRUE(side(tally::service())->digest_at(30));
    EXPECT_EQ(names(), before);
}

TEST_F(RehearserTest, AKeyOfAnotherSizeIsSaid) {
    write(1);
    ASSERT_TRUE(log::write_file_durably(log::system_disk(), path_ + "/main/request.key", "short"));
    EXPECT_EQ(Rehearser::open(tally::service(), {log_directory(), path_ + "/main"}, "1").error().code, "key_damaged");
}

}  // namespace
}  // namespace gantry::app::rehearsal
