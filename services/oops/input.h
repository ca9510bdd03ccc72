#pragma once
#include "services/oops/builder.h"

// Our own JSON: what a program without any client library sends. Everything may be absent; a report with a message alone is one.
namespace gantry::oops {

struct NewReport {
    std::string id;  // as it was shown already ("OOPS-…"); empty: the service gives one
    ReportKind kind = ReportKind::error;
    Level level = Level::error;
    std::optional<Time> at;  // by the reporter's clock
    Name type;               // of a single exception, without `exceptions`
    Long value;
    Text<0, 65536> traceback;  // of Python or JavaScript: its frames are read
    std::vector<Exception> exceptions;
    Long message;
    std::vector<Name> fingerprint;
    Phrase topic;
    Text<0, 4096> url;
    Name method;
    Text<0, 4096> referrer;
    Phrase user_agent;
    std::optional<ReportUser> user;
    Phrase release;
    Name environment;
    Name hostname;
    Name reporter;
    Name platform;
    Name logger;
    std::map<std::string, std::string> tags;
    std::vector<TimelineRow> timeline;
    std::vector<Breadcrumb> breadcrumbs;
    std::optional<double> duration_ms;
    std::optional<std::uint16_t> status;
    Name trace_id;
    Name request_id;
    std::vector<SeenPosition> positions;
    std::map<std::string, std::string> variables;
    std::map<std::string, std::string> flags;
    std::optional<codec::RawJson> extra;
    static constexpr bool has_defaults = true;
};
RECORD(NewReport, id, kind, level, at, type, value, traceback, exceptions, message, fingerprint, topic, url, method, referrer, user_agent,
       user, release, environment, hostname, reporter, platform, logger, tags, timeline, breadcrumbs, duration_ms, status, trace_id,
       request_id, positions, variables, flags, extra);

// Problems: 400 "report_invalid": an id that is none, extra that is no object.
Result<Report> report_of_input(NewReport const& told, ReadOptions const& options);

}  // namespace gantry::oops
