#pragma once
#include <string_view>

#include "kernel/base/hash.h"
#include "kernel/base/text.h"
#include "kernel/state/hash_index.h"

namespace gantry::state {

// Texts with numbers that many rows share and that go when the last row goes: 0 is the empty text. A number is given again once its
// text has gone. Not tracked: the rows that use them are.
class CountedNames {
   public:
    static constexpr std::uint32_t none = HashIndex::none;
    // One holder more.
    std::uint32_t hold(std::string_view text) {
        if (text.empty()) return 0;
        auto const hash = hash64(text);
        if (auto const found = lookup(hash, text); found != none) return ++rows_.mut(found).holders, found + 1;
        auto const row = place_row(rows_, free_, {Str(text), 1});
        index_.insert(hash, row);
        return row + 1;
    }
    void hold(std::uint32_t id) {
        if (id != 0) ++rows_.mut(id - 1).holders;
    }
    void release(std::uint32_t id) {
        if (id == 0) return;
        Row& row = rows_.mut(id - 1);
        GANTRY_ASSERT(row.holders > 0, "a name is released by who held it");
        if (--row.holders > 0) return;
        index_.erase(hash64(row.text), id - 1);
        row = {};
        free_.push_back(id - 1);
    }
    // `none` if nobody holds it.
    std::uint32_t find(std::string_view text) const {
        if (text.empty()) return 0;
        auto const found = lookup(hash64(text), text);
        return found == none ? none : found + 1;
    }
    std::string_view text(std::uint32_t id) const { return id == 0 ? std::string_view() : std::string_view(rows_[id - 1].text); }
    std::uint32_t holders(std::uint32_t id) const { return id == 0 ? 0 : rows_[id - 1].holders; }
    std::size_t size() const { return index_.size(); }
    std::size_t memory_bytes() const { return rows_.memory_bytes() + free_.memory_bytes() + index_.memory_bytes(); }

    void save(Out& out) const {
        out.number(std::uint64_t(rows_.size()));
        ValueWriter<Row> writer(out);
        for (std::size_t i = 0; i < rows_.size(); ++i) writer.put(rows_[i]);
        writer.finish();
        free_.save(out);
    }
    bool load(In& in) {
        rows_.clear(), free_.clear(), index_.clear();
        std::uint64_t n;
        ValueReader<Row> reader;
        if (!in.number(n) || n > in.left() || !reader.open(in)) return false;
        for (; n > 0; --n) {
            Row borrowed;
            if (!reader.read(in, borrowed)) return false;
            Row row = borrowed;
            if (row.text.empty() != (row.holders == 0) || (row.holders > 0 && lookup(hash64(row.text), row.text) != none)) return false;
            if (row.holders > 0) index_.insert(hash64(row.text), std::uint32_t(rows_.size()));
            rows_.push_back(std::move(row));
        }
        if (!reader.all_read() || !free_.load(in) || free_.size() + index_.size() != rows_.size()) return false;
        bool fine = each_once(free_, 0, rows_.size());
        for (std::size_t i = 0; fine && i < free_.size(); ++i) fine = rows_[free_[i]].holders == 0;
        return fine;
    }

   private:
    struct Row {
        Str text;
        std::uint32_t holders = 0;
        BOOST_DESCRIBE_CLASS(Row, (), (text, holders), (), ())
    };
    std::uint32_t lookup(std::uint64_t hash, std::string_view text) const {
        return index_.find(hash, [&](std::uint32_t row) { return std::string_view(rows_[row].text) == text; });
    }
    Chunked<Row> rows_;
    Chunked<std::uint32_t> free_;
    HashIndex index_;
};

}  // namespace gantry::state
