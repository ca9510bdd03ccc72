#pragma once
#include "services/oops/report.h"

// What a report is, and its figures, as the daily summary counts them.
namespace gantry::oops {

enum class ReportClass : std::uint8_t {
    exception,
    timeout,
    soft_timeout,
    not_found,
    unauthorised,
    user_generated,
    remote_error,
    remote_warning,
    informational,
    message,
    csp,
    feedback,
};
ENUM(ReportClass, exception, timeout, soft_timeout, not_found, unauthorised, user_generated, remote_error, remote_warning, informational,
     message, csp, feedback);

// The kind that the reporter told, where that is no plain error; else by the type of the outermost exception and by the HTTP status.
ReportClass classify(Report const& report);

// By the names that crawlers, link checkers and monitors give themselves; `more` are parts of further names, in small letters.
bool is_robot(std::string_view user_agent, std::span<std::string const> more = {});
// Whether the page that led here is of the same site: of a page not found that is our own broken link.
bool has_local_referrer(Report const& report);

struct RepeatedStatement {
    std::string statement;  // normal
    std::uint32_t count = 0;
    std::int64_t total_ms = 0;
    std::int64_t saving_ms = 0;  // had it run once, in its mean time
};
struct ReportFacts {
    ReportClass what = ReportClass::exception;
    bool robot = false, local_referrer = false;
    std::int64_t total_ms = 0;
    bool total_is_estimate = false;  // of the last row of the timeline, for no duration was told
    std::uint32_t statements = 0;    // of SQL
    std::int64_t sql_ms = 0;
    std::string costliest_statement;          // normal, at most 200 characters
    std::vector<RepeatedStatement> repeated;  // the costliest first, at most 10
};
ReportFacts facts_of(Report const& report, std::span<std::string const> more_robots = {});

}  // namespace gantry::oops
