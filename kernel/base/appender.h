#pragma once
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "kernel/base/varint.h"

namespace gantry {

// Appends many small things to a string, through a bare pointer. While this lives the string is longer than what was written; it is whole
// once this is gone, and inside `with_string`.
class Appender {
   public:
    explicit Appender(std::string& out) : out_(out) { open(); }
    ~Appender() { close(); }
    Appender(Appender const&) = delete;
    Appender& operator=(Appender const&) = delete;

    // At least so many bytes, to be written at once: `wrote` says up to where.
    char* room(std::size_t bytes) {
        if (std::size_t(end_ - at_) < bytes) [[unlikely]]
            grow(bytes);
        return at_;
    }
    void wrote(char* end) { at_ = end; }

    void byte(char c) { *room(1) = c, ++at_; }
    // They lie outside of the string.
    void bytes(std::string_view s) {
        if (!s.empty()) std::memcpy(room(s.size()), s.data(), s.size()), at_ += s.size();
    }
    void varint(std::uint64_t v) { at_ = detail::write_varint(room(varint_bytes_max), v); }
    void signed_varint(std::int64_t v) { varint(zigzag(v)); }
    // As put_string.
    void string(std::string_view s) {
        if (s.empty()) return byte(0);
        at_ = detail::write_varint(room(varint_bytes_max + s.size()), s.size());
        std::memcpy(at_, s.data(), s.size()), at_ += s.size();
    }
    // For what appends to the string itself.
    template <class Append>
    void with_string(Append&& append) {
        struct Closed {
            explicit Closed(Appender& of) : appender(of) { appender.close(); }
            ~Closed() { appender.open(); }
            Appender& appender;
        } const closed(*this);
        append(out_);
    }

   private:
    void open() {
        auto const size = out_.size();
        stretch(out_.capacity(), size);
    }
    void close() { out_.resize(std::size_t(at_ - out_.data())); }
    [[gnu::noinline]] void grow(std::size_t bytes) {
        auto const size = std::size_t(at_ - out_.data());
        stretch(std::max(2 * out_.capacity(), size + bytes), size);
    }
    void stretch(std::size_t to, std::size_t size) {
        out_.resize_and_overwrite(to, [to](char*, std::size_t) { return to; });  // what it is told, libstdc++ 12 has wrong when it grows
        at_ = out_.data() + size, end_ = out_.data() + to;
    }
    std::string& out_;
    char *at_, *end_;
};

}  // namespace gantry
