#include "kernel/log/log.h"

namespace gantry::log {

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
