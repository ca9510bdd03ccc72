#pragma once
#include "services/oops/report.h"

// Stacks that came as text: Python's tracebacks (also Zope's "Module m, line n, in f"), with chained ones, and JavaScript's `at f
// (file:1:2)`.
namespace gantry::oops {

// The exceptions that the text tells, the cause first. Nothing when it is none of these. Values and lines are as they stand there; a
// caller hides secrets.
struct TextFrame {
    std::string_view module, function, file, context_line;
    std::uint32_t line = 0, column = 0;
};
struct TextException {
    std::string_view module, type, value;
    std::vector<TextFrame> frames;
};
std::vector<TextException> parse_traceback(std::string_view text, std::size_t frames_max = 1000);

}  // namespace gantry::oops
