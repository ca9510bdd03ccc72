#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

namespace gantry::log {

// The program of a simulation: --seeds N [--from S]. Prints each seed that breaks a promise, and in the end what `told` makes of the sum
// of all reports. The exit code.
template <class Report>
int simulate_seeds(int argc, char** argv, std::function<Report(std::uint64_t seed)> const& simulate,
                   std::function<std::string(Report const&)> const& told) {
    std::uint64_t seeds = 1000, from = 1;
    for (int i = 1; i < argc; i += 2) {
        std::string_view const flag = argv[i];
        if (i + 1 == argc || (flag != "--seeds" && flag != "--from"))
            return fmt::print(stderr, "usage: {} [--seeds N] [--from S]\n", argv[0]), 2;
        (flag == "--seeds" ? seeds : from) = std::strtoull(argv[i + 1], nullptr, 10);
    }
    Report sum;
    std::uint64_t broken = 0;
    for (auto seed = from; seed < from + seeds; ++seed) {
        auto const report = simulate(seed);
        if (!report.violation.empty()) ++broken, fmt::print("seed {}: {}\n", seed, report.violation);
        sum += report;
    }
    fmt::print("{} seeds, {} broken; {}\n", seeds, broken, told(sum));
    return broken == 0 ? 0 : 1;
}

}  // namespace gantry::log
