#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernel/base/record.h"

// What return addresses are called. Reads the program's own files and the symbols that lie apart (/usr/lib/debug/.build-id); asks nobody
// else. Milliseconds, and the first time more: for a thread in the background.
namespace gantry::observe {

// One call. Inlined calls have frames of their own where the program was built with debug information.
struct StackFrame {
    std::string function;  // as people write it; empty: not known
    std::string file;      // of the source; empty: not known
    std::uint32_t line = 0;
    std::string object;         // file name of program or library
    std::string build_id;       // of the object, as hexadecimal digits
    std::uint64_t address = 0;  // within the object, as addr2line takes it
    bool operator==(StackFrame const&) const = default;
};
RECORD(StackFrame, function, file, line, object, build_id, address);

// `frames`: return addresses of this process. `maps`: as /proc/PID/maps has it, of a process that has gone; empty: this one's.
std::vector<StackFrame> symbolise(std::span<void* const> frames, std::string const& maps = {});

// Of this program, as hexadecimal digits; empty: it was linked without one.
std::string const& own_build_id();

// "gantry::notes::create(…)" of "_ZN6gantry5notes6create…"; another name stays as it is.
std::string readable_name(char const* symbol);

}  // namespace gantry::observe
