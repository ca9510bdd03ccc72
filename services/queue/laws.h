#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/queue/facts.h"

// What the queue promises, held against its facts alone: no line of its state's fold is used here.
namespace gantry::queue {

class Laws {
   public:
    enum class Is : std::uint8_t { ready, delayed, held, aside, done };
    struct Task {
        std::uint64_t number = 0;
        std::string queue, key, group, unique, name;  // name: its first payload
        std::int64_t made_us = 0, due_us = 0, rank_us = 0;
        Is is = Is::ready;
        std::uint64_t fence = 0;  // of who has it; or had it last
        std::int64_t until_us = 0;
        std::uint32_t attempts = 0;
        std::map<std::uint64_t, std::set<std::string>> words;  // fence → what its holder said
    };

    // One fact more; the first promise that it breaks, else empty.
    std::string saw(At const& at, Event const& event);
    // From when on leases may run out: a start and its grace.
    void started(Time at) { started_us_ = at.us; }

    std::map<std::uint64_t, Task> const& tasks() const { return tasks_; }
    Task const* find(std::uint64_t number) const;
    bool has_said(std::uint64_t number, std::uint64_t fence, std::string const& word) const;
    std::vector<std::uint64_t> named(std::string const& name) const;
    bool is_behind(Task const& task) const;
    std::size_t live() const;  // tasks that wait, run or were put aside

   private:
    struct Lane {
        std::map<std::string, std::uint64_t> passed;  // starts of other keys since it could have had one
    };
    void on(At const& at, Put const& e);
    void on(At const& at, Reserved const& e);
    void on(At const& at, Extended const& e);
    void on(At const& at, Completed const& e);
    void on(At const& at, Failed const& e);
    void on(At const& at, Released const& e);
    void on(At const& at, Buried const& e);
    void on(At const& at, Kicked const& e);
    void on(At const& at, Deleted const& e);
    void on(At const& at, Ripened const& e);
    void on(At const& at, Forgotten const& e);
    void on(At const& at, QueueSet const& e);
    template <class E>
    void on(At const&, E const&) {}
    void broken(std::string what);
    Task* holder_says(TaskId id, std::string const& word);
    void wait(Task& task, std::optional<Time> due, Time now);
    void check_group(Task const& task);
    void check_urgency(Task const& task);
    void check_limits(Task const& task);
    void count_turn(Task const& task);
    bool can_start(std::string const& queue, std::string const& key) const;
    QueueSettings const& settings_of(std::string const& queue) const;

    std::string broken_;
    std::int64_t started_us_ = 0;
    std::map<std::uint64_t, Task> tasks_;  // ended ones too
    std::set<std::uint64_t> live_;
    std::map<std::string, std::vector<std::uint64_t>> by_name_;
    std::map<std::string, QueueSettings> settings_;
    std::map<std::pair<std::string, std::string>, Lane> lanes_;  // of queue and key: those that could start something
};

}  // namespace gantry::queue
