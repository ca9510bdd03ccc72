#include "services/queue/world_test.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::queue {
namespace {

struct QueueToSet {
    std::string_view name, settings;
};
constexpr QueueToSet queues[] = {
    {"mail", R"("attempts_max":3,"backoff_ms":100,"backoff_max_ms":1000,"concurrency_per_key_max":3,"ageing_ms":100)"},
    {"build", R"("attempts_max":0,"backoff_ms":0,"ageing_ms":300,"weights":{"k1":3})"},
    {"urgent", R"("attempts_max":0,"backoff_ms":50,"ageing_ms":200,"fair":false,"rate_max":20,"rate_window_ms":1000,"concurrency_max":4)"},
};

bool is_for_want_of_space(Problem const& p) { return p.status == 507 || p.status == 503; }

}  // namespace

World::World(std::uint64_t seed) {
    SeededRandom random(mix64(seed));
    if (random.chance(0.5)) settings_.history = Duration::seconds(60);
    producers_.resize(2 + random.below(3));
}
std::unique_ptr<sim::World> make_world(std::uint64_t seed) { return std::make_unique<World>(seed); }

void World::saw(At const& at, Event const& event) {
    if (auto found = laws_.saw(at, event); broken_.empty()) broken_ = std::move(found);
}

void World::step(sim::Process& process) {
    if (!broken_.empty()) return process.violated(broken_);
    if (set_up_.size() < std::size(queues)) return set_up(process);
    auto const dice = process.below(100);
    if (dice < 35)
        put(process, producers_[process.below(producers_.size())]);
    else if (dice < 60)
        reserve(process, false);
    else if (dice < 90)
        work(process);
    else if (dice < 95)
        late_word(process);
    else
        operate(process);
    if (!broken_.empty()) process.violated(broken_);
}
void World::set_up(sim::Process& process) {
    auto const& queue = queues[set_up_.size()];
    process.ask({.verb = "PUT",
                 .path = "/queues/{queue}",
                 .body = fmt::format(R"({{"queue":"{}","settings":{{{}}}}})", queue.name, queue.settings),
                 .told = [this, name = std::string(queue.name)](Result<runtime::Answer> answer) {
                     if (answer && std::ranges::find(set_up_, name) == set_up_.end()) set_up_.push_back(name);
                 }});
}
void World::stopped() {
    for (auto& producer : producers_) producer.asks = false;
    for (auto& [lease, held] : held_) held.asks = false;
}

// --- producers ----------------------------------------------------------------------------------------------------------------------

void World::put(sim::Process& process, Producer& producer) {
    if (producer.asks) return;
    if (producer.name.empty()) {
        producer.name = fmt::format("p{}-{}", &producer - producers_.data(), producer.wanted++);
        auto const& queue = queues[process.below(std::size(queues))];
        producer.body = fmt::format(R"({{"queue":"{}","payload":"{}","priority":{})", queue.name, producer.name, process.below(4));
        if (process.chance(0.6)) producer.body += fmt::format(R"(,"key":"k{}")", process.below(3));
        if (process.chance(0.3)) producer.body += fmt::format(R"(,"group":"g{}")", process.below(3));
        if (process.chance(0.2)) producer.body += fmt::format(R"(,"delay_ms":{})", process.below(3000));
        bool const unique = process.chance(0.4);
        if (unique) producer.body += fmt::format(R"(,"unique":{{"key":"{}","mode":"single_flight","window_ms":100000000}})", producer.name);
        producer.body += '}';
        producer.key = unique && process.chance(0.5) ? "" : producer.name;
    }
    producer.asks = true;
    process.ask({.verb = "POST",
                 .path = "/queues/{queue}/tasks",
                 .body = producer.body,
                 .key = producer.key,
                 .told = [this, &process, &producer](Result<runtime::Answer> answer) { told_put(process, producer, answer); }});
}
void World::told_put(sim::Process& process, Producer& producer, Result<runtime::Answer> const& answer) {
    producer.asks = false;
    if (!answer) {
        if (!is_for_want_of_space(answer.error())) process.violated("a put was refused: " + answer.error().code);
        return;
    }
    auto const told = codec::from_json<PutReply>(answer->body);
    auto const numbers = laws_.named("\"" + producer.name + "\"");
    if (!told || std::ranges::find(numbers, told->id.n) == numbers.end())
        process.violated(fmt::format("{} was acknowledged, and is not in the log: {}", producer.name, answer->body));
    if (told) acknowledged_[producer.name].insert(told->id.n);
    producer.name.clear();
}

// --- workers ------------------------------------------------------------------------------------------------------------------------

void World::reserve(sim::Process& process, bool all) {
    auto const number = ++reserves_;
    std::string body = fmt::format(R"({{"queue":"{}","worker":"w{}","max":{},"lease_ms":{})", queues[process.below(std::size(queues))].name,
                                   process.below(3), all ? 50 : 1 + process.below(3), 1000 + process.below(4000));
    if (all) body += R"(,"queues":["mail","build","urgent"])";
    bool const waits = !all && process.chance(0.3);
    if (waits) body += fmt::format(R"(,"wait_ms":{})", process.below(5000));
    process.ask({.verb = "POST",
                 .path = "/queues/{queue}/reserve",
                 .body = body + "}",
                 .key = process.chance(0.3) ? fmt::format("r{}", number) : "",
                 .waits = waits,
                 .told = [this, &process](Result<runtime::Answer> answer) {
                     if (answer) told_leases(process, answer->body);
                 }});
}
void World::told_leases(sim::Process& process, std::string const& body) {
    auto const told = codec::from_json<Leases>(body);
    if (!told) return process.violated("leases can't be read: " + body);
    for (auto const& lease : told->leases) {
        auto const* task = laws_.find(lease.task.n);
        if (!task || task->fence < lease.fence) process.violated(fmt::format("{} was given, and is not in the log", lease.lease));
        if (completed_.contains(lease.task.n) && task && task->fence == lease.fence && task->is == Laws::Is::held)
            process.violated(fmt::format("t_{} was told to be done, and is given again", lease.task.n));
        if (task && lease.payload && lease.payload->text != task->name)
            process.violated(fmt::format("{} has another payload: {}", lease.lease, lease.payload->text));
        held_[lease.lease] = {.task = lease.task.n, .fence = lease.fence, .until_us = lease.deadline.us};
    }
}
void World::work(sim::Process& process) {
    if (held_.empty()) return reserve(process, false);
    auto it = held_.begin();
    std::advance(it, std::ptrdiff_t(process.below(held_.size())));
    auto& [lease, held] = *it;
    if (held.asks) return;
    if (held.word.empty()) {
        auto const dice = process.below(20);
        held.word = dice < 3 ? "fail" : dice < 5 ? "release" : dice < 6 ? "bury" : dice < 8 ? "extend" : "complete";
        if (dice == 19) {  // it dies, or was never there
            past_.push_back(lease), held_.erase(it);
            return;
        }
        held.body = held.word == "release" ? R"(,"delay_ms":50)" : held.word == "extend" ? R"(,"lease_ms":4000)" : "";
        if (held.word == "complete" && process.chance(0.5)) held.body = R"(,"result":"ok")";
        held.key = process.chance(0.7) ? held.word + lease : "";
    }
    say(process, lease, held);
}
void World::say(sim::Process& process, std::string const& lease, Held& held) {
    static std::map<std::string, std::string, std::less<>> const paths{{"fail", "/leases/{lease}/fail"},
                                                                       {"release", "/leases/{lease}/release"},
                                                                       {"bury", "/leases/{lease}/bury"},
                                                                       {"extend", "/leases/{lease}/extend"},
                                                                       {"complete", "/leases/{lease}/complete"}};
    held.asks = true;
    process.ask(
        {.verb = "POST",
         .path = paths.at(held.word),
         .body = fmt::format(R"({{"lease":"{}"{}}})", lease, held.body),
         .key = held.key,
         .told = [this, &process, lease, word = held.word](Result<runtime::Answer> answer) { told_word(process, lease, word, answer); }});
}
void World::told_word(sim::Process& process, std::string const& lease, std::string const& word, Result<runtime::Answer> const& answer) {
    auto const found = held_.find(lease);
    if (found == held_.end()) return;
    auto& held = found->second;
    held.asks = false;
    auto const* task = laws_.find(held.task);
    if (!answer && is_for_want_of_space(answer.error())) return;
    if (!answer) {
        if (answer.error().code != "lease_lost") return process.violated(fmt::format("{} of {}: {}", word, lease, answer.error().code));
        if (task && task->is == Laws::Is::held && task->fence == held.fence)
            process.violated(fmt::format("{} holds, and its holder was told that it is lost", lease));
    } else {
        if (!laws_.has_said(held.task, held.fence, word))
            process.violated(fmt::format("{} of {} was acknowledged, and is not in the log", word, lease));
        if (word == "complete") completed_.insert(held.task);
        if (word == "extend") return held.word.clear();
    }
    past_.push_back(lease), held_.erase(found);
}
// A word of a holder of long ago changes nothing, unless its lease still holds.
void World::late_word(sim::Process& process) {
    if (past_.empty()) return;
    auto const lease = past_[process.below(past_.size())];
    auto const name = *parse_lease(lease);
    process.ask({.verb = "POST",
                 .path = "/leases/{lease}/complete",
                 .body = fmt::format(R"({{"lease":"{}"}})", lease),
                 .told = [this, &process, lease, name](Result<runtime::Answer> answer) {
                     if (answer && !laws_.has_said(name.task.n, name.fence, "complete"))
                         process.violated(lease + " is lost, and its word was taken");
                     if (answer) completed_.insert(name.task.n);
                 }});
}

// --- operators ----------------------------------------------------------------------------------------------------------------------

void World::operate(sim::Process& process) {
    std::vector<std::uint64_t> aside;
    for (auto const& [number, task] : laws_.tasks())
        if (task.is == Laws::Is::aside) aside.push_back(number);
    if (aside.empty()) return;
    auto const number = aside[process.below(aside.size())];
    process.ask({.verb = "POST", .path = "/tasks/{id}/kick", .body = fmt::format(R"({{"id":"t_{}"}})", number), .told = [](auto) {}});
}

// --- the end ------------------------------------------------------------------------------------------------------------------------

void World::started(sim::Process& process) {
    laws_.started(process.started());
    if (process.good()) compare(process);
}
// The state after a start holds what the facts say, no more and no less.
void World::compare(sim::Process& process) {
    auto const& state = process.state<Service>();
    for (auto const& [number, task] : laws_.tasks()) {
        auto const* row = state.find(TaskId{number});
        auto const is = row ? row->is() : TaskState::done;
        bool const same = task.is == Laws::Is::done    ? is == TaskState::done
                          : task.is == Laws::Is::held  ? is == TaskState::leased
                          : task.is == Laws::Is::aside ? is == TaskState::buried || is == TaskState::dead
                                                       : is == TaskState::ready || is == TaskState::delayed || is == TaskState::behind;
        if (!same) return process.violated(fmt::format("after a start t_{} is another than the log says", number));
        if (task.is == Laws::Is::held && state.leases.find(number)->fence != task.fence)
            return process.violated(fmt::format("after a start t_{} is with another", number));
    }
    for (auto number : completed_)
        if (auto const* task = laws_.find(number); !task || task->is != Laws::Is::done)
            return process.violated(fmt::format("t_{} was told to be done, and is not", number));
    for (auto const& [name, ids] : acknowledged_)
        for (auto id : ids)
            if (!laws_.find(id)) return process.violated(name + " was acknowledged, and is gone");
}
void World::finish(sim::Process& process) {
    if (!broken_.empty()) return process.violated(broken_);
    if (set_up_.size() < std::size(queues)) return set_up(process);
    for (auto& producer : producers_)
        if (!producer.name.empty()) put(process, producer);
    operate(process);
    reserve(process, true);
    for (auto it = held_.begin(); it != held_.end();) {
        auto& [lease, held] = *it++;
        if (held.asks) continue;
        if (held.word != "complete") held.word = "complete", held.body.clear(), held.key = "end" + lease;
        say(process, lease, held);
    }
}
bool World::is_done(sim::Process&) const {
    bool const quiet = std::ranges::all_of(producers_, [](auto const& producer) { return producer.name.empty(); });
    return quiet && set_up_.size() == std::size(queues) && laws_.live() == 0;
}
void World::judge_the_end(sim::Process& process) {
    for (auto const& producer : producers_)
        for (int n = 0; n < producer.wanted; ++n) {
            auto const name = fmt::format("p{}-{}", &producer - producers_.data(), n);
            auto const numbers = laws_.named("\"" + name + "\"");
            if (numbers.size() != 1) return process.violated(fmt::format("{} was put {} times", name, numbers.size()));
            if (!acknowledged_[name].contains(numbers[0])) return process.violated(name + " was told to be another");
        }
    compare(process);
    auto const& state = process.state<Service>();
    for (auto const& queue : queues)
        if (auto const* row = state.queue(queue.name); !row || row->depth() != 0)
            return process.violated(fmt::format("{} is not empty", queue.name));
}

}  // namespace gantry::queue
