#include "kernel/observe/metrics.h"

#include <algorithm>
#include <cmath>

#include "kernel/base/assert.h"

namespace gantry::observe {
namespace {

template <class List>
auto* find(List& list, std::string_view name) {
    auto found = std::ranges::find_if(list, [&](auto const& m) { return m.name == name; });
    return found == list.end() ? nullptr : &*found;
}

}  // namespace

std::uint64_t Histogram::count() const {
    std::uint64_t n = 0;
    for (auto const& c : counts_) n += c.load(std::memory_order_relaxed);
    return n;
}

std::uint64_t Histogram::quantile(double share) const {
    auto const wanted = std::max<std::uint64_t>(1, std::uint64_t(std::ceil(share * double(count()))));
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < buckets; ++i)
        if (below += count_in(i); below >= wanted) return bound_of(i);
    return 0;
}

Counter& Metrics::counter(std::string_view name, std::string_view help) {
    std::lock_guard lock(mutex_);
    GANTRY_ASSERT(!find(histograms_, name), "a metric's name has one kind");
    if (auto* known = find(counters_, name)) return known->metric;
    return counters_.emplace_back(name, help).metric;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help) {
    std::lock_guard lock(mutex_);
    GANTRY_ASSERT(!find(counters_, name), "a metric's name has one kind");
    if (auto* known = find(histograms_, name)) return known->metric;
    return histograms_.emplace_back(name, help).metric;
}

std::vector<Metrics::Listed> Metrics::list() const {
    std::lock_guard lock(mutex_);
    std::vector<Listed> out;
    for (auto const& m : counters_) out.push_back({m.name, m.help, &m.metric, nullptr});
    for (auto const& m : histograms_) out.push_back({m.name, m.help, nullptr, &m.metric});
    std::ranges::sort(out, {}, &Listed::name);
    return out;
}

}  // namespace gantry::observe
