// The portable form of every container: the same state again, in a later release too; and no bytes lead astray.
#include <gtest/gtest.h>

#include "kernel/base/random.h"
#include "kernel/base/record.h"
#include "kernel/state/bits.h"
#include "kernel/state/marks.h"
#include "kernel/state/names.h"
#include "kernel/state/number_index.h"
#include "kernel/state/ordered.h"
#include "kernel/state/rows.h"
#include "kernel/state/table.h"

namespace gantry::state {
namespace {

class TextOut final : public Out {
   public:
    TextOut() : Out(nullptr, Form::portable) {}
    void write(void const* bytes, std::size_t size) override { text.append(static_cast<char const*>(bytes), size); }
    std::string text;
};
class TextIn final : public In {
   public:
    explicit TextIn(std::string_view text, std::span<codec::Rename const> renames_since = {})
        : In(nullptr, Form::portable, renames_since), text_(text) {}
    bool read(void* bytes, std::size_t size) override {
        if (size > text_.size()) return false;
        text_.copy(static_cast<char*>(bytes), size);
        return text_.remove_prefix(size), true;
    }
    std::uint64_t left() const override { return text_.size(); }

   private:
    std::string_view text_;
};

template <class T>
std::string saved(T const& t) {
    TextOut out;
    t.save(out);
    return out.text;
}
template <class T>
std::uint64_t digest_of(T const& t) {
    Digest d;
    t.save(d);
    return d.value();
}
template <class T>
void expect_round_trip(T const& t) {
    auto bytes = saved(t);
    T again;
    TextIn in(bytes);
    ASSERT_TRUE(again.load(in)) << in.why;
    EXPECT_EQ(in.left(), 0u);
    EXPECT_EQ(digest_of(again), digest_of(t));
    TextIn second(bytes);
    ASSERT_TRUE(again.load(second)) << "into one that holds something";
    EXPECT_EQ(digest_of(again), digest_of(t));
}
// Cut short it is refused. With a byte changed it is refused, or holds something that can be saved, digested and used.
template <class T, class Use>
void expect_no_harm(T const& t, Use&& use) {
    auto bytes = saved(t);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        T broken;
        TextIn in(std::string_view(bytes).substr(0, cut));
        EXPECT_FALSE(broken.load(in)) << "cut at " << cut;
    }
    for (std::size_t at = 0; at < bytes.size(); ++at)
        for (int flip : {0x01, 0x02, 0x10, 0x80, 0xff}) {
            auto bad = bytes;
            bad[at] = char(bad[at] ^ flip);
            T loaded;
            TextIn in(bad);
            if (!loaded.load(in)) continue;
            digest_of(loaded), saved(loaded);
            use(loaded);
        }
}

enum class Color : std::uint8_t { red, green };
ENUM(Color, red, green);
struct Row {
    std::uint32_t a = 0;
    std::int16_t b = 0;
    Color color = Color::red;
    std::uint8_t c = 0;
    auto operator<=>(Row const&) const = default;
};
RECORD(Row, a, b, color, c);
struct Note {
    Text<1, 20> title;
    std::optional<UserId> owner;
    bool operator==(Note const&) const = default;
};
RECORD(Note, title, owner);
using NoteId = Id<"n_">;

Row row(std::size_t i) { return {std::uint32_t(i * 77'777), std::int16_t(-int(i)), i % 2 ? Color::green : Color::red, std::uint8_t(i)}; }

Chunked<Row> rows(std::size_t n) {
    Chunked<Row> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(row(i));
    return out;
}
Chunked<std::uint32_t> numbers(std::size_t n) {
    Chunked<std::uint32_t> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(std::uint32_t(i * i));
    return out;
}
template <class Key, class Make>
Ordered<Key> ordered(std::size_t n, Make&& make) {
    Ordered<Key> out;
    for (std::size_t i = 0; i < n; ++i) out.insert(make(i));
    return out;
}
Names names(std::size_t n) {
    Names out;
    for (std::size_t i = 0; i < n; ++i) out.intern("package-" + std::string(i % 50, 'x') + std::to_string(i));
    return out;
}
HashIndex index(std::size_t n) {
    HashIndex out;
    for (std::size_t i = 0; i < n; ++i) out.insert(mix64(i), std::uint32_t(i));
    return out;
}
NumberIndex number_index(std::size_t n) {
    NumberIndex out;
    for (std::size_t i = 0; i < n; ++i) out.insert(i * 3, std::uint32_t(i));
    for (std::size_t i = 0; i < n; i += 2) out.erase(i * 3);
    return out;
}
Bits bits(std::size_t n) {
    Bits out;
    for (std::size_t i = 0; i < n; ++i) out.insert(i * i);
    for (std::size_t i = 0; i < n; i += 3) out.erase(i * i);
    return out;
}
DenseRows<Row> dense(std::size_t n) {
    DenseRows<Row> out;
    for (std::size_t i = 0; i < n; ++i) out.append(row(i));
    return out;
}
Pool<Row> pool(std::size_t n) {
    Pool<Row> out;
    for (std::size_t i = 0; i < n; ++i) out.add(row(i));
    for (std::size_t i = 1; i < n; i += 4) out.remove(std::uint32_t(i));
    return out;
}
Tally tally(std::size_t n) {
    Tally out;
    for (std::size_t i = 0; i < n; ++i) out.add(i, std::int64_t(i) * (i % 2 ? 1 : -1'000'000'000'000));
    return out;
}
Table<NoteId, Note> table(std::size_t n) {
    Table<NoteId, Note> out;
    for (std::size_t i = 0; i < n; ++i) {
        Note note{"t" + std::to_string(i), {}};
        if (i % 2) note.owner = UserId("u_ann");
        out.put(NoteId("n_" + std::to_string(i * 37 % 1000)), note);
    }
    for (std::size_t i = 0; i < n; i += 5) out.erase(NoteId("n_" + std::to_string(i)));
    return out;
}

TEST(Portable, EveryContainerComesBackTheSame) {
    for (std::size_t n : {0u, 1u, 7u, 30'000u}) {
        expect_round_trip(rows(n));
        expect_round_trip(numbers(n));
        expect_round_trip(ordered<std::uint32_t>(n, [](std::size_t i) { return std::uint32_t(i * 7 % 100'003); }));
        expect_round_trip(ordered<Row>(n, row));
        expect_round_trip(names(n));
        expect_round_trip(index(n));
        expect_round_trip(number_index(n));
        expect_round_trip(bits(n));
        expect_round_trip(dense(n));
        expect_round_trip(pool(n));
        expect_round_trip(tally(n));
        expect_round_trip(table(n));
    }
    expect_round_trip(Marks());
}

TEST(Portable, WhatWasLoadedGoesOnAsTheOriginal) {
    auto original = table(1000);
    auto bytes = saved(original);
    Table<NoteId, Note> again;
    TextIn in(bytes);
    ASSERT_TRUE(again.load(in));
    for (auto* t : {&original, &again}) {
        t->put("n_new", {"new", {}});
        t->erase("n_7");
        t->put("n_8", {"changed", UserId("u_bob")});
    }
    EXPECT_EQ(digest_of(again), digest_of(original));
    Names known = names(500), known_again;
    auto known_bytes = saved(known);
    TextIn known_in(known_bytes);
    ASSERT_TRUE(known_again.load(known_in));
    EXPECT_EQ(known_again.intern("fresh"), known.intern("fresh"));
    EXPECT_EQ(known_again.find("package-xxx3"), known.find("package-xxx3"));
    EXPECT_EQ(digest_of(known_again), digest_of(known));
}

TEST(Portable, NoBytesLeadAstray) {
    auto walk = [](auto const& t) {
        std::size_t n = 0;
        for (std::size_t i = 0; i < t.size(); ++i) n += sizeof(t[i]);
        return n;
    };
    expect_no_harm(rows(5), [&](auto& t) { walk(t), t.push_back(row(1)); });
    expect_no_harm(numbers(5), [&](auto& t) { walk(t), t.push_back(1); });
    expect_no_harm(ordered<std::uint32_t>(9, [](std::size_t i) { return std::uint32_t(i); }),
                   [](auto& t) { t.insert(4), t.erase(5), t.ascend(0, [](std::uint32_t) { return true; }); });
    expect_no_harm(ordered<Row>(5, row), [](auto& t) { t.insert(row(3)), t.erase(row(4)); });
    expect_no_harm(names(5), [](Names& t) {
        for (std::uint32_t id = 0; id <= t.size(); ++id) EXPECT_EQ(t.find(t.text(id)), id);
        t.intern("another");
    });
    // Which rows an index speaks of, its owner knows.
    expect_no_harm(index(9), [](HashIndex& t) { t.find(mix64(3), [](std::uint32_t) { return false; }), t.insert(mix64(77), 77); });
    expect_no_harm(number_index(200), [](NumberIndex& t) {
        if (t.find(3) != NumberIndex::none) t.erase(3);
        t.insert(1'000'000, 1);
    });
    expect_no_harm(bits(9), [](Bits& t) {
        std::size_t n = 0;
        for (auto at = t.next(0); at != Bits::none; at = t.next(at + 1)) ++n;
        EXPECT_EQ(n, t.size());
    });
    expect_no_harm(dense(5), [](auto& t) {
        for (std::uint64_t i = 1; i <= t.size(); ++i) t.change(i).a = 1;
    });
    expect_no_harm(pool(9), [](auto& t) {
        for (int i = 0; i < 5; ++i) t.change(t.add(row(2))).a = 1;
    });
    expect_no_harm(tally(5), [](auto& t) { t.add(3, 1); });
    expect_no_harm(table(9), [](auto& t) {
        std::vector<std::string> keys;
        t.walk(nullptr, [&](NoteId const& id, Note const&) { return keys.push_back(id.str()), true; });
        EXPECT_EQ(keys.size(), t.size());
        t.put("n_another", {"new", {}});
        for (auto& key : keys) t.erase(NoteId(key));
    });
}

// Random bytes behind a true beginning.
TEST(Portable, RandomBytesAreRefusedOrHarmless) {
    SeededRandom random(4);
    auto good = saved(table(20));
    for (int round = 0; round < 3000; ++round) {
        auto bad = good.substr(0, random.below(good.size()));
        for (std::uint64_t n = random.below(60); n > 0; --n) bad += char(random.below(256));
        Table<NoteId, Note> loaded;
        TextIn in(bad);
        if (loaded.load(in)) digest_of(loaded);
    }
}

namespace then {
enum class Stage : std::uint8_t { built, tested, gone_again };
ENUM(Stage, built, tested, gone_again);
struct Run {
    std::uint32_t count = 0;
    std::uint16_t small = 0;
    Stage stage = Stage::built;
    std::uint8_t removed = 9;
    std::int64_t title = 0;
    auto operator<=>(Run const&) const = default;
};
RECORD(Run, count, small, stage, removed, title);
struct Item {
    std::string name;
    std::string owner;
    std::vector<std::uint32_t> numbers;
};
RECORD(Item, name, owner, numbers);
}  // namespace then
namespace now {  // another name, other order; `count` wider, `headline` was `title`, `added` new, `removed` gone
enum class Stage : std::uint8_t { waiting, tested, built, gone_again };
ENUM(Stage, waiting, tested, built, gone_again);
struct RunRow {
    std::int64_t headline = 0;
    Stage stage = Stage::waiting;
    std::uint8_t padding[3] = {};
    std::uint32_t added = 5;
    std::uint64_t count = 0;
    std::uint64_t small = 0;
    auto operator<=>(RunRow const&) const = default;
    BOOST_DESCRIBE_CLASS(RunRow, (), (headline, stage, added, count, small), (), ())
};
struct Item {
    std::vector<std::uint64_t> numbers;
    std::optional<std::string> owner;
    std::string name;
    bool added = true;
};
RECORD(Item, numbers, owner, name, added);
}  // namespace now

codec::Rename const renames[] = {{"run_row", "title", "headline"}};

then::Run old_run(std::uint32_t i) {
    return {i, std::uint16_t(i + 1), i % 2 ? then::Stage::tested : then::Stage::built, 3, -std::int64_t(i)};
}
void expect_run(now::RunRow const& r, std::uint32_t i) {
    EXPECT_EQ(r.count, i);
    EXPECT_EQ(r.small, i + 1);
    EXPECT_EQ(r.stage, i % 2 ? now::Stage::tested : now::Stage::built);
    EXPECT_EQ(r.headline, -std::int64_t(i));
    EXPECT_EQ(r.added, 5u);
}
template <class To, class From>
void carry(From const& from, To& to) {
    auto bytes = saved(from);
    TextIn in(bytes, renames);
    ASSERT_TRUE(to.load(in)) << in.why;
    EXPECT_EQ(in.left(), 0u);
}

TEST(Portable, ALaterReleaseReadsRowsByName) {
    Chunked<then::Run> chunked;
    DenseRows<then::Run> dense_rows;
    Pool<then::Run> pooled;
    Ordered<then::Run> in_order;
    for (std::uint32_t i = 0; i < 20'000; ++i)
        chunked.push_back(old_run(i)), dense_rows.append(old_run(i)), pooled.add(old_run(i)), in_order.insert(old_run(i));
    Chunked<now::RunRow> chunked_now;
    DenseRows<now::RunRow> dense_now;
    Pool<now::RunRow> pooled_now;
    carry(chunked, chunked_now), carry(dense_rows, dense_now), carry(pooled, pooled_now);
    ASSERT_EQ(chunked_now.size(), 20'000u);
    for (std::uint32_t i = 0; i < 20'000; i += 111)
        expect_run(chunked_now[i], i), expect_run(dense_now[i + 1], i), expect_run(pooled_now[i + 1], i);
    Ordered<now::RunRow> in_order_now;
    carry(in_order, in_order_now);
    expect_run(*in_order_now.first(), 0);
    expect_run(*in_order_now.last(), 19'999);
    Chunked<std::uint16_t> narrow;
    for (std::uint16_t i = 0; i < 1000; ++i) narrow.push_back(std::uint16_t(i * 65));
    Chunked<std::uint64_t> wide;
    carry(narrow, wide);
    EXPECT_EQ(wide[999], 999u * 65);
}

TEST(Portable, ALaterReleaseReadsATableByName) {
    Table<std::uint32_t, then::Item> before;
    for (std::uint32_t i = 0; i < 100; ++i) before.put(i, {"n" + std::to_string(i), "u_ann", {i, i + 1}});
    for (std::uint32_t i = 0; i < 100; i += 3) before.erase(i);
    Table<std::uint64_t, now::Item> after;
    carry(before, after);
    EXPECT_EQ(after.size(), before.size());
    EXPECT_FALSE(after.find(3));
    ASSERT_TRUE(after.find(50));
    EXPECT_EQ(after.find(50)->name, "n50");
    EXPECT_EQ(after.find(50)->owner, "u_ann");
    EXPECT_EQ(after.find(50)->numbers, (std::vector<std::uint64_t>{50, 51}));
    EXPECT_TRUE(after.find(50)->added);
    after.put(3, {});
    EXPECT_EQ(after.size(), before.size() + 1);
}

TEST(Portable, WhatTodaysTypeCantHoldIsNamed) {
    Chunked<std::uint64_t> wide;
    wide.push_back(1);
    auto bytes = saved(wide);
    Chunked<std::uint32_t> narrow;
    TextIn in(bytes);
    EXPECT_FALSE(narrow.load(in));
    EXPECT_NE(in.why.find("64 bits"), std::string::npos) << in.why;
    Chunked<then::Run> runs;
    runs.push_back(old_run(1));
    auto run_bytes = saved(runs);
    Chunked<Row> other;  // `color` and the rest are new there: nothing of the old is left but that is fine; a changed kind isn't
    TextIn fine(run_bytes);
    EXPECT_TRUE(other.load(fine));
    EXPECT_EQ(other[0], Row{});
}

}  // namespace
}  // namespace gantry::state
