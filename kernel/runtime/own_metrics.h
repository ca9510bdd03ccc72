#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a service tells of itself at GET /metrics, beside what the kernel measures of each:
//
//     static std::vector<OwnMetric> metrics(State const& s, Time now);
//
// Asked each time somebody scrapes, under the service's lock: commands wait meanwhile, so it takes a few milliseconds at most, whatever the
// state has grown to. The kernel adds the label `site`, and makes one family of what the sites tell.
namespace gantry {

enum class OwnMetricKind : std::uint8_t { gauge, counter };

struct MetricSample {
    std::vector<std::pair<std::string_view, std::string>> labels;  // names are ours and live for ever
    double value = 0;
};

struct OwnMetric {
    OwnMetricKind kind = OwnMetricKind::gauge;
    // "gantry_<service>_…", for ever; a counter's ends in _total, a time's in _seconds. Always of the same kind and help, each once.
    std::string_view name, help;
    std::vector<MetricSample> samples;  // of a bounded number: who makes rows doesn't make series without end
};

}  // namespace gantry
