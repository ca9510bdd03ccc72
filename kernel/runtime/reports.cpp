#include "kernel/runtime/reports.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <typeinfo>

#include "kernel/base/hash.h"
#include "kernel/observe/log_line.h"
#include "kernel/observe/trace_context.h"
#include "kernel/runtime/masking.h"
#include "kernel/runtime/reported_request.h"

namespace gantry::runtime {
namespace {

std::string trace_text(observe::TraceId id) {
    auto const digits = observe::hex_of(id);
    return {digits.data(), digits.size()};
}

void log_failure(std::string const& id, FailureReport const& report) {
    // What is only in the way, and will pass, is a warning.
    bool const passing = report.status == 503 || report.status == 504 || report.status == 507;
    observe::log_line(passing ? observe::Level::warning : observe::Level::error, "runtime",
                      report.kind == "request" ? "a request failed" : "something failed",
                      {{"oops_id", id},
                       {"kind", report.kind},
                       {"service", report.service},
                       {"route", report.route},
                       {"request_id", report.request_id},
                       {"code", report.code},
                       {"cause", report.cause},
                       {"position", report.seen ? report.seen->position : std::string()}});
}

}  // namespace

std::unique_ptr<Thrown> thrown_now() {
    auto const current = std::current_exception();
    if (!current) return {};
    auto out = std::make_unique<Thrown>();
    if (auto const* type = abi::__cxa_current_exception_type()) out->type = observe::readable_name(type->name());
    void const* object = nullptr;
    try {
        std::rethrow_exception(current);
    } catch (std::exception const& e) {
        out->message = e.what(), object = dynamic_cast<void const*>(&e);
    } catch (...) {
    }
    auto const* thrown = object ? stack_of_throw(object) : stack_of_last_throw();
    out->of_throw = thrown;
    out->stack = thrown ? *thrown : stack_here();
    return out;
}

Reports::Reports(Parts parts) : parts_(std::move(parts)), spool_(parts_.disk, parts_.directory, parts_.former) { warm_stacks(); }

std::string Reports::fresh_report_id() {
    auto const ms = std::uint64_t(parts_.clock.wall().us / 1000) & 0xffffffffffff;
    return fmt::format("OOPS-{:012x}{:04x}{:016x}", ms, parts_.random.next() & 0xffff, parts_.random.next());
}

std::string Reports::add(Failure const& failure) {
    auto const now = parts_.clock.wall();
    auto report = describe(failure, fresh_report_id(), now);
    auto id = report.id;
    log_failure(id, report);
    filed_.fetch_add(1, std::memory_order_relaxed);
    if (!spool_.keeps()) return id;
    if (!within_rate(failure)) return dropped_.fetch_add(1, std::memory_order_relaxed), id;
    auto const dropped = dropped_.load(std::memory_order_relaxed);
    report.dropped_before = dropped - std::min(dropped, dropped_told_.exchange(dropped, std::memory_order_relaxed));
    auto const stack = failure.thrown ? failure.thrown->stack : stack_here();
    auto const deliver = failure.keep_here ? ReportSpool::Deliver::never : ReportSpool::Deliver::yes;
    parts_.background([this, stack, deliver, report = std::move(report)]() mutable {
        report.stack = observe::symbolise(stack.frames());
        write(report, deliver);
    });
    return id;
}

void Reports::keep(FailureReport report) {
    if (report.id.empty()) report.id = fresh_report_id();
    log_failure(report.id, report);
    filed_.fetch_add(1, std::memory_order_relaxed);
    if (spool_.keeps()) parts_.background([this, report = std::move(report)] { write(report, ReportSpool::Deliver::yes); });
}

FailureReport Reports::describe(Failure const& failure, std::string id, Time now) {
    FailureReport report{.id = std::move(id), .version = parts_.version, .revision = parts_.revision};
    report.build_id = observe::own_build_id(), report.instance = parts_.instance, report.site = parts_.site;
    report.at = now, report.kind = failure.kind, report.service = failure.service, report.route = failure.route;
    report.request_id = failure.request_id, report.trace_id = failure.trace_id;
    report.stack_of = failure.thrown && failure.thrown->of_throw ? "throw" : "report";
    auto const& problem = *failure.problem;
    report.status = problem.status, report.code = problem.code, report.detail = problem.detail, report.cause = problem.cause;
    if (failure.thrown) report.exception = ReportedException{failure.thrown->type, failure.thrown->message};
    report.seen = failure.seen;
    Masked masked;
    if (failure.input) {
        masked = mask(*failure.input_type, failure.input);
        std::string json;
        codec::encode_json(*failure.input_type, failure.input, json);
        report.input = codec::RawJson{std::move(json)}, report.masked = std::move(masked.pointers);
    }
    report.caller = reported_caller(failure.viewer, failure.request ? failure.request->caller : nullptr);
    if (failure.request) {
        report.request = reported_request(*failure.request, failure.decl);
        if (failure.request->trace) {
            report.timeline = reported_timeline(*failure.request->trace, failure.decl);
            if (report.trace_id.empty()) report.trace_id = trace_text(failure.request->trace->id());
        }
    }
    if (parts_.flags) report.flags = parts_.flags({report.caller.id, report.caller.teams, parts_.site, failure.service});
    for (auto* text : {&report.detail, &report.cause, &report.request.path}) remove_texts(*text, masked.texts);
    if (report.exception) remove_texts(report.exception->message, masked.texts);
    return report;
}

bool Reports::within_rate(Failure const& failure) {
    auto const minute = parts_.clock.wall().us / 60'000'000;
    auto const kind = hash64(failure.service, hash64(failure.route, hash64(failure.problem->code)));
    std::lock_guard guard(rate_mutex_);
    if (minute != minute_) minute_ = minute, in_minute_ = 0, alike_.clear();
    if (in_minute_ >= a_minute_max || alike_[kind] >= alike_a_minute_max) return false;
    return ++in_minute_, ++alike_[kind], true;
}

void Reports::write(FailureReport const& report, ReportSpool::Deliver deliver) {
    if (auto kept = spool_.put(report.id, codec::to_json(report) + "\n", deliver); !kept)
        return observe::log_line(observe::Level::error, "runtime", "a report can't be kept",
                                 {{"oops_id", report.id}, {"cause", kept.error().cause}});
    if (parts_.on_kept && deliver == ReportSpool::Deliver::yes) parts_.on_kept();
}

}  // namespace gantry::runtime
