#include "kernel/log/log.h"

namespace gantry::log {
namespace {
constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t length = 13;  // 13 * 5 = 65 bits: the first digit is at most 'f'
}  // namespace

std::string incarnation_text(Incarnation id) {
    std::string text(length, '0');
    for (std::size_t i = length; i-- > 0; id >>= 5) text[i] = digits[id & 31];
    return text;
}

std::optional<Incarnation> parse_incarnation(std::string_view text) {
    if (text.size() != length || text[0] > 'f') return std::nullopt;
    Incarnation id = 0;
    for (char c : text) {
        auto value = digits.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        id = id << 5 | value;
    }
    return id;
}

std::optional<Position> shared_until(std::span<Era const> eras, Incarnation incarnation) {
    for (std::size_t i = 0; i < eras.size(); ++i)
        if (eras[i].incarnation == incarnation) return i + 1 < eras.size() ? eras[i + 1].first - 1 : ~Position{0};
    return std::nullopt;
}

}  // namespace gantry::log
