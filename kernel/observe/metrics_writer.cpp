#include "kernel/observe/metrics_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernel/base/assert.h"
#include "kernel/codec/utf8.h"

namespace gantry::observe {
namespace {

bool is_metric_name(std::string_view s) {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    return !s.empty() && letter(s[0]) && std::ranges::all_of(s, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string_view unit_of(std::string_view family) {
    for (std::string_view unit : {"seconds", "bytes", "ratio"})
        if (family.ends_with(unit) && family.size() > unit.size() && family[family.size() - unit.size() - 1] == '_') return unit;
    return {};
}

std::string_view ending_of(MetricKind kind) {
    switch (kind) {
        case MetricKind::counter: return "_total";
        case MetricKind::info: return "_info";
        case MetricKind::gauge:
        case MetricKind::histogram: return "";
    }
    return "";
}

// The older format has no info: there it is a gauge that is always 1.
std::string_view type_of(MetricKind kind, MetricsFormat format) {
    switch (kind) {
        case MetricKind::counter: return "counter";
        case MetricKind::gauge: return "gauge";
        case MetricKind::histogram: return "histogram";
        case MetricKind::info: return format == MetricsFormat::openmetrics ? "info" : "gauge";
    }
    return "gauge";
}

enum class Quotes : std::uint8_t { kept, escaped };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
    for (std::size_t i = 0; i < text.size();) {
        char const c = text[i];
        if (c == '\\' || (c == '"' && quotes == Quotes::escaped)) {
            out += '\\', out += c, ++i;
        } else if (c == '\n') {
            out += "\\n", ++i;
        } else if (std::uint8_t(c) < 0x20 || c == 0x7f) {
            out += '?', ++i;
        } else if (auto const n = codec::utf8_length_at(text, i); n > 0) {
            out.append(text, i, n), i += n;
        } else {
            out += '?', ++i;
        }
    }
}

constexpr std::string_view bound_texts[] = {"5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
                                            "0.05",  "0.1",    "0.25",    "0.5",    "1.0",   "2.5",    "5.0",   "10.0", "+Inf"};
static_assert(std::size(bound_texts) == latency_bounds_ns.size() + 1);

std::string_view trimmed(std::string_view s) {
    auto const first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t");
    return first == s.npos ? std::string_view() : s.substr(first, last - first + 1);
}

std::string_view take(std::string_view& rest, char end) {
    auto const at = std::min(rest.find(end), rest.size());
    auto const out = trimmed(rest.substr(0, at));
    rest.remove_prefix(std::min(at + 1, rest.size()));
    return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

// A quality in thousandths; what is none counts as nothing wanted.
int quality(std::string_view text) {
    double q = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), q);
    return error == std::errc() && end == text.data() + text.size() && q >= 0 && q <= 1 ? int(std::lround(q * 1000)) : 0;
}

struct MediaRange {
    std::string_view type;
    std::string_view version;
    int quality = 1000;
};
MediaRange media_range(std::string_view text) {
    MediaRange range{.type = take(text, ';'), .version = {}};
    while (!text.empty()) {
        auto value = take(text, ';');
        auto const name = take(value, '=');
        value = trimmed(value);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        if (equal_ignoring_case(name, "version")) range.version = value;
        if (equal_ignoring_case(name, "q")) range.quality = quality(value);
    }
    return range;
}

}  // namespace

std::string_view content_type(MetricsFormat format) {
    return format == MetricsFormat::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                : "text/plain; version=0.0.4; charset=utf-8";
}

MetricsFormat choose_metrics_format(std::string_view accept) {
    int openmetrics = 0, text = 0, text_rank = 0;
    while (!accept.empty()) {
        auto const range = media_range(take(accept, ','));
        if (equal_ignoring_case(range.type, "application/openmetrics-text")) {
            if (range.version.empty() || range.version == "1.0.0") openmetrics = std::max(openmetrics, range.quality);
            continue;
        }
        // The most exact range that fits plain text says how much it is wanted (RFC 9110, 12.5.1).
        int const rank = equal_ignoring_case(range.type, "text/plain") ? 3
                         : equal_ignoring_case(range.type, "text/*")   ? 2
                                                                       : range.type == "*/*";
        if (rank > text_rank || (rank > 0 && rank == text_rank && range.quality > text)) text = range.quality, text_rank = rank;
    }
    return openmetrics > 0 && openmetrics >= text ? MetricsFormat::openmetrics : MetricsFormat::prometheus;
}

MetricsWriter::MetricsWriter(MetricsFormat format, std::string& out) : format_(format), out_(out) { seen_.reserve(80); }

void MetricsWriter::family(MetricKind kind, std::string_view name, std::string_view help) {
    auto const ending = ending_of(kind);
    GANTRY_ASSERT(is_metric_name(name) && name.ends_with(ending), "a metric is named as its kind demands");
    GANTRY_ASSERT(kind == MetricKind::counter || !name.ends_with("_total"), "only counters are totals");
    GANTRY_ASSERT(std::ranges::find(seen_, name) == seen_.end(), "a family of metrics comes once");
    seen_.push_back(name);
    kind_ = kind, name_ = name;
    auto const family = name.substr(0, name.size() - ending.size());
    auto const shown = format_ == MetricsFormat::openmetrics ? family : name;
    out_.append("# TYPE ").append(shown).append(" ").append(type_of(kind, format_)).append("\n");
    if (auto const unit = unit_of(family); format_ == MetricsFormat::openmetrics && !unit.empty())
        out_.append("# UNIT ").append(shown).append(" ").append(unit).append("\n");
    out_.append("# HELP ").append(shown).append(" ");
    append_escaped(out_, help, format_ == MetricsFormat::openmetrics ? Quotes::escaped : Quotes::kept);
    out_ += '\n';
}

void MetricsWriter::append_labels(Labels labels) {
    for (auto const& label : labels) {
        if (!labels_.empty()) labels_ += ',';
        labels_.append(label.name).append("=\"");
        append_escaped(labels_, label.value, Quotes::escaped);
        labels_ += '"';
    }
}

void MetricsWriter::begin_sample(Labels labels) {
    GANTRY_ASSERT(!name_.empty() && kind_ != MetricKind::histogram, "a sample of one number belongs to a family that has one");
    labels_.clear();
    append_labels(labels);
    out_.append(name_);
    if (!labels_.empty()) out_.append("{").append(labels_).append("}");
    out_ += ' ';
}

void MetricsWriter::append_signed(std::int64_t value) {
    char digits[24];
    out_.append(digits, std::to_chars(digits, std::end(digits), value).ptr - digits) += '\n';
}

void MetricsWriter::append_unsigned(std::uint64_t value) {
    char digits[24];
    out_.append(digits, std::to_chars(digits, std::end(digits), value).ptr - digits) += '\n';
}

void MetricsWriter::append_real(double value) {
    if (std::isnan(value)) return void(out_ += "NaN\n");
    if (std::isinf(value)) return void(out_ += value > 0 ? "+Inf\n" : "-Inf\n");
    char digits[32];
    out_.append(digits, std::to_chars(digits, std::end(digits), value).ptr - digits) += '\n';
}

void MetricsWriter::sample(Labels labels, double value) {
    begin_sample(labels);
    append_real(value);
}

void MetricsWriter::sample(Labels labels, LatencySum const& sum) {
    GANTRY_ASSERT(kind_ == MetricKind::histogram, "a distribution belongs to a family of them");
    labels_.clear();
    append_labels(labels);
    std::string_view const comma = labels_.empty() ? "" : ",";
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < sum.counts.size(); ++i) {
        below += sum.counts[i];
        out_.append(name_).append("_bucket{").append(labels_).append(comma).append("le=\"").append(bound_texts[i]).append("\"} ");
        append_unsigned(below);
    }
    auto part = [&](std::string_view ending) {
        out_.append(name_).append(ending);
        if (!labels_.empty()) out_.append("{").append(labels_).append("}");
        out_ += ' ';
    };
    part("_sum");
    append_real(double(sum.sum_ns) / 1e9);
    part("_count");
    append_unsigned(below);
}

void MetricsWriter::finish() {
    if (format_ == MetricsFormat::openmetrics) out_ += "# EOF\n";
}

}  // namespace gantry::observe
