#pragma once
#include <string_view>

#include "kernel/base/hash.h"
#include "kernel/state/hash_index.h"
#include "kernel/state/tracking.h"

namespace gantry::state {

// Texts with dense numbers: 1, 2, 3 …; 0 is the empty text. A name stays for as long as the state does. At most 64 KiB each.
class Names : public Tracked {
   public:
    std::uint32_t find(std::string_view text) const {  // HashIndex::none if unknown
        if (text.empty()) return 0;
        std::uint64_t hash = hash64(text);
        note(hash);
        auto row = lookup(hash, text);
        return row == HashIndex::none ? row : row + 1;
    }
    std::uint32_t intern(std::string_view text) {
        if (text.empty()) return 0;
        return intern(text, hash64(text));
    }
    std::uint32_t intern(std::string_view text, std::uint64_t hash) {
        if (auto row = lookup(hash, text); row != HashIndex::none) return row + 1;
        std::size_t at = bytes_.size();
        if (at % bytes_.per_chunk + text.size() > bytes_.per_chunk) at = (at / bytes_.per_chunk + 1) * bytes_.per_chunk;
        bytes_.resize(at + text.size());
        std::memcpy(&bytes_.mut(at), text.data(), text.size());
        rows_.push_back({at, text.size()});
        index_.insert(hash, std::uint32_t(rows_.size() - 1));
        touch(hash);
        return std::uint32_t(rows_.size());
    }
    std::string_view text(std::uint32_t id) const {
        if (id == 0) return {};
        Row const& row = rows_[id - 1];
        return {&bytes_[row.at], std::size_t(row.size)};
    }
    std::size_t size() const { return rows_.size(); }
    void prefetch(std::uint64_t hash) const { index_.prefetch(hash); }
    std::size_t memory_bytes() const { return bytes_.memory_bytes() + rows_.memory_bytes() + index_.memory_bytes(); }
    void save(Out& out) const { bytes_.save(out), rows_.save(out), index_.save(out); }
    bool load(In& in) { return bytes_.load(in) && rows_.load(in) && index_.load(in); }

   private:
    struct Row {
        std::uint64_t at, size;
    };
    std::uint32_t lookup(std::uint64_t hash, std::string_view text) const {
        return index_.find(hash, [&](std::uint32_t row) { return this->text(row + 1) == text; });
    }
    Chunked<char> bytes_;
    Chunked<Row> rows_;
    HashIndex index_;
};

}  // namespace gantry::state
