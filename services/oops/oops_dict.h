#pragma once
#include "services/oops/bson.h"
#include "services/oops/builder.h"

// OOPS reports: the dictionary of the ancestors, as BSON or as text, to a Report and back.
namespace gantry::oops {

// BSON first, text else; already unpacked. No bytes at all are an empty report. A report without an id, or with one that is none, gets that
// of its content. Problems: those of read_bson and read_rfc822; 400 "oops_invalid" naming the path and what would be right there
// ("timeline/3: expected a list of 4 or 5, found text").
Result<Report> read_oops(std::string_view bytes, ReadOptions const& options);

// The dictionary's members that OOPS names (id, type, value, tb_text, time, duration, reporter, topic, url, username, req_vars, timeline,
// branch_nick, revno, hostname, informational, HTTP_STATUS) go to their fields; others to `extra`, as Extended JSON.
Result<Report> report_of_oops(Bson const& report, ReadOptions const& options);

// The way back. What OOPS has no name for goes as JSON into the member "gantry", which report_of_oops takes first: a Report that is written
// and read again is the same. `ancestors`: only what the ancestors' tools know is written.
enum class OopsForm : std::uint8_t { whole, ancestors };
Bson oops_of_report(Report const& report, OopsForm form = OopsForm::whole);

}  // namespace gantry::oops
