#include "kernel/config/toml.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace gantry::config {
namespace {

template <class T>
std::string printed(T const& value) {
    std::ostringstream out;
    out << value;
    return std::move(out).str();
}

TomlValue value_of(toml::node const& node);

TomlValue list_of(toml::array const& array) {
    TomlValue out{TomlKind::list, {}};
    for (auto const& element : array) out.elements.push_back(value_of(element));
    return out;
}

TomlValue value_of(toml::node const& node) {
    if (auto* v = node.as_string()) return {TomlKind::text, v->get()};
    if (auto* v = node.as_integer()) return {TomlKind::integer, fmt::format("{}", v->get())};
    if (auto* v = node.as_floating_point()) return {TomlKind::real, fmt::format("{}", v->get())};
    if (auto* v = node.as_boolean()) return {TomlKind::boolean, v->get() ? "true" : "false"};
    if (auto* v = node.as_date_time(); v && v->get().offset) return {TomlKind::offset_time, printed(v->get())};
    if (auto* v = node.as_array()) return list_of(*v);
    return {TomlKind::other, {}};
}

void collect(toml::table const& table, std::string const& section, std::vector<TomlKey>& out) {
    for (auto const& [name, node] : table) {
        auto const at = name.source().begin;
        if (section.empty() && node.is_table()) {
            collect(*node.as_table(), std::string(name.str()), out);
            if (node.as_table()->empty()) out.push_back({std::string(name.str()), "", {}, at.line, at.column});
        } else {
            out.push_back({section, std::string(name.str()), value_of(node), at.line, at.column});
        }
    }
}

}  // namespace

Result<std::vector<TomlKey>> read_toml(std::string_view text, std::string const& file) {
    toml::parse_result const parsed = toml::parse(text, file);
    if (!parsed) {
        auto const at = parsed.error().source().begin;
        auto const why = std::string(parsed.error().description());
        return fail(
            Problem{400, "config_invalid", "the configuration is no TOML", {{fmt::format("{}:{}:{}", file, at.line, at.column), why}}});
    }
    std::vector<TomlKey> keys;
    collect(parsed.table(), "", keys);
    std::ranges::sort(keys, {}, [](TomlKey const& k) { return std::pair(k.line, k.column); });
    return keys;
}

}  // namespace gantry::config
