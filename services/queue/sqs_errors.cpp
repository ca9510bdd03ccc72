// What our problems are called in SQS.
#include <algorithm>

#include "services/queue/sqs_wire.h"

namespace gantry::queue::sqs {
namespace {

struct Row {
    std::string_view problem;
    Named named;
};
constexpr Row rows[] = {
    {"queue_not_found", {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}},
    {"sqs_queue_exists", {"QueueAlreadyExists", "QueueNameExists"}},
    {"sqs_action_unknown", {"InvalidAction", "UnknownOperationException"}},
    {"sqs_address_invalid", {"InvalidAddress", "InvalidAddress", 404}},
    {"sqs_parameter_missing", {"MissingParameter", "MissingRequiredParameterException"}},
    {"sqs_parameter_invalid", {"InvalidParameterValue", "InvalidParameterValueException"}},
    {"sqs_request_malformed", {"MalformedInput", "SerializationException"}},
    {"sqs_attribute_unknown", {"InvalidAttributeName", "InvalidAttributeName"}},
    {"sqs_attribute_invalid", {"InvalidAttributeValue", "InvalidAttributeValue"}},
    {"sqs_message_invalid", {"InvalidMessageContents", "InvalidMessageContents"}},
    {"sqs_unsupported", {"AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation"}},
    {"sqs_batch_empty", {"AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest"}},
    {"sqs_batch_too_many", {"AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest"}},
    {"sqs_batch_ids_same", {"AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct"}},
    {"sqs_batch_id_invalid", {"AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryId"}},
    {"sqs_batch_too_long", {"AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong"}},
    {"sqs_not_in_flight", {"AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight"}},
    {"sqs_purge_goes_on", {"AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress", 403}},
    {"sqs_move_not_found", {"ResourceNotFoundException", "ResourceNotFoundException", 404}},
    {"lease_invalid", {"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"}},
    {"credentials_missing", {"MissingAuthenticationToken", "MissingAuthenticationTokenException", 403}},
    {"aws_signature_missing", {"MissingAuthenticationToken", "MissingAuthenticationTokenException", 403}},
    {"aws_signature_malformed", {"IncompleteSignature", "IncompleteSignatureException"}},
    {"aws_signature_wrong", {"SignatureDoesNotMatch", "SignatureDoesNotMatch", 403}},
    {"aws_payload_wrong", {"SignatureDoesNotMatch", "SignatureDoesNotMatch", 403}},
    {"aws_signature_expired", {"RequestExpired", "RequestExpired", 403}},
};

}  // namespace

Named named(Problem const& problem) {
    auto const found = std::ranges::find(rows, std::string_view(problem.code), &Row::problem);
    if (found != std::end(rows)) return found->named;
    switch (problem.status) {
        case 401:
        case 403: return {"AccessDenied", "AccessDeniedException", 403};
        case 429: return {"RequestThrottled", "RequestThrottled", 429};
        case 503:
        case 504:
        case 507: return {"ServiceUnavailable", "ServiceUnavailable", 503};
        default: break;
    }
    if (problem.status >= 500) return {"InternalFailure", "InternalFailure", 500};
    return {"InvalidParameterValue", "InvalidParameterValueException", 400};
}

}  // namespace gantry::queue::sqs
