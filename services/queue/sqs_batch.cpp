#include "services/queue/sqs_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gantry::queue::sqs {
namespace {

constexpr std::size_t entries_max = 10, id_bytes_max = 80;

}  // namespace

Entry entry_of(Input const& in) {
    return {.MessageBody = in.MessageBody,
            .MessageGroupId = in.MessageGroupId,
            .MessageDeduplicationId = in.MessageDeduplicationId,
            .ReceiptHandle = in.ReceiptHandle,
            .DelaySeconds = in.DelaySeconds,
            .VisibilityTimeout = in.VisibilityTimeout,
            .MessageAttributes = in.MessageAttributes,
            .MessageSystemAttributes = in.MessageSystemAttributes};
}

Result<void> check_entries(std::vector<Entry> const& entries) {
    if (entries.empty()) return fail(400, "sqs_batch_empty", "There should be at least one entry in the request.");
    if (entries.size() > entries_max)
        return fail(400, "sqs_batch_too_many",
                    fmt::format("Maximum number of entries per request are {}. You have sent {}.", entries_max, entries.size()));
    std::set<std::string_view> ids;
    std::size_t bytes = 0;
    for (auto const& entry : entries) {
        bool const plain = std::ranges::all_of(entry.Id, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        });
        if (entry.Id.empty() || entry.Id.size() > id_bytes_max || !plain)
            return fail(
                400, "sqs_batch_id_invalid",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.");
        if (!ids.insert(entry.Id).second) return fail(400, "sqs_batch_ids_same", fmt::format("Id {} repeated.", entry.Id));
        bytes += entry.MessageBody ? entry.MessageBody->size() : 0;
    }
    if (bytes > payload_bytes_limit)
        return fail(400, "sqs_batch_too_long",
                    fmt::format("Batch requests cannot be longer than {} bytes. You have sent {} bytes.", payload_bytes_limit, bytes));
    return {};
}

Out failed_entry(Entry const& entry, Problem const& problem) {
    auto const name = named(problem);
    return object({},
                  {text("Id", entry.Id), flag("SenderFault", name.status < 500), text("Code", name.code), text("Message", problem.detail)});
}

}  // namespace gantry::queue::sqs
