#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

struct gzFile_s;

namespace gantry::import {

constexpr std::size_t line_bytes_max = 64 * 1024;

// The lines of a regular file, plain or gzipped (told by its first bytes). A plain file may grow while it is read.
class LineReader {
   public:
    // Problems: 404 file_not_readable with the reason.
    static Result<std::unique_ptr<LineReader>> open(std::string path);
    ~LineReader();
    LineReader(LineReader const&) = delete;

    enum class Got {
        line,       // text() and number() say which
        malformed,  // fault() says why: too long, not UTF-8, damaged gzip; reading may go on
        end,        // nothing complete is left; a later call may see more of a plain file
    };
    Got next();
    // The last line when it lacks its newline: `end` if there is none.
    Got take_partial();
    std::string_view text() const { return text_; }  // without newline; until the next call
    std::uint64_t number() const { return number_; }
    std::string const& fault() const { return fault_; }

    void rewind();
    std::string const& path() const { return path_; }
    bool compressed() const { return gz_ != nullptr; }
    std::uint64_t offset() const;      // bytes of the file consumed, compressed ones if it is gzipped
    std::uint64_t size_bytes() const;  // now
    // The file's identity when it was opened.
    dev_t device() const { return device_; }
    ino_t inode() const { return inode_; }

   private:
    explicit LineReader(std::string path) : path_(std::move(path)) {}
    bool fill();
    Got finish(std::string_view line);
    Got malformed(std::string what);

    std::string path_;
    int fd_ = -1;
    gzFile_s* gz_ = nullptr;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    std::string buffer_;
    std::size_t begin_ = 0;    // of the next line in buffer_
    std::size_t scanned_ = 0;  // no newline in [begin_, scanned_)
    bool skipping_ = false;    // inside a line that is too long
    bool broken_ = false;      // the rest can't be read
    std::string read_fault_;   // why, until it was told
    std::string_view text_;
    std::uint64_t number_ = 0;
    std::string fault_;
};

}  // namespace gantry::import
