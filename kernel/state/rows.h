#pragma once
#include <cstdint>

#include "kernel/state/chunked.h"
#include "kernel/state/tracking.h"

namespace gantry::state {

// Rows by dense number from 1, given out in order and never again: the cheapest table, for things that a service numbers itself.
// A row that left is all zero (`Row{}`); chunks are not given back before the next start from a snapshot.
template <Raw Row>
class DenseRows : public Tracked {
    static_assert(!HasVisibility<Row>, "dense rows are for everyone: rows that not everyone may see live in a Table");

   public:
    std::uint64_t next() const { return rows_.size() + 1; }
    std::uint64_t append(Row const& row) {
        rows_.push_back(row);
        touch(mix64(rows_.size()));
        return rows_.size();
    }
    bool has(std::uint64_t n) const { return n >= 1 && n <= rows_.size(); }
    // What a touch of the row touches: for a command that waits.
    KeyHash key_of(std::uint64_t n) const { return key_of_hash(mix64(n)); }
    // Noted as a lookup of this row.
    Row const& operator[](std::uint64_t n) const {
        note(mix64(n));
        return rows_[n - 1];
    }
    // Not noted: for walks that note something wider.
    Row const& peek(std::uint64_t n) const { return rows_[n - 1]; }
    Row& change(std::uint64_t n) {
        touch(mix64(n));
        return rows_.mut(n - 1);
    }
    void note_list() const { note_all(); }
    void prefetch(std::uint64_t n) const {
        if (n != 0) rows_.prefetch(n - 1);
    }
    std::size_t size() const { return rows_.size(); }
    std::size_t memory_bytes() const { return rows_.memory_bytes(); }
    void save(Out& out) const { rows_.save(out); }
    bool load(In& in) { return rows_.load(in); }

   private:
    Chunked<Row> rows_;
};

// Small rows by dense number with reuse, for chains hung on other rows. Not tracked: its owner is.
template <Raw Row>
class Pool {
   public:
    std::uint32_t add(Row const& row) { return place_row<1>(rows_, free_, row); }
    Row const& operator[](std::uint32_t n) const { return rows_[n - 1]; }
    Row& change(std::uint32_t n) { return rows_.mut(n - 1); }
    void remove(std::uint32_t n) { rows_.mut(n - 1) = Row{}, free_.push_back(n); }
    void prefetch_end() const {
        if (!rows_.empty()) __builtin_prefetch(&rows_[rows_.size() - 1], 1);
    }
    std::size_t size() const { return rows_.size() - free_.size(); }
    std::size_t memory_bytes() const { return rows_.memory_bytes() + free_.memory_bytes(); }
    void save(Out& out) const { rows_.save(out), free_.save(out); }
    bool load(In& in) {
        if (!rows_.load(in) || !free_.load(in)) return false;
        return in.form == Form::as_they_lie || each_once(free_, 1, rows_.size());
    }

   private:
    Chunked<Row> rows_;
    Chunked<std::uint32_t> free_;
};

// Exact counters by small dense number; unknown ones are 0.
class Tally : public Tracked {
   public:
    void add(std::uint64_t n, std::int64_t by) {
        if (n >= counts_.size()) counts_.resize(n + 1);
        counts_.mut(n) += by;
        touch(0);
    }
    std::int64_t operator[](std::uint64_t n) const {
        note_all();
        return n < counts_.size() ? counts_[n] : 0;
    }
    std::size_t size() const { return counts_.size(); }
    std::size_t memory_bytes() const { return counts_.memory_bytes(); }
    void save(Out& out) const { counts_.save(out); }
    bool load(In& in) { return counts_.load(in); }

   private:
    Chunked<std::int64_t> counts_;
};

}  // namespace gantry::state
