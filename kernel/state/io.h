#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernel/base/hash.h"

namespace gantry::codec {
struct Sealer;
}

// How tables go into snapshots and digests.
namespace gantry::state {

// Rows as they lie in memory, for a snapshot that only this binary reads; or each with the schema of its type, for a baseline that a later
// one reads by name: an added member keeps its default, a removed one is skipped.
enum class Form { as_they_lie, portable };

class Out {
   public:
    explicit Out(codec::Sealer const* sealer_of_personal = nullptr, Form rows_form = Form::as_they_lie)
        : sealer(sealer_of_personal), form(rows_form) {}
    virtual ~Out() = default;
    codec::Sealer const* const sealer;  // of Personal values in rows; null: they are written in clear (digests, tests)
    Form const form;
    virtual void write(void const* bytes, std::size_t size) = 0;
    template <class T>
    void number(T v) {
        static_assert(std::is_trivially_copyable_v<T>);
        write(&v, sizeof v);
    }
    void text(std::string_view s) { number(std::uint32_t(s.size())), write(s.data(), s.size()); }
};
class In {
   public:
    explicit In(codec::Sealer const* sealer_of_personal = nullptr, Form rows_form = Form::as_they_lie)
        : sealer(sealer_of_personal), form(rows_form) {}
    virtual ~In() = default;
    codec::Sealer const* const sealer;
    Form const form;
    virtual bool read(void* bytes, std::size_t size) = 0;  // false: the source ended or is damaged
    virtual std::uint64_t left() const = 0;
    template <class T>
    bool number(T& v) {
        static_assert(std::is_trivially_copyable_v<T>);
        return read(&v, sizeof v);
    }
    bool text(std::string& s) {
        std::uint32_t n;
        if (!number(n) || n > left()) return false;
        s.resize(n);
        return read(s.data(), n);
    }
};

// Order-dependent digest of whole states, for comparisons between binaries, replays and backends. In which pieces a state is written
// doesn't matter.
class Digest final : public Out {
   public:
    void write(void const* bytes, std::size_t size) override {
        auto const* from = static_cast<char const*>(bytes);
        while (size > 0) {
            auto const n = std::min(size, sizeof block_ - filled_);
            std::memcpy(block_ + filled_, from, n);
            filled_ += n, from += n, size -= n;
            if (filled_ == sizeof block_) value_ = hash64({block_, filled_}, value_), filled_ = 0;
        }
    }
    std::uint64_t value() const { return hash64({block_, filled_}, value_); }

   private:
    std::uint64_t value_ = 0x67616e747279;
    std::size_t filled_ = 0;
    char block_[4096];
};

// How much would be written.
class Size final : public Out {
   public:
    explicit Size(Out const& like) : Out(like.sealer, like.form) {}
    void write(void const*, std::size_t size) override { bytes_ += size; }
    std::uint64_t bytes() const { return bytes_; }

   private:
    std::uint64_t bytes_ = 0;
};

// The next `bytes` of a source.
class Part final : public In {
   public:
    Part(In& of, std::uint64_t bytes) : In(of.sealer, of.form), of_(of), left_(bytes) {}
    bool read(void* bytes, std::size_t size) override {
        if (size > left_ || !of_.read(bytes, size)) return false;
        return left_ -= size, true;
    }
    std::uint64_t left() const override { return left_; }
    bool skip() {
        char thrown_away[4096];
        while (left_ > 0)
            if (!read(thrown_away, std::size_t(std::min<std::uint64_t>(left_, sizeof thrown_away)))) return false;
        return true;
    }

   private:
    In& of_;
    std::uint64_t left_;
};

// Rows that may be written as they lie in memory.
template <class T>
concept Raw = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;

}  // namespace gantry::state
