#pragma once
#include <string>
#include <string_view>
#include <vector>

// What people see: colour on terminals alone, and never with NO_COLOR set (no-color.org); tables with aligned columns.
namespace gantry::app {

enum class Stream { out, err };
bool is_terminal(Stream stream);

enum class Style { bold, dim, red, green, yellow };
// The text in a style if the stream is a terminal that may be coloured, else as it is.
std::string styled(Stream stream, Style style, std::string_view text);

// "gantry: …" on standard error.
void complain(std::string_view text);

// Rows under heads, columns as wide as their widest cell (in characters), two spaces between. The last column isn't padded.
std::string table(std::vector<std::string> const& heads, std::vector<std::vector<std::string>> const& rows);

// "1.5 MiB"
std::string format_bytes(unsigned long long bytes);

// Standard output in whole: false when it can't be written (a closed pipe, a full disk), said on standard error.
bool print(std::string_view text);

}  // namespace gantry::app
