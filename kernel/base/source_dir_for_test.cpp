#include "kernel/base/source_dir_for_test.h"

namespace gantry {

char const* source_dir() { return GANTRY_SOURCE_DIR; }

}  // namespace gantry
