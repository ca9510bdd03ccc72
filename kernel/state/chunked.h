#pragma once
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernel/base/assert.h"
#include "kernel/state/io.h"
#include "kernel/state/portable.h"
#include "kernel/state/slab.h"

namespace gantry::state {

// An array in chunks of about 64 KiB that never move. A copy shares the chunks: it costs a pointer a chunk, and the first write to
// a shared chunk copies that chunk alone. So a copy is a view of one moment that a snapshot or a long read may walk without the
// lock. Making the copy needs the lock; reading and dropping it doesn't.
template <class T>
class Chunked {
    static constexpr std::size_t bytes_wanted = 64 * 1024;
    static constexpr std::size_t per_chunk_raw = sizeof(T) >= bytes_wanted ? 1 : std::bit_floor(bytes_wanted / sizeof(T));
    static constexpr unsigned shift = std::bit_width(per_chunk_raw) - 1;

    struct Chunk {
        std::atomic<std::uint32_t> refs{1};
        alignas(alignof(T) > 64 ? alignof(T) : 64) T items[std::size_t(1) << shift];
    };

   public:
    static constexpr std::size_t per_chunk = std::size_t(1) << shift;

    Chunked() = default;
    Chunked(Chunked const& o) : chunks_(o.chunks_), size_(o.size_) {
        for (Entry& e : chunks_)
            if (e.chunk) e.chunk->refs.fetch_add(1, std::memory_order_relaxed), e.shared = true;
        for (Entry& e : o.chunks_) e.shared = true;
    }
    Chunked(Chunked&& o) noexcept : chunks_(std::move(o.chunks_)), size_(std::exchange(o.size_, 0)) { o.chunks_.clear(); }
    Chunked& operator=(Chunked o) noexcept {
        std::swap(chunks_, o.chunks_), std::swap(size_, o.size_);
        return *this;
    }
    ~Chunked() { clear(); }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T const& operator[](std::size_t i) const { return chunks_[i >> shift].chunk->items[i & (per_chunk - 1)]; }
    // The element for writing; its chunk is copied first when a view shares it.
    T& mut(std::size_t i) {
        Entry& e = chunks_[i >> shift];
        if (e.shared) [[unlikely]]
            unshare(e);
        return e.chunk->items[i & (per_chunk - 1)];
    }
    T& push_back(T value) {
        if (size_ == chunks_.size() << shift) chunks_.push_back({make(), false});
        T& at = mut(size_++);
        at = std::move(value);
        return at;
    }
    T pop_back() {
        T& last = mut(--size_);
        return std::exchange(last, T());
    }
    void resize(std::size_t n) {
        while (chunks_.size() << shift < n) chunks_.push_back({make(), false});
        for (std::size_t i = n; i < size_; ++i) mut(i) = T();
        size_ = n;
    }
    void clear() {
        for (Entry& e : chunks_) release(e.chunk);
        chunks_.clear(), size_ = 0;
    }
    void prefetch(std::size_t i) const {
        if (i < size_) __builtin_prefetch(&(*this)[i], 1);
    }
    std::size_t memory_bytes() const { return chunks_.size() * (sizeof(Chunk) + sizeof(Entry)); }

    void save(Out& out) const
        requires Raw<T>
    {
        if (out.form == Form::as_they_lie) return save_as_they_lie(out);
        out.number(std::uint64_t(size_));
        ValueWriter<T> writer(out);
        for (std::size_t i = 0; i < size_; ++i) writer.put((*this)[i]);
        writer.finish();
    }
    bool load(In& in)
        requires Raw<T>
    {
        if (in.form == Form::as_they_lie) return load_as_they_lie(in);
        clear();
        std::uint64_t n;
        ValueReader<T> reader;
        if (!in.number(n) || n > in.left() || !reader.open(in)) return false;
        for (std::uint64_t i = 0; i < n; ++i) {
            T value{};
            if (!reader.read(in, value)) return false;
            push_back(value);
        }
        return reader.all_read();
    }
    // In any form: for what is made of numbers of a fixed meaning.
    void save_as_they_lie(Out& out) const
        requires Raw<T>
    {
        out.number(std::uint64_t(size_));
        for (std::size_t i = 0; i < size_; i += per_chunk) out.write(&(*this)[i], sizeof(T) * std::min(per_chunk, size_ - i));
    }
    bool load_as_they_lie(In& in)
        requires Raw<T>
    {
        clear();
        std::uint64_t n;
        if (!in.number(n) || n > in.left() / sizeof(T)) return false;
        for (std::size_t i = 0; i < n; i += per_chunk) {
            chunks_.push_back({make_for_overwrite(), false});
            std::size_t count = std::min<std::size_t>(per_chunk, n - i);
            if (!in.read(chunks_.back().chunk->items, sizeof(T) * count)) return size_ = i, false;
            for (std::size_t rest = count; rest < per_chunk; ++rest) new (&chunks_.back().chunk->items[rest]) T();
        }
        size_ = n;
        return true;
    }

   private:
    struct Entry {
        Chunk* chunk = nullptr;
        bool shared = false;
    };
    using Memory = Slab<sizeof(Chunk)>;
    static Chunk* make() { return new (Memory::take()) Chunk(); }
    static Chunk* make_for_overwrite() { return new (Memory::take()) Chunk; }
    static void release(Chunk* c) {
        if (c && c->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) c->~Chunk(), Memory::give(c);
    }
    [[gnu::noinline]] void unshare(Entry& e) {
        if (e.chunk->refs.load(std::memory_order_acquire) != 1) {
            Chunk* copy = make();
            for (std::size_t i = 0; i < per_chunk; ++i) copy->items[i] = e.chunk->items[i];
            release(e.chunk);
            e.chunk = copy;
        }
        e.shared = false;
    }
    mutable std::vector<Entry> chunks_;
    std::size_t size_ = 0;
};

// Puts a row where another one was given up (`free`), or at the end. The number that it has from now on; the one at [0] has `first`.
template <std::uint32_t first = 0, class Row>
std::uint32_t place_row(Chunked<Row>& rows, Chunked<std::uint32_t>& free, std::type_identity_t<Row> row) {
    if (free.empty()) return rows.push_back(std::move(row)), std::uint32_t(rows.size() - 1) + first;
    auto const number = free.pop_back();
    rows.mut(number - first) = std::move(row);
    return number;
}

}  // namespace gantry::state
