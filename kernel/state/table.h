#pragma once
#include <string>
#include <utility>

#include "kernel/codec/binary.h"
#include "kernel/state/hash_index.h"
#include "kernel/state/ordered.h"
#include "kernel/state/tracking.h"

namespace gantry {

namespace state {
template <class Key>
std::uint64_t key_hash(Key const& key) {
    if constexpr (std::is_convertible_v<Key const&, std::string_view>)
        return hash64(std::string_view(key));
    else if constexpr (requires { key.n; })
        return mix64(std::uint64_t(key.n));
    else
        return mix64(std::uint64_t(key));
}
}  // namespace state

// Rows by key, in key order for lists. What a read may not see is not there: find and walk go by the reader's rights, which in a read of
// the past are those to the row of today: what is gone today is nobody's to see. Every lookup is noted and every change touched, so answers
// can be cached and watched. A copy is a cheap view (see Chunked).
template <class Key, class Row>
class Table : public state::Tracked {
    static_assert(codec::Storable<Row>, "a Secret can't be stored: keep a verifier of it");

   public:
    using row_type = Row;
    Row const* find(Key const& key) const {
        auto hash = state::key_hash(key);
        note(hash);
        auto slot = lookup(hash, key);
        if (slot == state::HashIndex::none) return nullptr;
        Row const& row = slots_[slot].row;
        return is_seen(slots_[slot]) ? &row : nullptr;
    }
    bool contains(Key const& key) const { return find(key) != nullptr; }
    // What a touch of the key touches, whether or not it is there: for a command that waits.
    state::KeyHash key_of(Key const& key) const { return key_of_hash(state::key_hash(key)); }

    // Inserts, or replaces.
    void put(Key const& key, Row row) {
        auto hash = state::key_hash(key);
        touch(hash);
        if (auto slot = lookup(hash, key); slot != state::HashIndex::none) return void(slots_.mut(slot).row = std::move(row));
        auto const slot = state::place_row(slots_, free_, {key, std::move(row), true});
        index_.insert(hash, slot);
        order_.insert(slot, by_key());
    }
    // False, and nothing happens, when the key isn't there.
    template <class Change>
    bool change(Key const& key, Change&& change) {
        auto hash = state::key_hash(key);
        auto slot = lookup(hash, key);
        if (slot == state::HashIndex::none) return false;
        touch(hash);
        change(slots_.mut(slot).row);
        return true;
    }
    // The row of the key, or a default one put there.
    template <class Change>
    void change_or_put(Key const& key, Change&& change) {
        if (this->change(key, change)) return;
        Row row{};
        change(row);
        put(key, std::move(row));
    }
    bool erase(Key const& key) {
        auto hash = state::key_hash(key);
        auto slot = lookup(hash, key);
        if (slot == state::HashIndex::none) return false;
        touch(hash);
        order_.erase(slot, by_key());
        index_.erase(hash, slot);
        slots_.mut(slot) = Slot{};
        free_.push_back(slot);
        return true;
    }
    // Visits what the reader may see in key order, from behind `after` (null: from the start), until `visit(key, row)` returns false.
    template <class Visit>
    void walk(Key const* after, Visit&& visit) const {
        note_all();
        auto step = [&](std::uint32_t slot) {
            Slot const& s = slots_[slot];
            if (!is_seen(s)) return true;
            if (after && !(*after < s.key)) return true;
            return bool(visit(s.key, s.row));
        };
        if (after)
            order_.ascend(*after, step, by_key());
        else if (auto first = order_.first())
            order_.ascend(slots_[*first].key, step, by_key());
    }
    // The same downwards, from the last row.
    template <class Visit>
    void walk_back(Visit&& visit) const {
        note_all();
        auto last = order_.last();
        if (!last) return;
        auto step = [&](std::uint32_t slot) {
            Slot const& s = slots_[slot];
            return is_seen(s) ? bool(visit(s.key, s.row)) : true;
        };
        auto const newest = *last;
        if (step(newest)) order_.descend(slots_[newest].key, step, by_key());
    }
    // Rows in all, whoever may see them: for limits and metrics, not for answers.
    std::size_t size() const { return index_.size(); }
    std::size_t memory_bytes() const {
        return slots_.memory_bytes() + index_.memory_bytes() + free_.memory_bytes() + order_.memory_bytes();
    }

    void save(state::Out& out) const {
        out.number(std::uint64_t(slots_.size()));
        if (out.form == state::Form::portable)
            save_portable(out);
        else
            save_as_it_is(out);
        free_.save(out);
    }
    bool load(state::In& in) {
        slots_.clear(), index_.clear(), order_ = {};
        std::uint64_t n;
        if (!in.number(n) || n > in.left()) return false;
        if (!(in.form == state::Form::portable ? load_portable(in, n) : load_as_it_is(in, n)) || !free_.load(in)) return false;
        bool fine = free_.size() + index_.size() == slots_.size() && state::each_once(free_, 0, slots_.size());
        for (std::size_t i = 0; fine && i < free_.size(); ++i) fine = !slots_[free_[i]].used;
        return fine;
    }

   private:
    struct Slot {
        Key key{};
        Row row{};
        bool used = false;
        BOOST_DESCRIBE_CLASS(Slot, (), (key, row, used), (), ())
    };
    bool is_seen(Slot const& slot) const {
        if constexpr (state::HasVisibility<Row>) {
            if (!state::reading || state::reading->viewer().sees_all) return true;
            auto const* now = state::reading->now(this);
            if (!now) return visible(slot.row, state::reading->viewer());
            auto const today = now->lookup(state::key_hash(slot.key), slot.key);
            return today != state::HashIndex::none && visible(now->slots_[today].row, state::reading->viewer());
        }
        return true;
    }
    void save_portable(state::Out& out) const {
        state::ValueWriter<Slot> writer(out);
        for (std::size_t i = 0; i < slots_.size(); ++i) writer.put(slots_[i]);
        writer.finish();
    }
    bool load_portable(state::In& in, std::uint64_t n) {
        state::ValueReader<Slot> reader;
        if (!reader.open(in)) return false;
        for (; n > 0; --n) {
            Slot slot;
            if (!reader.read(in, slot) || !take(slot)) return false;
        }
        return reader.all_read();
    }
    void save_as_it_is(state::Out& out) const {
        std::string buffer;
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            buffer.clear();
            buffer += slots_[i].used ? '\1' : '\0';
            if (slots_[i].used) codec::put(buffer, slots_[i].key), codec::put(buffer, slots_[i].row, out.sealer);
            out.text(buffer);
        }
    }
    bool load_as_it_is(state::In& in, std::uint64_t n) {
        std::string buffer;
        for (; n > 0; --n) {
            if (!in.text(buffer) || buffer.empty()) return false;
            Slot slot;
            slot.used = buffer[0] != 0;
            ByteReader bytes{std::string_view(buffer).substr(1)};
            if (slot.used && (!codec::get(bytes, slot.key) || !codec::get(bytes, slot.row, in.sealer))) return false;
            if (!bytes.done() || !take(slot)) return false;
        }
        return true;
    }
    // The slot as the next one; false when its key is there already. What is kept owns its bytes.
    bool take(Slot const& borrowed) {
        auto const hash = state::key_hash(borrowed.key);
        if (borrowed.used && lookup(hash, borrowed.key) != state::HashIndex::none) return false;
        slots_.push_back(Slot(borrowed));
        if (!borrowed.used) return true;
        auto const number = std::uint32_t(slots_.size() - 1);
        index_.insert(hash, number);
        order_.insert(number, by_key());
        return true;
    }
    auto by_key() const {
        return [this](std::uint32_t slot) -> Key const& { return slots_[slot].key; };
    }
    std::uint32_t lookup(std::uint64_t hash, Key const& key) const {
        return index_.find(hash, [&](std::uint32_t slot) { return slots_[slot].key == key; });
    }
    state::Chunked<Slot> slots_;
    state::HashIndex index_;
    state::Chunked<std::uint32_t> free_;
    state::Ordered<std::uint32_t> order_;
};

}  // namespace gantry
