#include "app/import/line_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "kernel/codec/utf8.h"

namespace gantry::import {
namespace {
constexpr std::size_t read_bytes = 128 * 1024;

std::unexpected<Problem> unreadable(std::string const& path, std::string_view why) {
    return fail(404, "file_not_readable", fmt::format("{}: {}", path, why));
}
}  // namespace

Result<std::unique_ptr<LineReader>> LineReader::open(std::string path) {
    std::unique_ptr<LineReader> reader(new LineReader(std::move(path)));
    reader->fd_ = ::open(reader->path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->fd_ < 0) return unreadable(reader->path_, std::strerror(errno));
    struct stat st;
    if (::fstat(reader->fd_, &st) != 0) return unreadable(reader->path_, std::strerror(errno));
    if (!S_ISREG(st.st_mode)) return unreadable(reader->path_, "not a regular file");
    reader->device_ = st.st_dev, reader->inode_ = st.st_ino;
    unsigned char magic[2] = {};
    if (::pread(reader->fd_, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        reader->gz_ = gzdopen(::dup(reader->fd_), "rb");
        if (!reader->gz_) return unreadable(reader->path_, "no memory to read gzip");
        gzbuffer(reader->gz_, read_bytes);
    }
    return reader;
}

LineReader::~LineReader() {
    if (gz_) gzclose(gz_);
    if (fd_ >= 0) ::close(fd_);
}

// Appends what can be read now. False: nothing came (end, or read_fault_ says what is wrong).
bool LineReader::fill() {
    if (broken_) return false;
    buffer_.erase(0, begin_);
    scanned_ -= begin_, begin_ = 0;
    std::size_t const old = buffer_.size();
    buffer_.resize(old + read_bytes);
    ssize_t got = 0;
    if (gz_) {
        got = gzread(gz_, buffer_.data() + old, unsigned(read_bytes));
        int error = Z_OK;
        char const* what = gzerror(gz_, &error);
        if (error == Z_BUF_ERROR) what = "the gzip data ends early";
        if (got < 0 || (got == 0 && error != Z_OK)) broken_ = true, read_fault_ = fmt::format("damaged gzip data: {}", what), got = 0;
    } else {
        do got = ::read(fd_, buffer_.data() + old, read_bytes);
        while (got < 0 && errno == EINTR);
        if (got < 0) broken_ = true, read_fault_ = fmt::format("cannot be read: {}", std::strerror(errno)), got = 0;
    }
    buffer_.resize(old + std::size_t(got));
    return got > 0;
}

LineReader::Got LineReader::malformed(std::string what) {
    fault_ = std::move(what), text_ = {};
    return Got::malformed;
}

LineReader::Got LineReader::finish(std::string_view line) {
    ++number_;
    if (skipping_ || line.size() > line_bytes_max) {
        skipping_ = false;
        return malformed(fmt::format("the line is longer than {} bytes", line_bytes_max));
    }
    if (auto scan = codec::scan_utf8(line); !scan.valid()) return malformed(fmt::format("byte {} is not UTF-8", scan.bad_at + 1));
    text_ = line;
    return Got::line;
}

LineReader::Got LineReader::next() {
    for (;;) {
        char const* start = buffer_.data() + scanned_;
        if (auto* newline = static_cast<char const*>(std::memchr(start, '\n', buffer_.size() - scanned_))) {
            std::string_view line(buffer_.data() + begin_, std::size_t(newline - buffer_.data()) - begin_);
            begin_ = scanned_ = std::size_t(newline - buffer_.data()) + 1;
            return finish(line);
        }
        scanned_ = buffer_.size();
        if (scanned_ - begin_ > line_bytes_max) skipping_ = true, begin_ = scanned_;
        if (fill()) continue;
        if (read_fault_.empty()) return Got::end;
        begin_ = scanned_ = buffer_.size(), skipping_ = false, ++number_;
        return malformed(std::exchange(read_fault_, {}));
    }
}

LineReader::Got LineReader::take_partial() {
    if (begin_ == buffer_.size() && !skipping_) return Got::end;
    std::string_view line = std::string_view(buffer_).substr(begin_);
    begin_ = scanned_ = buffer_.size();
    return finish(line);
}

void LineReader::rewind() {
    if (gz_)
        gzrewind(gz_);
    else
        ::lseek(fd_, 0, SEEK_SET);
    buffer_.clear(), begin_ = scanned_ = 0, skipping_ = broken_ = false, read_fault_.clear(), number_ = 0;
}

std::uint64_t LineReader::offset() const {
    if (gz_) return std::uint64_t(std::max<z_off_t>(0, gzoffset(gz_)));
    return std::uint64_t(std::max<off_t>(0, ::lseek(fd_, 0, SEEK_CUR))) - (buffer_.size() - begin_);
}

std::uint64_t LineReader::size_bytes() const {
    struct stat st;
    return ::fstat(fd_, &st) == 0 ? std::uint64_t(st.st_size) : 0;
}

}  // namespace gantry::import
