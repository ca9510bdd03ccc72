#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/time.h"
#include "kernel/codec/json.h"
#include "kernel/observe/symbols.h"

// One report, as it lies in the spool and as `gantry replay` reads it. Whatever has no meaning for a kind of failure is empty.
namespace gantry::runtime {

struct ReportedHeader {
    std::string name, value;  // "[masked]": it may be a credential
};
RECORD(ReportedHeader, name, value);
struct ReportedRequest {
    std::string method, path, query;  // values of the query that may be secrets are "[masked]"
    std::vector<ReportedHeader> headers;
    std::string scheme, host;
};
RECORD(ReportedRequest, method, path, query, headers, scheme, host);

// With whose rights, as the decision saw them.
struct ReportedCaller {
    std::string id;
    bool sees_all = false, operates = false, anonymous = false;
    std::vector<std::string> teams, scopes;
};
RECORD(ReportedCaller, id, sees_all, operates, anonymous, teams, scopes);

// Spans of the request, and calls to elsewhere (`client`), from its beginning.
struct ReportedSpan {
    std::int64_t start_us = 0, end_us = 0;  // of one that was open still: the moment of the failure
    std::string kind, name, detail;
};
RECORD(ReportedSpan, start_us, end_us, kind, name, detail);

struct ReportedException {
    std::string type, message;
};
RECORD(ReportedException, type, message);

// What the decision was given besides the state, so that it can be given it again.
struct SeenByDecision {
    Time now{};
    std::string position;            // of the newest event in its state
    std::vector<std::string> drawn;  // random numbers, as 16 hexadecimal digits each, in their order: fresh ids come of them
    std::uint64_t drawn_total = 0;   // more than those: only the first are kept
    std::optional<bool> may_wait;    // of a command that may answer that it waits
};
RECORD(SeenByDecision, now, position, drawn, drawn_total, may_wait);

struct FailureReport {
    static constexpr bool has_defaults = true;
    std::string id, version, revision, build_id, instance;
    Time at{};
    std::string kind;  // request, timer, effect, follower, task, end
    std::string site, service, route, request_id, trace_id;
    ReportedCaller caller;
    int status = 500;
    std::string code, detail, cause;
    std::optional<ReportedException> exception;
    std::string stack_of;                    // "throw": of where the exception came from; "report": of where this was filed
    std::vector<observe::StackFrame> stack;  // the innermost call first
    std::optional<SeenByDecision> seen;
    ReportedRequest request;
    std::optional<codec::RawJson> input;
    std::vector<std::string> masked;  // JSON pointers into the input
    std::vector<ReportedSpan> timeline;
    std::map<std::string, std::string> flags;
    std::uint64_t dropped_before = 0;  // failures since the report before this one that got none: too many a minute
};
RECORD(FailureReport, id, version, revision, build_id, instance, at, kind, site, service, route, request_id, trace_id, caller, status, code,
       detail, cause, exception, stack_of, stack, seen, request, input, masked, timeline, flags, dropped_before);

}  // namespace gantry::runtime
