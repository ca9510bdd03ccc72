#pragma once
#include "services/queue/facts.h"
#include "services/queue/sqs_wire.h"

// The attributes of a message, as headers of the task: name and value; how they are typed, where that isn't "String", says the header
// "sqs-types" (JSON). A header that somebody else put is an attribute of type String.
namespace gantry::queue::sqs {

using Headers = std::map<std::string, Text<0, 2000>>;

std::string md5_hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
// As SDKs compute it over what they sent or were given. The values must be good (headers_of, attributes_of).
std::string md5_of(AttributeValues const& attributes);

// 400 "sqs_parameter_invalid". `system`: AWSTraceHeader alone.
Result<Headers> headers_of(AttributeValues const& attributes, AttributeValues const& system);
// Those of them that were asked for: "All", ".*", a name, or "begin.*".
AttributeValues attributes_of(Headers const& headers, std::vector<std::string> const& wanted);
std::optional<std::string> trace_header(Headers const& headers);
std::vector<Out> shown(AttributeValues const& attributes);

}  // namespace gantry::queue::sqs
