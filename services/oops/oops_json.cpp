#include "services/oops/oops_json.h"

#include <algorithm>

#include "services/oops/oops_dict.h"

namespace gantry::oops {
namespace {

using codec::JsonKind;
using codec::JsonValue;

Bson bson_of(JsonValue value) {
    switch (value.kind()) {
        case JsonKind::text: return Bson::of(value.text());
        case JsonKind::boolean: return Bson::of(*value.boolean());
        case JsonKind::number: {
            if (auto const whole = value.integer()) return Bson::of(*whole);
            auto const real = value.number();
            return real ? Bson::of(*real) : Bson::of(value.token());
        }
        case JsonKind::list: {
            auto list = Bson::array();
            for (auto const item : value) list.push(bson_of(item));
            return list;
        }
        case JsonKind::object: {
            auto object = Bson::document();
            for (auto const member : value) object.add(member.key(), bson_of(member));
            return object;
        }
        default: return {};
    }
}

// A time is a text here.
void add_member(Bson& report, JsonValue member) {
    if (member.key() == "time" && member.is(JsonKind::text)) {
        auto text = std::string(member.text());
        if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
        if (text.find_first_of("Zz+", 10) == text.npos) text += 'Z';
        if (auto const time = parse_time(text)) return void(report.add("time", Bson::of(*time)));
    }
    report.add(member.key(), bson_of(member));
}

std::vector<Frame> frames_of(JsonValue list, Builder& build, ReportLimits const& limits) {
    std::vector<Frame> frames;
    for (auto const one : list) {
        if (frames.size() == limits.frames_max) {
            build.cut("frames", list.size() - frames.size(), CutUnit::items);
            break;
        }
        auto& frame = frames.emplace_back();
        build.text(frame.module, one["module"].text(), "frames/module");
        build.text(frame.function, one["function"].text(), "frames/function");
        build.text(frame.file, one["file"].text(), "frames/file");
        build.shown(frame.context_line, one["context_line"].text(), "frames/context_line");
        auto const line = one["line"].integer().value_or(0);
        frame.line = line > 0 && line < 0x7fffffff ? std::uint32_t(line) : 0;
        frame.in_app = one["in_app"].boolean();
    }
    return frames;
}

Exception exception_of(JsonValue value, Builder& build, ReportLimits const& limits) {
    Exception exception;
    build.text(exception.type, value["type"].text(), "exceptions/type");
    build.shown(exception.value, value["value"].text(), "exceptions/value");
    exception.frames = frames_of(value["frames"], build, limits);
    return exception;
}

}  // namespace

Result<Report> read_oops_json(std::string_view json, ReadOptions const& options) {
    TRY_ASSIGN(auto const tree, codec::JsonTree::read(json));
    auto const root = tree.root();
    if (!root.is(JsonKind::object)) return fail(400, "oops_invalid", "a report is a JSON object");
    bool const tells = std::ranges::any_of(std::initializer_list<std::string_view>{"id", "type", "value", "tb_text", "topic", "url"},
                                           [&](std::string_view name) { return !root[name].text().empty(); });
    if (!tells) return fail(400, "oops_invalid", "id: expected the id that the report was shown by, or type, value, tb_text, topic or url");
    auto document = Bson::document();
    for (auto const member : root)
        if (member.key() != "frames" && member.key() != "exceptions") add_member(document, member);
    TRY_ASSIGN(auto report, report_of_oops(document, options));
    Builder build(report, options);
    auto const& limits = options.limits;
    if (auto const frames = root["frames"]; frames.is(JsonKind::list)) {
        if (report.exceptions.empty()) report.exceptions.emplace_back();
        report.exceptions.back().frames = frames_of(frames, build, limits);
    }
    std::vector<Exception> causes;
    for (auto const one : root["exceptions"])
        if (causes.size() + report.exceptions.size() < limits.exceptions_max) causes.push_back(exception_of(one, build, limits));
    report.exceptions.insert(report.exceptions.begin(), std::make_move_iterator(causes.begin()), std::make_move_iterator(causes.end()));
    return report;
}

std::vector<Lost> lost_in_oops_json(std::string_view json) {
    std::vector<Lost> lost;
    auto const tree = codec::JsonTree::read(json);
    if (!tree) return lost;
    constexpr std::size_t reasons_max = 20;
    for (auto const one : tree->root()["lost"])
        if (auto const count = one.integer(); count && *count > 0 && lost.size() < reasons_max)
            lost.push_back({std::string(one.key().substr(0, 100)), std::uint64_t(*count)});
    return lost;
}

}  // namespace gantry::oops
