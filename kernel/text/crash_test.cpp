// What a process leaves behind that ends in the middle of its work, or finds no room for it.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "kernel/text/text_for_test.h"

namespace gantry::text {
namespace {

// Runs `work` in a process of its own and gives its id; its exit code is what `work` gives.
pid_t in_child(auto const& work) {
    auto const child = ::fork();
    if (child == 0) ::_exit(work());
    return child;
}

std::string text_of(std::uint64_t id) { return "number" + std::to_string(id) + " of many words that are in all of them"; }

TEST(Crash, IndexAndTokenAgreeWhereverItIsKilled) {
    PlaceForTest place;
    std::uint64_t before = 0;
    int grown = 0;
    for (int round = 0; round < 40; ++round) {
        int told[2];
        ASSERT_EQ(::pipe(told), 0);
        auto const child = in_child([&] {
            auto index = Index::open(place.index, schema_for_test());
            if (!index) return 1;
            for (auto id = index->upto().position + 1;; ++id) {
                if (!index->put(document_for_test(id, text_of(id)))) return 2;
                if (id % 20 == 0 && !index->commit({7, id})) return 3;
                if (id % 20 == 0 && ::write(told[1], "x", 1) != 1) return 4;
            }
            return 0;
        });
        ::close(told[1]);
        // After some commits, at no place that is chosen: the next ones go on meanwhile.
        char byte;
        for (int i = 0; i <= round % 5; ++i) ASSERT_EQ(::read(told[0], &byte, 1), 1);
        ::usleep(useconds_t(700 * round));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(told[0]);

        auto index = Index::open(place.index, schema_for_test());
        ASSERT_TRUE(index) << index.error().code << index.error().cause;
        auto const upto = index->upto().position;
        EXPECT_EQ(index->upto().incarnation, 7u);
        EXPECT_EQ(upto % 20, 0u);
        EXPECT_GE(upto, before + 20 * std::uint64_t(round % 5 + 1));
        EXPECT_EQ(index->documents().value(), upto);
        auto reader = index->reader().value();
        auto count = [&](std::uint64_t id) {
            return reader.find({.match = parse("number" + std::to_string(id), schema_for_test(), {}).value(), .after = {}})
                .value()
                .hits.size();
        };
        EXPECT_EQ(count(upto), 1u);
        EXPECT_EQ(count(upto + 1), 0u);
        grown += upto > before + 20 * std::uint64_t(round % 5 + 1);
        before = upto;
    }
    EXPECT_GT(grown, 0) << "none was killed later than at once";
}

TEST(Crash, OneInTheMakingIsMadeAgain) {
    PlaceForTest place;
    for (int round = 0; round < 20; ++round) {
        auto const child = in_child([&] {
            (void)Index::open(place.index, schema_for_test());
            for (;;) (void)Index::drop(place.index), (void)Index::open(place.index, schema_for_test());
            return 0;
        });
        ::usleep(useconds_t(500 * round));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        auto const code = [&] {
            auto const index = Index::open(place.index, schema_for_test());
            return index ? "opened" : index.error().code;
        };
        if (auto const first = code(); first != "opened") {
            EXPECT_EQ(first, "text_damaged");
            ASSERT_TRUE(Index::drop(place.index));
            EXPECT_EQ(code(), "opened");
        }
    }
}

TEST(Crash, AFullDiskIsSaidAndWhatWasCommittedStays) {
    PlaceForTest place;
    auto const child = in_child([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        rlimit const limit{1 << 20, 1 << 20};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 10;
        auto index = Index::open(place.index, schema_for_test());
        if (!index) return 11;
        for (std::uint64_t id = 1; id < 100'000; ++id) {
            auto put = index->put(document_for_test(id, text_of(id)));
            Result<void> done;
            if (put && id % 100 == 0) done = index->commit({7, id});
            if (!put) done = std::unexpected(put.error());
            if (!done) return done.error().code == "text_disk_full" && done.error().status == 507 ? 0 : 12;
        }
        return 13;
    });
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    auto index = Index::open(place.index, schema_for_test());
    ASSERT_TRUE(index) << index.error().code << index.error().cause;
    EXPECT_EQ(index->documents().value(), index->upto().position);
    EXPECT_GT(index->upto().position, 0u);
    ASSERT_TRUE(index->put(document_for_test(index->upto().position + 1, "goes on")));
    EXPECT_TRUE(index->commit({7, index->upto().position + 1}));
}

TEST(Crash, APlaceThatMayNotBeWrittenIsSaid) {
    PlaceForTest place;
    ASSERT_TRUE(Index::open(place.index, schema_for_test()));
    std::filesystem::permissions(place.index, std::filesystem::perms(0555));
    for (auto const& file : std::filesystem::directory_iterator(place.index))
        std::filesystem::permissions(file.path(), std::filesystem::perms(0444));
    std::filesystem::permissions(place.path, std::filesystem::perms(0755));
    // root passes every check: a process of nobody tries.
    auto const child = in_child([&] {
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 77;
        auto index = Index::open(place.index, schema_for_test());
        if (index) return 1;
        return index.error().code == "text_read_only" &&
                       Index::open(place.path + "/new", schema_for_test()).error().code == "text_read_only"
                   ? 0
                   : 2;
    });
    int status = 0;
    ::waitpid(child, &status, 0);
    std::filesystem::permissions(place.index, std::filesystem::perms(0755));
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "runs as root and can't become another user";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace gantry::text
