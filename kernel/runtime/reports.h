#pragma once
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/random.h"
#include "kernel/base/time.h"
#include "kernel/codec/type.h"
#include "kernel/log/disk.h"
#include "kernel/runtime/service_decl.h"

namespace gantry::runtime {

// One request that failed through our fault: what an operator needs to see it and to replay it.
struct Failure {
    std::string_view service, request_id, caller;
    RouteDecl const* route = nullptr;
    Problem const* problem = nullptr;
    std::string position;                     // where the state stood: the log up to here and this request repeat the failure
    codec::Type const* input_type = nullptr;  // null: it could not be decoded
    void* input = nullptr;                    // masked in place
};

// Reports as JSON files of one directory, the newest `files_max` of them. Safe from any thread.
class Reports {
   public:
    static constexpr std::size_t files_max = 1000;
    static constexpr int a_minute_max = 60;  // beyond it a failure is a log line only
    using Background = std::function<void(std::move_only_function<void()>)>;

    // An empty directory: log lines only. `background` runs what writes to the disk.
    Reports(log::Disk& disk, std::string directory, Clock& clock, Random& random, std::string version, Background background);
    // The id of the report ("oops_…"), which is written soon after.
    std::string add(Failure const& failure);
    // The JSON of a report that is still there.
    std::optional<std::string> find(std::string_view id) const;

   private:
    bool within_rate();
    void write(std::string const& id, std::string const& json);
    log::Disk& disk_;
    std::string directory_;
    Clock& clock_;
    Random& random_;
    std::string version_;
    Background background_;
    std::atomic<std::int64_t> minute_ = 0;
    std::atomic<int> in_minute_ = 0;
};

// Replaces each Secret and Personal inside by a default one; their JSON pointers.
std::vector<std::string> mask(codec::Type const& type, void* value);

}  // namespace gantry::runtime
