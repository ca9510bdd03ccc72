#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/observe/access_log.h"
#include "kernel/observe/log_line.h"

// How lines look. Whatever bytes come in, a line is one line of valid UTF-8 (ASCII in the combined form) without control characters.
namespace gantry::observe {

struct LogEntry {
    Time time;
    Level level = Level::info;
    std::string_view module, message;
    std::span<LogField const> fields;
};

enum class AccessFormat { json, logfmt, combined };  // combined: NCSA's, as Apache's and nginx's "combined"

// "2026-01-31T12:00:00.000001Z", always with six decimals, so that lines stand in columns and sort as text.
class Stamps {
   public:
    void append(std::string& out, Time t) { out.append(of(t)); }
    std::string_view of(Time t);  // until the next call
    // "31/Jan/2026:12:00:00 +0000"
    void append_ncsa(std::string& out, Time t);

   private:
    std::int64_t second_ = INT64_MIN;
    std::array<char, 27> text_;
    std::int64_t ncsa_second_ = INT64_MIN;
    std::string ncsa_;
};

void append_json_line(std::string& out, LogEntry const& entry, Stamps& stamps);
void append_logfmt_line(std::string& out, LogEntry const& entry, Stamps& stamps);
// The message, then the fields as logfmt has them; no newline.
void append_message_and_fields(std::string& out, LogEntry const& entry);
void append_access_line(std::string& out, AccessRecord const& record, AccessFormat format, Stamps& stamps, std::string& scratch);

// An access record as a log line has it: "GET /x 200" of module "access". `all`: with what the message says, too.
enum class AccessFields { all, unsaid };
class AccessAsEntry {
   public:
    AccessAsEntry(AccessRecord const& record, AccessFields which);
    LogEntry const& entry() const { return entry_; }

   private:
    std::string message_, target_;
    std::vector<LogField> fields_;
    LogEntry entry_;
};

// A text in JSON's quotes: bytes that are no UTF-8 go as '?', control characters (U+0080 to U+009F and DEL too) as escapes.
void append_quoted(std::string& out, std::string_view text);
// Without quotes, a control character as a blank.
void append_printable(std::string& out, std::string_view text);
// The text of any field: no quotes.
void append_plain(std::string& out, LogField::Value const& value);

}  // namespace gantry::observe
