#include "kernel/base/assert.h"

#include <cstdio>
#include <cstdlib>

#include "kernel/base/last_words.h"

namespace gantry {

LastWords& last_words() noexcept {
    static LastWords words;
    return words;
}

void say_last_words(char const* text) noexcept {
    auto& words = last_words();
    if (words.said.exchange(true)) return;
    std::size_t i = 0;
    for (; text[i] && i + 1 < words.text.size(); ++i) words.text[i] = text[i] == '\n' ? ' ' : text[i];
    words.text[i] = '\0';
}

void assertion_failed(char const* expression, char const* file, int line, char const* why) noexcept {
    char text[1000];
    std::snprintf(text, sizeof text, "bug at %s:%d: %s (%s)", file, line, why, expression);
    say_last_words(text);
    std::fprintf(stderr, "gantry: %s\n", text);
    std::abort();
}

}  // namespace gantry
