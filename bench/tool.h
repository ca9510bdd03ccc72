#pragma once
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// What the small programs of this folder share. They are run by bench/run.py, print one line of JSON, and end at the first fault.
namespace gantry::bench {

[[noreturn]] inline void die(std::string_view what) {
    fmt::print(stderr, "bench: {}\n", what);
    std::exit(1);
}
inline void check(bool ok, std::string_view what) {
    if (!ok) die(fmt::format("{}: {}", what, std::strerror(errno)));
}

inline std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// `--name value` pairs; an unknown name is a fault, so that a misspelt one can't silently measure something else.
class Flags {
   public:
    Flags(int argc, char** argv, std::vector<std::string_view> known) {
        for (int i = 1; i < argc; i += 2) {
            std::string_view name = argv[i];
            if (name.starts_with("--")) name.remove_prefix(2);
            bool found = false;
            for (auto k : known) found = found || k == name;
            if (!found || i + 1 == argc) die(fmt::format("'{}' is unknown or has no value", argv[i]));
            pairs_.emplace_back(name, argv[i + 1]);
        }
    }
    std::string text(std::string_view name, std::string fallback = {}) const {
        for (auto& [n, v] : pairs_) {
            if (n == name) return v;
        }
        return fallback;
    }
    double number(std::string_view name, double fallback = 0) const {
        auto t = text(name);
        return t.empty() ? fallback : std::atof(t.c_str());
    }
    std::vector<std::string> all(std::string_view name) const {
        std::vector<std::string> found;
        for (auto& [n, v] : pairs_) {
            if (n == name) found.push_back(v);
        }
        return found;
    }

   private:
    std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace gantry::bench
