// Erasures, backups and the scrub of logs on a disk that fails.
#include "kernel/codec/json.h"
#include "kernel/log/backup.h"
#include "kernel/log/file/tools.h"
#include "kernel/log/scrub.h"
#include "kernel/log/subject_keys_file.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

class Keep : public FileLogTest {
   protected:
    static constexpr char const *data = "/data", *to = "/backup", *again = "/again";
    Keep() {
        EXPECT_TRUE(disk.make_directories("/data/main"));
        EXPECT_TRUE(write_file_durably(disk, "/data/main/request.key", std::string(32, 'k')));
        keys_ = *open_subject_keys(disk, "/data/main/subject.keys", random);
    }
    BackupSource source(std::optional<Status> at = {}) {
        BackupSource out{data, {"main"}, {{"main", "notes", directory, std::move(at)}}, clock.wall(), "1"};
        return out;
    }
    Result<BackupManifest> backed_up(std::optional<Status> at = {}) { return back_up(disk, source(std::move(at)), to, {}); }
    Result<Restored> restored(std::vector<Erasure> const& erasures = {}) {
        return restore_backup(disk, to, again, erasures, clock, random, {});
    }
    std::unique_ptr<FileLog> open_restored() {
        auto opened = FileLog::open(disk, committer, "/again/main/notes/log", options, "v1", clock, random, ClockAhead::refuse);
        EXPECT_TRUE(opened) << opened.error().cause;
        return opened ? std::move(*opened) : nullptr;
    }
    std::unique_ptr<codec::SubjectKeys> keys_;
};

TEST_F(Keep, ABackupEndsWhereTheLogStoodAndNotBehindIt) {
    open();
    fill(100);
    auto const then = log->status();
    fill(100);
    auto manifest = backed_up(then);
    ASSERT_TRUE(manifest) << manifest.error().detail << manifest.error().cause;
    EXPECT_EQ(manifest->logs[0].position, 200u);
    auto out = restored();
    ASSERT_TRUE(out) << out.error().detail << out.error().cause;
    log->close();
    auto other = open_restored();
    EXPECT_EQ(other->status().end, 200u);
    EXPECT_EQ(count_events(*other), 200u);
    EXPECT_EQ(log->status().end, 400u);
}

TEST_F(Keep, FlagsAndCallersOfASiteGoAlongAndTheDataSaysWhenItWasBackedUp) {
    open();
    fill(10);
    ASSERT_TRUE(write_file_durably(disk, "/data/main/flags.ndjson", "{\"version\":1}\n"));
    ASSERT_TRUE(write_file_durably(disk, "/data/main/callers.json", "{\"callers\":[]}\n", Open::create_private));
    EXPECT_FALSE(disk.exists("/data/backup.json").value());
    ASSERT_TRUE(backed_up(log->status()));
    ASSERT_TRUE(restored());
    EXPECT_EQ(read_file(disk, "/again/main/flags.ndjson").value(), "{\"version\":1}\n");
    EXPECT_EQ(read_file(disk, "/again/main/callers.json").value(), "{\"callers\":[]}\n");
    auto const last = codec::from_json<LastBackup>(read_file(disk, "/data/backup.json").value());
    ASSERT_TRUE(last);
    EXPECT_EQ(last->to, to);
    EXPECT_EQ(last->at, clock.wall());
    log->close();
}

TEST_F(Keep, ARestoredLogTellsTheHistoryThatItCameFrom) {
    open();
    fill(10);
    auto const former = log->status().incarnation;
    ASSERT_TRUE(backed_up(log->status()));
    auto out = restored();
    ASSERT_TRUE(out);
    EXPECT_EQ(out->logs[0].former, incarnation_text(former));
    auto other = open_restored();
    auto const eras = other->eras();
    ASSERT_EQ(eras.size(), 2u);
    EXPECT_EQ(eras[0], (Era{former, 1}));
    EXPECT_EQ(eras[1], (Era{other->status().incarnation, 21}));
    EXPECT_EQ(shared_until(eras, former), 20u);  // a follower at 20 goes on, one at 21 has seen what isn't here
    EXPECT_EQ(shared_until(eras, other->status().incarnation), ~Position{0});
    EXPECT_FALSE(shared_until(eras, former + 1));
    EXPECT_EQ(log->eras().size(), 1u);
}

TEST_F(Keep, ABackupOfALogThatTheDiskDoesNotHoldIsRefused) {
    open();
    fill(10);
    auto ahead = log->status();
    ahead.chain ^= 1;
    auto refused = backed_up(ahead);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "log_damaged");
    EXPECT_EQ(check_backup(disk, to, {}).error().code, "backup_absent");
    EXPECT_EQ(restored().error().code, "backup_absent");
}

TEST_F(Keep, DamageInTheSourceIsNamedAndNotBackedUp) {
    open();
    fill(100);
    auto const files = segment_files();
    disk.flip_bit(files.front(), 3000, 1);
    auto refused = backed_up(log->status());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "log_damaged");
    EXPECT_NE(refused.error().cause.find(files.front()), std::string::npos) << refused.error().cause;
}

TEST_F(Keep, ABackupInterruptedAnywhereLeavesTheEarlierOneAndIsDoneByAnother) {
    open();
    bool ended = false;
    for (std::uint64_t call = 1; !ended; ++call) {
        ASSERT_LT(call, 200u);
        fill(20);
        auto first = backed_up(log->status());
        ASSERT_TRUE(first) << call << first.error().detail << first.error().cause;
        fill(20);
        auto const end = log->status().end;
        disk.fail_at(call);
        ended = backed_up(log->status()).has_value();
        disk.fail_at(0);
        log.reset();
        call % 2 ? disk.crash() : disk.kill();
        auto whole = check_backup(disk, to, {});
        ASSERT_TRUE(whole) << call << whole.error().cause;
        EXPECT_TRUE(whole->logs[0].position == first->logs[0].position || whole->logs[0].position == end) << call;
        open();
        auto next = backed_up(log->status());
        ASSERT_TRUE(next) << call << next.error().detail << next.error().cause;
        EXPECT_EQ(next->logs[0].position, end);
        EXPECT_TRUE(check_backup(disk, to, {}));
    }
}

TEST_F(Keep, ARestoreInterruptedAnywhereLeavesNothingAndIsDoneByAnother) {
    open();
    fill(60);
    ASSERT_TRUE(backed_up(log->status()));
    bool ended = false;
    for (std::uint64_t call = 1; !ended; ++call) {
        ASSERT_LT(call, 200u);
        disk.fail_at(call);
        ended = restored().has_value();
        disk.fail_at(0);
        if (!ended) {
            // It has its name in one step, and then it is whole, though what failed was the sync of that name.
            ended = !disk.list(again)->empty();
        }
    }
    EXPECT_EQ(open_restored()->status().end, 120u);
    EXPECT_EQ(restored().error().code, "data_exists");
}

TEST_F(Keep, ADiskWithoutRoomIsSaidAndTheEarlierBackupStays) {
    open();
    fill(20);
    ASSERT_TRUE(backed_up(log->status()));
    fill(100);
    disk.set_capacity(disk.used_bytes() + 100);
    auto refused = backed_up(log->status());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "disk_full");
    EXPECT_EQ(check_backup(disk, to, {})->logs[0].position, 40u);
}

TEST_F(Keep, ProgressIsToldAndMayEndIt) {
    open();
    fill(100);
    std::uint64_t told = 0, of = 0;
    auto tell = [&](std::uint64_t d, std::uint64_t o) {
        EXPECT_GE(d, told);
        told = d, of = o;
        return true;
    };
    ASSERT_TRUE(back_up(disk, source(log->status()), to, tell));
    EXPECT_EQ(told, of);
    EXPECT_GT(told, 20'000u);
    auto stopped = back_up(disk, source(log->status()), "/other", [&](auto, auto) { return false; });
    EXPECT_EQ(stopped.error().code, "stopped");
    EXPECT_EQ(check_backup(disk, "/other", {}).error().code, "backup_absent");
}

TEST_F(Keep, ErasuresAreRepeatedAfterARestoreIfTheyCameLater) {
    open();
    fill(2);
    auto erasures = *Erasures::open(disk, "/data/main/erasures.ndjson");
    for (auto who : {"s_a", "s_b", "s_c"}) keys_->get_or_make(who);
    ASSERT_TRUE(erasures.erase(*keys_, "s_a", clock.wall()));
    clock.advance(Duration::seconds(1));
    auto const a = keys_->get_or_make("s_a");  // told again
    ASSERT_TRUE(backed_up(log->status()));
    clock.advance(Duration::seconds(1));
    ASSERT_TRUE(erasures.erase(*keys_, "s_b", clock.wall()));
    auto out = restored(erasures.all());
    ASSERT_TRUE(out) << out.error().cause;
    EXPECT_EQ(out->erased_again, 1u);
    auto keys = *open_subject_keys(disk, "/again/main/subject.keys", random);
    EXPECT_EQ(keys->find("s_a"), a) << "what was known again at the time of the backup stays";
    EXPECT_FALSE(keys->find("s_b"));
    EXPECT_TRUE(keys->find("s_c"));
    auto carried = *Erasures::open(disk, "/again/main/erasures.ndjson");
    EXPECT_EQ(carried.all().size(), 2u);
}

TEST_F(Keep, AnErasureThatWasOnlyRecordedIsFinishedByTheNextStart) {
    keys_->get_or_make("s_a");
    ASSERT_TRUE(write_file_durably(disk, "/data/main/erasures.ndjson", R"({"subject":"s_a","at":"2026-01-01T00:00:00Z","done":false})"));
    auto next = *Erasures::open(disk, "/data/main/erasures.ndjson");
    ASSERT_TRUE(next.finish(*keys_));
    EXPECT_FALSE(keys_->find("s_a"));
    EXPECT_TRUE(Erasures::open(disk, "/data/main/erasures.ndjson")->all().front().done);
}

TEST_F(Keep, AnUnknownSubjectIsSaidAndAnErasedOneStaysErased) {
    auto erasures = *Erasures::open(disk, "/data/main/erasures.ndjson");
    EXPECT_EQ(erasures.erase(*keys_, "s_x", clock.wall()).error().code, "subject_unknown");
    keys_->get_or_make("s_x");
    auto const first = *erasures.erase(*keys_, "s_x", clock.wall());
    clock.advance(Duration::seconds(5));
    EXPECT_EQ(*erasures.erase(*keys_, "s_x", clock.wall()), first);
    auto read = *Erasures::open(disk, "/data/main/erasures.ndjson");
    EXPECT_EQ(read.all(), erasures.all());
    ASSERT_TRUE(write_file_durably(disk, "/data/main/erasures.ndjson", "not json\n"));
    EXPECT_EQ(Erasures::open(disk, "/data/main/erasures.ndjson").error().code, "erasures_damaged");
}

TEST_F(Keep, AHeldSubjectGetsKeysThatNobodyKeeps) {
    auto const first = keys_->get_or_make("s_a");
    keys_->hold("s_a");
    auto const passing = keys_->get_or_make("s_a");
    EXPECT_NE(passing, first);
    EXPECT_NE(keys_->get_or_make("s_a"), passing);
    EXPECT_EQ(keys_->find("s_a"), first);
    keys_->erase("s_a");
    keys_->get_or_make("s_a");
    EXPECT_FALSE(keys_->find("s_a"));
    keys_->release("s_a");
    EXPECT_EQ(keys_->get_or_make("s_a"), keys_->find("s_a"));
}

std::vector<Scrubber::Found> scrub_all(Scrubber& scrubber, std::uint64_t bytes) {
    std::vector<Scrubber::Found> out;
    for (int steps = 0; !scrubber.done() && steps < 100'000; ++steps) {
        auto found = scrubber.step(bytes);
        EXPECT_TRUE(found) << found.error().cause;
        if (!found) break;
        out.insert(out.end(), found->begin(), found->end());
    }
    return out;
}

TEST_F(Keep, AScrubReadsAllSealedSegmentsAndLeavesTheNewestAlone) {
    open();
    fill(300);
    auto const files = segment_files();
    ASSERT_GT(files.size(), 3u);
    for (std::uint64_t bytes : {1u, 1000u, 1u << 30}) {
        Scrubber scrubber(disk, {directory, "/absent", directory});
        EXPECT_TRUE(scrub_all(scrubber, bytes).empty());
        EXPECT_EQ(scrubber.segments(), 2 * (files.size() - 1));
    }
    disk.flip_bit(files.back(), 2000, 1);
    Scrubber scrubber(disk, {directory});
    EXPECT_TRUE(scrub_all(scrubber, 5000).empty());
}

TEST_F(Keep, AScrubNamesEachFlippedBitAndGoesOn) {
    open();
    fill(600);
    auto const files = segment_files();
    ASSERT_GT(files.size(), 5u);
    disk.flip_bit(files[0], 3000, 1);
    disk.flip_bit(files[2], 20, 1);  // the header
    disk.flip_bit(files[3], 5000, 1);
    Scrubber scrubber(disk, {directory});
    auto const found = scrub_all(scrubber, 700);
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].damage.file, files[0]);
    EXPECT_GT(found[0].damage.offset, 0u);
    EXPECT_EQ(found[1].damage.file, files[2]);
    EXPECT_EQ(found[2].damage.file, files[3]);
    EXPECT_EQ(scrubber.segments(), files.size() - 1);
}

TEST_F(Keep, AScrubBesideRetentionFindsNoDamage) {
    open();
    fill(300);
    Scrubber scrubber(disk, {directory});
    ASSERT_TRUE(scrubber.step(9000));
    auto const before = segment_files().size();
    committer.run_once();
    ASSERT_TRUE(log->cut(400, clock.wall()));
    run();
    ASSERT_LT(segment_files().size(), before);
    EXPECT_TRUE(scrub_all(scrubber, 700).empty());
}

}  // namespace
}  // namespace gantry::log
