#pragma once
#include <istream>
#include <ostream>

#include "app/rehearsal/protocol.h"

namespace gantry::app::rehearsal {

// Speaks for a side, as protocol.h says, until the input ends. False when the output can't be written.
bool speak_for(Side& side, std::istream& in, std::ostream& out);
// What is said instead of a hello.
bool say_trouble(Problem const& problem, std::ostream& out);

}  // namespace gantry::app::rehearsal
