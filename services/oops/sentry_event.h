#pragma once
#include "services/oops/builder.h"

// An event of Sentry's protocol 7: the payload of an envelope's `event` item, of a `feedback` item, and the whole body of the older
// /store/ endpoint.
namespace gantry::oops {

// Takes what real clients send: lists as lists or as {"values": […]}, tags as an object or as pairs, times as numbers or texts. What has no
// field in a Report goes to `extra` under its own name. Problem 400 "event_invalid" names the place and what would be right there
// ("exception/values/0/stacktrace/frames: expected a list, found text"), or "body_not_json".
// An event without event_id gets `fallback_id` (the envelope's).
Result<Report> read_sentry_event(std::string_view json, ReadOptions const& options, std::string_view fallback_id = {});
Result<Report> read_sentry_event(codec::JsonValue event, ReadOptions const& options, std::string_view fallback_id = {});

// The older `user_report` item: {event_id, name, email, comments}.
Result<Report> read_user_report(std::string_view json, ReadOptions const& options);

// A browser's report of a violated content security policy: {"csp-report": {…}}, or one of the Reporting API ({"type": "csp-violation",
// "body": {…}}).
Result<Report> read_csp_report(std::string_view json, ReadOptions const& options);

}  // namespace gantry::oops
