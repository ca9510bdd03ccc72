#include "kernel/log/disk.h"

namespace gantry::log {

Result<std::string> read_file(Disk& disk, std::string const& path) {
    TRY_ASSIGN(auto file, disk.open(path, Open::existing_read));
    std::string bytes;
    constexpr std::size_t step = 64 << 10;  // files of /proc have no size to ask for
    for (;;) {
        auto at = bytes.size();
        bytes.resize(at + step);
        TRY_ASSIGN(auto n, file->read(at, std::span(bytes).subspan(at)));
        bytes.resize(at + n);
        if (n < step) return bytes;
    }
}

Result<void> write_file_durably(Disk& disk, std::string const& path, std::string_view bytes, Open how) {
    auto beside = path + ".tmp";
    TRY_ASSIGN(bool stale, disk.exists(beside));
    if (stale) TRY_VOID(disk.remove(beside));
    {
        TRY_ASSIGN(auto file, disk.open(beside, how));
        TRY_VOID(file->write(0, bytes));
        TRY_VOID(file->sync());
    }
    TRY_VOID(disk.rename(beside, path));
    auto slash = path.rfind('/');
    return disk.sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace gantry::log
