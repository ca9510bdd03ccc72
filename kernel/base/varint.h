#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gantry {

// LEB128; signed values are zig-zagged. Little-endian fixed integers.
inline constexpr std::size_t varint_bytes_max = 10;
namespace detail {
inline char* write_varint(char* at, std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) *at++ = char(v | 0x80);
    *at++ = char(v);
    return at;
}
}  // namespace detail

inline void put_varint(std::string& out, std::uint64_t v) {
    if (v < 0x80) [[likely]]
        return out.push_back(char(v));
    auto const size = out.size();
    out.resize_and_overwrite(size + varint_bytes_max,
                             [&](char* bytes, std::size_t) { return std::size_t(detail::write_varint(bytes + size, v) - bytes); });
}
constexpr std::uint64_t zigzag(std::int64_t v) { return (std::uint64_t(v) << 1) ^ std::uint64_t(v >> 63); }
constexpr std::int64_t unzigzag(std::uint64_t v) { return std::int64_t(v >> 1) ^ -std::int64_t(v & 1); }
inline void put_signed(std::string& out, std::int64_t v) { put_varint(out, zigzag(v)); }
template <class T>
void put_fixed(std::string& out, T v) {
    static_assert(std::endian::native == std::endian::little);
    out.append(reinterpret_cast<char const*>(&v), sizeof v);
}
// `s` lies outside of `out`.
inline void put_string(std::string& out, std::string_view s) {
    auto const size = out.size();
    out.resize_and_overwrite(size + varint_bytes_max + s.size(), [&](char* bytes, std::size_t) {
        auto* at = detail::write_varint(bytes + size, s.size());
        if (!s.empty()) std::memcpy(at, s.data(), s.size());
        return std::size_t(at - bytes) + s.size();
    });
}

// A cursor over bytes that never reads past the end: once something was missing or malformed, `ok()` is false and every
// further read gives zero or empty.
class ByteReader {
   public:
    ByteReader() = default;
    explicit ByteReader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}
    bool ok() const { return ok_; }
    bool done() const { return at_ == end_; }
    std::size_t left() const { return std::size_t(end_ - at_); }
    char const* position() const { return at_; }

    std::uint64_t varint() {
        if (at_ != end_ && !(*at_ & 0x80)) [[likely]]
            return std::uint8_t(*at_++);
        return long_varint();
    }
    std::int64_t signed_varint() { return unzigzag(varint()); }
    template <class T>
    T fixed() {
        T v{};
        if (left() < sizeof v) return give_up(), v;
        std::memcpy(&v, at_, sizeof v), at_ += sizeof v;
        return v;
    }
    std::string_view bytes(std::uint64_t n) {
        if (left() < n) return give_up(), std::string_view{};
        std::string_view v(at_, std::size_t(n));
        at_ += n;
        return v;
    }
    std::string_view string() { return bytes(varint()); }
    void give_up() { ok_ = false, at_ = end_; }

   private:
    std::uint64_t long_varint();
    char const* at_ = nullptr;
    char const* end_ = nullptr;
    bool ok_ = true;
};

}  // namespace gantry
