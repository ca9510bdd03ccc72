#pragma once
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "kernel/base/assert.h"

namespace gantry::log {

// Zeroed memory that begins at a page, as writing past the page cache needs it.
class AlignedBytes {
   public:
    static constexpr std::size_t alignment = 4096;
    AlignedBytes() = default;
    explicit AlignedBytes(std::size_t size) : size_((size + alignment - 1) / alignment * alignment) {
        data_ = static_cast<char*>(std::aligned_alloc(alignment, size_));
        GANTRY_ASSERT(data_, "there is memory for a group of batches");
        std::memset(data_, 0, size_);
    }
    ~AlignedBytes() { std::free(data_); }
    AlignedBytes(AlignedBytes&& o) noexcept : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
    AlignedBytes& operator=(AlignedBytes&& o) noexcept {
        std::swap(data_, o.data_), std::swap(size_, o.size_);
        return *this;
    }
    char* data() { return data_; }
    std::size_t size() const { return size_; }
    std::string_view view() const { return {data_, size_}; }

   private:
    char* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace gantry::log
