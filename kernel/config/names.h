#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/config/config.h"

// How a key is spelled in file, flag and environment, and what to say of one that nobody declared. Internal to this folder.
namespace gantry::config {

bool fit_section_name(std::string_view name);
std::string dashed(std::string_view name);  // some_name → some-name
std::string upper(std::string_view text);   // server_listen → SERVER_LISTEN

enum class Spelling { file, flag, environment };
std::string spelled(Key const& key, Spelling spelling);  // without the dashes of a flag
// `, did you mean X?` with the nearest known spelling, or nothing when none is near.
std::string hint(std::string_view wrong, std::vector<Section> const& sections, Spelling spelling);

}  // namespace gantry::config
