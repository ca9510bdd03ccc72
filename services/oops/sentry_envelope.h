#pragma once
#include "kernel/service.h"

// The framing that Sentry's clients send: a line of JSON about the envelope, then for each item a line of JSON about it and its payload.
//     {"event_id":"…","sent_at":"…","dsn":"…"}\n
//     {"type":"event","length":41}\n<41 bytes>\n
//     {"type":"session"}\n<up to the next line feed, or the end>\n
// Without `length` a payload ends at the next line feed; with it, at that byte, where a line feed or the end must follow.
namespace gantry::oops {

struct EnvelopeItem {
    std::string type;
    std::string_view payload;
    std::string filename;
    std::string content_type;
    std::string attachment_type;
    std::size_t item_count = 0;  // as its header says; 0: it doesn't
};

struct Envelope {
    std::string event_id;  // 32 hex digits, or empty
    std::string dsn;
    std::string sdk;  // "sentry.python/1.9.10"
    std::optional<Time> sent_at;
    std::vector<EnvelopeItem> items;
};

struct EnvelopeLimits {
    std::size_t header_bytes_max = 64 * 1024;
    std::size_t items_max = 200;
    std::size_t sessions_max = 100;
    std::size_t event_bytes_max = 1 << 20;  // events, feedback, transactions and all others that aren't named here
    std::size_t check_in_bytes_max = 100 * 1024;
    std::size_t attachment_bytes_max = 100 << 20;  // and replays, profiles, dumps
};

// Views point into `body`. Problems: 400 "envelope_invalid" naming the item ("item 3: …"), 413 "envelope_too_large" naming what exceeds
// which limit.
Result<Envelope> split_envelope(std::string_view body, EnvelopeLimits const& limits = {});

// "2026-11-21T22:54:22.775Z", the same without a zone (then UTC, as old clients mean it), or seconds since 1970 as a number.
std::optional<Time> sentry_time(codec::JsonValue value);
// The 32 hex digits of an id that may have dashes, in small letters; empty when it isn't one.
std::string sentry_id(std::string_view text);

}  // namespace gantry::oops
