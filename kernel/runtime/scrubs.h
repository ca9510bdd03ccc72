#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/log/scrub.h"
#include "kernel/runtime/admin.h"
#include "kernel/runtime/reports.h"

namespace gantry::runtime {

// Reads all sealed segments of a process against their checksums on a schedule, at a bounded rate, while it serves. Damage is a report and
// a log line, and stands in the status until a later round finds none; the service goes on. When the last round ended is kept in a file.
class Scrubs {
   public:
    struct OfLog {
        std::string site, service, directory;
    };
    struct Parts {
        log::Disk& disk;
        Clock& clock;
        Reports* reports = nullptr;
        std::string file;  // DATA/scrub.json
        Duration every{};  // from the end of one to the start of the next; 0: only when asked
        std::uint64_t bytes_a_second = 0;
        std::function<std::vector<OfLog>()> logs;
    };
    struct Place {
        std::string site, service, file;
        std::uint64_t offset = 0, position = 0;
        std::string what;
    };
    struct Status {
        bool running = false;
        std::optional<Time> began, ended, next;  // of the last round; when the next one is due
        std::uint64_t segments = 0, bytes = 0;   // of the round that runs, or of the last one
        std::vector<Place> damages;
        std::uint64_t rounds_total = 0, bytes_total = 0, damages_total = 0;  // since the start
    };
    explicit Scrubs(Parts parts) : parts_(std::move(parts)) {}

    // Every second or so, by one thread: begins what is due and reads on.
    Result<void> turn();
    // A round begins with the next turn.
    void ask();
    Status status() const;

   private:
    Result<void> remember_end();
    void load_end();
    void begin(Time now);
    void tell(log::Scrubber::Found const& found);
    Parts parts_;
    mutable std::mutex mutex_;
    Status status_;  // under mutex_
    bool asked_ = false;
    bool loaded_ = false;
    std::vector<OfLog> logs_;
    std::optional<log::Scrubber> scrubber_;
    Time turned_{};
};
RECORD(Scrubs::Place, site, service, file, offset, position, what);
RECORD(Scrubs::Status, running, began, ended, next, segments, bytes, damages, rounds_total, bytes_total, damages_total);

// GET scrub, POST scrub.
std::vector<Admin::Route> routes_of(Scrubs& scrubs);

}  // namespace gantry::runtime
