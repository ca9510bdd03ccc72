#pragma once
#include <optional>
#include <utility>

#include "kernel/state/number_index.h"
#include "kernel/state/table.h"

namespace gantry {

// A Table for rows whose keys are numbers from 1 that are given out in order, and that nobody lists by key: it costs half as much to put
// a row and to take it away. Everyone may see its rows.
template <class Row>
class NumberTable : public state::Tracked {
    static_assert(codec::Storable<Row> && !state::HasVisibility<Row>, "rows that not everyone may see live in a Table");

   public:
    using row_type = Row;
    Row const* find(std::uint64_t number) const {
        note(mix64(number));
        auto const slot = index_.find(number);
        return slot == index_.none ? nullptr : &slots_[slot].row;
    }
    bool contains(std::uint64_t number) const { return find(number) != nullptr; }
    state::KeyHash key_of(std::uint64_t number) const { return key_of_hash(mix64(number)); }

    // Inserts, or replaces.
    void put(std::uint64_t number, Row row) {
        touch(mix64(number));
        if (auto const slot = index_.find(number); slot != index_.none)
            slots_.mut(slot).row = std::move(row);
        else
            add(number, std::move(row));
    }
    // The row for writing; null: it isn't there. It stays where it is until it is erased, or the table is copied.
    Row* mut(std::uint64_t number) {
        auto const slot = index_.find(number);
        if (slot == index_.none) return nullptr;
        touch(mix64(number));
        return &slots_.mut(slot).row;
    }
    // False, and nothing happens, when the number isn't there.
    template <class Change>
    bool change(std::uint64_t number, Change&& change) {
        Row* const row = mut(number);
        if (row) change(*row);
        return row != nullptr;
    }
    // The row of the number, or a default one put there.
    template <class Change>
    void change_or_put(std::uint64_t number, Change&& change) {
        touch(mix64(number));
        auto slot = index_.find(number);
        if (slot == index_.none) slot = add(number, {});
        change(slots_.mut(slot).row);
    }
    bool erase(std::uint64_t number) { return take(number).has_value(); }
    // The row, which isn't there any more; nothing: it wasn't.
    std::optional<Row> take(std::uint64_t number) {
        if (index_.size() == 0) return {};
        auto const slot = index_.find(number);
        if (slot == index_.none) return {};
        touch(mix64(number));
        index_.erase(number);
        Row row = std::move(slots_.mut(slot).row);
        slots_.mut(slot) = Slot{};
        free_.push_back(slot);
        return row;
    }
    std::size_t size() const { return index_.size(); }
    std::size_t memory_bytes() const { return slots_.memory_bytes() + index_.memory_bytes() + free_.memory_bytes(); }

    // In the order of the numbers: where each lies is of no meaning.
    void save(state::Out& out) const {
        out.number(std::uint64_t(size()));
        state::ValueWriter<Slot> writer(out);
        index_.walk([&](std::uint64_t, std::uint32_t slot) { writer.put(slots_[slot]); });
        writer.finish();
    }
    bool load(state::In& in) {
        slots_.clear(), free_.clear(), index_ = {};
        std::uint64_t n;
        state::ValueReader<Slot> reader;
        if (!in.number(n) || n > in.left() || !reader.open(in)) return false;
        for (; n > 0; --n) {
            Slot slot;
            if (!reader.read(in, slot) || index_.find(slot.number) != index_.none) return false;
            index_.insert(slot.number, std::uint32_t(slots_.size()));
            slots_.push_back(Slot(slot));  // a copy owns its bytes
        }
        return reader.all_read();
    }

   private:
    struct Slot {
        std::uint64_t number = 0;
        Row row{};
        BOOST_DESCRIBE_CLASS(Slot, (), (number, row), (), ())
    };
    std::uint32_t add(std::uint64_t number, Row row) {
        auto const slot = state::place_row(slots_, free_, {number, std::move(row)});
        index_.insert(number, slot);
        return slot;
    }
    state::Chunked<Slot> slots_;
    state::NumberIndex index_;
    state::Chunked<std::uint32_t> free_;
};

}  // namespace gantry
