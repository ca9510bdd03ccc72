#pragma once
#include "kernel/service.h"

// A report of something that went wrong, whoever told it and in whichever format: what every reader of this folder makes, what is
// recorded as the payload of an event, and what is grouped, searched and shown. Every text and list has a limit; what a reader cut off is
// counted in `cut`, and what it hid for being a secret in `hidden`.
namespace gantry::oops {

// As it was shown to whoever met the failure: "OOPS-" + 32 hex digits, an older "OOPS-123AB4", or the 32 hex digits of an SDK.
using ReportId = Id<"">;
using Name = Text<0, 200>;     // words of a small vocabulary: an environment, a tag's key, a type of exception
using Phrase = Text<0, 1000>;  // one line: a topic, a release, a file
using Long = Text<0, 8192>;    // a message, a value, a statement

// What a report is about, as its teller said; classify() may judge otherwise.
enum class ReportKind : std::uint8_t {
    error,
    timeout,
    soft_timeout,
    not_found,
    unauthorised,
    user_generated,  // asked for by hand, while all went well
    remote_error,
    remote_warning,
    informational,
    message,
    csp,
    feedback,
};
ENUM(ReportKind, error, timeout, soft_timeout, not_found, unauthorised, user_generated, remote_error, remote_warning, informational,
     message, csp, feedback);
enum class Level : std::uint8_t { debug, info, warning, error, fatal };
ENUM(Level, debug, info, warning, error, fatal);

struct Named {
    Name name;
    Long value;
    static constexpr bool has_defaults = true;
    bool operator==(Named const&) const = default;
};
RECORD(Named, name, value);
struct Tag {
    Name key;
    Phrase value;
    static constexpr bool has_defaults = true;
    bool operator==(Tag const&) const = default;
};
RECORD(Tag, key, value);

// One call on a stack. Lines and columns count from 1; 0: not known. A source map keeps the place that it was asked for in `generated`.
struct Frame {
    Phrase module;  // or package
    Phrase function;
    Phrase file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    Phrase context_line;
    std::vector<Phrase> lines_before, lines_after;
    std::optional<bool> in_app;  // false: of a library
    std::vector<Named> variables;
    Name debug_id;     // of the generated file, by which its source map is found
    Phrase generated;  // "app.min.js:1:2345"
    static constexpr bool has_defaults = true;
    bool operator==(Frame const&) const = default;
};
RECORD(Frame, module, function, file, line, column, context_line, lines_before, lines_after, in_app, variables, debug_id, generated);

struct Mechanism {
    Name type;
    std::optional<bool> handled;
    static constexpr bool has_defaults = true;
    bool operator==(Mechanism const&) const = default;
};
RECORD(Mechanism, type, handled);

// Frames run from the outermost call to the one that raised.
struct Exception {
    Name type;
    Long value;
    Phrase module;
    std::optional<Mechanism> mechanism;
    std::vector<Frame> frames;
    static constexpr bool has_defaults = true;
    bool operator==(Exception const&) const = default;
};
RECORD(Exception, type, value, module, mechanism, frames);

// An action of the failed request, in milliseconds from its start.
struct TimelineRow {
    std::int64_t start_ms = 0;
    std::int64_t end_ms = 0;
    Name category;  // "SQL-main", "http"
    Long detail;
    std::optional<Long> traceback;
    static constexpr bool has_defaults = true;
    bool operator==(TimelineRow const&) const = default;
};
RECORD(TimelineRow, start_ms, end_ms, category, detail, traceback);

struct Breadcrumb {
    std::optional<Time> at;
    Name type;
    Name category;
    Level level = Level::info;
    Long message;
    std::optional<codec::RawJson> data;
    static constexpr bool has_defaults = true;
    bool operator==(Breadcrumb const&) const = default;
};
RECORD(Breadcrumb, at, type, category, level, message, data);

// Whoever was served. Sealed as a whole under its subject's key, so that erasing the subject forgets name, mail and address at once.
struct ReportUser {
    Name id;
    Name name;
    Name email;
    Name ip;
    std::optional<codec::RawJson> other;
    static constexpr bool has_defaults = true;
    bool operator==(ReportUser const&) const = default;
};
RECORD(ReportUser, id, name, email, ip, other);

// Up to where the failed request had seen a service's log: replaying starts there.
struct SeenPosition {
    Name service;
    Name position;  // as the public sees it: "<incarnation>.<position>"
    static constexpr bool has_defaults = true;
    bool operator==(SeenPosition const&) const = default;
};
RECORD(SeenPosition, service, position);

// A violation of a content security policy, as browsers tell it.
struct CspViolation {
    Name directive;
    Phrase blocked;
    Phrase document;
    Phrase source;
    static constexpr bool has_defaults = true;
    bool operator==(CspViolation const&) const = default;
};
RECORD(CspViolation, directive, blocked, document, source);

// What didn't fit: `at` names the field ("message", "exceptions/0/frames"), `left_out` counts what is missing of it.
enum class CutUnit : std::uint8_t { characters, items, bytes };
ENUM(CutUnit, characters, items, bytes);
struct Cut {
    Name at;
    std::uint64_t left_out = 0;
    CutUnit unit = CutUnit::characters;
    bool operator==(Cut const&) const = default;
};
RECORD(Cut, at, left_out, unit);

struct Report {
    ReportId id;
    ReportKind kind = ReportKind::error;
    Level level = Level::error;
    Time received_at;
    std::optional<Time> told_at;        // by the reporter's clock
    std::vector<Exception> exceptions;  // the cause first, the outermost last
    std::vector<Frame> stack;           // of the reporting thread, where no exception has one
    Text<0, 65536> traceback;           // as text, where it came as text
    Long message;
    Long message_template;          // with its placeholders: "user %s not found"
    std::vector<Name> fingerprint;  // as the client wants it grouped; may hold "{{ default }}"
    Phrase topic;                   // page id, transaction or culprit
    Text<0, 4096> url;
    Name method;
    Text<0, 4096> referrer;
    Phrase user_agent;
    std::optional<Personal<ReportUser>> user;
    Phrase release;
    Name dist;
    Name environment;
    Name hostname;
    Name reporter;  // the instance of a program
    Name platform;  // "python", "javascript", "native"
    Name logger;
    Name sdk;  // "sentry.python/1.9.10"
    Name branch;
    Name revision;
    std::vector<Tag> tags;
    std::vector<TimelineRow> timeline;
    std::vector<Breadcrumb> breadcrumbs;
    std::optional<double> duration_ms;
    std::optional<std::uint16_t> status;  // of HTTP
    Name trace_id;
    Name span_id;
    Name request_id;
    std::vector<SeenPosition> positions;
    std::vector<Named> variables;  // of the request
    std::vector<Named> flags;      // features that were on, and their values
    std::vector<Named> modules;    // libraries and their versions
    std::optional<Frame> template_frame;
    std::optional<CspViolation> csp;
    std::optional<codec::RawJson> extra;  // an object of all that has no field here
    std::vector<Cut> cut;
    std::uint32_t hidden = 0;  // values that the filter of secrets replaced by "<hidden>"
    bool operator==(Report const&) const = default;
};
RECORD(Report, id, kind, level, received_at, told_at, exceptions, stack, traceback, message, message_template, fingerprint, topic, url,
       method, referrer, user_agent, user, release, dist, environment, hostname, reporter, platform, logger, sdk, branch, revision, tags,
       timeline, breadcrumbs, duration_ms, status, trace_id, span_id, request_id, positions, variables, flags, modules, template_frame, csp,
       extra, cut, hidden);
static_assert(codec::Storable<Report>);

// Lengths of lists; a reader keeps the part that tells most and counts the rest.
struct ReportLimits {
    std::size_t exceptions_max = 50;  // the first and the last
    std::size_t frames_max = 250;     // of one stack: the outermost and the innermost
    std::size_t lines_max = 10;       // around a frame, each way
    std::size_t frame_variables_max = 50;
    std::size_t tags_max = 200;
    std::size_t timeline_max = 1000;    // the first
    std::size_t breadcrumbs_max = 100;  // the last
    std::size_t variables_max = 500;
    std::size_t flags_max = 500;
    std::size_t modules_max = 1000;
    std::size_t fingerprint_max = 50;
    std::size_t raw_bytes_max = 65536;  // of `extra`, of a breadcrumb's data
};

}  // namespace gantry::oops
