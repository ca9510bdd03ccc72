#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/observe/log_line.h"
#include "kernel/observe/log_queue.h"
#include "kernel/observe/log_syslog.h"

// From what an operator writes to the log of a process.
namespace gantry::observe {

// Where lines go:
//
//     stderr, stdout               text, in the format asked for
//     file:PATH                    the same; reopened on demand
//     syslog                       /dev/log, in the form of syslog(3)
//     syslog:unix:PATH             another socket, in that form
//     syslog:rfc5424:PATH          a unix datagram socket, in RFC 5424
//     syslog:udp:HOST:PORT         RFC 5424
//     syslog:tcp:HOST:PORT         RFC 5424 with octet counting
//     journald, journald:PATH      /run/systemd/journal/socket, or another; the native protocol
struct SinkPlan {
    enum class Kind : std::uint8_t {
        standard_error,
        standard_output,
        file,
        syslog_local,
        syslog_rfc5424,
        syslog_udp,
        syslog_tcp,
        journald
    };
    Kind kind = Kind::standard_error;
    std::string target = {};  // path, or HOST:PORT
    bool operator==(SinkPlan const&) const = default;
};
Result<SinkPlan> parse_sink(std::string_view text);

struct LogOptions {
    std::vector<std::string> sinks = {"stderr"};  // of log lines; none: nowhere
    std::vector<std::string> access_sinks = {};   // of access lines; none: where log lines go, and "none": nowhere
    std::string format = "auto";                  // json, logfmt; auto: logfmt on a terminal, else json
    std::string access_format = "auto";           // json, logfmt, combined; auto: as log lines
    std::string levels = "info";
    LogIdentity identity = {};
    LogQueueOptions queue = {};
};

// The log of a process: outputs, queue and logger. Until set_pumped(true) each line is written at once.
class ProcessLog {
   public:
    // Opens what the options name; a fault says which and why. The clock outlives it.
    static Result<std::unique_ptr<ProcessLog>> open(Clock const& clock, LogOptions const& options);
    ~ProcessLog();  // after finish()
    Logger& logger() { return *logger_; }
    LogQueue& queue() { return *queue_; }

   private:
    ProcessLog() = default;
    Result<LogOutput*> output_of(Clock const& clock, SinkPlan const& plan, LogOptions const& options);
    struct Opened {
        SinkPlan plan;
        std::unique_ptr<LogOutput> output;
    };
    std::vector<Opened> opened_;
    std::unique_ptr<LogQueue> queue_;
    std::unique_ptr<Logger> logger_;
};

}  // namespace gantry::observe
