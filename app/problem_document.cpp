#include "app/problem_document.h"

#include <fmt/format.h>
#include <simdjson.h>

namespace gantry::app {
namespace {

std::string text_of(simdjson::dom::object const& object, std::string_view key) {
    std::string_view text;
    return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

}  // namespace

std::optional<std::string> problem_text(std::string_view body, int status) {
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    simdjson::dom::object object;
    if (parser.parse(simdjson::padded_string(body)).get(document) || document.get(object)) return std::nullopt;
    std::string code = text_of(object, "code"), said = text_of(object, "detail");
    if (said.empty()) said = text_of(object, "title");
    if (code.empty() && said.empty()) return std::nullopt;
    std::string out = fmt::format("{}{}{}{}{}", status, code.empty() ? "" : " ", code, said.empty() ? "" : ": ", said);
    simdjson::dom::array errors;
    if (object["errors"].get(errors) == simdjson::SUCCESS) {
        for (auto error : errors) {
            simdjson::dom::object fault;
            if (error.get(fault)) continue;
            auto pointer = text_of(fault, "pointer");
            out += fmt::format("\n  {}: {}", pointer.empty() ? "(the whole body)" : pointer, text_of(fault, "detail"));
        }
    }
    for (std::string_view id : {"instance", "oops_id"})
        if (auto value = text_of(object, id); !value.empty())
            out += fmt::format("\n  {}: {}", id == "instance" ? "request" : "error report", value);
    return out;
}

}  // namespace gantry::app
