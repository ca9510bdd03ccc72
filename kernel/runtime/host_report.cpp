// What a host tells of its failures.
#include <fmt/format.h>

#include "kernel/codec/any_value.h"
#include "kernel/runtime/host_call.h"
#include "kernel/runtime/reports.h"

namespace gantry::runtime {
namespace {

SeenByDecision seen_by(Ctx const& ctx, std::string position, DrawnRandom const* drawn) {
    SeenByDecision out{.now = ctx.now, .position = std::move(position)};
    if (!drawn) return out;
    for (auto number : drawn->kept()) out.drawn.push_back(fmt::format("{:016x}", number));
    out.drawn_total = drawn->total();
    return out;
}

std::string hex_of(std::string_view bytes) {
    std::string out;
    for (unsigned char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", c);
    return out;
}

// The input of a request once more; null where reading it is what fails.
std::optional<codec::AnyValue> input_of(Request const& request) {
    try {
        codec::AnyValue input(*request.route.input);
        if (request.bind(*request.route.input, input.get())) return input;
    } catch (...) {
    }
    return {};
}

// What takes reports of others must not report of itself for ever.
bool takes_reports(ServiceDecl const& decl, Request const& request) { return decl.name == "oops" && request.route.command; }

// Fills in what is known of the request, and files.
std::string file(Reports& reports, ServiceDecl const& decl, Failure failure, Request const& request) {
    auto const route = fmt::format("{} {}", request.route.verb, request.route.path), trace_id = hex_of(request.trace_id);
    failure.route = route, failure.decl = &request.route, failure.request_id = request.request_id, failure.trace_id = trace_id;
    if (failure.request_id.empty() && request.facts) failure.request_id = request.facts->request_id;
    failure.viewer = &request.viewer, failure.request = request.facts, failure.keep_here = takes_reports(decl, request);
    auto input = input_of(request);
    if (input) failure.input_type = request.route.input, failure.input = input->get();
    return reports.add(failure);
}

}  // namespace

std::string Host::report(HostCall const& call, std::string_view kind, std::string_view what, Problem const& problem,
                         Thrown const* thrown) const {
    if (problem.status == 500) failures_.fetch_add(1, std::memory_order_relaxed);
    if (!parts_.reports) return {};
    Failure failure{.kind = kind, .service = decl_.name, .problem = &problem, .thrown = thrown};
    auto const& ctx = call.ctx();
    if (ctx.next > 0) failure.seen = seen_by(ctx, position_text(ctx.next - 1), &call.drawn());
    if (failure.seen && call.request() && call.request()->route.waits) failure.seen->may_wait = ctx.may_wait;
    if (call.request()) return file(*parts_.reports, decl_, std::move(failure), *call.request());
    failure.route = what, failure.viewer = &ctx.viewer;
    return parts_.reports->add(failure);
}

std::string Host::report(Request const& request, Problem const& problem, Thrown const* thrown, Ctx const* ctx) const {
    if (problem.status == 500) failures_.fetch_add(1, std::memory_order_relaxed);
    if (!parts_.reports) return {};
    Failure failure{.service = decl_.name, .problem = &problem, .thrown = thrown};
    if (ctx) failure.seen = seen_by(*ctx, position_text(ctx->next - 1), nullptr);
    auto id = file(*parts_.reports, decl_, std::move(failure), request);
    if (request.facts && request.facts->oops_id) *request.facts->oops_id = id;
    return id;
}

std::string Host::report(std::string_view kind, std::string_view what, Problem const& problem, Thrown const* thrown,
                         std::string_view request_id) const {
    if (problem.status == 500) failures_.fetch_add(1, std::memory_order_relaxed);
    if (!parts_.reports) return {};
    Failure failure{.kind = kind, .service = decl_.name, .route = what, .problem = &problem, .thrown = thrown};
    Viewer const kernel{Str("gantry"), true};
    failure.request_id = request_id, failure.keep_here = decl_.name == "oops" && !what.starts_with("GET ");
    if (kind != "request") failure.viewer = &kernel;
    failure.seen = SeenByDecision{.now = parts_.clock.wall(), .position = position_text(applied())};
    return parts_.reports->add(failure);
}

}  // namespace gantry::runtime
