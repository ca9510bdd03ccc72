#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/observe/log_queue.h"
#include "kernel/observe/metrics.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/runtime/line_decl.h"

namespace gantry::runtime {

// What becomes of the commands of line protocols: counts and durations by command, and a record of each for the access log.
class LineBook {
   public:
    struct Protocol {
        std::string_view site, service;  // outlive the book
        LineDecl const* decl = nullptr;  // as does it
    };
    // `log`: null: no access log.
    LineBook(std::vector<Protocol> protocols, int threads, observe::LogQueue* log);

    struct Ended {
        LineCommandDecl const* command = nullptr;
        int status = 200;
        Time arrived{};
        std::int64_t duration_us = 0;
        std::uint64_t bytes = 0;  // of the answer
        std::string_view client, caller, request_id, trace_id;
        std::string_view refused = {};  // the code of a problem
    };
    // On its IO thread.
    void ended(int io_thread, std::size_t protocol, Ended const& ended);
    void write(observe::MetricsWriter& writer) const;  // gantry_line_commands_total, gantry_line_command_duration_seconds

   private:
    struct Row {
        std::size_t protocol;
        std::string_view command;
        std::string route;  // "beanstalkd put"
    };
    struct Cells {
        observe::LatencyCells latency;
        observe::StatusCells status;
    };
    std::vector<Protocol> protocols_;
    std::vector<std::size_t> first_row_;  // of each protocol
    std::vector<Row> rows_;
    observe::ThreadRows<Cells> cells_;
    std::vector<observe::AccessRing*> rings_;  // by IO thread
};

}  // namespace gantry::runtime
