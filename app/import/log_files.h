#pragma once
#include <memory>
#include <string>
#include <vector>

#include "app/import/complaints.h"
#include "app/import/line_reader.h"

namespace gantry::import {

// The files of one log, given in any order: opened, sorted by the time of their first line (files without one come last), each content
// once. A file given twice, also under another name, compressed or not, or whose lines are the beginning of another one's, is left out.
// Problems: file_not_readable.
Result<std::vector<std::unique_ptr<LineReader>>> open_log(std::vector<std::string> const& paths);

// What logrotate made of `path` so far and is not in `given`: path.1, path.2.gz, …
std::vector<std::string> rotated_siblings(std::string const& path, std::vector<std::string> const& given);

// Waits for something to happen to a file that may be written, renamed or created: by inotify on its folder, or else by looking again
// after 200 ms. Returns early when a signal comes.
class FileWatch {
   public:
    explicit FileWatch(std::string const& path);
    ~FileWatch();
    FileWatch(FileWatch const&) = delete;
    void wait();

   private:
    int fd_ = -1;
};

}  // namespace gantry::import
