#include "kernel/runtime/baseline.h"

#include <gtest/gtest.h>

#include "kernel/base/record.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/service.h"
#include "kernel/state/rows.h"
#include "kernel/state/table.h"

namespace gantry::runtime {
namespace {

// A log with some events, in memory and in files.
class Baselines : public ::testing::TestWithParam<std::string> {
   protected:
    Baselines() { open(); }
    void open() {
        log_.reset();
        if (GetParam() == "Memory") {
            log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_);
        } else {
            log::Options options;
            options.segment_bytes_min = options.segment_bytes_max = 1 << 20;
            auto opened = log::FileLog::open(disk_, committer_, "/data/main/notes/log", options, "", clock_, random_);
            ASSERT_TRUE(opened) << opened.error().cause;
            log_ = std::move(*opened);
        }
    }
    void record(int events) {
        std::string event;
        put_varint(event, 0), put_string(event, "event");
        for (; events > 0; --events) {
            log::BatchView batch;
            batch.count = 1, batch.events = event, batch.time = clock_.wall();
            ASSERT_TRUE(log_->append(batch));
        }
        ASSERT_TRUE(log_->wait_durable());
    }
    BaselineMark now() { return {log_->status().end, clock_.wall()}; }
    BaselineOut out(BaselineMark mark) {
        return BaselineOut(mark, nullptr, [this](std::string_view note) -> Result<void> {
            if (parts_until_crash_ == 0) return fail(500, "crashed");
            --parts_until_crash_;
            log::BatchView batch;
            batch.kind = log::BatchKind::baseline, batch.note = note, batch.time = clock_.wall();
            TRY_ASSIGN([[maybe_unused]] auto at, log_->append(batch));
            record(commands_between_);
            return log_->wait_durable();
        });
    }
    void write(BaselineMark mark, std::string const& text) {
        auto to = out(mark);
        to.text(text);
        EXPECT_EQ(to.finish().has_value(), parts_until_crash_ > 0);
    }
    std::string read(BaselineMark mark) {
        std::string text;
        auto done = read_baseline(*log_, mark, nullptr, [&](state::In& in) { return in.text(text); });
        EXPECT_TRUE(done) << done.error().detail;
        return text;
    }
    std::optional<BaselineMark> newest() {
        auto found = find_baseline(*log_);
        EXPECT_TRUE(found);
        return found ? *found : std::nullopt;
    }
    ManualClock clock_;
    SeededRandom random_{1};
    int parts_until_crash_ = 1000;
    int commands_between_ = 0;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    log::SimulatedDisk disk_{1};
    log::Committer committer_{log::Committer::Mode::manual};
    std::unique_ptr<log::Log> log_;
};
std::string const large(5 * baseline_part_bytes + 17, 'x');

TEST_P(Baselines, AreReadBackWholeAndTheNewestWins) {
    record(7);
    EXPECT_FALSE(newest());
    auto first = now();
    write(first, large);
    record(2);
    auto second = now();
    write(second, "small");
    ASSERT_TRUE(newest());
    EXPECT_EQ(newest()->position, 9u);
    EXPECT_EQ(read(second), "small");
    EXPECT_EQ(read(first), large);
}

TEST_P(Baselines, CommandsGoOnBetweenTheParts) {
    record(7);
    auto mark = now();
    commands_between_ = 3;
    write(mark, large);
    EXPECT_EQ(log_->status().end, 7u + 6 * 3);
    ASSERT_TRUE(newest());
    EXPECT_EQ(newest()->position, 7u);
    EXPECT_EQ(read(mark), large);
}

TEST_P(Baselines, OneThatWasNotFinishedIsNone) {
    record(7);
    auto first = now();
    write(first, "whole");
    for (int parts : {0, 1, 5}) {
        record(1);
        parts_until_crash_ = parts;
        write(now(), large);
        parts_until_crash_ = 1000;
        open();
        EXPECT_EQ(newest()->position, 7u) << parts;
        EXPECT_EQ(read(*newest()), "whole");
    }
    write(now(), large);  // the same place again, now to its end
    EXPECT_EQ(newest()->position, 10u);
    EXPECT_EQ(read(*newest()), large);
}

TEST_P(Baselines, ACutBelowLeavesThemReadable) {
    record(5000);
    auto mark = now();
    write(mark, large);
    ASSERT_TRUE(log_->cut(mark.position + 1, clock_.wall()));
    open();
    ASSERT_TRUE(newest());
    EXPECT_EQ(newest()->position, 5000u);
    EXPECT_EQ(read(mark), large);
    record(1);
    EXPECT_EQ(log_->status().end, 5001u);
}

TEST_P(Baselines, WhatCantBeLoadedIsAnErrorWithARemedy) {
    record(7);
    auto mark = now();
    write(mark, "whole");
    auto refused = read_baseline(*log_, mark, nullptr, [](state::In& in) { return in.why = "because", false; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "baseline_unreadable");
    EXPECT_EQ(refused.error().cause, "because");
    auto short_of = read_baseline(*log_, mark, nullptr, [](state::In&) { return true; });
    EXPECT_FALSE(short_of) << "bytes were left over";
    auto absent = read_baseline(*log_, {3, {}}, nullptr, [](state::In&) { return true; });
    EXPECT_FALSE(absent);
}

INSTANTIATE_TEST_SUITE_P(Logs, Baselines, testing::Values("Memory", "File"), [](auto& info) { return info.param; });

// A row as one release wrote it, and as a later one has it.
namespace then {
struct Row {
    std::uint32_t count = 0;
    std::string gone;
    std::string title;
};
RECORD(Row, count, gone, title);
struct Small {
    std::uint32_t a = 0, b = 0;
};
RECORD(Small, a, b);
struct State {
    Table<std::uint64_t, Row> rows;
    state::Chunked<Small> few;
    Table<std::uint64_t, Row> dropped;
};
STATE(State, rows, few, dropped);
}  // namespace then
namespace now {
struct Row {
    std::string name;
    std::uint64_t count = 0;  // wider
    std::string added = "as new";
};
RECORD(Row, name, count, added);
struct Small {
    std::uint32_t b = 0, c = 5, a = 0, d = 0;
};
RECORD(Small, b, c, a, d);
struct State {
    state::Chunked<Small> small;
    Table<std::uint64_t, Row> fresh;
    Table<std::uint64_t, Row> rows;
};
STATE(State, small, fresh, rows);
}  // namespace now

TEST_P(Baselines, ALaterReleaseReadsMembersAndRowsByName) {
    then::State before;
    for (std::uint64_t i = 1; i <= 100; ++i)
        before.rows.put(i, {std::uint32_t(i), "gone", "n" + std::to_string(i)}), before.few.push_back({std::uint32_t(i), 2});
    before.rows.erase(50);
    before.dropped.put(1, {});
    record(100);
    auto const mark = now();
    auto to = out(mark);
    state_ops<then::State>().save_portable(&before, to);
    ASSERT_TRUE(to.finish());
    now::State after;
    codec::Rename const renames[] = {{"state", "few", "small"}, {"row", "title", "name"}};
    auto done =
        read_baseline(*log_, mark, nullptr, [&](state::In& in) { return state_ops<now::State>().load_portable(&after, in); }, renames);
    ASSERT_TRUE(done) << done.error().cause;
    EXPECT_EQ(after.rows.size(), 99u);
    EXPECT_EQ(after.rows.find(7)->name, "n7");
    EXPECT_EQ(after.rows.find(7)->count, 7u);
    EXPECT_EQ(after.rows.find(7)->added, "as new");
    EXPECT_EQ(after.fresh.size(), 0u);
    ASSERT_EQ(after.small.size(), 100u);
    EXPECT_EQ(after.small[6].a, 7u);
    EXPECT_EQ(after.small[6].b, 2u);
    EXPECT_EQ(after.small[6].c, 5u);
    after.rows.put(50, {"back", 50});
    EXPECT_EQ(after.rows.size(), 100u);
}

TEST(PortableState, IsRefusedWhenCutAtAnyByte) {
    then::State before;
    for (std::uint64_t i = 1; i <= 5; ++i) before.rows.put(i, {std::uint32_t(i), "gone", "name"}), before.few.push_back({1, 2});
    class Text final : public state::Out {
       public:
        Text() : Out(nullptr, state::Form::portable) {}
        void write(void const* bytes, std::size_t size) override { text.append(static_cast<char const*>(bytes), size); }
        std::string text;
    } good;
    state_ops<then::State>().save_portable(&before, good);
    class From final : public state::In {
       public:
        explicit From(std::string_view text) : In(nullptr, state::Form::portable), text_(text) {}
        bool read(void* bytes, std::size_t size) override {
            if (size > text_.size()) return false;
            text_.copy(static_cast<char*>(bytes), size);
            return text_.remove_prefix(size), true;
        }
        std::uint64_t left() const override { return text_.size(); }

       private:
        std::string_view text_;
    };
    for (std::size_t cut = 0; cut < good.text.size(); ++cut) {
        then::State state;
        From from(std::string_view(good.text).substr(0, cut));
        EXPECT_FALSE(state_ops<then::State>().load_portable(&state, from)) << cut;
    }
    for (std::size_t at = 0; at < good.text.size(); ++at)  // a flipped byte may pass, but never leads astray
        for (char flip : {'\1', '\x80'}) {
            auto bad = good.text;
            bad[at] = char(bad[at] ^ flip);
            then::State state;
            From from(bad);
            (void)state_ops<then::State>().load_portable(&state, from);
        }
}

}  // namespace
}  // namespace gantry::runtime
