#include "kernel/runtime/baseline.h"

#include <gtest/gtest.h>

#include "kernel/base/record.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/service.h"
#include "kernel/state/rows.h"
#include "kernel/state/table.h"

namespace gantry::runtime {
namespace {

class Baselines : public ::testing::Test {
   protected:
    BaselineOut out(BaselineMark mark) {
        return BaselineOut(mark, nullptr, [this](std::string_view note) -> Result<void> {
            log::BatchView batch;
            batch.kind = log::BatchKind::baseline, batch.note = note, batch.time = clock_.wall();
            TRY_ASSIGN([[maybe_unused]] auto at, log_.append(batch));
            return {};
        });
    }
    void write(BaselineMark mark, std::string const& text) {
        auto to = out(mark);
        to.text(text);
        ASSERT_TRUE(to.finish());
    }
    std::string read(BaselineMark mark) {
        std::string text;
        auto done = read_baseline(log_, mark, nullptr, [&](state::In& in) { return in.text(text); });
        EXPECT_TRUE(done) << done.error().detail;
        return text;
    }
    ManualClock clock_;
    SeededRandom random_{1};
    log::MemoryLog log_{clock_, random_};
};

TEST_F(Baselines, AreReadBackWholeAndTheNewestWins) {
    EXPECT_FALSE(*find_baseline(log_));
    std::string const large(5 * baseline_part_bytes + 17, 'x');
    write({7, {1}}, large);
    write({9, {2}}, "small");
    auto newest = *find_baseline(log_);
    ASSERT_TRUE(newest);
    EXPECT_EQ(newest->position, 9u);
    EXPECT_EQ(read(*newest), "small");
    EXPECT_EQ(read({7, {1}}), large);
}

TEST_F(Baselines, OneThatWasNotFinishedIsNone) {
    write({7, {1}}, "whole");
    {
        auto to = out({9, {2}});
        to.text(std::string(3 * baseline_part_bytes, 'x'));  // and no finish
    }
    EXPECT_EQ((*find_baseline(log_))->position, 7u);
    write({9, {3}}, "again");
    EXPECT_EQ((*find_baseline(log_))->position, 9u);
    EXPECT_EQ(read({9, {3}}), "again");
}

TEST_F(Baselines, WhatCantBeLoadedIsAnErrorWithARemedy) {
    write({7, {1}}, "whole");
    auto refused = read_baseline(log_, {7, {1}}, nullptr, [](state::In&) { return false; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "baseline_unreadable");
    auto short_of = read_baseline(log_, {7, {1}}, nullptr, [](state::In&) { return true; });
    EXPECT_FALSE(short_of) << "bytes were left over";
}

// A row as one release wrote it, and as a later one has it.
namespace then {
struct Row {
    std::uint32_t count = 0;
    std::string gone;
    std::string name;
};
RECORD(Row, count, gone, name);
struct Small {
    std::uint32_t a = 0, b = 0;
};
RECORD(Small, a, b);
struct State {
    Table<std::uint64_t, Row> rows;
    state::Chunked<Small> small;
    Table<std::uint64_t, Row> dropped;
};
STATE(State, rows, small, dropped);
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

TEST_F(Baselines, ALaterReleaseReadsRowsByName) {
    then::State before;
    for (std::uint64_t i = 1; i <= 100; ++i)
        before.rows.put(i, {std::uint32_t(i), "gone", "n" + std::to_string(i)}), before.small.push_back({std::uint32_t(i), 2});
    before.rows.erase(50);
    before.dropped.put(1, {});
    auto to = out({100, {1}});
    state_ops<then::State>().save_portable(&before, to);
    ASSERT_TRUE(to.finish());
    now::State after;
    ASSERT_TRUE(read_baseline(log_, {100, {1}}, nullptr, [&](state::In& in) { return state_ops<now::State>().load_portable(&after, in); }));
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

TEST_F(Baselines, ABrokenStateIsRefusedAtEveryByte) {
    then::State before;
    for (std::uint64_t i = 1; i <= 5; ++i) before.rows.put(i, {std::uint32_t(i), "gone", "name"}), before.small.push_back({1, 2});
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
