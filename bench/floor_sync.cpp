// A bare loop of write and fdatasync at a given number of bytes, into a file that is allocated and zeroed beforehand: what the disk gives
// to a log that does nothing else. `--records` is how many records those bytes stand for.
#include <fcntl.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/tool.h"

using namespace gantry::bench;

static constexpr std::size_t file_bytes = 64u << 20;

static int open_zeroed(std::string const& path) {
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0, path);
    std::string zeros(1u << 20, '\0');
    for (std::size_t at = 0; at < file_bytes; at += zeros.size()) {
        check(pwrite(fd, zeros.data(), zeros.size(), off_t(at)) == ssize_t(zeros.size()), "write");
    }
    check(fsync(fd) == 0, "fsync");
    return fd;
}

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"dir", "bytes", "records", "seconds"});
    auto path = flags.text("dir", ".") + "/floor_sync.data";
    auto bytes = std::size_t(flags.number("bytes", 4096));
    if (bytes == 0 || bytes > file_bytes) die("--bytes must be 1 to 64 MiB");
    int fd = open_zeroed(path);
    std::string data(bytes, 'x');
    Histogram syncs;
    std::uint64_t writes = 0;
    std::size_t at = 0;
    auto start = now_ns(), end = start + std::int64_t(flags.number("seconds", 1) * 1e9), now = start;
    for (; now < end; ++writes) {
        if (at + bytes > file_bytes) at = 0;
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
