#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace gantry::codec {

// The JSON merge patch (RFC 7396) that makes `to` of `from`; "{}" when they are the same. A member of `to` that is null can't be said by
// one (null removes): such a value, or one that is no object, is the error "patch_impossible", and the whole must be sent.
Result<std::string> merge_patch(std::string_view from, std::string_view to);

}  // namespace gantry::codec
