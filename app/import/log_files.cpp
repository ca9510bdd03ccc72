#include "app/import/log_files.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "app/import/zone.h"

namespace gantry::import {
namespace {

namespace fs = std::filesystem;

struct LogFile {
    std::unique_ptr<LineReader> reader;
    std::string first_time;  // "~": none, after all times
    std::size_t given = 0;   // place among the arguments
};

std::string first_time(LineReader& reader) {
    std::string found = "~";
    for (auto got = reader.next(); got != LineReader::Got::end; got = reader.next()) {
        if (got != LineReader::Got::line || !parse_local_time(reader.text())) continue;
        found = reader.text().substr(0, 19);
        break;
    }
    reader.rewind();
    return found;
}

// Whether all lines of one are the first lines of the other: 1: of `a`, 2: of `b`, 0: they differ.
int which_is_within(LineReader& a, LineReader& b) {
    using Got = LineReader::Got;
    int within = 0;
    for (;;) {
        Got const got_a = a.next(), got_b = b.next();
        if (got_a == Got::end || got_b == Got::end) {
            within = got_a != Got::end ? 2 : got_b != Got::end ? 1 : b.compressed() ? 2 : 1;
            break;
        }
        if (got_a != got_b || a.text() != b.text()) break;
    }
    a.rewind(), b.rewind();
    return within;
}

bool same_file(LineReader const& a, LineReader const& b) { return a.device() == b.device() && a.inode() == b.inode(); }

// Drops `file` or what it replaces. `files` all start at other times than `file`, or differ from it.
void add(std::vector<LogFile>& files, LogFile file) {
    for (auto& other : files) {
        if (same_file(*other.reader, *file.reader)) return;
        if (file.first_time == "~" || other.first_time != file.first_time) continue;
        switch (which_is_within(*other.reader, *file.reader)) {
            case 1: std::swap(other, file); return;  // `other` ended first or is the compressed one
            case 2: return;
            default: break;
        }
    }
    files.push_back(std::move(file));
}

}  // namespace

Result<std::vector<std::unique_ptr<LineReader>>> open_log(std::vector<std::string> const& paths) {
    std::vector<LogFile> files;
    for (auto const& path : paths) {
        TRY_ASSIGN(auto reader, LineReader::open(path));
        std::string first = first_time(*reader);
        add(files, LogFile{std::move(reader), std::move(first), files.size()});
    }
    std::ranges::sort(files, {}, [](LogFile const& f) { return std::tie(f.first_time, f.given); });
    std::vector<std::unique_ptr<LineReader>> readers;
    for (auto& file : files) readers.push_back(std::move(file.reader));
    return readers;
}

std::vector<std::string> rotated_siblings(std::string const& path, std::vector<std::string> const& given) {
    std::vector<std::string> found;
    std::string const name = fs::path(path).filename().string() + ".";
    std::error_code ignored;
    for (fs::directory_iterator it(fs::absolute(path, ignored).parent_path(), ignored), end; it != end; it.increment(ignored)) {
        std::string const candidate = it->path().filename().string();
        if (!candidate.starts_with(name)) continue;
        std::string_view number = std::string_view(candidate).substr(name.size());
        if (number.ends_with(".gz")) number.remove_suffix(3);
        if (number.empty() || !std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) continue;
        std::string const full = (fs::path(path).parent_path() / candidate).string();
        if (std::ranges::find(given, full) == given.end()) found.push_back(full);
    }
    std::ranges::sort(found);
    return found;
}

FileWatch::FileWatch(std::string const& path) {
    std::error_code ignored;
    fs::path const folder = fs::absolute(path, ignored).parent_path();
    fd_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd_ >= 0 && ::inotify_add_watch(fd_, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVE | IN_DELETE | IN_CLOSE_WRITE) < 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

FileWatch::~FileWatch() {
    if (fd_ >= 0) ::close(fd_);
}

void FileWatch::wait() {
    constexpr int fallback_ms = 200, longest_ms = 1000;  // a network file system may tell nothing: look anyway
    pollfd waited{fd_, POLLIN, 0};
    if (fd_ < 0)
        ::poll(nullptr, 0, fallback_ms);
    else if (::poll(&waited, 1, longest_ms) > 0)
        for (char events[4096]; ::read(fd_, events, sizeof events) > 0;) continue;
}

}  // namespace gantry::import
