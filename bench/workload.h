#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::bench {

// What one report says, as the tracker's service would record it: `run` is the number that the decision gave out. Neutral, so that the
// service's own event is made from it in one place (bench/store_gantry.cpp) and the peers store the same. Views live until the next call of
// Workload::next, or as long as the bytes they were decoded from.
struct Report {
    std::uint64_t run = 0;
    std::string_view package, version, arch, series, trigger, source, reporter;
    std::string_view stage;
    std::string_view result;  // empty until the run completes
    std::int64_t at_us = 0;
    std::string_view id;  // unique for its reporter; empty when the reporter gives none
    std::string_view url, note;
};

// Positional binary form of about 100 bytes: what the peers store.
void encode(Report const& report, std::string& out);
// False when `bytes` is no report.
bool decode(std::string_view bytes, Report& report);

// Reports on `packages` packages, each as likely as another at every step (nothing is hot: the worst case for caches). A package's run
// passes through five stages to a result; its next runs take turns over two architectures and two series, and raise the version when all
// four have had it. One in 32 runs is abandoned after the third stage and superseded later; one report in 64 arrives late, with the time of
// a stage before. One reporter of four gives its reports an id. The same seed gives the same reports.
class Workload {
   public:
    explicit Workload(std::uint32_t packages = 100'000, std::uint64_t seed = 1);
    Report next();

   private:
    struct Package {
        std::string name, source;
        std::uint32_t runs = 0;
        std::uint8_t stage = 0;  // of the current run: the one that comes next
        std::uint64_t run = 0;
    };
    std::uint64_t random();

    std::vector<Package> packages_;
    std::uint64_t state_;
    std::uint64_t count_ = 0, runs_ = 0;
    std::string version_, id_, url_;
};

}  // namespace gantry::bench
