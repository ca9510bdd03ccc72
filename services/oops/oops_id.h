#pragma once
#include "kernel/service.h"

// Ids of OOPS reports: by content today ("OOPS-" + MD5 of the BSON), by day, place and number in older ones.
namespace gantry::oops {

// "OOPS-" + 32 hex digits: of the report as BSON, without its `id` when that isn't to count (as publishers over a queue did).
std::string content_id(std::string_view bson);

// [YYYY-MM-DD/][OOPS-]<day digits><prefix letters><number>[,], as "2008-01-13/OOPS-744A12", "OOPS-1X1" or "1X1,".
struct LegacyId {
    std::string date;    // "2008-01-13", or empty
    std::string day;     // digits: days since 2006-01-01, from 1; or empty, where the prefix starts the id
    std::string prefix;  // letters, digits or '-' between; names an instance of a program
    std::string id;      // a number, or behind a 'Z' a UUID: "prefixZuuid"
    bool operator==(LegacyId const&) const = default;
};
std::optional<LegacyId> parse_legacy_id(std::string_view text);
std::string to_string(LegacyId const& id);

// The id by which a report is looked up, of what a person typed: in any of these forms or an SDK's 32 hex digits, without the date, with
// "OOPS-" where it belongs, without a trailing comma. Nothing when it is none.
std::optional<std::string> lookup_id(std::string_view typed);

// Each id that stands in a text ("see OOPS-1X1, and https://…/OOPS-<md5>"), in order and once.
std::vector<std::string> ids_in(std::string_view text);

}  // namespace gantry::oops
