#pragma once
#include <string>
#include <vector>

#include "kernel/config/config.h"

namespace gantry::config {

// The reference of all keys in Markdown, section by section: docs/configuration.md. A secret's default is never in it.
std::string reference_page(std::vector<Section> const& sections);
// "`[secret]`", "`info`", or "not set".
std::string default_of(Key const& key);

}  // namespace gantry::config
