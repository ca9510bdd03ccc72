#pragma once
#include "services/queue/sqs.h"

// The attributes of a queue, as the settings and counts of ours.
namespace gantry::queue::sqs {

// What a queue that SQS makes begins with: 30 s of visibility, and no end of attempts.
QueueSettings new_settings();
// 400 "sqs_attribute_unknown", "sqs_attribute_invalid"; 400 "sqs_unsupported" for what SQS has and we don't.
Result<void> set_attributes(State const& s, std::string_view queue, std::map<std::string, std::string> const& attributes,
                            QueueSettings& settings);
// Those that were asked for, by their names; "All".
Result<std::vector<Out>> shown_attributes(QueueRow const& queue, Call const& call);
Result<void> set_labels(std::map<std::string, std::string> const& tags, QueueSettings& settings);

}  // namespace gantry::queue::sqs
