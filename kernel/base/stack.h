#pragma once
#include <array>
#include <cstddef>
#include <span>

// Where the program is, as return addresses; their names are looked up later (kernel/observe/symbols.h).
namespace gantry {

struct Stack {
    static constexpr std::size_t frames_max = 64;
    std::array<void*, frames_max> at{};  // the innermost call first
    std::size_t size = 0;
    std::span<void* const> frames() const { return {at.data(), size}; }
};

// Of the caller. Some microseconds; takes no memory once `warm_stacks` was called.
Stack stack_here();

// Where the exception was thrown that this thread threw last, if `object` is what was thrown: its address, as dynamic_cast<void const*> of
// the caught one tells it. Null where it is another, and under the sanitizers, which keep the throwing to themselves.
Stack const* stack_of_throw(void const* object);
// The same of whichever was the last.
Stack const* stack_of_last_throw();

// Loads what the first of all stacks would load.
void warm_stacks();

}  // namespace gantry
