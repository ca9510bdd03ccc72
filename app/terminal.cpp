#include "app/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gantry::app {
namespace {

bool coloured(Stream stream) {
    char const* no_color = std::getenv("NO_COLOR");
    char const* term = std::getenv("TERM");
    bool dumb = term && std::string_view(term) == "dumb";
    return is_terminal(stream) && !dumb && !(no_color && *no_color);
}

std::size_t characters(std::string_view text) {
    return std::size_t(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

bool is_terminal(Stream stream) { return isatty(stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO) == 1; }

std::string styled(Stream stream, Style style, std::string_view text) {
    constexpr std::array<std::string_view, 5> codes = {"1", "2", "31", "32", "33"};
    return coloured(stream) ? fmt::format("\x1b[{}m{}\x1b[0m", codes[std::size_t(style)], text) : std::string(text);
}

void complain(std::string_view text) { fmt::print(stderr, "{} {}\n", styled(Stream::err, Style::red, "gantry:"), text); }

std::string table(std::vector<std::string> const& heads, std::vector<std::vector<std::string>> const& rows) {
    std::vector<std::size_t> widths(heads.size());
    auto measure = [&](std::vector<std::string> const& row) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    };
    measure(heads);
    for (auto const& row : rows) measure(row);
    std::string out;
    auto write = [&](std::vector<std::string> const& row, bool head) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - characters(row[i]) + 2, ' ');
        }
        out.append(head ? styled(Stream::out, Style::bold, line) : line).append("\n");
    };
    write(heads, true);
    for (auto const& row : rows) write(row, false);
    return out;
}

std::string format_bytes(unsigned long long bytes) {
    constexpr std::array<std::string_view, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = double(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) value /= 1024, ++unit;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

bool print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return true;
    if (errno != EPIPE) complain(fmt::format("standard output: {}", std::strerror(errno)));
    return false;
}

}  // namespace gantry::app
