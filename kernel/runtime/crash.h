#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/time.h"
#include "kernel/log/disk.h"
#include "kernel/runtime/failure_report.h"

// What ends the process (a failed assertion, an exception that nobody caught, SIGSEGV and its kin) leaves a dump, of which the next start
// makes a report.
namespace gantry::runtime {

// Of one call, for as long as it runs: what a dump names. Views that outlive it.
struct InHand {
    InHand(std::string_view service, std::string_view verb, std::string_view path, std::string_view request_id);
    ~InHand();
    InHand(InHand const&) = delete;
    std::string_view service, verb, path, request_id;

   private:
    InHand* outer_;
};

// While it lives, the end of this process is written to DIRECTORY/end-PID.dump; the one of an orderly end is empty, and goes. Of
// several at a time only the first is there; under the sanitizers, which watch for the same, none: make() gives null.
class EndWatch {
   public:
    static Result<std::unique_ptr<EndWatch>> make(std::string const& directory, std::string const& version, std::string const& revision,
                                                  Clock& clock);
    ~EndWatch();
    EndWatch(EndWatch const&) = delete;

   private:
    explicit EndWatch(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// Takes the dumps of processes that have gone: their reports, without ids and with symbols where this is the same build.
std::vector<FailureReport> take_dumps(log::Disk& disk, std::string const& directory);
FailureReport report_of_dump(std::string_view dump);

}  // namespace gantry::runtime
