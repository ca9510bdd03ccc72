#pragma once
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace gantry::codec {

// The elements of a JSON array as views into it, not yet checked: each is decoded on its own. Problems: 400 "body_not_json" with the
// offset where it is no array; 413 "body_too_many" above `items_max`.
Result<std::vector<std::string_view>> split_json_array(std::string_view json, std::size_t items_max);

}  // namespace gantry::codec
