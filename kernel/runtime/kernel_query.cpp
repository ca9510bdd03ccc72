#include "kernel/runtime/kernel_query.h"

#include <algorithm>

#include "kernel/runtime/binding.h"

namespace gantry::runtime {
namespace {

std::unexpected<Problem> invalid(std::string_view name, std::string_view detail) {
    Problem problem{400, "request_invalid", "the request has a fault: see errors"};
    problem.faults.push_back({"?" + std::string(name), std::string(detail)});
    return std::unexpected(std::move(problem));
}

std::string* slot_of(KernelQuery& query, std::string_view name) {
    if (name == "as_of") return &query.as_of;
    return name == "live" ? &query.live : nullptr;
}

}  // namespace

Result<KernelQuery> split_query(std::string_view query) {
    KernelQuery out;
    while (!query.empty()) {
        auto const end = std::min(query.find('&'), query.size());
        auto const part = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        auto const equals = std::min(part.find('='), part.size());
        auto const name = part.substr(0, equals);
        auto* slot = slot_of(out, name);
        if (!slot) {
            out.rest.append(out.rest.empty() ? "" : "&").append(part);
            continue;
        }
        if (!slot->empty()) return invalid(name, "this parameter is given twice");
        // A '+' stands for itself: it is that of a time's zone.
        if (!percent_decode(part.substr(std::min(equals + 1, part.size())), Plus::itself, *slot))
            return invalid(name, "'%' must be followed by two hexadecimal digits");
        if (slot->empty()) return invalid(name, "this parameter has no value");
    }
    return out;
}

Result<LiveForm> live_form(KernelQuery const& query, std::string_view accept) {
    bool const asked = !query.live.empty() || accept.find("text/event-stream") != accept.npos;
    if (!query.live.empty() && query.live != "full" && query.live != "patch")
        return invalid("live", "expected full (each changed answer whole) or patch (a merge patch on the one before)");
    if (asked && !query.as_of.empty()) return invalid("as_of", "the past doesn't change: ask for it without `live`");
    if (!asked) return LiveForm::none;
    return query.live == "patch" ? LiveForm::patch : LiveForm::full;
}

}  // namespace gantry::runtime
