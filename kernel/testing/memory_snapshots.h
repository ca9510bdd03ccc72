#pragma once
#include <map>
#include <optional>
#include <string>

#include "kernel/log/log.h"

namespace gantry::testing {

// Snapshots that are all kept, of which a start is given the one that a test offers: without an offer it folds the whole log.
class MemorySnapshots final : public log::Snapshots {
   public:
    void offer(std::optional<log::Position> position) { offered_ = position; }

    Result<void> save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write, Keep keep) override;
    Result<std::unique_ptr<Source>> newest(log::Incarnation incarnation, std::uint64_t fingerprint, log::Position at_most) override;
    std::vector<Meta> list() override;
    Result<void> remove_all() override;

   private:
    struct Kept {
        Meta meta;
        std::string bytes;
    };
    class Reading;
    std::map<log::Position, Kept> kept_;
    std::optional<log::Position> offered_;
};

}  // namespace gantry::testing
