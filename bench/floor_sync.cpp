// A bare loop of write and fdatasync at a given number of bytes: what the disk gives to a log that does nothing else. As a log it writes
// every place once, into a file that was zeroed beforehand and is in no cache; the time to zero it doesn't count. It ends early when
// the file is full. `--cached yes` leaves the zeroed pages in the cache, which no log that grows can have. `--records` is how many records
// those bytes stand for; `--every_us` begins one so often instead of at once; `--mib` is the size of the file.
#include <fcntl.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/tool.h"

using namespace gantry::bench;

static int open_zeroed(std::string const& path, std::size_t file_bytes, bool cached) {
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0, path);
    std::string zeros(1u << 20, '\0');
    for (std::size_t at = 0; at < file_bytes; at += zeros.size()) {
        check(pwrite(fd, zeros.data(), zeros.size(), off_t(at)) == ssize_t(zeros.size()), "write");
    }
    check(fsync(fd) == 0, "fsync");
    if (!cached) check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
    return fd;
}

static void sleep_until(std::int64_t at_ns) {
    auto const left_ns = at_ns - now_ns();
    timespec const pause{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    if (left_ns > 0) nanosleep(&pause, nullptr);
}

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"dir", "bytes", "records", "seconds", "cached", "every_us", "mib"});
    auto path = flags.text("dir", ".") + "/floor_sync.data";
    auto bytes = std::size_t(flags.number("bytes", 4096));
    if (bytes == 0 || bytes > 64u << 20) die("--bytes must be 1 to 64 MiB");
    auto const file_bytes = std::size_t(flags.number("mib", 256)) << 20;
    auto const every_ns = std::int64_t(flags.number("every_us") * 1e3);
    int fd = open_zeroed(path, file_bytes, flags.text("cached") == "yes");
    std::string data(bytes, 'x');
    Histogram syncs;
    std::uint64_t writes = 0;
    std::size_t at = 0;
    auto start = now_ns(), end = start + std::int64_t(flags.number("seconds", 1) * 1e9), now = start;
    for (; now < end && at + bytes <= file_bytes; ++writes) {
        if (every_ns) sleep_until(start + std::int64_t(writes) * every_ns);
        data[0] = char(writes), data[bytes - 1] = char(writes >> 8);
        check(pwrite(fd, data.data(), bytes, off_t(at)) == ssize_t(bytes), "write");
        auto before = now_ns();
        check(fdatasync(fd) == 0, "fdatasync");
        now = now_ns();
        syncs.add(std::uint64_t(now - before));
        at += bytes;
    }
    unlink(path.c_str());
    auto seconds = double(now - start) / 1e9;
    fmt::print(R"({{"records_per_s":{:.1f},"writes_per_s":{:.1f},"sync_p50_us":{:.2f},"sync_p99_us":{:.2f}}})"
               "\n",
               double(writes) * flags.number("records", 1) / seconds, double(writes) / seconds, syncs.percentile_us(0.50),
               syncs.percentile_us(0.99));
}
