#pragma once
#include <array>
#include <atomic>

// What a process that ends itself had to say, where a signal handler finds it.
namespace gantry {

struct LastWords {
    std::array<char, 1000> text{};  // one line; the empty text: nothing was said
    std::atomic<bool> said = false;
};
LastWords& last_words() noexcept;
// The first to speak is heard; line ends become blanks.
void say_last_words(char const* text) noexcept;

}  // namespace gantry
