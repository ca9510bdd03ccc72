// Any bytes as the headers that observe reads: traceparent, sentry-trace, tracestate, Accept, Retry-After. What is read is written back
// as the same, and nothing is written beyond its limit.
#include <cstdint>
#include <string>

#include "kernel/base/assert.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/observe/otlp_queue.h"
#include "kernel/observe/trace_context.h"

using namespace gantry;
using namespace gantry::observe;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    for (auto const& read : {parse_traceparent(text), parse_sentry_trace(text)}) {
        if (!read) continue;
        GANTRY_ASSERT(read->trace && read->span, "ids aren't zero");
        auto const written = format_traceparent(*read);
        GANTRY_ASSERT(parse_traceparent({written.data(), written.size()}) == read, "what was read is written");
    }
    auto const state = TraceState::parse(text);
    std::array<char, TraceState::size_max> out, again;
    auto const written = state.format("gantry", "1", out);
    auto const reread = TraceState::parse(written);
    GANTRY_ASSERT(reread.size() >= 1 && reread.size() <= TraceState::members_max && reread.value_of("gantry") == "1", "ours is in it");
    GANTRY_ASSERT(reread.format("gantry", "1", again) == written, "written again it is the same");
    (void)choose_metrics_format(text);
    if (auto const wait = parse_retry_after(text, Time{1'700'000'000'000'000})) GANTRY_ASSERT(wait->us >= 0, "nobody waits backwards");
    return 0;
}
