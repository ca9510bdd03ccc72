#include "bench/log_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "kernel/base/varint.h"
#include "kernel/log/batch.h"
#include "kernel/log/file/file_log.h"

namespace gantry::bench {
namespace {

double now_s() { return double(system_clock().steady_ns()) * 1e-9; }

// Groups of the size that the log would write, into a file prepared as the log prepares its own.
class BareLoop {
   public:
    BareLoop(std::string const& path, std::size_t group_bytes, bool prepared)
        : file_(*log::system_disk().open(path, log::Open::create_new)), group_(group_bytes, 'x'), prepared_(prepared) {
        if (prepared && (!file_->allocate(file_bytes) || !file_->sync())) std::abort();
    }
    double groups_per_s(double seconds) {
        std::uint64_t done = 0;
        auto start = now_s();
        for (; now_s() - start < seconds; ++done, at_ += group_.size()) {
            if (prepared_ && at_ + group_.size() > file_bytes) at_ = 0;
            if (!file_->write(at_, group_) || !file_->sync()) std::abort();
        }
        return double(done) / (now_s() - start);
    }

   private:
    static constexpr std::uint64_t file_bytes = 64 << 20;
    std::unique_ptr<log::File> file_;
    std::string group_;
    std::uint64_t at_ = 0;
    bool prepared_;
};

double median(std::vector<double> v) {
    std::ranges::sort(v);
    return v[v.size() / 2];
}

std::size_t append(log::Log& log, std::string_view events, std::size_t n) {
    log::BatchView b;
    b.count = 1, b.events = events, b.caller = "u_bench", b.time = log.status().last_time;
    std::size_t done = 0;
    while (done < n)
        if (log.append(b)) ++done;
        else std::this_thread::yield();
    return done;
}

}  // namespace

LogFigures measure_log(std::string const& parent, std::size_t batches, std::size_t payload_bytes, double seconds) {
    LogFigures f;
    auto directory = fmt::format("{}/log-bench-{}", parent, fresh_id("", system_clock().wall().us, system_random()));
    std::filesystem::create_directories(directory);
    std::string events;
    put_varint(events, 1), put_string(events, std::string(payload_bytes, 'e'));
    log::BatchView sample;
    sample.count = 1, sample.events = events, sample.caller = "u_bench";
    auto group_bytes = log::encoded_size(sample) * batches;
    BareLoop growing(directory + "/growing", group_bytes, false), prepared(directory + "/prepared", group_bytes, true);
    log::Committer committer;
    log::Options options;
    options.segment_bytes_min = options.segment_bytes_max;
    auto log = *log::FileLog::open(log::system_disk(), committer, directory + "/log", options, "", system_clock(), system_random());
    std::atomic<std::uint64_t> durable = 0;
    log->on_durable([&](log::Position p) { durable.store(p, std::memory_order_release); });
    // The two take turns, so that what else goes on on the machine meets both.
    std::uint64_t done = 0;
    std::vector<double> growing_rates, prepared_rates, rates;
    constexpr int rounds = 9;
    for (int round = 0; round < rounds; ++round) {
        growing_rates.push_back(growing.groups_per_s(seconds / rounds) * double(batches));
        prepared_rates.push_back(prepared.groups_per_s(seconds / rounds) * double(batches));
        auto before = done;
        auto start = now_s();
        while (now_s() - start < seconds / rounds) {
            done += append(*log, events, batches);
            while (durable.load(std::memory_order_acquire) < done) std::this_thread::yield();
        }
        rates.push_back(double(done - before) / (now_s() - start));
    }
    f.growing_per_s = median(growing_rates), f.prepared_per_s = median(prepared_rates), f.append_per_s = median(rates);
    auto start = now_s();
    done = 0;
    while (now_s() - start < seconds) done += append(*log, events, 256);
    if (!log->wait_durable()) return f;
    f.busy_per_s = double(done) / (now_s() - start);
    std::uint64_t bytes = 0, scanned = 0;
    start = now_s();
    if (!log->scan(0, [&](log::BatchView const& b) { return bytes += 72 + b.events.size(), ++scanned, true; })) return f;
    auto took = now_s() - start;
    f.scan_gb_per_s = double(bytes) * 1e-9 / took, f.scan_batches_per_s = double(scanned) / took;
    if (!log->close()) return f;
    log.reset();
    std::filesystem::remove_all(directory);
    return f;
}

}  // namespace gantry::bench
