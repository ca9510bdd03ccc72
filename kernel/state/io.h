#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernel/base/hash.h"
#include "kernel/codec/schema.h"

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
    explicit In(codec::Sealer const* sealer_of_personal = nullptr, Form rows_form = Form::as_they_lie,
                std::span<codec::Rename const> renames_since = {})
        : sealer(sealer_of_personal), form(rows_form), renames(renames_since) {}
    virtual ~In() = default;
    codec::Sealer const* const sealer;
    Form const form;
    std::span<codec::Rename const> const
        renames;      // of members of rows, for the portable form; {"state", from, to}: of a member of the State
    std::string why;  // set by who finds that the source can't be read, if more can be said than that
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

// Rows that may be written as they lie in memory.
template <class T>
concept Raw = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;

}  // namespace gantry::state
