#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gantry::codec {

struct Utf8Scan {
    std::size_t characters = 0;
    bool has_nul = false;
    std::size_t bad_at = std::string_view::npos;  // offset of the first byte that isn't UTF-8 (RFC 3629: no surrogates, no overlong forms)
    bool valid() const { return bad_at == std::string_view::npos; }
};

// The bytes of the character at `i`, or 0 when it isn't one.
inline std::size_t utf8_length_at(std::string_view s, std::size_t i) {
    auto byte = [&](std::size_t k) { return i + k < s.size() ? std::uint8_t(s[i + k]) : std::uint8_t(0); };
    auto follows = [&](std::size_t k) { return (byte(k) & 0xc0) == 0x80; };
    std::uint8_t b = byte(0);
    if (b < 0x80) return 1;
    if (b >= 0xc2 && b <= 0xdf) return follows(1) ? 2 : 0;
    if (b >= 0xe0 && b <= 0xef) {
        if ((b == 0xe0 && byte(1) < 0xa0) || (b == 0xed && byte(1) > 0x9f)) return 0;
        return follows(1) && follows(2) ? 3 : 0;
    }
    if (b >= 0xf0 && b <= 0xf4) {
        if ((b == 0xf0 && byte(1) < 0x90) || (b == 0xf4 && byte(1) > 0x8f)) return 0;
        return follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

// Stops at the first byte that isn't UTF-8. ASCII goes eight bytes at a time.
inline Utf8Scan scan_utf8(std::string_view s) {
    Utf8Scan scan;
    for (std::size_t i = 0; i < s.size();) {
        if (s.size() - i >= 8) {
            std::uint64_t word;
            std::memcpy(&word, s.data() + i, 8);
            constexpr std::uint64_t high = 0x8080808080808080, low = 0x0101010101010101;
            if (!((word | (word - low)) & high)) {  // no byte over 0x7f, none of them zero
                i += 8, scan.characters += 8;
                continue;
            }
        }
        std::size_t const n = std::uint8_t(s[i]) < 0x80 ? 1 : utf8_length_at(s, i);
        if (n == 0) return scan.bad_at = i, scan;
        scan.has_nul |= s[i] == 0;
        i += n, ++scan.characters;
    }
    return scan;
}

}  // namespace gantry::codec
