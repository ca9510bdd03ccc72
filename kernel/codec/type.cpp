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

Field make_field(std::string_view name, std::size_t offset, TypeRef type) {
    std::string key = ",\"";
    key.append(name).append("\":");
    return {name, offset, type, std::move(key)};
}
}  // namespace gantry::codec
