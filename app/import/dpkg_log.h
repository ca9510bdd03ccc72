#pragma once
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "app/import/report.h"
#include "app/import/zone.h"

// dpkg's log, as dpkg(1) describes it under --log:
//
//     DATE TIME startup TYPE COMMAND
//     DATE TIME status STATE PACKAGE[:ARCH] VERSION
//     DATE TIME install|upgrade|configure|trigproc|disappear|remove|purge PACKAGE[:ARCH] OLD-VERSION NEW-VERSION
//     DATE TIME conffile FILE install|keep
namespace gantry::import {

struct DpkgLine {
    enum class Kind { status, install, upgrade, remove, known };  // known: means nothing to the tracker
    Kind kind = Kind::known;
    LocalTime time;
    std::string_view package, arch;  // arch may be empty: dpkg leaves it out where it doesn't know one
    std::string_view state;          // of status
    std::string_view old_version;    // "<none>" where there is none
    std::string_view version;        // of status: the version named; of the actions: the new one
};

// The line, or a sentence that says what is wrong with it. The views point into `text`.
std::expected<DpkgLine, std::string> parse_dpkg_line(std::string_view text);

// What the lines mean, in their order. `install`, `upgrade` and `remove` start a run of their package and architecture; each status is a
// stage of the run under way, or starts one; `installed`, `config-files` and `not-installed` end it. Two things need memory:
//  - Right after an action dpkg may state once more what was before it (`installed` after `remove`): that does not end the run.
//  - While it upgrades, dpkg names the old version until the new files are there: those stages are the upgrade's, with a note. If the
//    old version is what ends up installed, the end is reported for the old version.
class DpkgRuns {
   public:
    // Nothing for a line that means nothing to the tracker. The error is a sentence: the line can't be understood after all.
    std::expected<std::optional<Report>, std::string> take(DpkgLine const& line, Time at);
    void clear() { known_.clear(), arch_of_.clear(), native_.clear(); }

   private:
    struct Run {
        std::string version;      // of the run, also after it ended: what `<none>` stands for
        std::string old_version;  // while an action replaces it
        DpkgLine::Kind action = DpkgLine::Kind::status;
        bool open = false;
        bool fresh = false;  // no status since the action
    };
    Report start(DpkgLine const& line, Run& run);
    Report reach(DpkgLine const& line, Run& run);

    std::unordered_map<std::string, Run> known_;            // by "package:arch"
    std::unordered_map<std::string, std::string> arch_of_;  // the last architecture seen of a package
    std::string
        native_;  // the first one seen that isn't `all`: that of a package whose own no line has named, as in debootstrap's first lines
};

}  // namespace gantry::import
