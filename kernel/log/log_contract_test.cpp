// One suite for every log: what kernel/log/log.h promises, on the memory log, and on the file log over a simulated and a real disk.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "kernel/log/batch.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

Options small_options() {
    Options o;
    o.segment_bytes_min = 16 << 10, o.segment_bytes_max = 64 << 10;
    o.batch_bytes_max = 40'000, o.pending_bytes_max = 400'000;
    return o;
}

// A place where logs can be opened again and again.
class Place {
   public:
    virtual ~Place() = default;
    virtual std::unique_ptr<Log> open(Options options, std::string schemas) = 0;
    virtual void hold(Log& log) = 0;
    virtual bool step(Log& log) = 0;  // makes some more durable
    ManualClock clock;
    SeededRandom random{7};
};

class MemoryPlace final : public Place {
    std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();

   public:
    std::unique_ptr<Log> open(Options options, std::string schemas) override {
        return std::make_unique<MemoryLog>(store_, clock, random, options, std::move(schemas));
    }
    void hold(Log& log) override { dynamic_cast<MemoryLog&>(log).hold(); }
    bool step(Log& log) override {
        auto& memory = dynamic_cast<MemoryLog&>(log);
        return memory.held() > 0 && (memory.release(1), true);
    }
};

class SimulatedPlace final : public Place {
    SimulatedDisk disk_{3};
    Committer committer_{Committer::Mode::manual};

   public:
    std::unique_ptr<Log> open(Options options, std::string schemas) override {
        auto log = FileLog::open(disk_, committer_, "/data/main/notes/log", options, std::move(schemas), clock, random);
        EXPECT_TRUE(log) << log.error().cause;
        while (committer_.run_once());
        return std::move(*log);
    }
    void hold(Log&) override {}
    bool step(Log&) override { return committer_.run_once(); }
};

class RealPlace final : public Place {
    std::string directory_ = (std::filesystem::temp_directory_path() / "gantry-log-XXXXXX").string();
    Committer committer_;

   public:
    RealPlace() { EXPECT_NE(::mkdtemp(directory_.data()), nullptr); }
    ~RealPlace() override { std::filesystem::remove_all(directory_); }
    std::unique_ptr<Log> open(Options options, std::string schemas) override {
        auto log = FileLog::open(system_disk(), committer_, directory_ + "/main/notes/log", options, std::move(schemas), clock, random);
        EXPECT_TRUE(log) << log.error().cause;
        return std::move(*log);
    }
    void hold(Log&) override {}
    bool step(Log& log) override { return log.wait_durable().has_value(); }
};

std::unique_ptr<Place> make_place(std::string_view name) {
    if (name == "Memory") return std::make_unique<MemoryPlace>();
    if (name == "Simulated") return std::make_unique<SimulatedPlace>();
    return std::make_unique<RealPlace>();
}

struct Seen {
    BatchKind kind;
    Position first;
    std::uint32_t count;
    Epoch epoch;
    std::string note, schemas;
    std::uint64_t chain;
};

class LogContract : public testing::TestWithParam<std::string> {
   protected:
    void SetUp() override {
        testing::FLAGS_gtest_death_test_style = "threadsafe";  // a fork would copy locks that the committer holds
        place = make_place(GetParam()), log = open();
    }
    std::unique_ptr<Log> open(std::string schemas = "v1") { return place->open(small_options(), std::move(schemas)); }
    void reopen(std::string schemas = "v1") {
        ASSERT_TRUE(log->close());
        log.reset();
        log = open(std::move(schemas));
    }
    Result<Position> append(std::uint32_t count, std::size_t payload_bytes = 10) {
        auto events = events_of(count, payload_bytes);
        BatchView b;
        b.count = count, b.events = events, b.time = std::max(place->clock.wall(), log->status().last_time), b.caller = "u_ann";
        return log->append(b);
    }
    Position appended(std::uint32_t count, std::size_t payload_bytes = 10) {
        auto at = append(count, payload_bytes);
        EXPECT_TRUE(at) << at.error().code;
        return at.value_or(0);
    }
    std::vector<Seen> scan(Position after = 0) {
        std::vector<Seen> seen;
        auto done = log->scan(after, [&](BatchView const& b) {
            seen.push_back({b.kind, b.first, b.count, b.epoch, std::string(b.note), std::string(b.schemas), b.chain});
            return true;
        });
        EXPECT_TRUE(done) << done.error().cause;
        std::size_t at = 0;
        auto in_runs = log->scan_runs(after, [&](std::span<BatchView const> run) {
            EXPECT_FALSE(run.empty());
            for (auto const& b : run) {
                if (at == seen.size()) return ADD_FAILURE() << "a run shows more than a scan", false;
                EXPECT_EQ(b.first, seen[at].first);
                EXPECT_EQ(b.chain, seen[at].chain);
                EXPECT_EQ(b.note, seen[at].note);
                EXPECT_EQ(b.schemas_id, run.front().schemas_id);
                ++at;
            }
            return true;
        });
        EXPECT_TRUE(in_runs);
        EXPECT_EQ(at, seen.size()) << "runs show what a scan shows";
        return seen;
    }
    std::vector<Position> firsts(Position after = 0) {
        std::vector<Position> found;
        for (auto& s : scan(after))
            if (s.kind == BatchKind::command) found.push_back(s.first);
        return found;
    }
    std::unique_ptr<Place> place;
    std::unique_ptr<Log> log;
};

class HeldLogContract : public LogContract {};  // those logs whose committer a test can hold

TEST_P(LogContract, PositionsAreGaplessFromOne) {
    EXPECT_EQ(appended(2), 1u);
    EXPECT_EQ(appended(1), 3u);
    EXPECT_EQ(appended(0), 4u);  // a batch without events uses up no position
    EXPECT_EQ(appended(5), 4u);
    EXPECT_EQ(log->status().end, 8u);
    ASSERT_TRUE(log->wait_durable());
    EXPECT_EQ(log->status().durable, 8u);
    EXPECT_EQ(firsts(), (std::vector<Position>{1, 3, 4, 4}));
}

TEST_P(LogContract, AScanGivesBackEveryField) {
    CursorView cursors[] = {{"tracker", 77, 5}, {"queue", 78, 1'000'000'000'000}};
    auto events = events_of(3, 100);
    std::string trace(16, '\x01'), key(16, '\x02'), hmac(32, '\x03');
    BatchView in;
    in.count = 3, in.time = place->clock.wall() + Duration::seconds(1), in.caller = "u_ann", in.request_id = "r1", in.trace_id = trace;
    in.trace_state = "vendor=1,other=two";
    in.cause = CauseView{"tracker", 9}, in.idempotency = IdempotencyView{key, hmac, "reply"};
    in.cursors = cursors, in.note = "note", in.events = events;
    ASSERT_TRUE(log->append(in));
    ASSERT_TRUE(log->wait_durable());
    int batches = 0;
    ASSERT_TRUE(log->find(2, [&](BatchView const& b) {
        ++batches;
        EXPECT_EQ(b.kind, BatchKind::command);
        EXPECT_EQ(b.first, 1u);
        EXPECT_EQ(b.count, 3u);
        EXPECT_EQ(b.last(), 3u);
        EXPECT_EQ(b.time, in.time);
        EXPECT_EQ(b.epoch, 1u);
        EXPECT_EQ(b.incarnation, log->status().incarnation);
        EXPECT_EQ(b.caller, "u_ann");
        EXPECT_EQ(b.request_id, "r1");
        EXPECT_EQ(b.trace_id, trace);
        EXPECT_EQ(b.trace_state, "vendor=1,other=two");
        EXPECT_TRUE(b.cause && b.cause->log == "tracker" && b.cause->position == 9);
        EXPECT_TRUE(b.idempotency && b.idempotency->key_hash == key && b.idempotency->body_hmac == hmac && b.idempotency->reply == "reply");
        EXPECT_EQ(b.cursors.size(), 2u);
        EXPECT_EQ(b.cursors[1].source, "queue");
        EXPECT_EQ(b.cursors[1].incarnation, 78u);
        EXPECT_EQ(b.cursors[1].position, 1'000'000'000'000u);
        EXPECT_EQ(b.note, "note");
        EXPECT_EQ(b.events, events);
        EXPECT_EQ(b.schemas, "v1");
        return true;
    }));
    EXPECT_EQ(batches, 1);
}

TEST_P(LogContract, AnEmptyBatchHasNoOptionalField) {
    appended(0);
    ASSERT_TRUE(log->wait_durable());
    ASSERT_TRUE(log->scan(0, [&](BatchView const& b) {
        EXPECT_TRUE(b.kind == BatchKind::epoch || b.kind == BatchKind::command);
        EXPECT_FALSE(b.cause);
        EXPECT_FALSE(b.idempotency);
        EXPECT_TRUE(b.cursors.empty());
        EXPECT_TRUE(b.note.empty());
        return true;
    }));
}

TEST_P(LogContract, ScanStartsBehindAPositionAndStopsWhenTold) {
    for (int i = 0; i < 5; ++i) appended(2);  // 1 3 5 7 9
    ASSERT_TRUE(log->wait_durable());
    EXPECT_EQ(firsts(0), (std::vector<Position>{1, 3, 5, 7, 9}));
    EXPECT_EQ(firsts(1), (std::vector<Position>{1, 3, 5, 7, 9}));  // event 2 of the first batch is behind 1
    EXPECT_EQ(firsts(2), (std::vector<Position>{3, 5, 7, 9}));
    EXPECT_EQ(firsts(9), (std::vector<Position>{9}));
    EXPECT_EQ(firsts(10), (std::vector<Position>{}));
    EXPECT_EQ(firsts(1000), (std::vector<Position>{}));
    int visited = 0;
    ASSERT_TRUE(log->scan(0, [&](BatchView const&) { return ++visited < 3; }));
    EXPECT_EQ(visited, 3);
}

TEST_P(LogContract, RunsGiveWhatAScanGives) {
    CursorView cursors[] = {{"tracker", 77, 5}};
    std::string events = events_of(1, 50);
    for (int i = 0; i < 3000; ++i) {
        BatchView b;
        b.count = 1, b.events = events, b.time = log->status().last_time;
        cursors[0].position = Position(i + 1);
        if (i % 3 == 0) b.cursors = cursors;
        ASSERT_TRUE(log->append(b));
        if (i % 50 == 0) ASSERT_TRUE(log->wait_durable());
        if (i == 1000) appended(0), appended(1, 30'000);
        if (i == 1500) reopen("v2");
    }
    ASSERT_TRUE(log->wait_durable());
    for (Position after : {0u, 1u, 1002u, 1500u, 3000u, 3001u, 9000u}) {
        std::vector<std::uint64_t> one_by_one, by_runs;
        ASSERT_TRUE(log->scan(after, [&](BatchView const& b) { return one_by_one.push_back(b.chain), true; }));
        std::size_t runs = 0;
        auto scanned = log->scan_runs(after, [&](std::span<BatchView const> run) {
            ++runs;
            EXPECT_FALSE(run.empty());
            EXPECT_LE(run.size(), Log::run_batches_max);
            for (auto& b : run) {
                by_runs.push_back(b.chain);
                EXPECT_EQ(b.schemas_id, run.front().schemas_id);
                EXPECT_EQ(b.schemas, run.front().schemas);
                EXPECT_TRUE(events_well_formed(b.events, b.count));  // every view of a run still holds
                if (!b.cursors.empty()) EXPECT_EQ(b.cursors[0].position, b.first - (b.first > 1002 ? 1 : 0));
            }
            return true;
        });
        ASSERT_TRUE(scanned) << scanned.error().cause;
        EXPECT_EQ(by_runs, one_by_one);
        if (after == 0) EXPECT_LT(runs, by_runs.size() / 20);
    }
}

TEST_P(LogContract, RunsStopWhenTold) {
    for (int i = 0; i < 1500; ++i) appended(1);
    ASSERT_TRUE(log->wait_durable());
    int visited = 0;
    ASSERT_TRUE(log->scan_runs(0, [&](auto) { return ++visited, false; }));
    EXPECT_EQ(visited, 1);
}

TEST_P(LogContract, ABatchWithoutEventsIsSeenFromItsPlaceOn) {
    appended(2);
    ASSERT_TRUE(log->wait_durable());
    BatchView checkpoint;
    checkpoint.kind = BatchKind::checkpoint, checkpoint.time = log->status().last_time, checkpoint.note = "c";
    EXPECT_EQ(log->append(checkpoint).value_or(0), 3u);
    appended(1);
    ASSERT_TRUE(log->wait_durable());
    auto notes = [&](Position after) {
        int n = 0;
        for (auto& s : scan(after)) n += s.note == "c";
        return n;
    };
    EXPECT_EQ(notes(0), 1);
    EXPECT_EQ(notes(2), 1);
    EXPECT_EQ(notes(3), 0);
}

TEST_P(LogContract, FindKnowsWhatIsThere) {
    appended(3), appended(1);
    ASSERT_TRUE(log->wait_durable());
    auto first_of = [&](Position p) {
        Position first = 0;
        auto found = log->find(p, [&](BatchView const& b) { return first = b.first, true; });
        return found ? fmt::format("{}", first) : fmt::format("{} {}", found.error().status, found.error().code);
    };
    EXPECT_EQ(first_of(0), "410 position_gone");
    EXPECT_EQ(first_of(1), "1");
    EXPECT_EQ(first_of(3), "1");
    EXPECT_EQ(first_of(4), "4");
    EXPECT_EQ(first_of(5), "404 position_unknown");
}

TEST_P(LogContract, FindReachesEveryEventOfManySegments) {
    for (int i = 0; i < 300; ++i) {
        appended(3, 200);
        if (i % 20 == 0) ASSERT_TRUE(log->wait_durable());
    }
    ASSERT_TRUE(log->wait_durable());
    for (int round = 0; round < 2; ++round, reopen())  // with marks from writing, then with those from reading
        for (Position p = 1; p <= 900; p += 7) {
            Position first = 0;
            auto found = log->find(p, [&](BatchView const& b) { return first = b.first, true; });
            ASSERT_TRUE(found) << found.error().cause;
            EXPECT_EQ(first, (p - 1) / 3 * 3 + 1);
        }
    EXPECT_EQ(firsts(450).size(), 150u);
}

TEST_P(LogContract, ATimeIsTheLastEventAtOrBeforeIt) {
    auto const start = place->clock.wall();
    auto last_at = [&](Duration since) {
        auto found = log->last_at(start + since);
        EXPECT_TRUE(found) << found.error().cause;
        return found.value_or(~Position{0});
    };
    EXPECT_EQ(last_at(Duration::seconds(1)), 0u);
    for (int second = 1; second <= 300; ++second) {
        place->clock.advance(Duration::seconds(1));
        appended(2, 200);
        if (second % 3 == 0) appended(1, 200);  // at the same time as the one before
        if (second % 20 == 0) ASSERT_TRUE(log->wait_durable());
    }
    ASSERT_TRUE(log->wait_durable());
    for (int round = 0; round < 2; ++round, reopen()) {
        EXPECT_EQ(last_at(Duration::millis(999)), 0u);
        for (std::int64_t second = 1; second <= 300; second += 7) {
            Position const expected = Position(2 * second + second / 3);
            EXPECT_EQ(last_at(Duration::seconds(second)), expected);
            EXPECT_EQ(last_at(Duration::millis(1000 * second + 999)), expected);
        }
        EXPECT_EQ(last_at(Duration::days(1)), 700u);
    }
    ASSERT_TRUE(log->cut(301, place->clock.wall()));
    EXPECT_EQ(last_at(Duration::seconds(1)), log->status().begin - 1);
    EXPECT_EQ(last_at(Duration::seconds(300)), 700u);
}

TEST_P(LogContract, ABatchMayHaveExactlyTheLimit) {
    auto limit = small_options().batch_bytes_max;
    auto append_raw = [&](std::size_t bytes) {
        std::string events;
        put_varint(events, 1), put_string(events, std::string(bytes, 'x'));
        BatchView b;
        b.count = 1, b.events = events, b.time = log->status().last_time;
        return log->append(b);
    };
    auto before = log->status().end;
    auto too_large = append_raw(limit);
    ASSERT_FALSE(too_large);
    EXPECT_EQ(too_large.error().code, "batch_too_large");
    EXPECT_EQ(log->status().end, before);
    auto payload = limit - 72 - 4;  // header; type and a size of three bytes
    EXPECT_EQ(append_raw(payload + 1).error().code, "batch_too_large");
    EXPECT_TRUE(log->may_append(limit - 72)) << "of the events alone";
    EXPECT_EQ(log->may_append(limit + 1).error().code, "batch_too_large");
    ASSERT_TRUE(append_raw(payload));
    ASSERT_TRUE(log->wait_durable());
    EXPECT_EQ(firsts().size(), 1u);
}

TEST_P(HeldLogContract, WhatWaitsIsBounded) {
    place->hold(*log);
    int taken = 0;
    while (auto at = append(1, 9'000)) ASSERT_LT(++taken, 100);
    EXPECT_EQ(append(1, 9'000).error().code, "log_busy");
    EXPECT_EQ(append(1, 9'000).error().status, 503);
    EXPECT_TRUE(append(1, 9'000).error().retry_after_s);
    EXPECT_EQ(taken, 400'000 / 9'088);  // 72 + 6 + 4 + 9000, padded
    EXPECT_EQ(log->status().end, Position(taken));
    while (place->step(*log));
    EXPECT_EQ(log->status().durable, Position(taken));
    EXPECT_TRUE(append(1, 9'000));
}

TEST_P(HeldLogContract, WhatItSaysThatItWouldTakeItTakes) {
    place->hold(*log);
    for (int i = 0; i < 40; ++i) appended(1, 9'000);
    auto const left = 400'000u - 40u * 9'088u;
    EXPECT_TRUE(log->may_append(left - 300));
    EXPECT_EQ(log->may_append(left).error().code, "log_busy") << "a batch is more than its events";
    EXPECT_TRUE(append(1, left - 300)) << "as it was said";
    EXPECT_EQ(log->may_append(300).error().code, "log_busy");
    while (place->step(*log));
    EXPECT_TRUE(log->may_append(left));
    ASSERT_TRUE(log->close());
    EXPECT_EQ(log->may_append(1).error().code, "log_closed");
}

TEST_P(HeldLogContract, NothingIsSeenBeforeItIsDurable) {
    std::vector<Position> told;
    log->on_durable([&](Position p) { told.push_back(p); });
    place->hold(*log);
    appended(2), appended(3);
    EXPECT_TRUE(told.empty());
    EXPECT_EQ(log->status().end, 5u);
    EXPECT_EQ(log->status().durable, 0u);
    EXPECT_TRUE(firsts().empty());
    EXPECT_EQ(log->find(1, [](BatchView const&) { return true; }).error().code, "position_unknown");
    while (place->step(*log));
    ASSERT_FALSE(told.empty());
    EXPECT_TRUE(std::ranges::is_sorted(told));
    EXPECT_EQ(told.back(), 5u);
    EXPECT_EQ(firsts().size(), 2u);
}

TEST_P(LogContract, AnotherTurnHasAnotherEpochAndTheSameIncarnation) {
    auto incarnation = log->status().incarnation;
    EXPECT_EQ(log->status().epoch, 1u);
    appended(2);
    reopen();
    EXPECT_EQ(log->status().epoch, 2u);
    EXPECT_EQ(log->status().incarnation, incarnation);
    EXPECT_EQ(log->status().end, 2u);
    EXPECT_EQ(log->status().durable, 2u);
    EXPECT_EQ(appended(1), 3u);
    reopen();
    std::vector<Epoch> epochs;
    for (auto& s : scan())
        if (s.kind == BatchKind::epoch) epochs.push_back(s.epoch);
    EXPECT_EQ(epochs, (std::vector<Epoch>{1, 2, 3}));
}

TEST_P(LogContract, TheChainContinuesOverARestart) {
    appended(2);
    ASSERT_TRUE(log->wait_durable());
    auto chain = log->status().chain;
    EXPECT_EQ(scan().back().chain, chain);
    reopen();
    EXPECT_NE(log->status().chain, chain);  // the new turn's epoch batch
    EXPECT_EQ(scan().back().chain, log->status().chain);
    reopen();
    std::set<std::uint64_t> distinct;
    for (auto& s : scan()) EXPECT_TRUE(distinct.insert(s.chain).second);
}

TEST_P(LogContract, EachBatchKnowsTheSchemasThatItWasWrittenWith) {
    appended(1);
    reopen("v2");
    appended(1);
    reopen("v2");
    appended(1);
    ASSERT_TRUE(log->wait_durable());
    std::vector<std::string> schemas;
    for (auto& s : scan())
        if (s.kind == BatchKind::command) schemas.push_back(s.schemas);
    EXPECT_EQ(schemas, (std::vector<std::string>{"v1", "v2", "v2"}));
}

TEST_P(LogContract, CutDropsWhatIsBelowAndRecordsIt) {
    for (int i = 0; i < 200; ++i) {
        appended(2, 300);
        if (i % 10 == 0) ASSERT_TRUE(log->wait_durable());
    }
    ASSERT_TRUE(log->wait_durable());
    auto before = log->status();
    ASSERT_TRUE(log->cut(301, place->clock.wall()));
    auto after = log->status();
    EXPECT_GT(after.begin, 1u);
    EXPECT_LE(after.begin, 301u);
    EXPECT_LT(after.bytes, before.bytes);
    EXPECT_EQ(after.end, before.end);
    EXPECT_EQ(after.incarnation, before.incarnation);
    EXPECT_EQ(log->find(after.begin - 1, [](BatchView const&) { return true; }).error().code, "position_gone");
    EXPECT_TRUE(log->find(after.begin, [](BatchView const&) { return true; }));
    EXPECT_EQ(firsts().front(), after.begin);
    EXPECT_EQ(log->read_on(0).error().code, "position_gone");
    EXPECT_EQ(log->read_on(after.begin - 2).error().code, "position_gone");
    EXPECT_TRUE(log->read_on(after.begin - 1));
    auto dropped = scan().back();
    EXPECT_EQ(dropped.kind, BatchKind::dropped);
    EXPECT_TRUE(dropped.note.starts_with(fmt::format("1 {} ", after.begin - 1))) << dropped.note;
    reopen();
    EXPECT_EQ(log->status().begin, after.begin);
    EXPECT_EQ(log->status().end, after.end);
    EXPECT_EQ(firsts().front(), after.begin);
}

// What a baseline of everything is made of, when nothing was recorded since.
TEST_P(LogContract, CutKeepsBatchesWithoutEventsAtItsPlace) {
    for (int i = 0; i < 200; ++i) appended(2, 300);
    std::string part(10'000, 'b');
    for (int i = 0; i < 30; ++i) {  // several segments of them
        BatchView b;
        b.kind = BatchKind::baseline, b.note = part, b.time = log->status().last_time;
        ASSERT_TRUE(log->append(b));
        ASSERT_TRUE(log->wait_durable());
    }
    auto parts = [&] { return std::ranges::count_if(scan(), [](auto& s) { return s.kind == BatchKind::baseline; }); };
    ASSERT_TRUE(log->cut(401, place->clock.wall()));
    EXPECT_GT(log->status().begin, 1u);
    EXPECT_EQ(parts(), 30);
    reopen();
    EXPECT_EQ(parts(), 30);
    EXPECT_EQ(appended(1), 401u);
}

TEST_P(LogContract, CutOfNothingRecordsNothing) {
    appended(2);
    ASSERT_TRUE(log->wait_durable());
    auto chain = log->status().chain;
    ASSERT_TRUE(log->cut(1, place->clock.wall()));
    EXPECT_EQ(log->status().begin, 1u);
    EXPECT_EQ(log->status().chain, chain);
}

TEST_P(LogContract, AfterCloseItTakesNothingButCanBeRead) {
    appended(2);
    ASSERT_TRUE(log->close());
    EXPECT_EQ(log->status().durable, 2u);
    EXPECT_EQ(append(1).error().code, "log_closed");
    EXPECT_FALSE(log->has_space(1));
    EXPECT_EQ(firsts(), (std::vector<Position>{1}));
    EXPECT_TRUE(log->close());
}

TEST_P(LogContract, TimeNeverGoesBack) {
    BatchView b;
    b.time = place->clock.wall() + Duration::seconds(5);
    ASSERT_TRUE(log->append(b));
    EXPECT_EQ(log->status().last_time, b.time);
    b.time = b.time - Duration::micros(1);
    EXPECT_DEATH((void)log->append(b), "time in a log never goes back");
}

TEST_P(LogContract, WhatACountPromisesIsThere) {
    auto events = events_of(2);
    BatchView b;
    b.time = log->status().last_time, b.count = 3, b.events = events;
    EXPECT_DEATH((void)log->append(b), "exactly `count` events");
}

TEST_P(LogContract, ANewTurnIsNeverBeforeTheLastTime) {
    BatchView b;
    b.time = place->clock.wall() + Duration::seconds(30);
    ASSERT_TRUE(log->append(b));
    reopen();
    EXPECT_EQ(log->status().last_time, b.time);
}

INSTANTIATE_TEST_SUITE_P(Logs, LogContract, testing::Values("Memory", "Simulated", "Real"), [](auto& info) { return info.param; });

INSTANTIATE_TEST_SUITE_P(Logs, HeldLogContract, testing::Values("Memory", "Simulated"), [](auto& info) { return info.param; });

}  // namespace
}  // namespace gantry::log
