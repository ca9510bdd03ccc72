#include "kernel/runtime/sites.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::runtime {
namespace {

bool is_site_name(std::string_view name) {
    auto const letter = [](char c) { return c >= 'a' && c <= 'z'; };
    auto const fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 63 && letter(name.front()) && name.back() != '-' && std::ranges::all_of(name, fits) &&
           name != "localhost";
}

}  // namespace

Result<void> check_site_names(std::span<std::string const> names) {
    for (auto const& name : names) {
        if (!is_site_name(name))
            return fail(400, "site_name_invalid",
                        fmt::format("expected up to 63 of a-z, 0-9 and '-' that begin with a letter, found \"{}\"", name));
        if (std::ranges::count(names, name) > 1) return fail(400, "site_name_invalid", fmt::format("the site \"{}\" is named twice", name));
    }
    return {};
}

}  // namespace gantry::runtime
