#include "kernel/log/log.h"

#include <fmt/format.h>

namespace gantry::log {

// Asked after the reader was made: what was still there then, it reads or says that it was cut.
Result<std::unique_ptr<Log::Reader>> Log::read_on(Position after) const {
    TRY_ASSIGN(auto reader, read(after));
    if (auto const begin = status().begin; after + 1 < begin)
        return fail(410, "position_gone", fmt::format("Position {} was dropped; the log begins at {}.", after + 1, begin));
    return reader;
}

Result<void> Log::scan_runs(Position after, RunVisitor const& visit) const {
    TRY_ASSIGN(auto reader, read(after));
    for (;;) {
        TRY_ASSIGN(auto run, reader->next());
        if (run.empty() || !visit(run)) return {};
    }
}

Result<void> Log::scan(Position after, Visitor const& visit) const {
    return scan_runs(after, [&](std::span<BatchView const> run) {
        for (auto const& batch : run)
            if (!visit(batch)) return false;
        return true;
    });
}

}  // namespace gantry::log
