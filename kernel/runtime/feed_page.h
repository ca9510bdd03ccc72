#pragma once
#include <functional>
#include <string>

#include "kernel/runtime/feed.h"

namespace gantry::runtime {

// A page of a service's feed (JSON, as over HTTP) for who is in the same process: it reads, and waits for an event up to input.wait, on
// this thread, until `stopping`. A page ends early at a few MiB of events, and is not complete then. What is personal is masked: whoever
// copies it elsewhere would keep it from an erasure. Problems as over HTTP.
Result<std::string> feed_page(Host& host, Viewer const& viewer, FeedInput const& input, std::function<bool()> const& stopping);

}  // namespace gantry::runtime
