#include "app/rehearsal/protocol.h"

namespace gantry::app::rehearsal {

Trouble trouble_of(Problem const& problem) {
    Trouble out{problem.status, problem.code, problem.detail, problem.cause};
    for (auto const& fault : problem.faults) out.detail += "; " + fault.pointer + ": " + fault.detail;
    return out;
}

Problem problem_of(Trouble const& trouble) { return {trouble.status, trouble.code, trouble.detail, {}, trouble.cause}; }

}  // namespace gantry::app::rehearsal
