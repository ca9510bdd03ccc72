#include "kernel/base/crc32c.h"

#include <nmmintrin.h>

#include <array>
#include <cstring>

namespace gantry {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;
constexpr std::size_t lane = 256;  // bytes a stream: three streams hide the three-cycle latency of the instruction

// What `lane` zero bytes do to a checksum, as four byte-indexed tables (a linear map over GF(2)).
constexpr auto make_shift_tables(std::size_t zero_bytes) {
    std::array<std::array<std::uint32_t, 256>, 4> tables{};
    auto advance = [&](std::uint32_t crc) {
        for (std::size_t i = 0; i < zero_bytes * 8; ++i) crc = (crc >> 1) ^ ((crc & 1) ? polynomial : 0);
        return crc;
    };
    std::array<std::uint32_t, 32> basis{};
    for (int bit = 0; bit < 32; ++bit) basis[std::size_t(bit)] = advance(1u << bit);
    for (std::size_t byte = 0; byte < 4; ++byte)
        for (std::uint32_t value = 0; value < 256; ++value)
            for (std::size_t bit = 0; bit < 8; ++bit)
                if (value >> bit & 1) tables[byte][value] ^= basis[byte * 8 + bit];
    return tables;
}
auto const shift_lane = make_shift_tables(lane);

std::uint32_t shift(std::uint32_t crc) noexcept {
    return shift_lane[0][crc & 255] ^ shift_lane[1][crc >> 8 & 255] ^ shift_lane[2][crc >> 16 & 255] ^ shift_lane[3][crc >> 24];
}
std::uint64_t load(char const* p) noexcept {
    std::uint64_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

}  // namespace

std::uint32_t crc32c(void const* data, std::size_t size, std::uint32_t seed) noexcept {
    auto p = static_cast<char const*>(data);
    std::uint64_t a = ~seed;
    while (size >= 3 * lane) {
        std::uint64_t b = 0, c = 0;
        for (std::size_t i = 0; i < lane; i += 8) {
            a = _mm_crc32_u64(a, load(p + i));
            b = _mm_crc32_u64(b, load(p + lane + i));
            c = _mm_crc32_u64(c, load(p + 2 * lane + i));
        }
        a = shift(shift(std::uint32_t(a)) ^ std::uint32_t(b)) ^ std::uint32_t(c);
        p += 3 * lane, size -= 3 * lane;
    }
    for (; size >= 8; p += 8, size -= 8) a = _mm_crc32_u64(a, load(p));
    for (; size > 0; ++p, --size) a = _mm_crc32_u8(std::uint32_t(a), std::uint8_t(*p));
    return ~std::uint32_t(a);
}

}  // namespace gantry
