#pragma once
#include "kernel/service.h"

// A task that another service of the site puts, by an effect of its own:
//
//     struct Wash { Str thing; };   RECORD(Wash, thing);                    // Effect<Wash> and EffectOutcome stand among its events
//     Result<queue::TaskPut> wash(Wash const& args, Outside& outside) {
//         return queue::enqueue({.queue = "wash", .payload = codec::to_json(args), .unique = args.thing.str()}, outside);
//     }
//     effect<Service>(&wash, &wash_put)                                     // wash_put is told the task's number, or why there is none
//
// The queue comes into being with its first task. An effect is done at least once, and the task is put once: its id goes along as
// Idempotency-Key, and what is `unique` is answered with the task of that key while one waits or runs, also by another effect.
namespace gantry::queue {

struct TaskToPut {
    std::string queue;
    std::string payload = "null";  // JSON
    std::string key = {}, group = {};
    std::vector<std::string> tags = {};
    std::string unique = {};  // derived from what the task is about; empty: each effect is a task
    std::int64_t delay_ms = 0;
    std::optional<std::uint32_t> priority = {};
};
struct TaskPut {
    std::string task;  // "t_17"
};
RECORD(TaskPut, task);

namespace detail {
struct UniqueSaid {
    std::string key, mode = "single_flight";
};
RECORD(UniqueSaid, key, mode);
struct TaskSaid {
    codec::RawJson payload;
    std::optional<std::string> key, group;
    std::optional<std::vector<std::string>> tags;
    std::optional<UniqueSaid> unique;
    std::int64_t delay_ms = 0;
    std::optional<std::uint32_t> priority;
};
RECORD(TaskSaid, payload, key, group, tags, unique, delay_ms, priority);

inline std::string path_segment(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF", plain = "-_.~";
    std::string out;
    for (char c : text)
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || plain.contains(c))
            out += c;
        else
            out.append("%").append(1, digits[static_cast<unsigned char>(c) >> 4]).append(1, digits[c & 15]);
    return out;
}
}  // namespace detail

// Problems are those of Outside::call: what is refused for good is not tried again.
inline Result<TaskPut> enqueue(TaskToPut const& task, Outside& outside) {
    detail::TaskSaid said{.payload = codec::RawJson{task.payload}};
    if (!task.key.empty()) said.key = task.key;
    if (!task.group.empty()) said.group = task.group;
    if (!task.tags.empty()) said.tags = task.tags;
    if (!task.unique.empty()) said.unique = detail::UniqueSaid{task.unique};
    said.delay_ms = task.delay_ms, said.priority = task.priority;
    client::Request request;
    request.method = "POST", request.target = "/queue/v1/queues/" + detail::path_segment(task.queue) + "/tasks";
    request.headers = {{"Content-Type", "application/json"}}, request.body = codec::to_json(said);
    TRY_ASSIGN(auto const reply, outside.call(std::move(request)));
    auto const tree = codec::JsonTree::read(reply.body);
    return TaskPut{tree ? std::string(tree->root()["id"].text()) : std::string()};
}

}  // namespace gantry::queue
