#pragma once

namespace gantry {

// Where the sources lie that this was built of. A function, so that no other file's object code depends on it and a compiler cache serves
// every checkout.
char const* source_dir();

}  // namespace gantry
