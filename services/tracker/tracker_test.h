#pragma once
#include <fmt/format.h>

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/tracker/tracker.h"

// What the tracker's tests share.
namespace gantry::tracker {

inline constexpr Time noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z

class Tracker : public Harness<Service> {
   public:
    Tracker() { clock().set_wall(noon); }
    explicit Tracker(Settings const& settings) : Harness(settings) { clock().set_wall(noon); }

    struct Report {
        std::string package = "hello", version = "1.0-1", stage = "building", more = {};
        int minute = 0;  // after noon
    };
    Said report(Report const& r) {
        return post("/tracker/v1/reports",
                    fmt::format(R"({{"package":"{}","version":"{}","arch":"amd64","stage":"{}","at":"{}"{}{}}})", r.package, r.version,
                                r.stage, format_time(noon + Duration::seconds(60 * r.minute)), r.more.empty() ? "" : ",", r.more));
    }
    // The run that a report was put to.
    std::uint64_t run_of(Report const& r) { return report(r).ok().as<Taken>().run.value_or(RunId{}).n; }
    RunHistory run(std::uint64_t n) { return get(fmt::format("/tracker/v1/runs/r_{}", n)).ok().as<RunHistory>(); }
    Summary summary() { return get("/tracker/v1/summary").ok().as<Summary>(); }
    Page<RunView> list(std::string const& query) { return get("/tracker/v1/" + query).ok().as<Page<RunView>>(); }
    std::vector<std::string> names(std::string const& query) {
        std::vector<std::string> out;
        for (auto const& item : list(query).items) out.push_back(item.package);
        return out;
    }
    std::vector<std::string> stages(std::uint64_t n) {
        std::vector<std::string> out;
        for (auto const& s : run(n).stages) out.push_back(s.stage);
        return out;
    }
};

inline std::string const done = R"("result":"accepted")";

}  // namespace gantry::tracker
