#include "services/queue/laws.h"

#include <fmt/format.h>

namespace gantry::queue {
namespace {

constexpr std::int64_t grace_us = 10'000'000;  // no lease runs out sooner after a start

std::string id_of(Laws::Task const& task) { return fmt::format("t_{}", task.number); }
std::int64_t weight(QueueSettings const& settings, std::string const& key) {
    auto const found = settings.weights.find(key);
    return found == settings.weights.end() ? 1 : found->second.value;
}

}  // namespace

std::string Laws::saw(At const& at, Event const& event) {
    std::visit([&](auto const& e) { on(at, e); }, event);
    return broken_;
}
void Laws::broken(std::string what) {
    if (broken_.empty()) broken_ = std::move(what);
}
Laws::Task const* Laws::find(std::uint64_t number) const {
    auto const found = tasks_.find(number);
    return found == tasks_.end() ? nullptr : &found->second;
}
bool Laws::has_said(std::uint64_t number, std::uint64_t fence, std::string const& word) const {
    auto const* task = find(number);
    if (!task) return false;
    auto const found = task->words.find(fence);
    return found != task->words.end() && found->second.contains(word);
}
std::vector<std::uint64_t> Laws::named(std::string const& name) const {
    auto const found = by_name_.find(name);
    return found == by_name_.end() ? std::vector<std::uint64_t>{} : found->second;
}
std::size_t Laws::live() const { return live_.size(); }
QueueSettings const& Laws::settings_of(std::string const& queue) const {
    static QueueSettings const defaults;
    auto const found = settings_.find(queue);
    return found == settings_.end() ? defaults : found->second;
}

// --- puts ---------------------------------------------------------------------------------------------------------------------------

void Laws::on(At const&, QueueSet const& e) { settings_[e.queue.str()] = e.settings; }
void Laws::on(At const& at, Put const& e) {
    if (find(e.id.n)) return broken(fmt::format("t_{} was put twice", e.id.n));
    Task task{.number = e.id.n, .queue = e.queue.str(), .key = e.key.str(), .group = e.group.str(), .unique = e.unique.str()};
    task.name = e.content.payload.data, task.made_us = at.time.us;
    task.rank_us = task.made_us + std::int64_t(e.priority) * settings_of(task.queue).ageing_ms.value * 1000;
    for (auto number : live_)
        if (auto const& other = tasks_.at(number); !task.unique.empty() && other.unique == task.unique && other.queue == task.queue)
            broken(fmt::format("t_{} and t_{} have the same unique key", number, task.number));
    by_name_[task.name].push_back(task.number);
    live_.insert(task.number);
    wait(tasks_.emplace(task.number, std::move(task)).first->second, e.due, at.time);
}
void Laws::wait(Task& task, std::optional<Time> due, Time now) {
    task.due_us = due ? due->us : 0;
    task.is = task.due_us > now.us ? Is::delayed : Is::ready;
}
bool Laws::is_behind(Task const& task) const {
    if (task.group.empty()) return false;
    for (auto number : live_) {
        auto const& other = tasks_.at(number);
        if (other.number == task.number || other.group != task.group || other.queue != task.queue || other.is == Is::aside) continue;
        if (other.number < task.number || other.is == Is::held) return true;
    }
    return false;
}

// --- starts -------------------------------------------------------------------------------------------------------------------------

void Laws::on(At const& at, Reserved const& e) {
    auto const found = tasks_.find(e.id.n);
    if (found == tasks_.end()) return broken(fmt::format("t_{} was given, and never put", e.id.n));
    auto& task = found->second;
    if (task.is == Is::done) return broken(fmt::format("{} runs again after it had ended", id_of(task)));
    if (task.is == Is::held) return broken(fmt::format("{} has two live holders, since {} and {}", id_of(task), task.fence, at.position));
    if (task.is == Is::aside) return broken(fmt::format("{} was put aside, and runs", id_of(task)));
    // One of a group has no timer while it is behind: it may be due, and no fact says so.
    if (task.is == Is::delayed && task.due_us > at.time.us) return broken(fmt::format("{} runs before it is due", id_of(task)));
    if (at.position <= task.fence) return broken(fmt::format("the fence of {} didn't grow", id_of(task)));
    check_group(task), check_urgency(task), check_limits(task), count_turn(task);
    task.is = Is::held, task.fence = at.position, task.until_us = e.until.us;
}
void Laws::check_group(Task const& task) {
    if (is_behind(task)) broken(fmt::format("{} runs before another one of its group had ended", id_of(task)));
}
// Nothing starves within a key: what is more urgent, age and priority together, goes before.
void Laws::check_urgency(Task const& task) {
    bool const fair = settings_of(task.queue).fair;
    for (auto number : live_) {
        auto const& other = tasks_.at(number);
        if (other.queue != task.queue || (fair && other.key != task.key) || other.is != Is::ready || is_behind(other)) continue;
        // Of two keys that are as urgent at one moment either may go first.
        bool const more_urgent = other.key == task.key ? std::pair(other.rank_us, other.number) < std::pair(task.rank_us, task.number)
                                                       : other.rank_us < task.rank_us;
        if (more_urgent) broken(fmt::format("{} runs, and {} is more urgent", id_of(task), id_of(other)));
    }
}
void Laws::check_limits(Task const& task) {
    auto const& settings = settings_of(task.queue);
    std::int64_t held = 1, of_key = 1;
    for (auto number : live_)
        if (auto const& other = tasks_.at(number); other.is == Is::held && other.queue == task.queue)
            ++held, of_key += other.key == task.key;
    if (settings.concurrency_max.value > 0 && held > settings.concurrency_max.value)
        broken(fmt::format("{} tasks of {} run at once", held, task.queue));
    if (settings.concurrency_per_key_max.value > 0 && of_key > settings.concurrency_per_key_max.value)
        broken(fmt::format("{} tasks of the key {} run at once", of_key, task.key));
}
bool Laws::can_start(std::string const& queue, std::string const& key) const {
    for (auto number : live_) {
        auto const& task = tasks_.at(number);
        if (task.queue == queue && task.key == key && task.is == Is::ready && !is_behind(task)) return true;
    }
    return false;
}
// Keys take turns: while one could start something, no other starts more than its weight allows, and two.
void Laws::count_turn(Task const& task) {
    auto const& settings = settings_of(task.queue);
    if (!settings.fair || settings.concurrency_per_key_max.value > 0 || settings.rate_per_key_max.value > 0) return;
    std::set<std::string> keys;
    for (auto number : live_)
        if (auto const& other = tasks_.at(number); other.queue == task.queue && other.key != task.key) keys.insert(other.key);
    lanes_.erase({task.queue, task.key});
    for (auto const& key : keys) {
        if (!can_start(task.queue, key)) {
            lanes_.erase({task.queue, key});
            continue;
        }
        auto const passed = std::int64_t(++lanes_[{task.queue, key}].passed[task.key]);
        auto const most = weight(settings, task.key) / weight(settings, key) + 2;
        if (passed > most) broken(fmt::format("the key {} had {} turns in which {} had none", task.key, passed, key));
    }
}

// --- words --------------------------------------------------------------------------------------------------------------------------

Laws::Task* Laws::holder_says(TaskId id, std::string const& word) {
    auto const found = tasks_.find(id.n);
    if (found == tasks_.end() || found->second.is != Is::held)
        return broken(fmt::format("{} of t_{}, which nobody has", word, id.n)), nullptr;
    found->second.words[found->second.fence].insert(word);
    return &found->second;
}
void Laws::on(At const&, Extended const& e) {
    if (auto* task = holder_says(e.id, "extend")) task->until_us = e.until.us;
}
void Laws::on(At const&, Completed const& e) {
    if (auto* task = holder_says(e.id, "complete")) task->is = Is::done, live_.erase(task->number);
}
void Laws::on(At const& at, Failed const& e) {
    auto* task = holder_says(e.id, e.ending == Ending::expired ? "expire" : "fail");
    if (!task) return;
    ++task->attempts;
    if (e.ending == Ending::expired && at.time.us < task->until_us)
        broken(fmt::format("the lease of {} ran out before its deadline", id_of(*task)));
    if (e.ending == Ending::expired && at.time.us < started_us_ + grace_us)
        broken(fmt::format("the lease of {} ran out within the grace of a start", id_of(*task)));
    auto const most = settings_of(task->queue).attempts_max.value;
    if (!e.retry_at && (most == 0 || task->attempts < most)) broken(fmt::format("{} is dead, and had attempts left", id_of(*task)));
    if (e.retry_at)
        wait(*task, e.retry_at, at.time);
    else
        task->is = Is::aside;
}
void Laws::on(At const& at, Released const& e) {
    if (auto* task = holder_says(e.id, "release")) wait(*task, e.due, at.time);
}
void Laws::on(At const&, Buried const& e) {
    if (auto* task = holder_says(e.id, "bury")) task->is = Is::aside;
}
void Laws::on(At const& at, Kicked const& e) {
    for (auto id : e.ids)
        if (auto const found = tasks_.find(id.n); found != tasks_.end() && found->second.is != Is::held && found->second.is != Is::done)
            wait(found->second, {}, at.time);
}
void Laws::on(At const&, Deleted const& e) {
    for (auto id : e.ids) {
        auto const found = tasks_.find(id.n);
        if (found == tasks_.end() || found->second.is == Is::held) return broken(fmt::format("t_{} was deleted under its holder", id.n));
        found->second.is = Is::done, live_.erase(id.n);
    }
}
void Laws::on(At const& at, Ripened const& e) {
    for (auto id : e.ids) {
        auto const found = tasks_.find(id.n);
        if (found == tasks_.end() || found->second.is != Is::delayed) continue;
        if (found->second.due_us > at.time.us) broken(fmt::format("{} is due before its time", id_of(found->second)));
        wait(found->second, {}, at.time);
    }
}
void Laws::on(At const&, Forgotten const& e) {
    for (auto id : e.ids)
        if (auto const* task = find(id.n); task && task->is != Is::done) broken(fmt::format("{} was forgotten undone", id_of(*task)));
}

}  // namespace gantry::queue
