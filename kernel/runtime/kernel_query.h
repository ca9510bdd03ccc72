#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace gantry::runtime {

// How a reader wants to be kept up to date (live.h).
enum class LiveForm { none, full, patch };

// The parameters of a GET that speak to the kernel; `rest` is the query without them, for the service.
struct KernelQuery {
    std::string rest;
    std::string as_of;  // a moment of the past; empty: now
    std::string live;   // "full", "patch" or empty
};

inline constexpr std::string_view kernel_parameters[] = {"as_of", "live"};

// Whether a query may have any: cheap, and now and then wrong.
inline bool may_have_kernel_parameters(std::string_view query) {
    if (query.empty()) return false;
    for (auto name : kernel_parameters)
        if (query.find(name) != query.npos) return true;
    return false;
}
// 400 "request_invalid" for one that is given twice, or is empty.
Result<KernelQuery> split_query(std::string_view query);
// What `live` and the Accept header ask for. 400 "request_invalid".
Result<LiveForm> live_form(KernelQuery const& query, std::string_view accept);

}  // namespace gantry::runtime
