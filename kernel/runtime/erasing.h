#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "kernel/codec/keyed_hash.h"
#include "kernel/log/erasures.h"
#include "kernel/runtime/admin.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// Erases subjects of one site while it serves. By the thread that keeps house, which is the one that writes snapshots and baselines: none
// is under way from a state that holds what is erased.
class Erasing {
   public:
    struct Parts {
        codec::SubjectKeys& keys;
        log::Erasures erasures;
        codec::HashKey hash_key;
        Clock& clock;
        std::function<std::vector<Host*>()> hosts;  // of the site
    };
    explicit Erasing(Parts parts)
        : parts_(std::move(parts)), count_(std::make_unique<std::atomic<std::uint64_t>>(parts_.erasures.all().size())) {}

    // How many there were: from any thread.
    std::uint64_t erasures_so_far() const { return *count_; }

    std::string subject_of(std::string_view name) const { return codec::pseudonym(parts_.hash_key, name); }
    log::Erasures const& erasures() const { return parts_.erasures; }
    // Destroys the subject's key for good, then has each service fold its state anew. Values that come while it works are lost with the
    // others. 404 "subject_unknown", 503 "service_starting", 500 "erasure_unfinished" when a service can't fold anew: the values are erased
    // on the disk, and in its memory until it is started again.
    Result<log::Erasure> erase(std::string_view subject);
    // That something is there to erase. 410 "subject_erased", 404 "subject_unknown".
    Result<void> look_up(std::string_view subject) const;

   private:
    Result<void> refold();
    Parts parts_;
    std::unique_ptr<std::atomic<std::uint64_t>> count_;
};

// POST erasures {subject | name}, GET erasures, GET subjects/{subject}.
std::vector<Admin::Route> routes_of(Erasing& erasing);

}  // namespace gantry::runtime
