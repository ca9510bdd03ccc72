#pragma once
#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/http/gantry/client.h"

// The client for use inside Gantry: the public one, with errors as Problems.
namespace gantry::http {

namespace client = gantry::client;

// The reply whatever its status, or the Problem when none came: 502 connect_failed, 504 timeout, 502 tls_failed, 502 protocol_error,
// 502 body_too_large, 499 aborted, 400 invalid_request. `deadline` is the whole time that the call may take.
Result<client::Reply> request(client::Session& session, client::Request request, Duration deadline);

}  // namespace gantry::http
