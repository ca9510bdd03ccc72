#include "kernel/runtime/line_book.h"

#include <algorithm>
#include <array>

namespace gantry::runtime {
namespace {

std::size_t rows_of(std::vector<LineBook::Protocol> const& protocols) {
    std::size_t rows = 0;
    for (auto const& protocol : protocols) rows += protocol.decl->commands.size();
    return rows;
}

}  // namespace

LineBook::LineBook(std::vector<Protocol> protocols, int threads, observe::LogQueue* log)
    : protocols_(std::move(protocols)), cells_(std::size_t(threads), rows_of(protocols_)) {
    for (std::size_t i = 0; i < protocols_.size(); ++i) {
        first_row_.push_back(rows_.size());
        for (auto const& command : protocols_[i].decl->commands)
            rows_.push_back({i, command.route.verb, std::string(protocols_[i].decl->name).append(" ").append(command.route.verb)});
    }
    for (int thread = 0; log && thread < threads; ++thread) rings_.push_back(&log->new_ring());
}

void LineBook::ended(int io_thread, std::size_t protocol, Ended const& ended) {
    auto const& of = protocols_[protocol];
    auto const at = first_row_[protocol] + std::size_t(ended.command - of.decl->commands.data());
    auto& cells = cells_.at(std::size_t(io_thread), at);
    cells.latency.add(ended.duration_us * 1000), cells.status.add(ended.status);
    if (rings_.empty()) return;
    observe::AccessRecord record;
    record.at = ended.arrived + Duration::micros(ended.duration_us);
    record.client = ended.client, record.caller = ended.caller, record.method = ended.command->route.verb, record.target = of.decl->name;
    record.request_id = ended.request_id, record.trace_id = ended.trace_id, record.service = of.service, record.route = rows_[at].route;
    record.site = of.site, record.refused = ended.refused;
    record.status = std::uint16_t(ended.status), record.sent_bytes = ended.bytes;
    record.duration_us = std::uint64_t(std::max<std::int64_t>(ended.duration_us, 0));
    rings_[std::size_t(io_thread)]->add(record);
}

void LineBook::write(observe::MetricsWriter& w) const {
    using observe::MetricKind;
    if (rows_.empty()) return;
    auto const each = [&](auto&& sample) {
        for (std::size_t i = 0; i < rows_.size(); ++i) sample(i, protocols_[rows_[i].protocol], rows_[i].command);
    };
    w.family(MetricKind::counter, "gantry_line_commands_total", "Commands of line protocols that were answered.");
    each([&](std::size_t row, Protocol const& of, std::string_view command) {
        std::array<std::uint64_t, observe::status_classes> sums{};
        cells_.each(row, [&](Cells const& cells) { cells.status.add_to(sums); });
        for (std::size_t c = 0; c < sums.size(); ++c)
            if (sums[c] > 0)
                w.sample({{"site", of.site},
                          {"service", of.service},
                          {"protocol", of.decl->name},
                          {"command", command},
                          {"code", observe::name_of(observe::StatusClass(c))}},
                         sums[c]);
    });
    w.family(MetricKind::histogram, "gantry_line_command_duration_seconds", "Time from a command's last byte to its answer.");
    each([&](std::size_t row, Protocol const& of, std::string_view command) {
        observe::LatencySum sum;
        cells_.each(row, [&](Cells const& cells) { cells.latency.add_to(sum); });
        if (sum.count() > 0) w.sample({{"site", of.site}, {"service", of.service}, {"protocol", of.decl->name}, {"command", command}}, sum);
    });
}

}  // namespace gantry::runtime
