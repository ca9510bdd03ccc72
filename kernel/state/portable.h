#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernel/codec/binary.h"
#include "kernel/codec/schema.h"
#include "kernel/state/io.h"

// The portable form of what tables hold: the schema of its type, then values in the positional binary form, in blocks. A later binary reads
// them by name, as it reads events: an added member keeps its default, a removed one is skipped, integers may have grown.
namespace gantry::state {

inline constexpr std::size_t block_bytes = 64 << 10;

// Writes values of one type. `finish` when there are no more.
template <class T>
class ValueWriter {
   public:
    explicit ValueWriter(Out& out) : out_(out) { out.text(codec::encode_schema(codec::type_of<T>())); }
    void put(T const& value) {
        codec::put(block_, value, out_.sealer);
        if (block_.size() >= block_bytes) finish();
    }
    void finish() {
        if (!block_.empty()) out_.text(block_);
        block_.clear();
    }

   private:
    Out& out_;
    std::string block_;
};

// Reads as many values as were written. False: the source is damaged, or today's type can't hold what was written; In::why tells.
template <class T>
class ValueReader {
   public:
    bool open(In& in) {
        std::string schema;
        if (!in.text(schema)) return false;
        auto made = codec::make_value_reader(schema, codec::type_of<T>(), "rows", in.renames);
        if (!made) return in.why = made.error().detail, false;
        reader_ = std::move(*made);
        return true;
    }
    // What `value` holds may point into memory of this reader until the next read: keep a copy.
    bool read(In& in, T& value) {
        if (block_.done()) {
            if (!in.text(bytes_)) return false;
            block_ = ByteReader(bytes_);
        }
        return reader_->identical() ? codec::get(block_, value, in.sealer) : reader_->decode(block_, &value, in.sealer);
    }
    bool all_read() const { return block_.done(); }

   private:
    std::unique_ptr<codec::ValueReader> reader_;
    std::string bytes_;
    ByteReader block_;
};

// One part of many, of a length that isn't known before it is written: pieces, the last one empty.
class PartOut final : public Out {
   public:
    explicit PartOut(Out& to) : Out(to.sealer, to.form), to_(to) {}
    void write(void const* bytes, std::size_t size) override {
        piece_.append(static_cast<char const*>(bytes), size);
        if (piece_.size() >= block_bytes) flush();
    }
    void finish() { flush(), to_.text({}); }

   private:
    void flush() {
        if (!piece_.empty()) to_.text(piece_);
        piece_.clear();
    }
    Out& to_;
    std::string piece_;
};
class PartIn final : public In {
   public:
    explicit PartIn(In& of) : In(of.sealer, of.form, of.renames), of_(of) {}
    bool read(void* bytes, std::size_t size) override {
        auto* to = static_cast<char*>(bytes);
        while (size > 0) {
            if (left_in_piece_ == 0 && !next_piece()) return false;
            auto const n = std::min<std::size_t>(size, left_in_piece_);
            if (!of_.read(to, n)) return false;
            to += n, size -= n, left_in_piece_ -= std::uint32_t(n);
        }
        return true;
    }
    // At most so much: where the part ends is not known before.
    std::uint64_t left() const override { return ended_ ? 0 : of_.left(); }
    bool at_end() { return left_in_piece_ == 0 && (ended_ || !next_piece()) && ended_; }
    bool skip() {
        char thrown_away[4096];
        while (!at_end())
            if (broken_ || !read(thrown_away, std::min<std::size_t>(left_in_piece_, sizeof thrown_away))) return false;
        return true;
    }

   private:
    bool next_piece() {
        if (ended_ || broken_) return false;
        broken_ = !of_.number(left_in_piece_) || left_in_piece_ > of_.left();
        if (broken_) return left_in_piece_ = 0, false;
        return !(ended_ = left_in_piece_ == 0);
    }
    In& of_;
    std::uint32_t left_in_piece_ = 0;
    bool ended_ = false, broken_ = false;
};

// Whether `freed` names each of `count` places (the first has number `first`) at most once.
template <class Numbers>
bool each_once(Numbers const& freed, std::uint64_t first, std::uint64_t count) {
    if (freed.size() > count) return false;
    std::vector<bool> seen(count);
    for (std::size_t i = 0; i < freed.size(); ++i) {
        if (freed[i] < first || freed[i] - first >= count || seen[freed[i] - first]) return false;
        seen[freed[i] - first] = true;
    }
    return true;
}

}  // namespace gantry::state
