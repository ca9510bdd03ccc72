#pragma once

namespace gantry::app {

// What the program's exit says; `gantry help` prints this list.
enum Exit : int {
    exit_ok = 0,
    exit_failed = 1,       // it could not be done; standard error says why
    exit_usage = 2,        // the command line or the configuration is wrong; nothing was done
    exit_partial = 3,      // done but for what was malformed: each place was named
    exit_data = 4,         // the data was refused: locked by another process, damaged, of another version, on a network file system
    exit_unreachable = 5,  // no answer from the server
    exit_log_failed = 74,  // a write or sync of the log failed: its committer ends the process where it stands
};

}  // namespace gantry::app
