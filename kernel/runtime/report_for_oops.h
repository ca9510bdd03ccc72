#pragma once
#include <string>

#include "kernel/runtime/failure_report.h"

namespace gantry::runtime {

// A report as the service `oops` takes it (POST /oops/api/{project}/report): grouped there by its exception and the frames of Gantry's own
// code, or by service, route and code. The whole of it, but for what would be too long, lies in `extra.gantry_report`, for `gantry replay`.
std::string oops_json_of(FailureReport const& report);

// The report that lies in one of oops, as GET /oops/v1/reports/{id} tells it. 404 "report_of_others" where it holds none.
Result<FailureReport> report_in_oops(std::string_view json);

}  // namespace gantry::runtime
