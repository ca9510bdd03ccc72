#include "kernel/codec/split.h"

#include <fmt/format.h>
#include <simdjson.h>

namespace gantry::codec {

namespace od = simdjson::ondemand;

namespace {

simdjson::simdjson_result<std::string_view> raw_of(od::value& value) {
    od::json_type type;
    if (auto error = value.type().get(type)) return error;
    if (type == od::json_type::object) {
        od::object object;
        if (auto error = value.get_object().get(object)) return error;
        return object.raw_json();
    }
    if (type == od::json_type::array) {
        od::array array;
        if (auto error = value.get_array().get(array)) return error;
        return array.raw_json();
    }
    return value.raw_json_token();
}

}  // namespace

Result<std::vector<std::string_view>> split_json_array(std::string_view json, std::size_t items_max) {
    simdjson::padded_string const text(json);
    od::parser parser;
    od::document document;
    od::array array;
    auto broken = [&](simdjson::error_code why) {
        char const* at = nullptr;
        auto const offset = document.current_location().get(at) ? json.size() : std::size_t(at - text.data());
        auto detail = fmt::format("not a JSON array at byte {}: {}", std::min(offset, json.size()), simdjson::error_message(why));
        return fail(Problem{400, "body_not_json", detail, {{"", detail}}});
    };
    if (auto error = parser.iterate(text).get(document)) return broken(error);
    if (auto error = document.get_array().get(array)) return broken(error);
    std::vector<std::string_view> out;
    for (auto item : array) {
        od::value value;
        std::string_view raw;
        if (auto error = std::move(item).get(value)) return broken(error);
        if (auto error = raw_of(value).get(raw)) return broken(error);
        if (out.size() == items_max)
            return fail(413, "body_too_many",
                        fmt::format("an array has at most {} elements; send lines (application/x-ndjson) for more", items_max));
        out.push_back(json.substr(std::size_t(raw.data() - text.data()), raw.size()));
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return broken(simdjson::TRAILING_CONTENT);
    return out;
}

}  // namespace gantry::codec
