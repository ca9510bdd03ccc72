#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "kernel/base/random.h"
#include "kernel/state/bits.h"
#include "kernel/state/names.h"
#include "kernel/state/number_index.h"
#include "kernel/state/number_table.h"
#include "kernel/state/rows.h"
#include "kernel/state/table.h"

namespace gantry::state {
namespace {

// A snapshot in memory, cut short on demand.
struct Buffer final : Out, In {
    std::string bytes;
    std::size_t at = 0;
    void write(void const* p, std::size_t n) override { bytes.append(static_cast<char const*>(p), n); }
    bool read(void* p, std::size_t n) override {
        if (bytes.size() - at < n) return false;
        std::memcpy(p, bytes.data() + at, n), at += n;
        return true;
    }
    std::uint64_t left() const override { return bytes.size() - at; }
};
template <class T>
std::string saved(T const& t) {
    Buffer b;
    t.save(b);
    return b.bytes;
}
// Saved, loaded and saved again gives the same bytes; cut anywhere it says so.
template <class T>
void expect_snapshot(T const& t) {
    Buffer b;
    b.bytes = saved(t);
    T again;
    ASSERT_TRUE(again.load(b));
    EXPECT_EQ(b.left(), 0u);
    EXPECT_EQ(saved(again), b.bytes);
    for (std::size_t cut : {b.bytes.size() - 1, b.bytes.size() / 2, std::size_t(3)}) {
        Buffer part;
        part.bytes = b.bytes.substr(0, cut);
        T broken;
        EXPECT_FALSE(broken.load(part)) << "cut at " << cut;
    }
}

TEST(Chunked, ACopyIsAViewOfItsMoment) {
    Chunked<std::uint64_t> live;
    for (std::uint64_t i = 0; i < 50'000; ++i) live.push_back(i);
    auto view = live;
    auto digest = [](auto const& c) {
        Digest d;
        c.save(d);
        return d.value();
    };
    auto before = digest(view);
    for (std::uint64_t i = 0; i < 50'000; i += 7) live.mut(i) = 0;
    for (int i = 0; i < 10'000; ++i) live.push_back(9);
    EXPECT_EQ(digest(view), before);
    EXPECT_NE(digest(live), before);
    auto second = view;
    view.mut(3) = 1;
    EXPECT_EQ(digest(second), before);
    view.clear();
    EXPECT_EQ(digest(second), before);
    expect_snapshot(second);
}

TEST(HashIndex, AgreesWithAMapUnderRandomInsertsAndErases) {
    SeededRandom random(3);
    HashIndex index;
    std::map<std::uint32_t, std::uint64_t> model;  // row → hash; hashes collide often in their low bits
    for (int step = 0; step < 60'000; ++step) {
        std::uint32_t row = std::uint32_t(random.below(3000));
        if (auto it = model.find(row); it != model.end()) {
            index.erase(it->second, row);
            model.erase(it);
        } else {
            std::uint64_t hash = random.below(64) | random.below(8) << 20;
            index.insert(hash, row), model[row] = hash;
        }
        if (step % 997 == 0)
            for (auto [r, h] : model) ASSERT_EQ(index.find(h, [r = r](std::uint32_t found) { return found == r; }), r);
    }
    EXPECT_EQ(index.size(), model.size());
    EXPECT_EQ(index.find(1u << 30, [](std::uint32_t) { return true; }), HashIndex::none);
    expect_snapshot(index);
}

std::uint64_t digest_of(NumberIndex const& index) {
    Digest digest;
    index.save(digest);
    return digest.value();
}

TEST(NumberIndex, AgreesWithAMapAsNumbersComeInOrderAndGoInAny) {
    SeededRandom random(7);
    NumberIndex index;
    std::map<std::uint64_t, std::uint32_t> model;
    std::uint64_t next = 1;
    for (int step = 0; step < 60'000; ++step) {
        if (model.size() < 5000 && random.chance(0.55)) {
            next += random.chance(0.01) ? random.below(1'000'000) : 1;
            index.insert(next, std::uint32_t(step)), model[next] = std::uint32_t(step);
        } else if (!model.empty()) {
            auto it = random.chance(0.8) ? model.begin() : model.lower_bound(random.below(next));
            if (it == model.end()) continue;
            index.erase(it->first), model.erase(it);
        }
        if (step % 997 == 0)
            for (auto [number, row] : model) ASSERT_EQ(index.find(number), row);
    }
    EXPECT_EQ(index.size(), model.size());
    EXPECT_EQ(index.find(next + 1), NumberIndex::none);
    EXPECT_EQ(index.find(0), NumberIndex::none);
    expect_snapshot(index);
    for (auto [number, row] : model) index.erase(number);
    EXPECT_EQ(index.size(), 0u);
    EXPECT_EQ(digest_of(index), digest_of(NumberIndex()));
}

TEST(NumberIndex, AViewSharesWhatIsNotTouchedAgain) {
    NumberIndex index;
    for (std::uint32_t i = 0; i < 1'000'000; ++i) index.insert(i + 1, i);
    EXPECT_LT(index.memory_bytes(), 5'000'000u);
    auto const before = digest_of(index);
    auto view = index;
    for (std::uint32_t i = 0; i < 1000; ++i) index.erase(i + 1), index.insert(i + 1'000'001, i);
    EXPECT_EQ(digest_of(view), before);
    EXPECT_EQ(view.find(1), 0u);
    EXPECT_EQ(index.find(1), NumberIndex::none);
}

TEST(NumberTable, AgreesWithAMapAndComesBackTheSame) {
    SeededRandom random(11);
    NumberTable<std::string> table;
    std::map<std::uint64_t, std::string> model;
    std::uint64_t next = 0;
    for (int step = 0; step < 20'000; ++step) {
        auto const known =
            model.empty() ? 0 : std::next(model.begin(), std::ptrdiff_t(random.below(std::min<std::size_t>(model.size(), 8))))->first;
        switch (random.below(5)) {
            case 0: ++next, table.put(next, "put " + std::to_string(next)), model[next] = "put " + std::to_string(next); break;
            case 1:
                EXPECT_EQ(table.change(known, [](std::string& row) { row += '!'; }), known != 0);
                if (known != 0) model[known] += '!';
                break;
            case 2: ++next, table.change_or_put(next, [](std::string& row) { row += '?'; }), model[next] += '?'; break;
            case 3: EXPECT_EQ(table.erase(known), model.erase(known) == 1); break;
            default:
                if (auto* row = table.mut(known)) *row += '#', model[known] += '#';
                if (random.below(4) > 0) break;
                EXPECT_EQ(table.take(known), known == 0 ? std::nullopt : std::optional(model[known]));
                model.erase(known);
        }
    }
    ASSERT_EQ(table.size(), model.size());
    auto const view = table;
    for (auto const& [number, row] : model) ASSERT_EQ(*table.find(number), row);
    EXPECT_EQ(table.find(next + 1), nullptr);
    EXPECT_FALSE(table.erase(next + 1));
    auto const last = model.rbegin()->first;
    table.put(last, "replaced");
    EXPECT_EQ(*table.find(last), "replaced");
    EXPECT_EQ(*view.find(last), model[last]) << "a view stands still";
    expect_snapshot(table);
}

TEST(Ordered, TakesAwayAtOneEndAndAddsAtTheOther) {
    Ordered<std::uint32_t> queue;
    std::deque<std::uint32_t> model;
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        queue.insert(i), model.push_back(i);
        if (i % 3 == 0) continue;
        EXPECT_TRUE(queue.erase(model.front()));
        model.pop_front();
        if (i % 1000 == 1)
            for (; model.size() > 1; model.pop_back()) EXPECT_TRUE(queue.erase(model.back()));
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.first() ? *queue.first() : 0, model.empty() ? 0 : model.front());
        ASSERT_EQ(queue.last() ? *queue.last() : 0, model.empty() ? 0 : model.back());
    }
    expect_snapshot(queue);
    for (auto key : model) queue.erase(key);
    EXPECT_EQ(queue.first(), nullptr);
    EXPECT_EQ(queue.last(), nullptr);
    queue.ascend(0, [](std::uint32_t) { return ADD_FAILURE(), false; });
    queue.descend(~0u, [](std::uint32_t) { return ADD_FAILURE(), false; });
    queue.insert(3);
    EXPECT_EQ(*queue.first(), 3u);
}

TEST(Ordered, NumbersOfRowsAreOrderedByWhatStandsInTheRow) {
    std::vector<std::string> rows;
    for (int i = 0; i < 3000; ++i) rows.push_back(std::to_string(i * 7919 % 3000));
    auto const by = [&](std::uint32_t n) -> std::string const& { return rows[n]; };
    Ordered<std::uint32_t> ordered;
    for (std::uint32_t n = 0; n < rows.size(); ++n) ordered.insert(n, by);
    auto sorted = rows;
    std::ranges::sort(sorted);
    std::vector<std::string> up, down;
    ordered.ascend("17", [&](std::uint32_t n) { return up.push_back(rows[n]), true; }, by);
    ordered.descend("17", [&](std::uint32_t n) { return down.push_back(rows[n]), true; }, by);
    auto const from = std::ranges::lower_bound(sorted, "17");
    EXPECT_EQ(up, std::vector<std::string>(from, sorted.end()));
    EXPECT_EQ(down, std::vector<std::string>(std::reverse_iterator(from), sorted.rend()));
    for (std::uint32_t n = 0; n < rows.size(); ++n) EXPECT_TRUE(ordered.erase(n, by));
    EXPECT_EQ(ordered.size(), 0u);
}

TEST(Ordered, AgreesWithASetInBothDirections) {
    SeededRandom random(5);
    Ordered<std::uint64_t> ordered;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 40'000; ++step) {
        std::uint64_t key = random.below(6000);
        if (model.contains(key)) {
            if (!random.chance(0.4)) continue;
            EXPECT_TRUE(ordered.erase(key));
            model.erase(key);
        } else {
            EXPECT_FALSE(ordered.erase(key));
            ordered.insert(key), model.insert(key);
        }
    }
    auto view = ordered;
    std::vector<std::uint64_t> up, down;
    ordered.ascend(2500, [&](std::uint64_t k) { return up.push_back(k), up.size() < 1000; });
    ordered.descend(2500, [&](std::uint64_t k) { return down.push_back(k), true; });
    std::vector<std::uint64_t> want_up(model.lower_bound(2500), model.end());
    want_up.resize(std::min<std::size_t>(1000, want_up.size()));
    EXPECT_EQ(up, want_up);
    std::vector<std::uint64_t> want_down(std::make_reverse_iterator(model.lower_bound(2500)), model.rend());
    EXPECT_EQ(down, want_down);
    EXPECT_EQ(*ordered.first(), *model.begin());
    EXPECT_EQ(*ordered.last(), *model.rbegin());
    for (std::uint64_t key : model) ordered.erase(key);
    EXPECT_EQ(ordered.size(), 0u);
    EXPECT_EQ(view.size(), model.size());
    expect_snapshot(view);
}

// As work comes: some in a row at one place, then some in a row at another, now and then a view in between.
TEST(Ordered, AgreesWithASetWhereRunsOfNeighboursComeAndGo) {
    SeededRandom random(6);
    Ordered<std::uint64_t> ordered, view;
    std::set<std::uint64_t> model, viewed;
    auto const expect_same = [](Ordered<std::uint64_t> const& o, std::set<std::uint64_t> const& m) {
        std::vector<std::uint64_t> keys;
        o.ascend(0, [&](std::uint64_t key) { return keys.push_back(key), true; });
        ASSERT_EQ(keys, std::vector<std::uint64_t>(m.begin(), m.end()));
        ASSERT_EQ(o.size(), m.size());
    };
    for (int run = 0; run < 6000; ++run) {
        bool const puts = random.chance(0.52);
        auto key = random.below(20'000);
        auto const step = random.below(3);  // 0: downwards
        for (auto n = random.below(40); n > 0; --n, key = step == 0 ? (key + 19'999) % 20'000 : (key + step) % 20'000) {
            if (puts && model.insert(key).second) ordered.insert(key);
            if (!puts) ASSERT_EQ(ordered.erase(key), model.erase(key) == 1);
        }
        if (run % 500 == 0) expect_same(view, viewed), view = ordered, viewed = model;
    }
    expect_same(ordered, model), expect_same(view, viewed);
    expect_snapshot(ordered);
}

TEST(Bits, NextSkipsGaps) {
    Bits bits;
    std::set<std::uint64_t> model;
    SeededRandom random(9);
    for (int i = 0; i < 3000; ++i) {
        std::uint64_t n = random.below(3) ? random.below(900'000) : random.below(500);
        if (random.chance(0.3))
            bits.erase(n), model.erase(n);
        else
            bits.insert(n), model.insert(n);
    }
    std::vector<std::uint64_t> walked;
    for (auto n = bits.next(0); n != Bits::none; n = bits.next(n + 1)) walked.push_back(n);
    EXPECT_EQ(walked, std::vector<std::uint64_t>(model.begin(), model.end()));
    EXPECT_EQ(bits.size(), model.size());
    expect_snapshot(bits);
}

TEST(Names, InternOnceAndReadBack) {
    Names names;
    EXPECT_EQ(names.intern(""), 0u);
    std::vector<std::string> texts;
    for (int i = 0; i < 20'000; ++i) texts.push_back("package-" + std::string(std::size_t(i % 50), 'x') + std::to_string(i));
    for (auto const& t : texts) names.intern(t);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        ASSERT_EQ(names.find(texts[i]), i + 1);
        ASSERT_EQ(names.text(std::uint32_t(i + 1)), texts[i]);
    }
    EXPECT_EQ(names.find("unknown"), HashIndex::none);
    expect_snapshot(names);
}

struct Note {
    Text<1, 20> title;
    UserId owner;
    bool operator==(Note const&) const = default;
};
RECORD(Note, title, owner);
bool visible(Note const& n, Viewer const& v) { return n.owner == v.id; }
using NoteId = Id<"n_">;

TEST(Table, OrderVisibilityNotesAndSnapshot) {
    Table<NoteId, Note> table;
    std::map<std::string, std::string> model;
    SeededRandom random(11);
    for (int i = 0; i < 5000; ++i) {
        std::string id = "n_" + std::to_string(random.below(800));
        if (random.chance(0.3)) {
            EXPECT_EQ(table.erase(NoteId(id)), model.erase(id) == 1);
        } else {
            table.put(NoteId(id), Note{"t" + std::to_string(i), i % 2 ? "u_ann" : "u_bob"});
            model[id] = i % 2 ? "u_ann" : "u_bob";
        }
    }
    EXPECT_EQ(table.size(), model.size());
    Viewer ann{"u_ann"};
    std::vector<std::string> seen, want;
    Reading notes(ann);
    {
        reading = &notes;
        NoteId after("n_4");
        table.walk(&after, [&](NoteId const& id, Note const&) { return seen.push_back(id.str()), true; });
        for (auto const& [id, owner] : model) {
            EXPECT_EQ(table.contains(NoteId(id)), owner == "u_ann");
            if (owner == "u_ann" && id > "n_4") want.push_back(id);
        }
        reading = nullptr;
    }
    EXPECT_EQ(seen, want);
    EXPECT_TRUE(notes.broad());
    EXPECT_TRUE(table.contains(NoteId(model.begin()->first))) << "without a reader all is visible";
    expect_snapshot(table);
}

TEST(Tracking, TouchedKeysAreTheOnesLookedUp) {
    Table<NoteId, Note> table;
    table.set_salt(1);
    Viewer all{"k", true};
    Stamps stamps;
    auto write = [&](std::uint64_t position, auto&& change) {
        Writing w{stamps, position};
        writing = &w;
        change();
        writing = nullptr;
    };
    write(1, [&] { table.put("n_a", {"a", "u_a"}), table.put("n_b", {"b", "u_b"}); });
    Reading r(all);
    reading = &r;
    table.find("n_a");
    reading = nullptr;
    ASSERT_EQ(r.keys().size(), 1u);
    EXPECT_EQ(stamps.last(r.keys()[0]), 1u);
    write(2, [&] { table.change("n_b", [](Note& n) { n.title = "B"; }); });
    EXPECT_EQ(stamps.last(r.keys()[0]), 1u) << "another row leaves the answer as it is";
    write(3, [&] { table.change("n_a", [](Note& n) { n.title = "A"; }); });
    EXPECT_EQ(stamps.last(r.keys()[0]), 3u);
}

TEST(PoolAndTally, ReuseAndCount) {
    Pool<std::uint64_t> pool;
    auto a = pool.add(5), b = pool.add(6);
    pool.remove(a);
    EXPECT_EQ(pool.add(7), a);
    EXPECT_EQ(pool[b], 6u);
    expect_snapshot(pool);
    Tally tally;
    tally.add(7, 3), tally.add(7, -1);
    EXPECT_EQ(tally[7], 2);
    EXPECT_EQ(tally[100], 0);
    expect_snapshot(tally);
}

}  // namespace
}  // namespace gantry::state
