#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "app/import/complaints.h"
#include "app/import/progress.h"
#include "app/import/source.h"
#include "app/import/transport.h"

namespace gantry::import {

struct ChunkLimits {
    std::size_t reports_max = 500;
    std::size_t bytes_max = 256 * 1024;  // of the encoded reports; one larger report goes alone
};

struct SendOptions {
    std::string import_name;  // one to a log and machine; [A-Za-z0-9._-], at most 100
    ChunkLimits limits;
    Duration give_up_after = Duration::seconds(120);  // of no answer, or of "try again"; the process ends with what was sent so far
    Duration first_wait = Duration::millis(200);      // doubled each time up to the longest; Retry-After goes before
    Duration longest_wait = Duration::seconds(5);
    // Sleeps; may return early.
    std::function<void(Duration)> sleep;
    // Asked between chunks and while waiting.
    std::function<bool()> stopped = [] { return false; };
};

struct Sent {
    std::uint64_t reports = 0, chunks = 0;
    std::uint64_t refused = 0;  // reports that the tracker found invalid: complained of, left out
    std::string position;       // where the import stands now
    bool stopped = false;       // by a signal, not by the end of the input
};

// Sends what a source gives in chunks that the tracker takes only if they start where the import stands: so nothing is taken twice and
// nothing is left out, whenever either side is killed or an answer is lost.
class ChunkSender {
   public:
    ChunkSender(Transport& transport, SendOptions options, Progress& progress, Complaints& complaints, Clock const& clock);
    // Runs until the source has no more. `sent` tells what was done in either case. Problems: tracker_unreachable, import_busy (another
    // process imports under the same name), tracker_refused (it answers what can't be), and those of the source.
    Result<void> run(ReportSource& source, Sent& sent);

   private:
    struct Chunk {
        std::string to;
        std::vector<Positioned> reports;
        std::vector<std::string> encoded;
        std::size_t bytes = 0;
    };
    enum class Outcome { taken, elsewhere };

    Result<std::string> standing();
    Chunk collect(ReportSource& source);
    Result<Outcome> post(Chunk& chunk, std::string const& from);
    Result<Answer> persist(std::function<Answer()> const& call);
    bool leave_out_refused(Chunk& chunk, std::string const& problem_json);
    Result<void> settle(ReportSource& source, Chunk const& chunk, std::string& at);

    Transport& transport_;
    SendOptions options_;
    Progress& progress_;
    Complaints& complaints_;
    Clock const& clock_;
    std::string path_;
    std::optional<Positioned> held_;  // read, but belongs to the next chunk
    Sent* sent_ = nullptr;
    int elsewhere_in_a_row_ = 0;
};

}  // namespace gantry::import
