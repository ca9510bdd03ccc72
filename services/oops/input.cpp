#include "services/oops/input.h"

#include <fmt/format.h>

#include "services/oops/oops_id.h"
#include "services/oops/traceback.h"

namespace gantry::oops {
namespace {

class Reader {
   public:
    Reader(Report& report, NewReport const& told, ReadOptions const& options)
        : r_(report), told_(told), b_(report, options), limits_(options.limits) {}

    Result<void> run() {
        TRY_VOID(id());
        r_.received_at = b_.options().received_at, r_.told_at = told_.at;
        r_.kind = told_.kind, r_.level = told_.level, r_.duration_ms = told_.duration_ms, r_.status = told_.status;
        texts();
        exceptions();
        lists();
        if (told_.user) b_.user() = *told_.user;
        TRY_VOID(extra());
        b_.finish();
        return {};
    }

   private:
    Result<void> id() {
        if (told_.id.empty()) return {};
        auto const known = lookup_id(told_.id);
        if (!known || known->size() > 64)
            return fail(Problem{
                400, "report_invalid", "id: expected \"OOPS-\" and 32 hex digits", {{"/id", "expected \"OOPS-\" and 32 hex digits"}}});
        return r_.id = ReportId(*known), Result<void>{};
    }
    void texts() {
        b_.shown(r_.traceback, told_.traceback, "traceback");
        b_.shown(r_.message, told_.message, "message");
        b_.shown(r_.url, told_.url, "url");
        b_.shown(r_.referrer, told_.referrer, "referrer");
        r_.topic = told_.topic, r_.method = told_.method, r_.user_agent = told_.user_agent, r_.release = told_.release;
        r_.environment = told_.environment, r_.hostname = told_.hostname, r_.reporter = told_.reporter, r_.platform = told_.platform;
        r_.logger = told_.logger, r_.trace_id = told_.trace_id, r_.request_id = told_.request_id;
    }
    void exceptions() {
        auto const count = told_.exceptions.size();
        Kept const kept{limits_.exceptions_max / 2, limits_.exceptions_max - limits_.exceptions_max / 2};
        b_.cut("exceptions", kept.left_out(count), CutUnit::items);
        for (std::size_t i = 0; i < count; ++i)
            if (kept.keeps(i, count)) fit(r_.exceptions.emplace_back(told_.exceptions[i]));
        if (count == 0) from_traceback();
    }
    void fit(Exception& e) {
        b_.shown(e.value, Long(e.value), "exceptions/value");
        auto const count = e.frames.size();
        if (count > limits_.frames_max) {
            b_.cut("frames", count - limits_.frames_max, CutUnit::items);
            auto const first = e.frames.begin() + std::ptrdiff_t(limits_.frames_max / 2);
            e.frames.erase(first, first + std::ptrdiff_t(count - limits_.frames_max));
        }
        for (auto& frame : e.frames) {
            shorten(frame.variables, limits_.frame_variables_max, "frames/variables");
            shorten(frame.lines_before, limits_.lines_max, "frames/lines");
            shorten(frame.lines_after, limits_.lines_max, "frames/lines");
            for (auto& v : frame.variables) b_.named(v.value, Name(v.name), Long(v.value), "frames/variables");
        }
    }
    void from_traceback() {
        for (auto const& e : parse_traceback(r_.traceback, limits_.frames_max)) {
            auto& out = r_.exceptions.emplace_back();
            b_.text(out.type, e.type, "exceptions/type");
            b_.text(out.value, e.value, "exceptions/value");
            b_.text(out.module, e.module, "exceptions/module");
            for (auto const& f : e.frames) {
                auto& frame = out.frames.emplace_back();
                b_.text(frame.module, f.module, "frames/module");
                b_.text(frame.function, f.function, "frames/function");
                b_.text(frame.file, f.file, "frames/file");
                b_.text(frame.context_line, f.context_line, "frames/context_line");
                frame.line = f.line, frame.column = f.column;
            }
        }
        if (told_.type.empty() && told_.value.empty()) return;
        if (r_.exceptions.empty()) r_.exceptions.emplace_back();
        if (!told_.type.empty()) r_.exceptions.back().type = told_.type;
        if (!told_.value.empty()) b_.shown(r_.exceptions.back().value, told_.value, "exceptions/value");
    }
    template <class T>
    void shorten(std::vector<T>& list, std::size_t items_max, std::string_view at) {
        if (list.size() <= items_max) return;
        b_.cut(at, list.size() - items_max, CutUnit::items);
        list.resize(items_max);
    }
    void lists() {
        r_.fingerprint = told_.fingerprint, r_.positions = told_.positions;
        shorten(r_.fingerprint, limits_.fingerprint_max, "fingerprint");
        shorten(r_.positions, limits_.tags_max, "positions");
        for (auto const& [key, value] : told_.tags) b_.add_tag(key, value);
        for (auto const& [name, value] : told_.variables) b_.add_variable(name, value);
        for (auto const& [name, value] : told_.flags) b_.add_named(r_.flags, name, value, limits_.flags_max, "flags");
        r_.timeline = told_.timeline;
        shorten(r_.timeline, limits_.timeline_max, "timeline");
        for (auto& row : r_.timeline) b_.shown(row.detail, Long(row.detail), "timeline");
        auto const count = told_.breadcrumbs.size(), from = count - std::min(count, limits_.breadcrumbs_max);
        b_.cut("breadcrumbs", from, CutUnit::items);
        for (std::size_t i = from; i < count; ++i) breadcrumb(told_.breadcrumbs[i]);
    }
    void breadcrumb(Breadcrumb const& told) {
        auto& out = r_.breadcrumbs.emplace_back(told);
        out.data.reset();
        b_.shown(out.message, told.message, "breadcrumbs");
        if (!told.data) return;
        if (auto const tree = codec::JsonTree::read(told.data->text)) b_.raw(out.data, tree->root(), "breadcrumbs");
    }
    Result<void> extra() {
        if (!told_.extra) return {};
        auto const tree = codec::JsonTree::read(told_.extra->text);
        if (!tree || !tree->root().is(codec::JsonKind::object))
            return fail(Problem{400, "report_invalid", "extra: expected an object", {{"/extra", "expected an object"}}});
        for (auto member : tree->root()) b_.add_extra(member.key(), member);
        return {};
    }

    Report& r_;
    NewReport const& told_;
    Builder b_;
    ReportLimits const& limits_;
};

}  // namespace

Result<Report> report_of_input(NewReport const& told, ReadOptions const& options) {
    Report report;
    TRY_VOID(Reader(report, told, options).run());
    return report;
}

}  // namespace gantry::oops
