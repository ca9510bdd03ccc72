#pragma once
#include "services/oops/bson.h"

// OOPS reports as text, as they were written before BSON: headers; a blank line; request variables; a blank line; the timeline; a blank
// line; the traceback.
//     Oops-Id: OOPS-744A12
//     Exception-Type: NotFound
//     …
//
//     HTTP_HOST=launchpad.example
//
//     00001-00013@SQL-main SELECT 1
//
//     Traceback (most recent call last):
namespace gantry::oops {

// The report as the dictionary that BSON would hold. Problems: 400 "oops_text_invalid" naming the line.
Result<Bson> read_rfc822(std::string_view text);

// What the format has no place for (other keys, tracebacks of single statements) is lost; `lost` names it.
std::string write_rfc822(Bson const& report, std::vector<std::string>* lost = nullptr);

}  // namespace gantry::oops
