#include "kernel/state/due.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kernel/base/random.h"
#include "kernel/state/in_memory.h"

namespace gantry {
namespace {

using Key = Id<"t_">;
Key key(std::uint64_t n) { return Key("t_" + std::to_string(n)); }

std::string saved(Due<Key> const& due, state::Form form) {
    std::string bytes;
    state::StringOut out(bytes, form);
    due.save(out);
    return bytes;
}

TEST(Due, IsAsAModelOverRandomCalls) {
    Due<Key> due;
    std::map<Key, Time> model;
    SeededRandom random(7);
    for (int i = 0; i < 20'000; ++i) {
        auto const k = key(random.below(2000));
        if (random.chance(0.3)) {
            EXPECT_EQ(due.clear(k), model.erase(k) == 1);
        } else {
            Time const at{std::int64_t(random.below(50'000))};
            due.set(k, at);
            model[k] = at;
        }
        if (i % 100 != 0) continue;
        ASSERT_EQ(due.size(), model.size());
        std::set<std::pair<Time, Key>> by_time;
        for (auto const& [name, at] : model) {
            by_time.emplace(at, name);
            EXPECT_EQ(due.find(name), at);
        }
        if (model.empty()) continue;
        EXPECT_EQ(due.first()->at, by_time.begin()->first);
        EXPECT_EQ(due.first()->key, by_time.begin()->second);
    }
    EXPECT_FALSE(due.find(key(5000)));
    // A view stands still.
    auto const view = due;
    auto const before = saved(view, state::Form::as_they_lie);
    while (due.first()) due.clear(Key(due.first()->key));
    EXPECT_EQ(saved(view, state::Form::as_they_lie), before);
    EXPECT_EQ(due.size(), 0u);
}

TEST(Due, IsSavedInTheOrderOfTimeAndLoadedFromBothForms) {
    Due<Key> due, other_way;
    for (std::uint64_t i = 0; i < 1000; ++i) due.set(key(i), Time{std::int64_t(i * 7919 % 500)});
    for (std::uint64_t i = 1000; i-- > 0;) other_way.set(key(i), Time{1}), other_way.set(key(i), Time{std::int64_t(i * 7919 % 500)});
    for (auto form : {state::Form::as_they_lie, state::Form::portable}) {
        auto const bytes = saved(due, form);
        EXPECT_EQ(saved(other_way, form), bytes) << "whatever happened before";
        Due<Key> loaded;
        loaded.set(key(9999), Time{1});
        state::StringIn in(bytes, form);
        ASSERT_TRUE(loaded.load(in));
        EXPECT_EQ(saved(loaded, form), bytes);
        EXPECT_EQ(loaded.size(), 1000u);
        for (std::size_t cut = 0; cut < bytes.size(); cut += 97) {
            state::StringIn damaged(std::string_view(bytes).substr(0, cut), form);
            EXPECT_FALSE(loaded.load(damaged)) << cut;
        }
    }
}

TEST(Due, AMillionTimersAreAHundredBytesEach) {
    Due<Key> due;
    for (std::uint64_t i = 0; i < 1'000'000; ++i) due.set(key(i), Time{std::int64_t(i * 7919 % 1'000'003)});
    EXPECT_LE(due.memory_bytes(), 100u * 1'000'000) << due.memory_bytes() / 1'000'000;
}

}  // namespace
}  // namespace gantry
