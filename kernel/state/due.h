#pragma once
#include <optional>
#include <utility>

#include "kernel/base/time.h"
#include "kernel/state/table.h"

namespace gantry {

// Keys that are due at a time each: what a service's timers are kept in (DESIGN §5). A copy is a cheap view.
template <class Key>
class Due : public state::Tracked {
   public:
    using key_type = Key;
    struct Entry {
        Key key{};
        Time at{};
        BOOST_DESCRIBE_CLASS(Entry, (), (key, at), (), ())
    };

    // Sets or moves the time of a key.
    void set(Key const& key, Time at) {
        clear(key);
        auto const hash = state::key_hash(key);
        touch(hash);
        auto const slot = state::place_row(slots_, free_, {key, at});
        index_.insert(hash, slot);
        order_.insert(slot, by_time());
    }
    // False, and nothing happens, when the key has none.
    bool clear(Key const& key) {
        auto const hash = state::key_hash(key);
        auto const slot = lookup(hash, key);
        if (slot == state::HashIndex::none) return false;
        touch(hash);
        order_.erase(slot, by_time());
        index_.erase(hash, slot);
        slots_.mut(slot) = {};
        free_.push_back(slot);
        return true;
    }
    // What a touch of the key touches, whether or not it is there: for a command that waits.
    state::KeyHash key_of(Key const& key) const { return key_of_hash(state::key_hash(key)); }
    std::optional<Time> find(Key const& key) const {
        auto const hash = state::key_hash(key);
        note(hash);
        auto const slot = lookup(hash, key);
        return slot == state::HashIndex::none ? std::nullopt : std::optional(slots_[slot].at);
    }
    // The earliest; of those at one time the least key. Null: none.
    Entry const* first() const {
        note_all();
        auto const* slot = order_.first();
        return slot ? &slots_[*slot] : nullptr;
    }
    // Visits the entries in the order of first(), until `visit` returns false.
    template <class Visit>
    void walk(Visit&& visit) const {
        note_all();
        if (auto const* first = order_.first())
            order_.ascend(by_time()(*first), [&](std::uint32_t slot) { return bool(visit(slots_[slot])); }, by_time());
    }
    std::size_t size() const { return index_.size(); }
    std::size_t memory_bytes() const {
        return slots_.memory_bytes() + index_.memory_bytes() + free_.memory_bytes() + order_.memory_bytes();
    }

    // In the order of time, whatever happened before.
    void save(state::Out& out) const {
        out.number(std::uint64_t(size()));
        state::ValueWriter<Entry> writer(out);
        walk([&](Entry const& entry) { return writer.put(entry), true; });
        writer.finish();
    }
    bool load(state::In& in) {
        slots_.clear(), index_.clear(), free_.clear(), order_ = {};
        std::uint64_t n;
        state::ValueReader<Entry> reader;
        if (!in.number(n) || n > in.left() || !reader.open(in)) return false;
        for (std::optional<Entry> before; n > 0; --n) {
            Entry entry;
            if (!reader.read(in, entry)) return false;
            if (before && !(std::pair(before->at, before->key) < std::pair(entry.at, entry.key))) return false;
            if (lookup(state::key_hash(entry.key), entry.key) != state::HashIndex::none) return false;
            set(entry.key, entry.at);
            before = slots_[slots_.size() - 1];
        }
        return reader.all_read();
    }

   private:
    auto by_time() const {
        return [this](std::uint32_t slot) { return std::pair<Time, Key const&>(slots_[slot].at, slots_[slot].key); };
    }
    std::uint32_t lookup(std::uint64_t hash, Key const& key) const {
        return index_.find(hash, [&](std::uint32_t slot) { return slots_[slot].key == key; });
    }
    state::Chunked<Entry> slots_;
    state::HashIndex index_;
    state::Chunked<std::uint32_t> free_;
    state::Ordered<std::uint32_t> order_;
};

}  // namespace gantry
