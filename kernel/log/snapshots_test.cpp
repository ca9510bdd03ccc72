#include <gtest/gtest.h>

#include "kernel/log/memory/memory_snapshots.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

constexpr std::uint64_t shape = 77;
constexpr Incarnation history = 5;

std::string pattern(std::size_t bytes, std::uint64_t seed) {
    SeededRandom random(seed);
    std::string s(bytes, '\0');
    for (auto& c : s) c = char(random.next());
    return s;
}

// One suite for snapshots in memory and in files.
class SnapshotContract : public testing::TestWithParam<std::string> {
   protected:
    SnapshotContract() : snapshots(GetParam() == "Memory" ? memory_snapshots() : file_snapshots(disk, "/s")) {}
    Result<void> save(Position position, std::string const& bytes, std::uint64_t fingerprint = shape, Incarnation incarnation = history,
                      Snapshots::Keep keep = {}) {
        return snapshots->save(
            {position, incarnation, fingerprint, Time{9}, 11},
            [&](Snapshots::Sink const& sink) -> Result<void> {
                for (std::size_t at = 0; at < bytes.size(); at += 300'000) TRY_VOID(sink(std::string_view(bytes).substr(at, 300'000)));
                return {};
            },
            keep);
    }
    Position newest(Position at_most = 1000, std::uint64_t fingerprint = shape, Incarnation incarnation = history) {
        auto source = snapshots->newest(incarnation, fingerprint, at_most);
        EXPECT_TRUE(source);
        return source && *source ? (*source)->meta().position : 0;
    }
    SimulatedDisk disk{1};
    std::unique_ptr<Snapshots> snapshots;
};

TEST_P(SnapshotContract, GivesBackWhatWasSavedInAnyPortions) {
    for (std::size_t bytes : {0u, 1u, 1u << 20, (1u << 20) + 1, 3'500'000u}) {
        auto content = pattern(bytes, bytes);
        ASSERT_TRUE(save(bytes + 1, content));
        for (std::size_t portion : {std::size_t{1000}, std::size_t{1} << 20, std::size_t{5'000'000}}) {
            auto source = *snapshots->newest(history, shape, ~Position{0});
            ASSERT_TRUE(source);
            EXPECT_EQ(source->meta().position, bytes + 1);
            EXPECT_EQ(source->meta().time, Time{9});
            EXPECT_EQ(source->meta().chain, 11u);
            EXPECT_EQ(source->left(), bytes);
            std::string read(bytes, '\0');
            for (std::size_t at = 0; at < bytes; at += portion)
                ASSERT_TRUE(source->read(std::span(read).subspan(at, std::min(portion, bytes - at))));
            EXPECT_TRUE(read == content) << bytes << " " << portion;
            EXPECT_EQ(source->left(), 0u);
            char more;
            EXPECT_EQ(source->read({&more, 1}).error().code, "snapshot_damaged");
        }
    }
}

TEST_P(SnapshotContract, ChoosesByHistoryShapeAndPosition) {
    ASSERT_TRUE(save(30, "c", shape + 1) && save(40, "d", shape, history + 1) && save(10, "a") && save(20, "b"));
    EXPECT_EQ(newest(), 20u);
    EXPECT_EQ(newest(20), 20u);
    EXPECT_EQ(newest(19), 10u);
    EXPECT_EQ(newest(9), 0u);
    EXPECT_EQ(newest(1000, shape + 1), 30u);
    EXPECT_EQ(newest(1000, shape, history + 1), 40u);
    EXPECT_EQ(newest(1000, shape + 2), 0u);
    EXPECT_EQ(snapshots->list().size(), 4u);
    ASSERT_TRUE(snapshots->remove_all());
    EXPECT_EQ(newest(), 0u);
    EXPECT_TRUE(snapshots->list().empty());
}

std::vector<Position> positions(Snapshots& snapshots) {
    std::vector<Position> out;
    for (auto& meta : snapshots.list()) out.push_back(meta.position);
    return out;
}

TEST_P(SnapshotContract, ThinsOutWithAge) {
    for (Position p = 1; p <= 64; ++p) ASSERT_TRUE(save(p * 10, "x"));
    auto kept = positions(*snapshots);
    EXPECT_LE(kept.size(), 14u);
    EXPECT_EQ(kept.back(), 640u);
    EXPECT_EQ(kept[kept.size() - 2], 630u);
    for (Position moment = 10; moment <= 640; ++moment) {
        auto const above = std::ranges::upper_bound(kept, moment);
        Position const below = above == kept.begin() ? 0 : *std::prev(above);
        EXPECT_LE(moment - std::min(below, moment), (640 - moment) / 2 + 10) << moment;
    }
}

TEST_P(SnapshotContract, ABudgetLeavesTheNewestTwo) {
    for (Position p = 1; p <= 64; ++p) ASSERT_TRUE(save(p, std::string(1000, 'x'), shape, history, {5'000}));
    EXPECT_EQ(positions(*snapshots).size(), 5u);
    ASSERT_TRUE(save(65, std::string(1000, 'x'), shape, history, {1}));
    EXPECT_EQ(positions(*snapshots), (std::vector<Position>{64, 65}));
}

TEST_P(SnapshotContract, OfAnotherShapeTheNewestStays) {
    ASSERT_TRUE(save(10, "a", shape + 1) && save(20, "b", shape + 1) && save(30, "c") && save(40, "d", shape, history + 1));
    EXPECT_EQ(positions(*snapshots), (std::vector<Position>{20, 30, 40}));
}

TEST_P(SnapshotContract, AWriterThatFailsLeavesNothing) {
    ASSERT_TRUE(save(1, "good"));
    auto failed = snapshots->save({2, history, shape, {}, 0}, [](Snapshots::Sink const& sink) -> Result<void> {
        TRY_VOID(sink("half"));
        return fail(500, "stopped");
    });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, "stopped");
    EXPECT_EQ(newest(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Snapshots, SnapshotContract, testing::Values("Memory", "File"), [](auto& info) { return info.param; });

class FileSnapshotTest : public testing::Test {
   protected:
    void save(Position position, std::size_t bytes) {
        ASSERT_TRUE(snapshots->save({position, history, shape, {}, 0},
                                    [&](Snapshots::Sink const& sink) { return sink(pattern(bytes, position)); }));
    }
    // True if the newest good snapshot is wholly read as it was written.
    bool reads(Position expected) {
        auto source = *snapshots->newest(history, shape, 1000);
        if (!source || source->meta().position != expected) return false;
        std::string out(std::size_t(source->left()), '\0');
        return source->read(out) && out == pattern(out.size(), expected);
    }
    SimulatedDisk disk{2};
    std::unique_ptr<Snapshots> snapshots = file_snapshots(disk, "/s");
};

TEST_F(FileSnapshotTest, EveryFlippedByteIsNoticed) {
    save(1, 3000), save(2, 3000);
    auto path = disk.files().back();
    auto size = (*disk.open(path, Open::existing_read))->size().value();
    for (std::uint64_t at = 0; at < size; at += 7) {
        ASSERT_TRUE(disk.flip_bit(path, at, int(at % 8)));
        EXPECT_FALSE(reads(2)) << at;
        bool frame = at < 64 || at >= 64 + 3000;
        EXPECT_EQ(reads(1), frame) << at;  // a damaged frame is skipped; damaged content fails the source
        disk.flip_bit(path, at, int(at % 8));
    }
    EXPECT_TRUE(reads(2));
}

TEST_F(FileSnapshotTest, IsVisibleOnlyWhenDurable) {
    for (std::uint64_t call = 1; call < 20; ++call) {
        disk.fail_at(call);
        auto saved =
            snapshots->save({call + 1, history, shape, {}, 0}, [&](Snapshots::Sink const& sink) { return sink(pattern(5000, call + 1)); });
        disk.fail_at(0);
        disk.crash();
        auto source = *snapshots->newest(history, shape, call + 1);
        if (saved)
            EXPECT_TRUE(reads(call + 1));
        else if (source)
            EXPECT_TRUE(reads(source->meta().position));  // an older one, or this one whole
    }
}

}  // namespace
}  // namespace gantry::log
