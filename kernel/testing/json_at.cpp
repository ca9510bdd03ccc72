#include "kernel/testing/json_at.h"

#include <simdjson.h>

namespace gantry::testing {

std::optional<std::string> json_at(std::string_view json, std::string_view pointer) {
    simdjson::dom::parser parser;
    simdjson::dom::element place;
    if (parser.parse(json.data(), json.size()).at_pointer(pointer).get(place) != simdjson::SUCCESS) return {};
    std::string_view text;
    if (place.get(text) == simdjson::SUCCESS) return std::string(text);
    return simdjson::minify(place);
}

}  // namespace gantry::testing
