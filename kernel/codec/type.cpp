#include "kernel/codec/type.h"

namespace gantry::codec {
std::string snake_case(std::string_view pascal) {
    std::string out;
    for (std::size_t i = 0; i < pascal.size(); ++i) {
        char c = pascal[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (upper && i > 0 && !(pascal[i - 1] >= 'A' && pascal[i - 1] <= 'Z')) out += '_';
        out += upper ? char(c - 'A' + 'a') : c;
    }
    return out;
}
}  // namespace gantry::codec
