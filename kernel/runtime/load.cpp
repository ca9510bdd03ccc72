#include "kernel/runtime/load.h"

#include <algorithm>

#include "kernel/runtime/deadline.h"

namespace gantry::runtime {

struct LoadControl::Lane {
    Lane(std::size_t services, LoadLimits limits) : congestion(services, limits) {}
    Congestion congestion;
    std::int64_t ended_us = 0;  // of what was served last: requests read at once show the same moment of arrival
};

LoadControl::LoadControl(std::vector<Service> services, net::IoThreads* threads, LoadLimits limits)
    : services_(std::move(services)),
      threads_(threads),
      cells_(std::size_t(threads ? threads->count() : 1), std::max<std::size_t>(services_.size(), 1)) {
    for (int i = 0; threads && i < threads->count(); ++i) lanes_.push_back(std::make_shared<Lane>(services_.size(), limits));
}
LoadControl::~LoadControl() = default;

std::size_t LoadControl::row_of(Host const* host) const {
    return std::size_t(std::ranges::find(services_, host, &Service::host) - services_.begin());
}

std::int64_t LoadControl::arrived(int io_thread, std::int64_t now_us) {
    if (!threads_) return 0;
    auto& lane = lanes_[std::size_t(io_thread)];
    now_us = std::max(now_us, lane->ended_us);
    lane->congestion.arrived();
    auto const waited_us = lane->congestion.wait_us(now_us);
    if (!lane->congestion.wants_marker(now_us)) return waited_us;
    lane->congestion.marker_posted(now_us);
    threads_->post(io_thread, [lane] { lane->congestion.marker_ran(steady_now_us()); });
    return waited_us;
}

bool LoadControl::is_congested(int io_thread, std::int64_t now_us) const {
    if (!threads_) return false;
    auto const& lane = *lanes_[std::size_t(io_thread)];
    return lane.congestion.is_congested(std::max(now_us, lane.ended_us));
}

bool LoadControl::admits(int io_thread, std::int64_t now_us, Host const* host, LoadClass load) {
    auto const row = row_of(host);
    if (!threads_ || row == services_.size()) return true;
    auto& lane = *lanes_[std::size_t(io_thread)];
    return lane.congestion.admits(std::max(now_us, lane.ended_us), row, load);
}

void LoadControl::refused(int io_thread, Host const* host) {
    if (auto const row = row_of(host); row < services_.size()) cells_.at(std::size_t(io_thread), row).refused.add();
}

void LoadControl::served(int io_thread, std::int64_t began_us, std::int64_t ended_us, Host const* host, std::int64_t waited_us) {
    if (!threads_) return;
    auto& lane = *lanes_[std::size_t(io_thread)];
    began_us = std::max(began_us, lane.ended_us), lane.ended_us = ended_us;
    auto const row = row_of(host);
    if (row == services_.size()) return;
    lane.congestion.served(ended_us, row, ended_us - began_us);
    cells_.at(std::size_t(io_thread), row).wait.add(waited_us * 1000);
}

void LoadControl::write(observe::MetricsWriter& w) const {
    using observe::MetricKind;
    w.family(MetricKind::counter, "gantry_overload_refused_total",
             "Requests that were refused because their IO thread had too much to do.");
    for (std::size_t row = 0; row < services_.size(); ++row) {
        std::uint64_t refused = 0;
        cells_.each(row, [&](Cells const& cells) { refused += cells.refused.value(); });
        w.sample({{"site", services_[row].site}, {"service", services_[row].name}}, refused);
    }
    w.family(MetricKind::histogram, "gantry_queue_wait_seconds",
             "How long requests waited for their turn on an IO thread before anything was done for them.");
    for (std::size_t row = 0; row < services_.size(); ++row) {
        observe::LatencySum sum;
        cells_.each(row, [&](Cells const& cells) { cells.wait.add_to(sum); });
        if (sum.count() > 0) w.sample({{"site", services_[row].site}, {"service", services_[row].name}}, sum);
    }
}

}  // namespace gantry::runtime
