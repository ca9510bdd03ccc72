#include "kernel/observe/log_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gantry::observe {
namespace {

constexpr std::size_t write_bytes_max = 64 << 10;
constexpr std::size_t pipe_bytes = 4096;  // PIPE_BUF: what a pipe that poll() calls writable takes without waiting

bool may_wait(int descriptor) {
    struct stat about;
    return ::fstat(descriptor, &about) != 0 || !(S_ISREG(about.st_mode) || S_ISBLK(about.st_mode));
}

Result<int> open_for_append(std::string const& path) {
    int const descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (descriptor >= 0) return descriptor;
    return fail(400, "log_sink_failed", fmt::format("the log file {} can't be opened: {}", path, std::strerror(errno)));
}

}  // namespace

void TextOutput::line(LogEntry const& entry) {
    (format_ == LogFormat::json ? append_json_line : append_logfmt_line)(buffer_, entry, stamps_);
    if (buffer_.size() >= write_bytes_max) flush();
}
void TextOutput::access(AccessRecord const& record) {
    append_access_line(buffer_, record, access_format_, stamps_, scratch_);
    if (buffer_.size() >= write_bytes_max) flush();
}
void TextOutput::flush() {
    if (!buffer_.empty()) sink_.write(buffer_);
    buffer_.clear();
}

DescriptorSink::DescriptorSink(int descriptor, Duration patience)
    : descriptor_(descriptor), patience_(patience), may_wait_(may_wait(descriptor)) {}

std::size_t DescriptorSink::write_some(std::string_view bytes) {
    if (may_wait_) {
        pollfd wanted{.fd = descriptor_, .events = POLLOUT, .revents = 0};
        int const patience_ms = stuck_ ? 0 : int(patience_.us / 1000);
        int ready;
        do ready = ::poll(&wanted, 1, patience_ms);
        while (ready < 0 && errno == EINTR);
        stuck_ = ready <= 0;
        if (stuck_) return 0;
        bytes = bytes.substr(0, pipe_bytes);
    }
    ssize_t written;
    do written = ::write(descriptor_, bytes.data(), bytes.size());
    while (written < 0 && errno == EINTR);
    return written > 0 ? std::size_t(written) : 0;
}

void DescriptorSink::write(std::string_view lines) {
    if (inside_line_) {
        if (write_some("\n") == 0) return void(lost_lines_.fetch_add(std::uint64_t(std::ranges::count(lines, '\n'))));
        inside_line_ = false;
    }
    bool cut = false;
    while (!lines.empty()) {
        std::size_t const written = write_some(lines);
        if (written == 0) {
            lost_lines_.fetch_add(std::uint64_t(std::ranges::count(lines, '\n')), std::memory_order_relaxed);
            inside_line_ = cut;
            return;
        }
        cut = lines[written - 1] != '\n';
        lines.remove_prefix(written);
    }
}

Result<std::unique_ptr<FileSink>> FileSink::open(std::string path) {
    TRY_ASSIGN(int const descriptor, open_for_append(path));
    return std::unique_ptr<FileSink>(new FileSink(std::move(path), descriptor));
}
FileSink::~FileSink() { ::close(descriptor_); }

Result<void> FileSink::reopen() {
    TRY_ASSIGN(int const fresh, open_for_append(path_));
    ::close(std::exchange(descriptor_, fresh));
    return {};
}

}  // namespace gantry::observe
