#pragma once
#include <string>
#include <string_view>

#include "kernel/observe/trace_store.h"

// Traces as an OTLP/HTTP receiver takes them (`POST /v1/traces`, content type application/json), in the JSON mapping that the OTLP
// specification describes: lowerCamelCase names, ids in hex, enums as integers, 64-bit numbers as text.
namespace gantry::observe {

struct OtlpResource {
    std::string service_name = "gantry";
    std::string service_version;
    std::string host_name;         // "": not told
    std::string service_instance;  // "": not told
};

// The Span objects of one trace, with commas between them. The root carries what is known of the request.
void append_otlp_spans(std::string& out, KeptTrace const& trace);
// What stands around the spans of one request body: head, spans with commas between them, tail.
std::string otlp_head(OtlpResource const& resource);
inline constexpr std::string_view otlp_tail = "]}]}]}";

}  // namespace gantry::observe
