#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/codec/type.h"

// JSON objects whose members are not ours to say: of tokens, key sets and discovery documents.
namespace gantry::auth {

using Members = std::map<std::string, codec::RawJson>;
// Nothing when it isn't one JSON object, nests deeper than 16, or has a member twice (RFC 7515 §4 and RFC 7519 §4 let it be refused; two
// readers could take different ones).
std::optional<Members> json_members(std::string_view json);
// Nothing when the member isn't there or is of another type.
std::optional<std::string> text_member(Members const& members, std::string_view name);
std::optional<std::vector<std::string>> texts_member(Members const& members, std::string_view name);  // a list of strings
std::optional<std::vector<Members>> objects_member(Members const& members, std::string_view name);
std::optional<double> number_member(Members const& members, std::string_view name);
bool has_member(Members const& members, std::string_view name);

}  // namespace gantry::auth
