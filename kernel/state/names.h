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
        GANTRY_ASSERT(text.size() <= bytes_.per_chunk, "a name has at most 64 KiB");
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
    void save(Out& out) const {
        if (out.form == Form::as_they_lie) return bytes_.save_as_they_lie(out), rows_.save_as_they_lie(out), index_.save(out);
        out.number(std::uint64_t(size()));
        ValueWriter<Str> writer(out);
        for (std::uint32_t id = 1; id <= size(); ++id) writer.put(Str::borrow(text(id)));
        writer.finish();
    }
    bool load(In& in) {
        bytes_.clear(), rows_.clear(), index_.clear();
        if (in.form == Form::as_they_lie) return bytes_.load_as_they_lie(in) && rows_.load_as_they_lie(in) && index_.load(in);
        std::uint64_t n;
        ValueReader<Str> reader;
        if (!in.number(n) || n > in.left() || !reader.open(in)) return false;
        Str name;
        for (std::uint64_t id = 1; id <= n; ++id)
            if (!reader.read(in, name) || name.size() > bytes_.per_chunk || intern(name) != id) return false;
        return reader.all_read();
    }

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
