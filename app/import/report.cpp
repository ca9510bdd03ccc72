#include "app/import/report.h"

#include <fmt/format.h>

#include "kernel/base/hash.h"

namespace gantry::import {

std::string shortened(std::string_view text, std::size_t bytes_max) {
    constexpr std::string_view ellipsis = "…";
    if (text.size() <= bytes_max) return std::string(text);
    std::size_t end = bytes_max - ellipsis.size();
    while (end > 0 && (std::uint8_t(text[end]) & 0xc0) == 0x80) --end;
    return std::string(text.substr(0, end)).append(ellipsis);
}

std::string bounded_id(std::string text) {
    if (text.size() <= id_bytes_max) return text;
    return fmt::format("{}-{:016x}", shortened(text, id_bytes_max - 17), hash64(text));
}

}  // namespace gantry::import
