#include "app/doctor/disk_time.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace gantry::app::doctor {

Check check_disk(std::string const& directory, Clock const& clock) {
    constexpr std::size_t block_bytes = 4096, rounds_max = 100;
    constexpr std::int64_t most_ns = 500'000'000;
    auto path = directory + "/.doctor-XXXXXX";
    int const fd = ::mkstemp(path.data());
    auto failed = [](char const* what) {
        return wrong("disk", fmt::format("{}: {}", what, std::strerror(errno)), "see whether the disk is full or broken: df, dmesg");
    };
    if (fd < 0) return failed("a file can't be made");
    ::unlink(path.c_str());
    std::string const block(block_bytes, 'x');
    std::vector<std::int64_t> took_us;
    auto const began = clock.steady_ns();
    while (took_us.size() < rounds_max && clock.steady_ns() - began < most_ns) {
        auto const from = clock.steady_ns();
        bool const done =
            ::pwrite(fd, block.data(), block.size(), off_t(took_us.size() * block_bytes)) == ssize_t(block_bytes) && ::fdatasync(fd) == 0;
        if (!done) return ::close(fd), failed("a block can't be written and synced");
        took_us.push_back((clock.steady_ns() - from) / 1000);
    }
    ::close(fd);
    std::ranges::sort(took_us);
    return judge_syncs(took_us[took_us.size() / 2], took_us[took_us.size() * 99 / 100]);
}

}  // namespace gantry::app::doctor
