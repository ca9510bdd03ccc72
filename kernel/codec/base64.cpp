#include "kernel/codec/base64.h"

#include <array>
#include <cstdint>

namespace gantry::codec {
namespace {
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::array<std::int8_t, 256> value_of = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) table[std::uint8_t(alphabet[i])] = std::int8_t(i);
    return table;
}();
}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::size_t n = bytes.size() - i < 3 ? bytes.size() - i : 3;
        std::uint32_t v = 0;
        for (std::size_t j = 0; j < 3; ++j) v = v << 8 | (j < n ? std::uint8_t(bytes[i + j]) : 0u);
        char group[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], n > 1 ? alphabet[v >> 6 & 63] : '=', n > 2 ? alphabet[v & 63] : '='};
        out.append(group, 4);
    }
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return {};
    std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::size_t used = i + 4 == text.size() ? 4 - padding : 4;
        std::uint32_t v = 0;
        for (std::size_t j = 0; j < 4; ++j) {
            int digit = j < used ? value_of[std::uint8_t(text[i + j])] : 0;
            if (digit < 0) return {};
            v = v << 6 | std::uint32_t(digit);
        }
        char group[3] = {char(v >> 16), char(v >> 8), char(v)};
        if ((used == 2 && (v & 0xffff)) || (used == 3 && (v & 0xff))) return {};
        out.append(group, used - 1);
    }
    return out;
}
}  // namespace gantry::codec
