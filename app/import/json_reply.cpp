#include "app/import/json_reply.h"

#include <simdjson.h>

namespace gantry::import {
namespace dom = simdjson::dom;

std::optional<std::string> json_text(std::string_view json, std::string_view name) {
    dom::parser parser;
    std::string_view text;
    if (parser.parse(simdjson::padded_string(json))[name].get(text)) return {};
    return std::string(text);
}

bool is_json(std::string_view text) {
    dom::parser parser;
    return parser.parse(simdjson::padded_string(text)).error() == simdjson::SUCCESS;
}

std::vector<Fault> json_faults(std::string_view problem) {
    dom::parser parser;
    dom::array errors;
    std::vector<Fault> faults;
    if (parser.parse(simdjson::padded_string(problem))["errors"].get(errors)) return faults;
    for (dom::element one : errors) {
        std::string_view pointer, detail;
        if (!one["pointer"].get(pointer) && !one["detail"].get(detail)) faults.push_back({std::string(pointer), std::string(detail)});
    }
    return faults;
}

std::optional<std::vector<std::string>> json_texts(std::string_view json, std::string_view name) {
    dom::parser parser;
    dom::array list;
    if (parser.parse(simdjson::padded_string(json))[name].get(list)) return {};
    std::vector<std::string> texts;
    for (dom::element one : list) {
        std::string_view text;
        if (one.get(text)) return {};
        texts.emplace_back(text);
    }
    return texts;
}

}  // namespace gantry::import
