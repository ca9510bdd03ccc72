// For LD_PRELOAD: every pwrite of more than 512 bytes writes only a part of them, a whole number of sectors, as a signal or a full quota
// may make it do. strace can change what a call returns, but not what it did.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace {

constexpr std::size_t sector_bytes = 512;

ssize_t write_a_part(int file, void const* bytes, std::size_t size, off_t offset) {
    static std::atomic<std::uint64_t> calls = 0;
    auto const sectors = size / sector_bytes;
    if (sectors > 1) size = sector_bytes * (1 + ++calls * 7 % std::min<std::size_t>(sectors - 1, 64));
    return ::syscall(SYS_pwrite64, file, bytes, size, offset);
}

}  // namespace

extern "C" ssize_t pwrite(int file, void const* bytes, std::size_t size, off_t offset) { return write_a_part(file, bytes, size, offset); }
extern "C" ssize_t pwrite64(int file, void const* bytes, std::size_t size, off_t offset) { return write_a_part(file, bytes, size, offset); }
