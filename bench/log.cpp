// Group commit: `--inflight` commands of one event of about 100 bytes wait for the log at any moment, for `--seconds`. Prints commands
// a second, and how many of them and of how many bytes shared a sync.
#include <atomic>

#include "bench/open_log.h"
#include "bench/tool.h"
#include "bench/workload.h"
#include "kernel/base/varint.h"

using namespace gantry;
using namespace gantry::bench;

static std::vector<std::string> events(std::size_t count) {
    std::vector<std::string> made(count);
    Workload workload;
    for (auto& e : made) {
        std::string record;
        encode(workload.next(), record);
        put_varint(e, 0), put_string(e, record);
    }
    return made;
}

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"dir", "inflight", "seconds"});
    auto inflight = std::uint64_t(flags.number("inflight", 1));
    auto made = events(4096);
    std::atomic<std::uint64_t> durable = 0, syncs = 0;
    auto log = open_log(flags.text("dir"));
    std::uint64_t const first = log->status().end;
    std::uint64_t appended = first, began_us = std::uint64_t(log->status().last_time.us);
    durable = first;
    log->on_durable([&](log::Position p) {
        syncs.fetch_add(1, std::memory_order_relaxed);
        durable.store(p, std::memory_order_release);
        durable.notify_one();
    });
    auto bytes_before = log->status().bytes;
    auto start = now_ns(), end = start + std::int64_t(flags.number("seconds", 1) * 1e9);
    while (now_ns() < end) {
        auto seen = durable.load(std::memory_order_acquire);
        for (; appended - seen < inflight; ++appended) {
            auto done = log->append(batch_of(made[appended % made.size()], 1, std::int64_t(began_us + appended)));
            if (!done) die(fmt::format("log: {}", done.error().code));
        }
        durable.wait(seen, std::memory_order_acquire);  // all that may be in flight is: sleep until more is durable
    }
    if (!log->wait_durable()) die("log: not durable");
    auto seconds = double(now_ns() - start) / 1e9;
    auto commands = double(appended - first), groups = double(std::max<std::uint64_t>(1, syncs));
    fmt::print(R"({{"commands_per_s":{:.1f},"commands_per_sync":{:.2f},"bytes_per_sync":{:.0f},"syncs":{:.0f}}})"
               "\n",
               commands / seconds, commands / groups, double(log->status().bytes - bytes_before) / groups, groups);
    if (!log->close()) die("log: not closed");
}
