#pragma once
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "app/import/transport.h"
#include "kernel/base/time.h"

// `gantry import …`: what the command line calls. Each reads its input, sends it and says what it did on standard output (`--json`: one
// object); progress and complaints go to standard error.
namespace gantry::import {

// The exit codes. Stopped by SIGINT or SIGTERM between chunks is not an error: the next run goes on.
constexpr int exit_ok = 0;         // everything is in
constexpr int exit_failed = 1;     // it could not go on: unreadable input, unknown zone, tracker away or refusing; what was sent is in
constexpr int exit_malformed = 3;  // everything is in but what was malformed (each place was named)

struct CommonOptions {
    std::string server = "http://127.0.0.1:8080";
    std::string token = {};  // to show there; "": none
    std::string name;        // --name; "": the default of each command, with this host's name
    bool json = false;       // --json
    Duration give_up_after = Duration::seconds(120);
};

struct DpkgLogOptions : CommonOptions {
    std::vector<std::string> files;  // FILE…
    bool follow = false;             // --follow
    std::string zone;                // --zone; "": the host's
};

struct ChangelogOptions : CommonOptions {
    std::string dir;  // DIR
};

struct AutopkgtestOptions : CommonOptions {
    std::string path;         // DIR of results, or FILE of update excuses
    std::string series;       // --series: of the excuses, which don't name it
    std::string results_url;  // --results-url: what the results' paths hang below, for links to their logs
};

// What a command touches besides its input; a test hands in its own.
struct Surroundings {
    Transport* transport = nullptr;  // null: HTTP to the server of the options
    Clock const* clock = nullptr;    // null: the system's
    std::FILE* out = stdout;
    std::FILE* err = stderr;
    bool terminal = false;          // `err` is one
    std::function<bool()> stopped;  // null: never
};

// For the program: stops on SIGINT and SIGTERM (a second one ends the process), looks whether standard error is a terminal.
Surroundings program_surroundings();

int import_dpkg_log(DpkgLogOptions const& options, Surroundings surroundings = program_surroundings());
int import_changelogs(ChangelogOptions const& options, Surroundings surroundings = program_surroundings());
int import_autopkgtest(AutopkgtestOptions const& options, Surroundings surroundings = program_surroundings());

}  // namespace gantry::import
