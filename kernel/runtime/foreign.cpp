#include "kernel/runtime/foreign.h"

#include <algorithm>

#include "kernel/http/message.h"
#include "kernel/runtime/binding.h"

namespace gantry {

std::string_view ForeignRequest::header(std::string_view name) const {
    auto const found = std::ranges::find_if(headers, [&](auto const& h) { return http::equals_ignoring_case(h.first, name); });
    return found == headers.end() ? std::string_view() : found->second;
}

std::string ForeignRequest::field(std::string_view name) const {
    auto const found = std::ranges::find(fields, name, [](auto const& f) { return f.first; });
    std::string text;
    return found != fields.end() && runtime::percent_decode(found->second, runtime::Plus::itself, text) ? text : std::string();
}

std::optional<std::string> ForeignRequest::parameter(std::string_view name) const {
    auto const form = parse_form(query);
    if (!form) return {};
    auto const found = std::ranges::find(*form, name, [](auto const& p) { return std::string_view(p.first); });
    return found == form->end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::vector<std::pair<std::string, std::string>>> ForeignRequest::parse_form(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> form;
    while (!text.empty()) {
        auto const end = std::min(text.find('&'), text.size());
        auto const part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (part.empty()) continue;
        auto const equals = std::min(part.find('='), part.size());
        auto& [name, value] = form.emplace_back();
        if (!runtime::percent_decode(part.substr(0, equals), runtime::Plus::blank, name)) return {};
        if (!runtime::percent_decode(part.substr(std::min(equals + 1, part.size())), runtime::Plus::blank, value)) return {};
    }
    return form;
}

}  // namespace gantry
