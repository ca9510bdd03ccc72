#include "kernel/codec/merge_patch.h"

#include <simdjson.h>

#include "kernel/codec/json.h"

namespace gantry::codec {
namespace {

namespace dom = simdjson::dom;

bool has_null(dom::element value) {
    if (value.is_null()) return true;
    dom::object members;
    if (value.get(members)) return false;  // an array is replaced whole, its nulls with it
    for (auto [name, member] : members)
        if (has_null(member)) return true;
    return false;
}

// Appends the members that make `to` of `from`. False when a patch can't say it.
bool append_patch(dom::object from, dom::object to, std::string& out) {
    bool first = true;
    auto begin = [&](std::string_view name) {
        out += first ? "" : ",";
        append_json_string(out, name);
        out += ':';
        first = false;
    };
    out += '{';
    for (auto [name, value] : to) {
        dom::element before;
        bool const was = from.at_key(name).get(before) == simdjson::SUCCESS;
        auto const text = simdjson::minify(value);
        if (was && simdjson::minify(before) == text) continue;
        if (has_null(value)) return false;
        begin(name);
        dom::object inner_from, inner_to;
        if (was && !before.get(inner_from) && !value.get(inner_to)) {
            if (!append_patch(inner_from, inner_to, out)) return false;
        } else {
            out += text;
        }
    }
    for (auto [name, value] : from) {
        dom::element after;
        if (to.at_key(name).get(after) == simdjson::SUCCESS) continue;
        begin(name);
        out += "null";
    }
    out += '}';
    return true;
}

}  // namespace

Result<std::string> merge_patch(std::string_view from, std::string_view to) {
    dom::parser parser_from, parser_to;
    dom::object before, after;
    std::string out;
    bool const objects = !parser_from.parse(from).get(before) && !parser_to.parse(to).get(after);
    if (!objects || !append_patch(before, after, out)) return fail(422, "patch_impossible", "a merge patch can't say this change");
    return out;
}

}  // namespace gantry::codec
