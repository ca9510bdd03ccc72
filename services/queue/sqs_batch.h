#pragma once
#include "services/queue/sqs.h"

// What messages come in, and many of them at once.
namespace gantry::queue::sqs {

// A message or a handle that a request says by itself, not in a batch.
Entry entry_of(Input const& in);

// 400 "sqs_batch_empty", "sqs_batch_too_many", "sqs_batch_id_invalid", "sqs_batch_ids_same", "sqs_batch_too_long".
Result<void> check_entries(std::vector<Entry> const& entries);
// What was wrong with one of them.
Out failed_entry(Entry const& entry, Problem const& problem);

// Each entry is done, or told what was wrong with it.
template <class One>
Result<std::vector<Out>> each_of(Call const& call, std::string_view element, One&& one) {
    TRY_VOID(check_entries(call.in.Entries));
    std::vector<Out> done, failed;
    for (auto const& entry : call.in.Entries) {
        Result<std::vector<Out>> said = one(entry);
        if (said) {
            said->insert(said->begin(), text("Id", entry.Id));
            done.push_back(object({}, std::move(*said)));
            continue;
        }
        failed.push_back(failed_entry(entry, said.error()));
    }
    std::vector<Out> out{list("Successful", element, std::move(done))};
    if (!failed.empty()) out.push_back(list("Failed", "BatchResultErrorEntry", std::move(failed)));
    return out;
}

}  // namespace gantry::queue::sqs
