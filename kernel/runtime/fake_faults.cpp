#include "kernel/runtime/fake_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernel/codec/json.h"

namespace gantry::runtime {
namespace {

constexpr std::array<std::string_view, 7> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

std::unexpected<Problem> wrong(std::string pointer, std::string detail) {
    return fail(Problem{400, "fault_invalid", "the fault can't be injected: " + detail, {{std::move(pointer), std::move(detail)}}});
}

}  // namespace

Problem problem_of(InjectedFault const& fault) {
    Problem problem{int(fault.status.value_or(503)), fault.code ? fault.code->str() : "injected_fault",
                    fault.detail ? fault.detail->str() : "this failure was asked for under /_fake/faults"};
    if (fault.retry_after_s) problem.retry_after_s = int(*fault.retry_after_s);
    return problem;
}

Result<void> FaultList::add(InjectedFault fault) {
    if (!fault.status && !fault.delay && !fault.disconnect) return wrong("", "expected status, delay or disconnect, found none of them");
    if (fault.status && fault.disconnect) return wrong("/disconnect", "expected status or disconnect, found both");
    bool const says = fault.code || fault.detail || fault.retry_after_s;
    if (says && !fault.status) return wrong("/status", "code, detail and retry_after_s are said with a status");
    if (fault.delay && (fault.delay->us <= 0 || *fault.delay > delay_max))
        return wrong("/delay", fmt::format("expected more than 0 and at most {}, found {}", format_duration(delay_max),
                                           format_duration(*fault.delay)));
    if (fault.path_prefix && !fault.path_prefix->view().starts_with('/')) return wrong("/path_prefix", "expected a path from its first /");
    if (fault.method && std::ranges::find(methods, fault.method->view()) == methods.end()) {
        auto const near = codec::nearest(fault.method->view(), methods);
        return wrong("/method", fmt::format("expected one of {}{}", fmt::join(methods, ", "),
                                            near.empty() ? "" : fmt::format("; did you mean {}?", near)));
    }
    std::lock_guard lock(mutex_);
    if (faults_.size() >= faults_max)
        return fail(409, "faults_full", fmt::format("{} faults wait already: DELETE /_fake/faults forgets them", faults_max));
    faults_.push_back(std::move(fault));
    return {};
}

std::optional<InjectedFault> FaultList::take(std::string_view method, std::string_view path) {
    std::lock_guard lock(mutex_);
    auto found = std::ranges::find_if(faults_, [&](InjectedFault const& f) {
        return (!f.method || f.method->view() == method) && (!f.path_prefix || path.starts_with(f.path_prefix->view()));
    });
    if (found == faults_.end()) return {};
    InjectedFault taken = *found;
    found->count = found->count - 1;
    if (found->count == 0) faults_.erase(found);
    return taken;
}

std::vector<InjectedFault> FaultList::list() const {
    std::lock_guard lock(mutex_);
    return {faults_.begin(), faults_.end()};
}

void FaultList::clear() {
    std::lock_guard lock(mutex_);
    faults_.clear();
}

}  // namespace gantry::runtime
