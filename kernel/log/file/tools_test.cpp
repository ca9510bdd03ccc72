#include "kernel/log/file/tools.h"

#include <fmt/format.h>

#include <cstring>

#include "kernel/base/crc32c.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

class ToolsTest : public FileLogTest {
   protected:
    VerifyReport verified() {
        auto r = verify(disk, directory);
        EXPECT_TRUE(r) << r.error().cause;
        return r ? *r : VerifyReport{};
    }
    RepairReport repaired(Repair how = Repair::act) {
        auto r = repair(disk, directory, how, options, clock, random);
        EXPECT_TRUE(r) << r.error().cause;
        return r ? *r : RepairReport{};
    }
    void write_log(int groups = 200) {
        open();
        fill(groups, 200);
        ASSERT_TRUE(log->close());
        log.reset();
    }
};

TEST_F(ToolsTest, VerifyCountsAWholeLog) {
    write_log();
    auto r = verified();
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r.batches, 202u);  // with the epoch and the mark of the close
    EXPECT_EQ(r.events, 400u);
    EXPECT_EQ(r.begin, 1u);
    EXPECT_EQ(r.end, 400u);
    EXPECT_EQ(r.segments, segment_files().size());
    EXPECT_EQ(r.torn_bytes, 0u);
}

TEST_F(ToolsTest, VerifyOfNothingIsEmptyAndOk) {
    auto r = verified();
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r.segments, 0u);
}

TEST_F(ToolsTest, VerifyNamesEveryDamagedSegment) {
    write_log();
    auto files = segment_files();
    ASSERT_GT(files.size(), 4u);
    disk.flip_bit(files[0], 2000, 1);
    disk.flip_bit(files[1], 30, 1);  // the header
    disk.flip_bit(files[3], 3000, 1);
    auto r = verified();
    ASSERT_EQ(r.damages.size(), 3u);
    EXPECT_EQ(r.damages[0].file, files[0]);
    EXPECT_LE(r.damages[0].offset, 2000u);
    EXPECT_GT(r.damages[0].position, 1u);
    EXPECT_EQ(r.damages[1].file, files[1]);
    EXPECT_EQ(r.damages[2].file, files[3]);
    EXPECT_EQ(r.end, 400u);
}

TEST_F(ToolsTest, VerifyTellsATornTailFromDamage) {
    open();
    fill(5);
    log.reset();
    {
        auto file = *disk.open(segment_files().back(), Open::existing_write);
        ASSERT_TRUE(file->write(6000, "garbage"));
    }
    auto r = verified();
    EXPECT_TRUE(r.ok());
    EXPECT_GT(r.torn_bytes, 0u);
}

TEST_F(ToolsTest, RepairOfAWholeLogDoesNothing) {
    write_log();
    auto before = disk.calls();
    EXPECT_TRUE(repaired().damages.empty());
    EXPECT_EQ(disk.calls(), before);
}

TEST_F(ToolsTest, ADryRunOnlyTells) {
    write_log();
    disk.flip_bit(segment_files()[1], 2000, 1);
    auto before = disk.calls();
    auto r = repaired(Repair::dry_run);
    EXPECT_EQ(disk.calls(), before);
    ASSERT_FALSE(r.damages.empty());
    EXPECT_EQ(r.last_lost, 400u);
    EXPECT_LT(r.last_kept, 400u);
    EXPECT_NE(r.text().find(fmt::format("Lost: positions {} to 400 at least", r.last_kept + 1)), std::string::npos) << r.text();
}

// The place of the damage: each kind, and each must end in a log that opens, with all that was before it.
TEST_F(ToolsTest, RepairCutsAtTheDamageKeepsTheRestAsideAndBeginsANewIncarnation) {
    struct Row {
        std::size_t segment;
        std::uint64_t offset;
    };
    for (auto row : {Row{0, 10}, Row{0, 600}, Row{0, 2000}, Row{1, 20}, Row{1, 512}, Row{2, 5000}, Row{99, 700}}) {
        disk.crash();
        for (auto& path : disk.files()) ASSERT_TRUE(disk.remove(path));
        write_log();
        auto old = verified().incarnation;
        auto files = segment_files();
        ASSERT_TRUE(disk.flip_bit(files[std::min(row.segment, files.size() - 1)], row.offset, 2));
        auto told = repaired(Repair::dry_run);
        auto r = repaired();
        EXPECT_EQ(r.last_kept, told.last_kept);
        EXPECT_EQ(r.last_lost, 400u);
        EXPECT_NE(r.incarnation, old);
        ASSERT_FALSE(r.aside.empty());
        for (auto& path : r.aside) EXPECT_TRUE(path.ends_with(".damaged") && disk.exists(path).value());
        EXPECT_TRUE(verified().ok());
        disk.crash();  // all of it is durable
        open();
        EXPECT_EQ(log->status().end, r.last_kept) << row.segment << " " << row.offset;
        EXPECT_EQ(log->status().incarnation, r.incarnation);
        EXPECT_EQ(count_events(*log), r.last_kept);
        ASSERT_TRUE(append(1));
        run();
        EXPECT_EQ(log->status().durable, r.last_kept + 1);
        ASSERT_TRUE(log->close());
        log.reset();
        EXPECT_TRUE(repaired().damages.empty());
    }
}

TEST_F(ToolsTest, ARepairInterruptedAnywhereIsDoneByAnother) {
    for (std::uint64_t call = 1; call < 30; ++call) {
        disk.crash();
        for (auto& path : disk.files()) ASSERT_TRUE(disk.remove(path));
        write_log(60);
        auto old = verified().incarnation;
        auto files = segment_files();
        ASSERT_GT(files.size(), 1u);
        disk.flip_bit(files[1], 2000, 2);
        auto kept = repaired(Repair::dry_run).last_kept;
        disk.fail_at(call);
        (void)repair(disk, directory, Repair::act, options, clock, random);
        disk.fail_at(0);
        call % 2 ? disk.crash() : disk.kill();
        auto half = try_open();  // a half repaired log never passes for a whole one
        if (half) EXPECT_NE((*half)->status().incarnation, old) << call;
        if (half) EXPECT_EQ((*half)->status().end, kept) << call;
        if (half) half->reset();
        repaired();
        disk.crash();
        open();
        EXPECT_EQ(log->status().end, kept) << call;
        EXPECT_EQ(count_events(*log), kept);
        log.reset();
    }
}

Fill from(std::string const& bytes, std::size_t& at) {
    return [&](std::span<char> out) -> Result<std::size_t> {
        auto n = std::min({out.size(), bytes.size() - at, std::size_t{1000}});
        std::memcpy(out.data(), bytes.data() + at, n);
        return at += n, n;
    };
}

TEST_F(ToolsTest, AnExportCanBeImportedElsewhere) {
    write_log();
    open("v2");
    fill(3);
    ASSERT_TRUE(log->cut(200, clock.wall()));
    auto begin = log->status().begin;
    log.reset();
    std::string stream;
    ASSERT_TRUE(export_log(disk, directory, [&](std::string_view s) { return stream.append(s), Result<void>(); }));
    std::size_t at = 0;
    auto imported = import_log(disk, "/data/main/copy/log", from(stream, at), options, clock, random);
    ASSERT_TRUE(imported) << imported.error().cause;
    EXPECT_EQ(imported->begin, begin);
    EXPECT_EQ(imported->end, 406u);
    disk.crash();
    auto copy = FileLog::open(disk, committer, "/data/main/copy/log", options, "v2", clock, random);
    ASSERT_TRUE(copy) << copy.error().cause;
    EXPECT_EQ((*copy)->status().incarnation, imported->incarnation);
    open("v2");
    EXPECT_NE(log->status().incarnation, imported->incarnation);
    std::vector<std::pair<std::uint64_t, std::string>> a, b;
    auto collect = [](auto& into) {
        return [&](BatchView const& v) { return v.count > 0 ? (into.emplace_back(v.chain, std::string(v.schemas)), true) : true; };
    };
    ASSERT_TRUE(log->scan(0, collect(a)) && (*copy)->scan(0, collect(b)));
    EXPECT_EQ(a, b);
    at = 0;
    EXPECT_EQ(import_log(disk, "/data/main/copy/log", from(stream, at), options, clock, random).error().code, "log_exists");
}

TEST_F(ToolsTest, ADamagedExportIsRefusedAndLeavesNoLog) {
    write_log(5);
    std::string stream;
    ASSERT_TRUE(export_log(disk, directory, [&](std::string_view s) { return stream.append(s), Result<void>(); }));
    for (std::size_t i = 0; i < stream.size(); i += 3) {
        auto rotten = stream;
        rotten[i] ^= 4;
        std::size_t at = 0;
        auto imported = import_log(disk, "/data/main/copy/log", from(rotten, at), options, clock, random);
        ASSERT_FALSE(imported) << i;
        EXPECT_EQ(imported.error().code, "import_damaged") << i;
        EXPECT_TRUE(disk.list("/data/main/copy/log").value().empty());
    }
    stream.resize(stream.size() - 1);
    std::size_t at = 0;
    EXPECT_EQ(import_log(disk, "/data/main/copy/log", from(stream, at), options, clock, random).error().code, "import_damaged");
}

// Makes of a log what version 0 would have written: no running hash anywhere.
void age(Disk& disk, std::vector<std::string> const& paths) {
    for (auto& path : paths) {
        auto bytes = *read_file(disk, path);
        auto put = [&](std::size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
        auto file = *disk.open(path, Open::existing_write);
        auto header = *read_header(*file, path);
        put(8, std::uint32_t(0)), put(40, std::uint64_t(0));
        put(84, crc32c(bytes.data(), 84));
        for (std::size_t at = header.header_bytes; at < bytes.size() && stored_length(bytes.data() + at) != 0;
             at += padded(stored_length(bytes.data() + at))) {
            auto durable = load_header(bytes.data() + at).durable;
            put(at + 56, std::uint64_t(0));
            seal(bytes.data() + at, header.salt, std::uint32_t(at), durable);
        }
        ASSERT_TRUE(file->write(0, bytes) && file->sync());
    }
}

TEST_F(ToolsTest, UpgradeRewritesAnOlderFormat) {
    write_log();
    auto whole = verified();
    EXPECT_EQ(upgrade(disk, directory, options, clock, random)->from, format_version);  // current: says so
    age(disk, segment_files());
    auto refused = try_open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "log_format");
    EXPECT_NE(refused.error().cause.find("gantry log upgrade"), std::string::npos);
    auto upgraded = upgrade(disk, directory, options, clock, random);
    ASSERT_TRUE(upgraded) << upgraded.error().cause;
    EXPECT_EQ(upgraded->from, 0u);
    EXPECT_EQ(upgraded->batches, whole.batches);
    EXPECT_TRUE(disk.exists(upgraded->kept).value());
    disk.crash();
    EXPECT_TRUE(verified().ok());
    open();
    EXPECT_EQ(log->status().end, 400u);
    EXPECT_EQ(log->status().incarnation, whole.incarnation);
}

TEST_F(ToolsTest, AnUpgradeInterruptedAnywhereIsDoneByAnother) {
    for (std::uint64_t call = 1; call < 40; ++call) {
        disk.crash();
        for (auto& path : disk.files()) ASSERT_TRUE(disk.remove(path));
        write_log(40);
        age(disk, segment_files());
        disk.fail_at(call);
        (void)upgrade(disk, directory, options, clock, random);
        disk.fail_at(0), disk.kill();
        auto again = upgrade(disk, directory, options, clock, random);
        ASSERT_TRUE(again) << again.error().cause;
        open();
        EXPECT_EQ(count_events(*log), 80u) << call;
        log.reset();
        for (auto& path : disk.files())
            if (path.starts_with(again->kept + "/")) ASSERT_TRUE(disk.remove(path));
    }
}

TEST_F(ToolsTest, ANewerFormatIsRefusedWithTheRemedy) {
    write_log(3);
    auto path = segment_files().front();
    auto bytes = *read_file(disk, path);
    bytes[8] = 2;
    auto crc = crc32c(bytes.data(), 84);
    std::memcpy(bytes.data() + 84, &crc, 4);
    ASSERT_TRUE((*disk.open(path, Open::existing_write))->write(0, bytes));
    auto refused = try_open();
    EXPECT_EQ(refused.error().code, "log_format");
    EXPECT_NE(refused.error().cause.find("newer release"), std::string::npos);
    EXPECT_EQ(upgrade(disk, directory, options, clock, random).error().code, "log_format");
}

// Writes numbers into a segment file and makes its sums right again: what a writer with a fault would leave.
class Forger {
   public:
    Forger(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)), bytes_(*read_file(disk_, path_)) {
        auto file = *disk_.open(path_, Open::existing_read);
        header_ = *read_header(*file, path_);
    }
    SegmentHeader const& header() const { return header_; }
    template <class T>
    void put(std::size_t at, T value) {
        std::memcpy(bytes_.data() + at, &value, sizeof value);
    }
    void write() {
        put(84, crc32c(bytes_.data(), 84));
        auto chain = header_.base_chain;
        for (std::size_t at = header_.header_bytes; at < bytes_.size() && stored_length(bytes_.data() + at) != 0;
             at += padded(stored_length(bytes_.data() + at))) {
            char* batch = bytes_.data() + at;
            chain = chain_after(chain, batch, stored_length(batch));
            put(at + 56, chain);
            seal(batch, header_.salt, std::uint32_t(at), load_header(batch).durable);
        }
        ASSERT_TRUE((*disk_.open(path_, Open::existing_write))->write(0, bytes_));
    }

   private:
    Disk& disk_;
    std::string path_, bytes_;
    SegmentHeader header_;
};

// Found by the fuzzer: the repair kept the malformed batch when it was its segment's first.
TEST_F(ToolsTest, ASegmentsFirstBatchIsRepairedAsAnyOther) {
    write_log();
    Forger forger(disk, segment_files().back());
    forger.put(forger.header().header_bytes + 16, std::uint32_t(99));  // its count of events
    forger.write();
    auto r = verified();
    ASSERT_EQ(r.damages.size(), 1u);
    EXPECT_EQ(r.damages[0].offset, forger.header().header_bytes);
    EXPECT_EQ(repaired().last_kept, forger.header().first - 1);
    EXPECT_TRUE(verified().ok());
    open();
    EXPECT_EQ(count_events(*log), forger.header().first - 1);
}

// Found by the fuzzer: verify called whole what the next start refuses.
TEST_F(ToolsTest, VerifyHoldsASegmentAgainstItsNameAndTheOneBeforeIt) {
    write_log();
    auto const path = segment_files().back();
    {
        Forger forger(disk, path);
        auto const other = std::string(directory) + "/" + segment_name(forger.header().first, forger.header().number + 1);
        ASSERT_TRUE(disk.rename(path, other));
        ASSERT_EQ(verified().damages.size(), 1u);
        EXPECT_EQ(verified().damages[0].file, other);
        EXPECT_FALSE(try_open());
        ASSERT_TRUE(disk.rename(other, path));
    }
    Forger forger(disk, path);
    forger.put(48, std::int64_t(-5));  // the time of the batch before it
    forger.write();
    ASSERT_FALSE(verified().ok());
    EXPECT_EQ(verified().damages[0].file, path);
    EXPECT_FALSE(try_open());
    repaired();
    EXPECT_TRUE(verified().ok());
    open();
}

std::string frame(char kind, std::string_view bytes) {
    std::string out(1, kind);
    put_fixed(out, std::uint32_t(bytes.size())), put_fixed(out, crc32c(bytes));
    return out.append(bytes);
}

// Found by the fuzzer: such an export became a log that doesn't open.
TEST_F(ToolsTest, AnExportOfWhatNoLogHoldsIsRefused) {
    auto import = [&](std::vector<BatchView> const& batches) {
        std::string stream = "GANTRYEX", base;
        put_fixed(stream, std::uint32_t(1));
        put_fixed(base, Position(1)), put_fixed(base, std::uint64_t(0)), put_fixed(base, std::int64_t(0)), put_fixed(base, Epoch(0));
        stream += frame('h', base) + frame('s', "v1");
        std::uint64_t chain = 0;
        for (auto const& batch : batches) {
            std::string bytes;
            chain = encode(batch, chain, bytes);
            seal(bytes.data(), 0, 0, 0);
            stream += frame('b', std::string_view(bytes).substr(0, stored_length(bytes.data())));
        }
        std::string end;
        put_fixed(end, std::uint64_t(batches.size())), put_fixed(end, chain);
        stream += frame('e', end);
        std::size_t at = 0;
        auto imported = import_log(disk, directory, from(stream, at), options, clock, random);
        return imported ? "imported" : imported.error().cause;
    };
    auto const events = events_of(1);
    BatchView batch{.first = 1, .count = 1, .time = Time{10}, .epoch = 3, .events = events};
    auto second = batch;
    second.first = 2;
    auto older = second, earlier = second, malformed = batch;
    older.time = Time{9}, earlier.epoch = 2, malformed.count = 2;
    EXPECT_NE(import({batch, older}).find("older than the one before"), std::string::npos);
    EXPECT_NE(import({batch, earlier}).find("older than the one before"), std::string::npos);
    EXPECT_NE(import({malformed}).find("the events of a batch are malformed"), std::string::npos);
    EXPECT_EQ(import({batch, second}), "imported");
    EXPECT_TRUE(verified().ok());
}

}  // namespace
}  // namespace gantry::log
