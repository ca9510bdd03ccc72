#pragma once
#include "services/pool/state.h"

// What GET /metrics tells of the pool: of the hundred types that have most resources, each by its name; of all others the sum, as type="*".
namespace gantry::pool {

inline constexpr std::size_t metrics_types_max = 100;

std::vector<OwnMetric> metrics(State const& s, Time now);

}  // namespace gantry::pool
