#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/observe/metrics.h"

// Metrics as text: the exposition format 0.0.4 of Prometheus and OpenMetrics 1.0, from the same calls.
//
//     MetricsWriter w(choose_metrics_format(accept), out);
//     w.family(MetricKind::counter, "gantry_http_requests_total", "Requests answered.");
//     w.sample({{"site", "main"}, {"code", "2xx"}}, 17);
//     w.finish();
//
// Bounds of histograms have the same text in both ("1.0"), so that a series stays the same one when the format changes.
namespace gantry::observe {

enum class MetricsFormat : std::uint8_t { prometheus, openmetrics };
std::string_view content_type(MetricsFormat format);
// By an Accept header ("" when there was none): OpenMetrics where it is named, in version 1.0.0 or none, and liked no less than
// plain text.
MetricsFormat choose_metrics_format(std::string_view accept);

struct Label {
    std::string_view name;   // [a-zA-Z_][a-zA-Z0-9_]*, ours
    std::string_view value;  // any bytes: what isn't UTF-8 or controls a terminal is written '?'
};
using Labels = std::span<Label const>;

enum class MetricKind : std::uint8_t { counter, gauge, histogram, info };

// Appends to `out`. A family comes once, with all its samples: another one under its name is a bug, and so is a name without its
// kind's ending ("_total" of counters, "_info" of infos). "_seconds", "_bytes" and "_ratio" name a unit. Names live as long as the
// writer; labels and help for the call.
class MetricsWriter {
   public:
    MetricsWriter(MetricsFormat format, std::string& out);

    void family(MetricKind kind, std::string_view name, std::string_view help);
    template <std::integral T>
    void sample(Labels labels, T value) {
        begin_sample(labels);
        append_integer(value);
    }
    void sample(Labels labels, double value);
    void sample(Labels labels, LatencySum const& sum);
    template <class T>
    void sample(std::initializer_list<Label> labels, T const& value) {
        sample(Labels(labels.begin(), labels.size()), value);
    }
    template <class T>
    void sample(T const& value) {
        sample(Labels(), value);
    }
    // A family of one sample without labels.
    template <class T>
    void single(MetricKind kind, std::string_view name, std::string_view help, T const& value) {
        family(kind, name, help);
        sample(value);
    }
    void finish();

   private:
    void begin_sample(Labels labels);
    void append_integer(std::signed_integral auto value) { append_signed(value); }
    void append_integer(std::unsigned_integral auto value) { append_unsigned(value); }
    void append_signed(std::int64_t value);
    void append_unsigned(std::uint64_t value);
    void append_real(double value);
    void append_labels(Labels labels);

    MetricsFormat format_;
    std::string& out_;
    MetricKind kind_ = MetricKind::gauge;
    std::string_view name_;
    std::vector<std::string_view> seen_;
    std::string labels_;  // of the sample that is being written
};

}  // namespace gantry::observe
