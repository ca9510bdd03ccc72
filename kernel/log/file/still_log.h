#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/log/disk.h"
#include "kernel/log/file/segment.h"
#include "kernel/log/log.h"

namespace gantry::log {

// A log that is only read: it changes nothing, needs no lock, and may be opened beside the server that writes it. It shows what was whole
// when it was opened, for ever; append() fails.
class StillLog final : public Log {
   public:
    // 404 "log_not_found" when the directory holds no log; "log_damaged", "log_format".
    static Result<std::unique_ptr<StillLog>> open(Disk& disk, std::string directory);

    // Where the newest segment stopped being whole: a torn tail, or a batch that was just being written. Nothing behind it is shown.
    std::optional<Damage> const& torn() const { return torn_; }

    bool has_space(std::uint64_t) override { return false; }
    Result<void> may_append(std::uint64_t) override;
    Result<Position> append(BatchView const& batch) override;
    void on_durable(std::function<void(Position)>) override {}
    Result<void> wait_durable() override { return {}; }
    Result<std::unique_ptr<Reader>> read(Position after) const override;
    Result<void> find(Position position, Visitor const& visit) const override;
    Result<Position> last_at(Time time) const override;
    Result<void> cut(Position below, Time now) override;
    Status status() const override { return status_; }
    std::vector<Era> eras() const override;
    Result<void> close() override { return {}; }

   private:
    class SegmentsReader;
    struct Named {
        std::string path;
        Position first = 1;
    };
    StillLog(Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}
    Result<void> look_at_newest();
    std::size_t index_of(Position position) const;

    Disk& disk_;
    std::string directory_;
    std::vector<Named> segments_;
    std::uint64_t newest_limit_ = 0;  // of the newest segment: behind its last whole batch
    Status status_;
    std::optional<Damage> torn_;
};

}  // namespace gantry::log
