#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

// What an import needs of JSON that others wrote: unknown members are passed over.
namespace gantry::import {

// The text member `name` of an object; nothing if it is absent, no text, or the whole is no JSON.
std::optional<std::string> json_text(std::string_view json, std::string_view name);
// The `errors` of a problem+json.
std::vector<Fault> json_faults(std::string_view problem);
bool is_json(std::string_view text);
// The texts in the list member `name`; nothing if it is absent or no list of texts.
std::optional<std::vector<std::string>> json_texts(std::string_view json, std::string_view name);

}  // namespace gantry::import
