#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/time.h"
#include "kernel/codec/seal.h"
#include "kernel/log/disk.h"

namespace gantry::log {

// That a subject was erased. It names a pseudonym alone.
struct Erasure {
    std::string subject;
    Time at{};
    bool done = true;  // false: the key may still be there; whoever opens the file next destroys it
    bool operator==(Erasure const&) const = default;
};
RECORD(Erasure, subject, at, done);

// The erasures of a site, in DATA/<site>/erasures.ndjson beside its keys, one JSON object a line, the oldest first: a backup from before
// one holds the key still, and whoever restores it erases again (docs/operations.md). For one thread.
class Erasures {
   public:
    // An empty path: in memory alone. Without a file there were none. "erasures_damaged" names the line.
    static Result<Erasures> open(Disk& disk, std::string path);

    std::vector<Erasure> const& all() const { return all_; }
    // The newest one of a subject.
    Erasure const* find(std::string_view subject) const;
    // Destroys the subject's key: recorded first, so that a crash in between is finished by finish(). 404 "subject_unknown" when no value
    // was ever sealed for it. An erased one without a new key is found as it was.
    Result<Erasure> erase(codec::SubjectKeys& keys, std::string_view subject, Time now);
    // Destroys what an interrupted process did not get to.
    Result<void> finish(codec::SubjectKeys& keys);
    // Erases again what was erased after `since`: of a backup from then.
    Result<std::size_t> repeat(codec::SubjectKeys& keys, std::vector<Erasure> const& erasures, Time since);

   private:
    Erasures(Disk& disk, std::string path) : disk_(&disk), path_(std::move(path)) {}
    Result<void> save() const;
    Disk* disk_;
    std::string path_;
    std::vector<Erasure> all_;
};

}  // namespace gantry::log
