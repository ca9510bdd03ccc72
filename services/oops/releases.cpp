#include "services/oops/releases.h"

#include <cctype>

namespace gantry::oops {
int compare_releases(std::string_view a, std::string_view b) {
    std::size_t i = 0, j = 0;
    auto const digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
    while (i < a.size() && j < b.size()) {
        if (digit(a[i]) && digit(b[j])) {
            std::uint64_t x = 0, y = 0;
            for (; i < a.size() && digit(a[i]); ++i) x = x * 10 + std::uint64_t(a[i] - '0');
            for (; j < b.size() && digit(b[j]); ++j) y = y * 10 + std::uint64_t(b[j] - '0');
            if (x != y) return x < y ? -1 : 1;
            continue;
        }
        if (a[i] != b[j]) return a[i] < b[j] ? -1 : 1;
        ++i, ++j;
    }
    return i < a.size() ? 1 : j < b.size() ? -1 : 0;
}
}  // namespace gantry::oops
