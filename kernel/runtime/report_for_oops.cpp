#include "kernel/runtime/report_for_oops.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernel/codec/json_walk.h"

namespace gantry::runtime {
namespace {

// The fields of services/oops/report.h that we fill, by the same names.
struct OopsFrame {
    std::string module, function, file;
    std::uint32_t line = 0;
    bool in_app = false;
};
RECORD(OopsFrame, module, function, file, line, in_app);
struct OopsException {
    std::string type, value;
    std::vector<OopsFrame> frames;
};
RECORD(OopsException, type, value, frames);
struct OopsRow {
    std::int64_t start_ms = 0, end_ms = 0;
    std::string category, detail;
};
RECORD(OopsRow, start_ms, end_ms, category, detail);
struct OopsPosition {
    std::string service, position;
};
RECORD(OopsPosition, service, position);
struct OopsNamed {
    std::string name, value;
};
RECORD(OopsNamed, name, value);
struct OopsTag {
    std::string key, value;
};
RECORD(OopsTag, key, value);
struct OopsFields {
    std::string level;
    std::vector<OopsException> exceptions;
    std::string message;
    std::vector<std::string> fingerprint;
    std::string topic, url, method, release, environment, hostname, reporter, platform = "gantry", logger, sdk, revision;
    std::vector<OopsTag> tags;
    std::vector<OopsRow> timeline;
    std::optional<std::uint16_t> status;
    std::string trace_id, request_id;
    std::vector<OopsPosition> positions;
    std::vector<OopsNamed> variables, flags;
};
RECORD(OopsFields, level, exceptions, message, fingerprint, topic, url, method, release, environment, hostname, reporter, platform, logger,
       sdk, revision, tags, timeline, status, trace_id, request_id, positions, variables, flags);

struct OopsReport {
    std::string id, time, username, gantry;
    FailureReport gantry_report;
    std::map<std::string, std::uint64_t> lost;
};
RECORD(OopsReport, id, time, username, gantry, gantry_report, lost);

constexpr std::size_t input_bytes_max = 30'000, text_bytes_max = 4'000, name_bytes_max = 190, frames_max = 100;

// At most so many bytes, and no character cut in two.
std::string cut(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    while (bytes_max > 0 && (text[bytes_max] & 0xc0) == 0x80) --bytes_max;
    return std::string(text.substr(0, bytes_max));
}

bool is_own_code(observe::StackFrame const& frame) {
    constexpr std::array<std::string_view, 6> around = {
        "gantry::runtime::", "gantry::http::", "gantry::net::", "gantry::codec::", "gantry::observe::", "gantry::log::"};
    std::string_view const name = frame.function;
    auto const at = name.find("gantry::");
    bool const ours = at != name.npos && at < std::min(name.find('('), name.size()) && name.find("std::") > at;
    return ours && std::ranges::none_of(around, [&](std::string_view one) { return name.substr(at).starts_with(one); });
}

// The outermost call first, as oops has them.
std::vector<OopsFrame> frames_of(std::vector<observe::StackFrame> const& stack) {
    std::vector<OopsFrame> out;
    for (auto frame = stack.rbegin(); frame != stack.rend(); ++frame) {
        if (out.size() == frames_max) break;
        OopsFrame one{cut(frame->object, name_bytes_max), cut(frame->function, 900), cut(frame->file, 900), frame->line};
        if (one.function.empty()) one.function = fmt::format("{}+0x{:x}", one.module, frame->address);
        one.in_app = is_own_code(*frame);
        out.push_back(std::move(one));
    }
    return out;
}

OopsException exception_of(FailureReport const& report) {
    OopsException out{report.code, cut(report.cause.empty() ? report.detail : report.cause, text_bytes_max), {}};
    if (report.exception)
        out.type = cut(report.exception->type, name_bytes_max), out.value = cut(report.exception->message, text_bytes_max);
    out.frames = frames_of(report.stack);
    return out;
}

// Where the stack is not that of the throw it is the same for everything that fails there.
std::vector<std::string> fingerprint_of(FailureReport const& report) {
    if (report.stack_of == "throw" || report.kind == "end") return {};
    auto const type = report.exception ? report.exception->type : report.code;
    return {cut(report.kind, name_bytes_max), cut(report.service, name_bytes_max), cut(report.route, name_bytes_max),
            cut(type, name_bytes_max)};
}

std::vector<OopsNamed> variables_of(FailureReport const& report) {
    std::vector<OopsNamed> out;
    for (auto const& header : report.request.headers) out.push_back({cut(header.name, name_bytes_max), cut(header.value, text_bytes_max)});
    if (!report.request.query.empty()) out.push_back({"query", cut(report.request.query, text_bytes_max)});
    if (report.input && report.input->text.size() <= text_bytes_max) out.push_back({"input", report.input->text});
    return out;
}

OopsFields fields_of(FailureReport const& report) {
    OopsFields out{.level = report.kind == "end" ? "fatal" : report.status == 500 ? "error" : "warning"};
    out.exceptions.push_back(exception_of(report));
    out.message = cut(report.detail, text_bytes_max), out.fingerprint = fingerprint_of(report);
    out.topic = cut(fmt::format("{} {}", report.service, report.route), 900), out.url = cut(report.request.path, text_bytes_max);
    out.method = report.request.method, out.release = report.version, out.revision = report.revision;
    out.environment = report.site, out.hostname = report.instance, out.reporter = "gantry", out.logger = report.kind;
    out.tags = {{"service", report.service},
                {"kind", report.kind},
                {"code", report.code},
                {"build_id", report.build_id},
                {"stack_of", report.stack_of}};
    std::erase_if(out.tags, [](OopsTag const& tag) { return tag.value.empty(); });
    for (auto const& span : report.timeline)
        out.timeline.push_back({span.start_us / 1000, span.end_us / 1000, cut(span.kind, name_bytes_max),
                                cut(span.detail.empty() ? span.name : span.name + " " + span.detail, text_bytes_max)});
    if (report.kind == "request") out.status = std::uint16_t(report.status);
    out.trace_id = report.trace_id, out.request_id = cut(report.request_id, name_bytes_max);
    if (report.seen) out.positions.push_back({report.service, report.seen->position});
    out.variables = variables_of(report);
    for (auto const& [name, value] : report.flags) out.flags.push_back({cut(name, name_bytes_max), cut(value, text_bytes_max)});
    return out;
}

}  // namespace

std::string oops_json_of(FailureReport const& report) {
    OopsReport out{.id = report.id, .time = format_time(report.at), .username = report.caller.id};
    out.gantry = codec::to_json(fields_of(report)), out.gantry_report = report;
    auto& whole = out.gantry_report;  // what stands among oops's own fields isn't told twice
    whole.stack.clear(), whole.timeline.clear(), whole.flags.clear(), whole.request.headers.clear();
    if (whole.input && whole.input->text.size() > input_bytes_max) whole.input.reset(), whole.masked = {"/"};
    for (auto* text : {&whole.detail, &whole.cause}) *text = cut(*text, text_bytes_max);
    if (whole.exception) whole.exception->message = cut(whole.exception->message, text_bytes_max);
    if (report.dropped_before > 0) out.lost.emplace("rate_limited", report.dropped_before);
    return codec::to_json(out);
}

Result<FailureReport> report_in_oops(std::string_view json) {
    TRY_ASSIGN(auto const tree, codec::JsonTree::read(json));
    auto const told = tree.root()["report"] ? tree.root()["report"] : tree.root();
    auto const whole = told["extra"]["gantry_report"];
    if (!whole) return fail(404, "report_of_others", "this is no report of Gantry's own: there is nothing to replay it from");
    std::string text;
    whole.write(text);
    return codec::from_json<FailureReport>(text, {.lenient = true});
}

}  // namespace gantry::runtime
