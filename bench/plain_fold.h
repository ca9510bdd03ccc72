#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/workload.h"

namespace gantry::bench {

// The tracker's state as one would write it without kernel/state: Boost's flat hash maps keyed by strings, standard sets for the orders.
// It answers what the tracker answers: a run by number; the runs of a package, version by version, each with the history of its stages;
// what is in flight by start; what completed by time; packages by name; counts by stage, result and hour; and it drops a repeated id.
class PlainFold {
   public:
    struct Step {
        std::string stage;
        std::int64_t at_us;
    };
    struct Run {
        std::uint64_t id = 0;
        std::string package, version, arch, series, trigger, source, reporter, stage, result;
        std::int64_t started_us = 0, updated_us = 0, completed_us = 0;
        std::vector<Step> steps;  // by time
    };

    void apply(Report const& r) {
        if (!r.id.empty()) {
            join(key_, r.reporter, r.id);
            if (!seen_.insert(key_).second) return;
        }
        join(key_, r.package, r.arch, r.series, r.trigger);
        auto& runs = runs_.try_emplace(key_).first->second;
        Run* run = find(runs, r.run);
        if (!run) run = &open(runs, r);
        report(*run, r);
    }

    struct Summary {
        std::uint64_t runs = 0, in_flight = 0, completed = 0, packages = 0, steps = 0, hours = 0, times = 0;
        std::map<std::string, std::uint64_t, std::less<>> by_stage, by_result;
    };
    // Walks everything: for comparing folds, after the clock was stopped.
    Summary summary() const {
        Summary s{.in_flight = in_flight_.size(),
                  .completed = completed_.size(),
                  .packages = packages_.size(),
                  .hours = by_hour_.size(),
                  .by_stage = by_stage_,
                  .by_result = by_result_};
        for (auto& [key, runs] : runs_) {
            for (auto& r : runs) s.runs++, s.steps += r.steps.size(), s.times += std::uint64_t(r.updated_us) * r.id;
        }
        return s;
    }

   private:
    using Key = std::string;
    using ByTime = std::set<std::pair<std::int64_t, std::uint64_t>>;
    static constexpr std::int64_t hour_us = 3'600'000'000;

    template <class... Parts>
    static void join(Key& key, Parts const&... parts) {
        key.clear();
        ((key.append(parts), key.push_back('/')), ...);
    }
    static Run* find(std::vector<Run>& runs, std::uint64_t id) {
        for (auto r = runs.rbegin(); r != runs.rend(); ++r) {
            if (r->id == id) return &*r;
        }
        return nullptr;
    }

    Run& open(std::vector<Run>& runs, Report const& r) {
        if (runs.empty()) packages_[std::string(r.package)].push_back(key_);
        if (!runs.empty() && runs.back().result.empty()) complete(runs.back(), "superseded", r.at_us);
        auto& run = runs.emplace_back();
        run.id = r.run, run.package = r.package, run.version = r.version, run.arch = r.arch, run.series = r.series;
        run.trigger = r.trigger, run.source = r.source, run.reporter = r.reporter, run.started_us = r.at_us;
        key_of_run_.emplace(r.run, key_);
        in_flight_.emplace(run.started_us, run.id);
        return run;
    }

    void report(Run& run, Report const& r) {
        auto at = run.steps.end();
        while (at != run.steps.begin() && (at - 1)->at_us > r.at_us) --at;
        bool newest = at == run.steps.end();
        run.steps.insert(at, Step{std::string(r.stage), r.at_us});
        if (newest) move_to(run, r);
        if (!r.result.empty() && run.result.empty()) complete(run, r.result, r.at_us);
    }
    void move_to(Run& run, Report const& r) {
        if (run.result.empty()) {
            leave(by_stage_, run.stage);
            ++by_stage_[std::string(r.stage)];
        }
        run.stage = r.stage, run.reporter = r.reporter, run.updated_us = r.at_us;
    }
    void complete(Run& run, std::string_view result, std::int64_t at_us) {
        in_flight_.erase({run.started_us, run.id});
        completed_.emplace(at_us, run.id);
        leave(by_stage_, run.stage);
        ++by_result_[std::string(result)];
        ++by_hour_[at_us / hour_us];
        run.result = result, run.completed_us = at_us;
    }
    static void leave(std::map<std::string, std::uint64_t, std::less<>>& counts, std::string const& name) {
        if (auto found = counts.find(name); found != counts.end()) --found->second;
    }

    boost::unordered_flat_map<Key, std::vector<Run>> runs_;  // of one package, architecture, series and trigger; the newest version last
    boost::unordered_flat_map<std::uint64_t, Key> key_of_run_;
    boost::unordered_flat_set<std::string> seen_;
    std::map<std::string, std::vector<Key>, std::less<>> packages_;
    ByTime in_flight_, completed_;
    std::map<std::string, std::uint64_t, std::less<>> by_stage_, by_result_;
    std::map<std::int64_t, std::uint64_t> by_hour_;
    Key key_;  // of the report in hand
};

}  // namespace gantry::bench
