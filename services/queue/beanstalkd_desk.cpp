#include "services/queue/beanstalkd_desk.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace gantry::queue::beanstalkd {
namespace {

std::string seconds_of(timeval const& t) { return fmt::format("{}.{:06}", t.tv_sec, t.tv_usec); }
std::string text_of(Jobs const& jobs) {
    return fmt::format(
        "current-jobs-urgent: {}\ncurrent-jobs-ready: {}\ncurrent-jobs-reserved: {}\ncurrent-jobs-delayed: {}\ncurrent-jobs-buried: {}\n",
        jobs.urgent, jobs.ready, jobs.reserved, jobs.delayed, jobs.buried);
}

}  // namespace

Desk& desk() {
    static Desk desk;
    return desk;
}

Desk::Desk() : began_ns_(system_clock().steady_ns()) {}

// One whom nobody uses or watches any more is forgotten, as beanstalkd does.
template <class Change>
void Desk::change(std::string const& tube, Change&& change) {
    std::scoped_lock const lock(mutex_);
    auto const at = tubes_.try_emplace(tube).first;
    change(at->second);
    if (at->second.uses == 0 && at->second.watches == 0) tubes_.erase(at);
}
void Desk::use(std::string const& tube, int by) {
    change(tube, [&](Tube& t) { t.uses += by; });
}
void Desk::watch(std::string const& tube, int by) {
    change(tube, [&](Tube& t) { t.watches += by; });
}
void Desk::wait(std::vector<std::string> const& tubes, int by) {
    waiting.fetch_add(std::uint64_t(std::int64_t(by)));
    for (auto const& tube : tubes) change(tube, [&](Tube& t) { t.waits += by; });
}
void Desk::deleted(std::string const& tube) {
    change(tube, [](Tube& t) { ++t.deletes; });
}
void Desk::paused(std::string const& tube) {
    change(tube, [](Tube& t) { ++t.pauses; });
}

bool Desk::knows(std::string const& tube) const {
    std::scoped_lock const lock(mutex_);
    return tube == "default" || tubes_.contains(tube);
}
std::vector<std::string> Desk::known() const {
    std::vector<std::string> out{"default"};
    std::scoped_lock const lock(mutex_);
    for (auto const& [name, tube] : tubes_) out.push_back(name);
    return out;
}

std::string Desk::text(TubeStats const& stats) const {
    Tube tube;
    {
        std::scoped_lock const lock(mutex_);
        if (auto const at = tubes_.find(stats.tube); at != tubes_.end()) tube = at->second;
    }
    return fmt::format(
        "---\nname: {}\n{}total-jobs: {}\ncurrent-using: {}\ncurrent-watching: {}\ncurrent-waiting: {}\ncmd-delete: {}\n"
        "cmd-pause-tube: {}\npause: {}\npause-time-left: {}\n",
        stats.tube, text_of(stats.jobs), stats.jobs.put, tube.uses, tube.watches, tube.waits, tube.deletes, tube.pauses, stats.pause_s,
        stats.pause_left_s);
}

std::string Desk::text(ServerStats const& stats) const {
    auto out = "---\n" + text_of(stats.jobs);
    auto const line = [&](std::string_view name, auto const& value) { out += fmt::format("{}: {}\n", name, value); };
    for (std::size_t i = 0; i < verb_names.size(); ++i) line(fmt::format("cmd-{}", verb_names[i]), heard_[i].load());
    line("job-timeouts", stats.jobs.timeouts), line("total-jobs", stats.jobs.put), line("max-job-size", payload_bytes_limit);
    line("current-tubes", stats.tubes), line("current-connections", connections.load()), line("current-producers", producers.load());
    line("current-workers", workers.load()), line("current-waiting", waiting.load());
    line("total-connections", connections_in_all.load());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    utsname name{};
    uname(&name);
    line("pid", getpid()), line("version", "\"1.12 (gantry)\"");
    line("rusage-utime", seconds_of(usage.ru_utime)), line("rusage-stime", seconds_of(usage.ru_stime));
    line("uptime", (system_clock().steady_ns() - began_ns_) / 1'000'000'000);
    for (auto const* none : {"oldest-index", "current-index", "records-migrated", "records-written", "max-size"})
        line(fmt::format("binlog-{}", none), 0);
    line("draining", false);
    line("id", fmt::format("{:016x}", hash64(fmt::format("{} {}", getpid(), began_ns_))));
    line("hostname", name.nodename), line("os", name.version), line("platform", name.machine);
    return out;
}

}  // namespace gantry::queue::beanstalkd
