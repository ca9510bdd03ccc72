#pragma once
#include "kernel/service.h"

// By which key a Sentry client reports, and into which project.
namespace gantry::oops {

struct SentryCaller {
    std::string key;      // \w+
    std::string client;   // "sentry.python/1.9.10", as it calls itself
    std::string project;  // of the DSN in the envelope; empty without one
};

// What may show the key: the URL's query (`sentry_key=…`), the header X-Sentry-Auth (`Sentry sentry_key=…, …`; Authorization may carry the
// same), and the `dsn` of the envelope. Any one will do; two that differ are refused. Problems: 403 "sentry_key_missing",
// "sentry_key_invalid", "sentry_key_mismatch"; 400 "sentry_dsn_invalid".
Result<SentryCaller> sentry_caller(std::string_view query, std::string_view auth_header, std::string_view dsn);

// scheme://key[:secret]@host[:port][/path]/project
struct Dsn {
    std::string key, host, project;
};
Result<Dsn> parse_dsn(std::string_view text);

}  // namespace gantry::oops
