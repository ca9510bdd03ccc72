#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernel/base/result.h"

// A TOML document as sections of keys; all of toml++ is behind this. Internal to this folder.
namespace gantry::config {

// What TOML says a value is. A moment (`offset_time`) has its RFC 3339 text; `other` is a table, a local date or time, or a nested array.
enum class TomlKind { text, integer, real, boolean, offset_time, list, other };
struct TomlValue {
    TomlKind kind{};
    std::string text;                      // of a scalar, as the environment would give it
    std::vector<TomlValue> elements = {};  // of a list
};
struct TomlKey {
    std::string section;  // empty: the key stands before any section
    std::string name;
    TomlValue value;
    unsigned line = 0, column = 0;
};
// Every key in the order of the file. A malformed document is "config_invalid" with one fault, whose pointer is "file:line:column".
Result<std::vector<TomlKey>> read_toml(std::string_view text, std::string const& file);

}  // namespace gantry::config
