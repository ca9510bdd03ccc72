#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/log/file/segment.h"

namespace gantry::log {

// What `gantry log …` does to the directory of one log. Nobody else may have it open, except for verify and export.

struct VerifyReport {
    std::uint64_t segments = 0, batches = 0, events = 0, bytes = 0;
    Position begin = 1, end = 0;
    Incarnation incarnation = 0;      // the newest
    std::uint64_t torn_bytes = 0;     // behind the last whole batch, never acknowledged: the next start cuts them
    std::vector<Damage> damages;      // at most one a segment
    bool ok() const { return damages.empty(); }
};
// Reads everything, with the running hash and the frame of every event. Fails only if the disk does, or "log_format".
Result<VerifyReport> verify(Disk& disk, std::string const& directory);

struct RepairReport {
    std::vector<Damage> damages;        // none: nothing was to be done
    Position last_kept = 0;
    Position last_lost = 0;             // highest position known to have been behind the damage; at most last_kept: none known
    std::vector<std::string> aside;     // files that hold what was cut
    Incarnation incarnation = 0;        // the new one
    std::string text() const;           // for the operator
};
enum class Repair { dry_run, act };
// Cuts the log at its first damage, keeps what is cut in files `….damaged`, and begins a new incarnation, so that every cursor
// from behind the cut is refused. May be run again if it was interrupted.
Result<RepairReport> repair(Disk& disk, std::string const& directory, Repair how, Options const& options, Clock& clock, Random& random);

// A portable stream of frames (docs/log-format.md, "Exports").
using Sink = std::function<Result<void>(std::string_view)>;
using Fill = std::function<Result<std::size_t>(std::span<char>)>;  // reads some bytes; 0: the end
Result<void> export_log(Disk& disk, std::string const& directory, Sink const& sink);
// Into an absent or empty directory; begins a new incarnation behind what it read. Fails with "import_damaged" or "log_exists".
Result<VerifyReport> import_log(Disk& disk, std::string const& directory, Fill const& source, Options const& options, Clock& clock, Random& random);

struct UpgradeReport {
    std::uint32_t from = format_version, to = format_version;  // equal: it was current
    std::uint64_t batches = 0;
    std::string kept;  // the directory with the old form
};
Result<UpgradeReport> upgrade(Disk& disk, std::string const& directory, Options const& options, Clock& clock, Random& random);

}  // namespace gantry::log
