#pragma once
#include <memory>
#include <string>
#include <vector>

#include "app/rehearsal/rehearser.h"

namespace gantry::app::rehearsal {

// A directory that goes when this does.
class ScratchDirectory {
   public:
    static Result<std::unique_ptr<ScratchDirectory>> make();
    ~ScratchDirectory();
    ScratchDirectory(ScratchDirectory const&) = delete;
    std::string const& path() const { return path_; }

   private:
    explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

struct Place {
    std::string service;
    LogAt at;
    std::unique_ptr<ScratchDirectory> imported;  // of an export: where it was unpacked
};

struct Wanted {
    std::string log;      // a data directory, the directory of one log, a file of `gantry log export`, or the URL of a server
    std::string service;  // empty: the only one that there is
    std::string site = "main";
};
// `services`: those that this binary has. Problems, each with what would have been right: 400 "rehearsal_log_invalid",
// 400 "service_unknown", and for an export "import_damaged".
Result<Place> find_log(Wanted const& wanted, std::vector<std::string> const& services);

}  // namespace gantry::app::rehearsal
