#include "kernel/observe/metrics.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <thread>

#include "kernel/observe/metrics_writer.h"
#include "kernel/observe/process_metrics.h"

namespace gantry::observe {
namespace {

TEST(LatencyCells, ABoundLiesInItsOwnBucketAndTheNextNanosecondAbove) {
    for (std::size_t i = 0; i < latency_bounds_ns.size(); ++i) {
        EXPECT_EQ(LatencyCells::bucket_of(latency_bounds_ns[i]), i);
        EXPECT_EQ(LatencyCells::bucket_of(latency_bounds_ns[i] + 1), i + 1);
    }
    for (std::int64_t few : {std::int64_t(0), std::int64_t(1), std::int64_t(-1), std::numeric_limits<std::int64_t>::min()})
        EXPECT_EQ(LatencyCells::bucket_of(few), 0u);
    EXPECT_EQ(LatencyCells::bucket_of(std::numeric_limits<std::int64_t>::max()), latency_bounds_ns.size());
}

TEST(LatencyCells, EveryPowerOfTwoFindsTheBucketThatASearchFinds) {
    for (int bits = 0; bits < 63; ++bits)
        for (std::int64_t ns : {(std::int64_t(1) << bits) - 1, std::int64_t(1) << bits, (std::int64_t(1) << bits) + 1})
            EXPECT_EQ(LatencyCells::bucket_of(ns), std::size_t(std::ranges::lower_bound(latency_bounds_ns, ns) - latency_bounds_ns.begin()))
                << ns;
}

TEST(LatencyCells, ThreadsAreSummed) {
    ThreadRows<LatencyCells> rows(3, 2);
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t < 3; ++t)
            threads.emplace_back([&rows, t] {
                for (int i = 0; i < 1000; ++i) rows.at(t, 1).add(std::int64_t(t) * 1'000'000);
            });
    }
    LatencySum sum, untouched;
    rows.each(1, [&](LatencyCells const& c) { c.add_to(sum); });
    rows.each(0, [&](LatencyCells const& c) { c.add_to(untouched); });
    EXPECT_EQ(sum.count(), 3000u);
    EXPECT_EQ(sum.counts[0], 1000u);
    EXPECT_EQ(sum.counts[4], 1000u);  // 1 ms
    EXPECT_EQ(sum.counts[5], 1000u);  // 2 ms
    EXPECT_EQ(sum.sum_ns, 3'000'000'000u);
    EXPECT_EQ(untouched.count(), 0u);
}

TEST(StatusCells, StatusByItsFirstDigit) {
    struct Row {
        int status;
        std::string_view name;
    };
    for (auto const& row : {Row{99, "other"}, Row{100, "1xx"}, Row{199, "1xx"}, Row{200, "2xx"}, Row{304, "3xx"}, Row{429, "4xx"},
                            Row{500, "5xx"}, Row{599, "5xx"}, Row{600, "other"}, Row{0, "other"}, Row{-200, "other"}})
        EXPECT_EQ(name_of(status_class(row.status)), row.name) << row.status;
    StatusCells cells;
    cells.add(200), cells.add(204), cells.add(503);
    std::array<std::uint64_t, status_classes> sums{};
    cells.add_to(sums);
    EXPECT_EQ(sums, (std::array<std::uint64_t, status_classes>{0, 2, 0, 0, 1, 0}));
}

// One family of each kind, with what needs escaping.
std::string sample_page(MetricsFormat format) {
    std::string out;
    MetricsWriter w(format, out);
    LatencyCells cells;
    cells.add(40'000), cells.add(2'000'000), cells.add(20'000'000'000);
    LatencySum sum;
    cells.add_to(sum);
    w.family(MetricKind::counter, "gantry_http_requests_total", "Requests answered.");
    w.sample({{"site", "main"}, {"code", "2xx"}}, 17);
    w.sample({{"site", "a\"b\\c\nd\x1b\xff\xc3\xa9"}, {"code", ""}}, ~0ull);
    w.family(MetricKind::counter, "gantry_http_sent_bytes_total", "Bytes \"sent\" \\ so far.");
    w.sample(0);
    w.family(MetricKind::gauge, "gantry_backup_age_seconds", "Time since the last backup.");
    w.sample({{"place", "x"}}, 0.25);
    w.sample({{"place", "y"}}, -1);
    w.family(MetricKind::histogram, "gantry_log_sync_seconds", "Time of a sync.");
    w.sample(sum);
    w.family(MetricKind::histogram, "gantry_queue_wait_seconds", "Time in the queue.");
    w.sample({{"service", "notes"}}, sum);
    w.family(MetricKind::info, "gantry_build_info", "What is running.");
    w.sample({{"version", "1.2"}}, 1);
    write_process_metrics(w, read_process_figures());
    w.finish();
    return out;
}

std::string lines_with(std::string const& text, std::string_view part) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        auto const end = text.find('\n', at);
        if (auto const line = text.substr(at, end - at + 1); line.find(part) != line.npos) out += line;
        at = end + 1;
    }
    return out;
}

TEST(MetricsWriter, PrometheusText) {
    auto const text = sample_page(MetricsFormat::prometheus);
    EXPECT_EQ(lines_with(text, "gantry_http_requests"),
              "# TYPE gantry_http_requests_total counter\n# HELP gantry_http_requests_total Requests answered.\n"
              "gantry_http_requests_total{site=\"main\",code=\"2xx\"} 17\n"
              "gantry_http_requests_total{site=\"a\\\"b\\\\c\\nd??\xc3\xa9\",code=\"\"} 18446744073709551615\n");
    EXPECT_EQ(lines_with(text, "HELP gantry_http_sent"), "# HELP gantry_http_sent_bytes_total Bytes \"sent\" \\\\ so far.\n");
    EXPECT_EQ(lines_with(text, "gantry_build"),
              "# TYPE gantry_build_info gauge\n# HELP gantry_build_info What is running.\ngantry_build_info{version=\"1.2\"} 1\n");
    EXPECT_EQ(lines_with(text, "backup_age_seconds{"),
              "gantry_backup_age_seconds{place=\"x\"} 0.25\ngantry_backup_age_seconds{place=\"y\"} -1\n");
    EXPECT_EQ(lines_with(text, "# UNIT") + lines_with(text, "# EOF"), "");
}

TEST(MetricsWriter, OpenMetrics) {
    auto const text = sample_page(MetricsFormat::openmetrics);
    EXPECT_EQ(lines_with(text, "gantry_http_sent"),
              "# TYPE gantry_http_sent_bytes counter\n# UNIT gantry_http_sent_bytes bytes\n"
              "# HELP gantry_http_sent_bytes Bytes \\\"sent\\\" \\\\ so far.\ngantry_http_sent_bytes_total 0\n");
    EXPECT_EQ(lines_with(text, "gantry_build"),
              "# TYPE gantry_build info\n# HELP gantry_build What is running.\ngantry_build_info{version=\"1.2\"} 1\n");
    EXPECT_TRUE(text.ends_with("\n# EOF\n"));
    EXPECT_EQ(lines_with(text, "gantry_log_sync_seconds_"),
              "gantry_log_sync_seconds_bucket{le=\"5e-05\"} 1\ngantry_log_sync_seconds_bucket{le=\"0.0001\"} 1\n"
              "gantry_log_sync_seconds_bucket{le=\"0.00025\"} 1\ngantry_log_sync_seconds_bucket{le=\"0.0005\"} 1\n"
              "gantry_log_sync_seconds_bucket{le=\"0.001\"} 1\ngantry_log_sync_seconds_bucket{le=\"0.0025\"} 2\n"
              "gantry_log_sync_seconds_bucket{le=\"0.005\"} 2\ngantry_log_sync_seconds_bucket{le=\"0.01\"} 2\n"
              "gantry_log_sync_seconds_bucket{le=\"0.025\"} 2\ngantry_log_sync_seconds_bucket{le=\"0.05\"} 2\n"
              "gantry_log_sync_seconds_bucket{le=\"0.1\"} 2\ngantry_log_sync_seconds_bucket{le=\"0.25\"} 2\n"
              "gantry_log_sync_seconds_bucket{le=\"0.5\"} 2\ngantry_log_sync_seconds_bucket{le=\"1.0\"} 2\n"
              "gantry_log_sync_seconds_bucket{le=\"2.5\"} 2\ngantry_log_sync_seconds_bucket{le=\"5.0\"} 2\n"
              "gantry_log_sync_seconds_bucket{le=\"10.0\"} 2\ngantry_log_sync_seconds_bucket{le=\"+Inf\"} 3\n"
              "gantry_log_sync_seconds_sum 20.00204\ngantry_log_sync_seconds_count 3\n");
    EXPECT_NE(text.find("gantry_queue_wait_seconds_bucket{service=\"notes\",le=\"0.0025\"} 2\n"), text.npos);
    EXPECT_NE(text.find("gantry_queue_wait_seconds_count{service=\"notes\"} 3\n"), text.npos);
}

TEST(MetricsWriter, NumbersThatAreNone) {
    std::string out;
    MetricsWriter w(MetricsFormat::prometheus, out);
    w.family(MetricKind::gauge, "a", "A.");
    w.sample(std::nan("")), w.sample(HUGE_VAL), w.sample(-HUGE_VAL), w.sample(1e300), w.sample(std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(lines_with(out, "a "), "# TYPE a gauge\n# HELP a A.\na NaN\na +Inf\na -Inf\na 1e+300\na -9223372036854775808\n");
}

TEST(MetricsWriterDeathTest, AFamilyHasOnePlaceAndANameOfItsKind) {
    std::string out;
    MetricsWriter w(MetricsFormat::prometheus, out);
    w.family(MetricKind::gauge, "one", "One.");
    EXPECT_DEATH(w.family(MetricKind::gauge, "one", "One."), "comes once");
    EXPECT_DEATH(w.family(MetricKind::counter, "requests", ""), "as its kind demands");
    EXPECT_DEATH(w.family(MetricKind::info, "build", ""), "as its kind demands");
    EXPECT_DEATH(w.family(MetricKind::gauge, "requests_total", ""), "only counters");
    EXPECT_DEATH(w.family(MetricKind::gauge, "1a", ""), "as its kind demands");
    EXPECT_DEATH(w.family(MetricKind::gauge, "a-b", ""), "as its kind demands");
    EXPECT_DEATH(w.sample(LatencySum()), "family of them");
}

TEST(MetricsFormat, IsWhatTheScraperAsksFor) {
    struct Row {
        std::string_view accept;
        MetricsFormat format;
    };
    using enum MetricsFormat;
    for (auto const& row : {
             Row{"", prometheus},
             Row{"*/*", prometheus},
             Row{"text/html", prometheus},
             Row{"application/openmetrics-text", openmetrics},
             Row{"Application/OpenMetrics-Text ; Version=\"1.0.0\"", openmetrics},
             Row{"application/openmetrics-text;version=0.0.1", prometheus},
             Row{"application/openmetrics-text;version=2.0.0", prometheus},
             Row{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
                 "plain;version=0.0.4;q=0.5,*/*;q=0.1",
                 openmetrics},
             Row{"application/openmetrics-text;q=0.5,text/plain;q=0.6", prometheus},
             Row{"application/openmetrics-text;q=0.5,text/*;q=0.6", prometheus},
             Row{"application/openmetrics-text;q=0.5,text/plain;q=0.5", openmetrics},
             Row{"application/openmetrics-text;q=0.5,text/plain;q=0.4,*/*", openmetrics},
             Row{"application/openmetrics-text;q=0", prometheus},
             Row{"application/openmetrics-text;q=2", prometheus},
             Row{"application/openmetrics-text;q=nan", prometheus},
             Row{"application/openmetrics-text;q=", prometheus},
             Row{",;,=;q", prometheus},
         })
        EXPECT_EQ(choose_metrics_format(row.accept), row.format) << row.accept;
    EXPECT_EQ(content_type(prometheus), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_EQ(content_type(openmetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

// The exit code of `command` with `text` on its standard input.
int run_with(char const* command, std::string const& text) {
    auto* pipe = ::popen(command, "w");
    if (!pipe) return -1;
    std::fwrite(text.data(), 1, text.size(), pipe);
    int const status = ::pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(MetricsWriter, PromtoolFindsNothing) {
    if (run_with("command -v promtool >/dev/null", "") != 0) GTEST_SKIP() << "no promtool; make setup installs it";
    EXPECT_EQ(run_with("promtool check metrics", sample_page(MetricsFormat::prometheus)), 0);
    EXPECT_NE(run_with("promtool check metrics >/dev/null 2>&1", "# TYPE a counter\na 1\n"), 0);  // it is one that finds something
}

constexpr char strict_reader[] =
    "/usr/bin/python3 -c 'import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n"
    "print(len(list(read(sys.stdin.read()))), \"families\")'";

TEST(MetricsWriter, AStrictReaderOfOpenMetricsTakesIt) {
    if (run_with("/usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null", "") != 0)
        GTEST_SKIP() << "no python3-prometheus-client; make setup installs it";
    auto const text = sample_page(MetricsFormat::openmetrics);
    EXPECT_EQ(run_with(strict_reader, text), 0);
    EXPECT_NE(run_with((std::string(strict_reader) + " >/dev/null 2>&1").c_str(), text.substr(0, text.size() - 6)), 0);
}

TEST(ProcessMetrics, OfALineOfProc) {
    ProcessFigures f;
    auto const ticks = double(::sysconf(_SC_CLK_TCK));
    parse_process_stat("17 (a) R 1) S 1 17 17 0 -1 4194560 9 0 0 0 300 200 0 0 20 0 7 0 5000 1048576 25 184467",
                       "cpu 1\nbtime 1700000000\n", f);
    EXPECT_DOUBLE_EQ(f.cpu_seconds.value_or(0), 500 / ticks);
    EXPECT_EQ(f.threads, 7u);
    EXPECT_EQ(f.virtual_bytes, 1048576u);
    EXPECT_EQ(f.resident_bytes, 25u * std::uint64_t(::sysconf(_SC_PAGESIZE)));
    EXPECT_DOUBLE_EQ(f.start_time_seconds.value_or(0), 1.7e9 + 5000 / ticks);
    for (std::string_view broken : {"", "17", "17 (a)", "17 (a) ", "17 (a) S 1 x", ")", ") "}) {
        ProcessFigures none;
        parse_process_stat(broken, "", none);
        EXPECT_FALSE(none.cpu_seconds || none.threads || none.resident_bytes || none.start_time_seconds) << broken;
        std::string out;
        MetricsWriter w(MetricsFormat::prometheus, out);
        write_process_metrics(w, none);
        EXPECT_EQ(out, "");
    }
}

TEST(ProcessMetrics, OfThisProcess) {
    auto const before = read_process_figures();
    int const extra = ::dup(0);
    auto const after = read_process_figures();
    if (extra >= 0) ::close(extra);
    EXPECT_EQ(after.open_fds.value_or(0), before.open_fds.value_or(0) + 1);
    EXPECT_GT(before.resident_bytes.value_or(0), 1'000'000u);
    EXPECT_GE(before.threads.value_or(0), 1u);
    EXPECT_GT(before.max_fds.value_or(0), before.open_fds.value_or(0));
    EXPECT_GT(before.start_time_seconds.value_or(0), 1.6e9);
}

}  // namespace
}  // namespace gantry::observe
