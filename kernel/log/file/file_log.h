#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/log/aligned.h"
#include "kernel/log/disk.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/recovery.h"
#include "kernel/log/log.h"

namespace gantry::log {

// May a log open whose last time is more than a minute ahead of the wall clock? The operator says so by a flag.
enum class ClockAhead { refuse, accept };

// The log in segment files of one directory (docs/log-format.md, docs/durability.md). Problems of open: "log_damaged", "log_format",
// "clock_behind", "disk_full", "disk_failed".
class FileLog final : public Log, private Committer::Client {
   public:
    // Recovers, begins a writer's turn with a durable epoch batch, and joins `committer`, which outlives the log. `schemas` are
    // the runtime's bytes; when they differ from those of the newest segment, a new segment begins.
    static Result<std::unique_ptr<FileLog>> open(Disk& disk, Committer& committer, std::string directory, Options options,
                                                 std::string schemas, Clock& clock, Random& random, ClockAhead ahead = ClockAhead::refuse);
    // Without close() first: as if the process had died here.
    ~FileLog() override;

    bool has_space(std::uint64_t bytes) override;
    Result<void> may_append(std::uint64_t event_bytes) override;
    Result<Position> append(BatchView const& batch) override;
    void on_durable(std::function<void(Position)> callback) override;
    Result<void> wait_durable() override;
    Result<std::unique_ptr<Reader>> read(Position after) const override;
    Result<void> find(Position position, Visitor const& visit) const override;
    Result<Position> last_at(Time time) const override;
    Result<void> cut(Position below, Time now) override;
    Status status() const override;
    void add_syncs(observe::LatencySum& sum) const override { syncs_.add_to(sum); }
    std::vector<Era> eras() const override;
    Result<void> close() override;

    // Bytes behind the last whole batch that recovery cut at open.
    std::uint64_t torn_bytes() const { return torn_bytes_; }

   private:
    struct Spare {
        std::string path;
        std::unique_ptr<File> file;
        std::uint64_t bytes = 0;
    };
    struct SpareSize {
        std::uint64_t best = 0, least = 0;
    };
    FileLog(Disk& disk, Committer& committer, std::string directory, Options options, std::string schemas, Clock& clock, Random& random);

    // Opening (file_log_open.cpp): one thread, no lock.
    Result<void> start(ClockAhead ahead);
    Result<void> remove_spares();
    Result<void> write_epoch();

    // The committer's side (file_log_commit.cpp).
    bool commit_group() override;
    bool prepare_spare() override;
    bool spare_is_missing() override;
    bool take_pending();
    void gather();
    Result<void> commit_taken();
    Result<void> write_group(std::string_view batches);
    Result<void> load_lead();
    std::uint64_t fitting(std::uint64_t room) const;
    void publish(std::vector<Segment::Mark> const& marks, std::uint64_t batches, std::uint64_t bytes);
    void give_up(Problem problem);
    Result<void> roll(std::uint64_t batch_bytes);
    Result<Spare> make_spare(SpareSize size);
    Result<Spare> make_spare_of(std::uint64_t bytes);
    Result<void> begin_segment(Spare spare, Chained const& from, std::uint64_t number);
    SpareSize spare_size(std::uint64_t batch_bytes) const;  // under mutex_

    // Under mutex_.
    Result<Position> append_locked(BatchView const& batch);
    Result<void> admit(std::uint64_t bytes) const;  // of a batch; what append fails with
    void plan(std::uint64_t bytes);
    bool fits(std::uint64_t bytes) const;
    bool wants_spare() const;
    std::uint64_t spare_room(std::size_t index) const;
    Problem closed() const;

    Result<void> remove_doomed();  // under cut_mutex_

    // Reading (file_log_read.cpp).
    struct Extent {  // one segment as a reader sees it: what was durable when it began
        std::shared_ptr<Segment> segment, next;
        std::uint64_t limit = 0;
        Segment::Mark from;
        bool marking = false;
    };
    Extent extent(std::size_t index, Position at) const;  // under mutex_
    Extent extent_at(Time time) const;                    // under mutex_
    std::size_t index_of(Position at) const;              // under mutex_
    struct Wanted {
        Position after = 0;
        std::size_t chunk_bytes = 0;
        std::size_t run_batches = 1;  // at most so many at once
    };
    class ExtentReader;
    std::vector<Extent> extents(Position after) const;
    void note_marks(Segment& segment, std::vector<Segment::Mark> marks) const;

    // Constant after construction.
    Disk& disk_;
    Committer& committer_;
    std::string directory_;
    Options options_;
    std::string schemas_;
    Clock& clock_;
    Random& random_;
    Incarnation incarnation_ = 0;
    Epoch epoch_ = 0;
    std::uint64_t torn_bytes_ = 0;
    std::uint64_t header_bytes_ = 0;  // of a segment that begins now
    std::function<void(Position)> callback_;

    // Of the committing thread alone.
    std::shared_ptr<Segment> active_;  // the newest of segments_
    std::unique_ptr<File> active_file_;
    std::uint64_t write_at_ = 0;  // all below is durable
    Chained committed_;           // what a new segment would continue
    std::string taken_;           // batches taken from pending_, written from taken_at_ on
    std::uint64_t taken_at_ = 0;
    std::uint64_t committed_batches_ = 0, last_group_batches_ = 0;
    AlignedBytes group_;  // the page that write_at_ is in, up to there; then the group that is written

    std::mutex cut_mutex_;            // taken before mutex_
    std::deque<std::string> doomed_;  // segments that were cut and are still there

    observe::LatencyCells syncs_;             // of the committer's thread
    std::atomic<std::uint64_t> arrived_ = 0;  // batches, a hint for gather()

    mutable std::mutex mutex_;
    std::condition_variable durable_changed_;
    std::vector<std::shared_ptr<Segment>> segments_;  // the last one is written to
    std::string pending_;
    std::uint64_t in_flight_bytes_ = 0;
    Chained appended_;
    std::uint64_t batches_appended_ = 0;
    std::uint64_t batches_durable_ = 0;
    Position durable_ = 0;
    std::deque<Spare> spares_;
    std::uint64_t spare_number_ = 0;
    std::uint64_t spare_wanted_ = 0;  // a batch of that size found no room
    bool spare_failed_ = false;       // there was no space for a spare
    std::uint64_t plan_room_ = 0;     // left in the segment that the last pending batch will go to …
    std::size_t plan_ahead_ = 0;      // … which is the active one (0) or the n-th spare
    bool plan_lost_ = false;          // more is pending than spares are there for; until all is written
    bool closed_ = false;
    std::optional<Problem> failed_;
};

}  // namespace gantry::log
