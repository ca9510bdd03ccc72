#include "kernel/codec/split.h"

#include <fmt/format.h>

#include "kernel/codec/json_check.h"

namespace gantry::codec {
namespace {

// More than any element may have: the one that is too deep says so itself.
constexpr std::size_t depth_max = 1024;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
std::string_view trimmed(std::string_view s) {
    while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
    while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
    return s;
}

std::size_t end_of_string(std::string_view json, std::size_t opening) {
    std::size_t i = opening + 1;
    while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
    return i;
}

// The whole elements of the outermost array in a text that is JSON, or JSON up to its end.
struct Cut {
    std::vector<std::string_view> elements;
    std::size_t depth = 0;  // at the end
};
Cut cut(std::string_view json) {
    Cut out;
    std::size_t from = 0;
    auto end_element = [&](std::size_t to) {
        auto element = trimmed(json.substr(from, to - from));
        if (!element.empty()) out.elements.push_back(element);
        from = to + 1;
    };
    for (std::size_t i = 0; i < json.size(); ++i) {
        char const c = json[i];
        if (c == '"') {
            i = end_of_string(json, i);
        } else if (c == '[' || c == '{') {
            if (out.depth++ == 0) from = i + 1;
        } else if (c == ']' || c == '}') {
            if (out.depth == 1) end_element(i);
            out.depth -= out.depth > 0;
        } else if (c == ',' && out.depth == 1) {
            end_element(i);
        }
    }
    return out;
}

std::unexpected<Problem> not_an_array(std::string_view json, JsonSyntaxError const& error) {
    auto detail = fmt::format("not a JSON array at byte {}: {}", error.offset, error.what);
    auto before = cut(json.substr(0, error.offset));
    auto pointer = before.depth > 0 ? fmt::format("/{}", before.elements.size()) : std::string();
    return fail(Problem{400, "body_not_json", detail, {{std::move(pointer), detail}}});
}

}  // namespace

Result<std::vector<std::string_view>> split_json_array(std::string_view json, std::size_t items_max) {
    if (auto error = check_json(json, depth_max)) return not_an_array(json, *error);
    if (!trimmed(json).starts_with('[')) return not_an_array(json, {0, "expected '['"});
    auto elements = cut(json).elements;
    if (elements.size() <= items_max) return elements;
    return fail(413, "body_too_many",
                fmt::format("an array has at most {} elements; send lines (application/x-ndjson) for more", items_max));
}

}  // namespace gantry::codec
