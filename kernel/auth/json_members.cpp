#include "kernel/auth/json_members.h"

#include "kernel/codec/json.h"

namespace gantry::auth {
namespace {

constexpr codec::JsonLimits limits{.depth_max = 16, .items_max = 1000};

template <class T>
std::optional<T> read(std::string_view json) {
    auto value = codec::from_json<T>(json, limits);
    if (!value) return {};
    return std::move(*value);
}
template <class T>
std::optional<T> member(Members const& members, std::string_view name) {
    auto const at = members.find(std::string(name));
    return at == members.end() ? std::nullopt : read<T>(at->second.text);
}

}  // namespace

std::optional<Members> json_members(std::string_view json) { return read<Members>(json); }
bool has_member(Members const& members, std::string_view name) { return members.contains(std::string(name)); }
std::optional<std::string> text_member(Members const& members, std::string_view name) { return member<std::string>(members, name); }
std::optional<std::vector<std::string>> texts_member(Members const& members, std::string_view name) {
    return member<std::vector<std::string>>(members, name);
}
std::optional<double> number_member(Members const& members, std::string_view name) { return member<double>(members, name); }

std::optional<std::vector<Members>> objects_member(Members const& members, std::string_view name) {
    return member<std::vector<Members>>(members, name);
}

}  // namespace gantry::auth
