#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace gantry::state {

// Memory for chunks of one size, cut from blocks that the kernel may back with huge pages: a state of hundreds of megabytes is walked at
// random, and small pages cost a fault each at the start and a miss of the address cache at each step. What is given back is kept for
// the next chunk. Under a sanitizer it is plain operator new, so that every use after free is seen.
template <std::size_t size>
class Slab {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
   public:
    static void* take() { return ::operator new(size, std::align_val_t(64)); }
    static void give(void* chunk) { ::operator delete(chunk, std::align_val_t(64)); }
#else
    static constexpr std::size_t block_bytes = 2u << 20;
    static constexpr std::size_t slot_bytes = (size + 63) / 64 * 64;
    static_assert(slot_bytes <= block_bytes);

   public:
    static void* take() {
        std::lock_guard lock(mutex_);
        if (free_.empty()) grow();
        void* chunk = free_.back();
        free_.pop_back();
        return chunk;
    }
    static void give(void* chunk) {
        std::lock_guard lock(mutex_);
        free_.push_back(chunk);
    }

   private:
    static void grow() {
        auto* block = static_cast<char*>(std::aligned_alloc(block_bytes, block_bytes));
        if (!block) throw std::bad_alloc();
        if (blocks_++ > 0) (void)::madvise(block, block_bytes, MADV_HUGEPAGE);  // a wish, and none for small states
        for (std::size_t n = block_bytes / slot_bytes; n > 0; --n) free_.push_back(block + (n - 1) * slot_bytes);
    }
    static inline std::mutex mutex_;
    static inline std::size_t blocks_ = 0;
    static inline std::vector<void*>& free_ = *new std::vector<void*>();  // outlives every state
#endif
};

}  // namespace gantry::state
