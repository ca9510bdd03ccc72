#include "kernel/config/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/codec/json.h"

namespace gantry::config {

bool fit_section_name(std::string_view name) {
    auto fit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, fit);
}

std::string dashed(std::string_view name) {
    std::string out(name);
    std::ranges::replace(out, '_', '-');
    return out;
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
    return out;
}

std::string Key::flag() const { return "--" + spelled(*this, Spelling::flag); }
std::string Key::variable() const { return spelled(*this, Spelling::environment); }
std::string Key::path() const { return fmt::format("[{}] {}", section, name); }

std::string spelled(Key const& key, Spelling spelling) {
    switch (spelling) {
        case Spelling::file: return fmt::format("{}.{}", key.section, key.name);
        case Spelling::flag: return fmt::format("{}.{}", key.section, dashed(key.name));
        case Spelling::environment: return fmt::format("GANTRY_{}_{}", upper(key.section), upper(key.name));
    }
    return {};
}

std::string hint(std::string_view wrong, std::vector<Section> const& sections, Spelling spelling) {
    std::vector<std::string> known;
    for (auto const& s : sections)
        for (auto const& k : s.keys) known.push_back(spelled(k, spelling));
    std::vector<std::string_view> views(known.begin(), known.end());
    auto near = codec::nearest(wrong, views);
    if (near.empty()) return {};
    if (spelling == Spelling::flag) return fmt::format(", did you mean --{}?", near);
    if (spelling == Spelling::environment) return fmt::format(", did you mean {}?", near);
    auto dot = near.find('.');
    return fmt::format(", did you mean [{}] {}?", near.substr(0, dot), near.substr(dot + 1));
}

}  // namespace gantry::config
