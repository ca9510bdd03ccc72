#pragma once
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace gantry::codec {

// The elements of a JSON array as views into it, each to be decoded on its own. Problems: 400 "body_not_json" where the whole isn't one
// JSON array, with the offset and, as pointer, the element that is broken: nothing of such a body may be taken; 413 "body_too_many" above
// `items_max`.
Result<std::vector<std::string_view>> split_json_array(std::string_view json, std::size_t items_max);

}  // namespace gantry::codec
