#include "kernel/observe/metrics.h"

#include <numeric>

namespace gantry::observe {

std::uint64_t LatencySum::count() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t(0)); }

std::string_view name_of(StatusClass c) {
    static constexpr std::string_view names[status_classes] = {"1xx", "2xx", "3xx", "4xx", "5xx", "other"};
    return names[std::size_t(c)];
}

}  // namespace gantry::observe
