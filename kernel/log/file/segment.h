#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/log/batch.h"
#include "kernel/log/disk.h"
#include "kernel/log/log.h"

namespace gantry::log {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint64_t sector_bytes = 512;

// The first bytes of a segment file (docs/log-format.md).
struct SegmentHeader {
    std::uint32_t version = format_version;
    std::uint32_t header_bytes = 0;  // the first batch starts here; set by encode
    std::uint64_t number = 1;        // of the segment in its log, gapless
    Position first = 1;              // of the next event when the segment began
    Incarnation incarnation = 0;
    std::uint64_t base_chain = 0;  // chain, time and epoch of the last batch before this segment
    Time base_time{};
    Epoch base_epoch = 0;
    Time created{};
    std::uint32_t salt = 0;  // seeds the header checksums of this segment's batches
    std::string schemas;     // the runtime's bytes
};
std::string encode_header(SegmentHeader& header);
// Reads and checks it. Problems: "log_damaged", "log_format" (another version of the format).
Result<SegmentHeader> read_header(File& file, std::string const& path, std::uint32_t version = format_version);
Result<std::uint32_t> read_version(File& file, std::string const& path);

// "<first, 20 digits>-<number, 8 digits>.log": sorting the names sorts the segments.
std::string segment_name(Position first, std::uint64_t number);
struct SegmentName {
    Position first;
    std::uint64_t number;
};
std::optional<SegmentName> parse_segment_name(std::string_view name);

// A place where the log is damaged, and what can be done about it.
struct Damage {
    std::string file;
    std::uint64_t offset = 0;
    Position position = 0;  // of the next event that should have been read there
    std::string what;
};
Problem damaged(Damage const& damage);

// Where a walk through a log stands: what the next batch must continue.
struct Chained {
    Position next = 1;
    std::uint64_t chain = 0;
    Time time{};
    Epoch epoch = 0;
    bool operator==(Chained const&) const = default;
};
Chained base_of(SegmentHeader const& header);

enum class Check { checksums, chain };  // `chain` recomputes the running hash, too

// Walks the batches of one segment by large reads into one reused buffer; allocates nothing per batch. A batch's views live
// until the next step; with next(view, cursors), until the next step that isn't in_buffer().
class SegmentWalk {
   public:
    enum class Step { batch, end, damage };  // end: the end mark, or `limit`

    // Starts at `offset`, where `from` is what comes before; reads nothing at or beyond `limit`.
    SegmentWalk(File& file, SegmentHeader const& header, std::string path, std::uint64_t offset, std::uint64_t limit, Chained from,
                Check check = Check::checksums, std::size_t chunk_bytes = 1 << 20);
    Result<Step> next() { return next(view_, cursors_); }
    Result<Step> next(BatchView& view, std::vector<CursorView>& cursors);
    // True when the next step needs no reading, and so leaves the views of the earlier ones alone.
    bool in_buffer() const;

    BatchView const& batch() const { return view_; }
    BatchHeader const& stored() const { return stored_; }
    std::string_view bytes() const { return {buffer_.get() + (batch_at_ - buffer_offset_), stored_.length}; }
    std::uint64_t batch_offset() const { return batch_at_; }
    std::uint64_t offset() const { return at_; }  // behind the last good batch
    Chained const& reached() const { return reached_; }
    Damage damage() const { return {path_, at_, reached_.next, why_}; }

   private:
    Result<bool> have(std::uint64_t bytes);  // makes [at_, at_ + bytes) readable; false if the file or limit ends before
    Step bad(char const* why) { return why_ = why, Step::damage; }
    char const* out_of_line() const;

    File& file_;
    SegmentHeader const& header_;
    std::string path_;
    std::uint64_t at_;
    std::uint64_t limit_;
    Chained reached_;
    Check check_;
    std::size_t chunk_bytes_;
    std::uint64_t schemas_id_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::uint64_t buffer_offset_ = 0;
    std::size_t filled_ = 0;
    std::uint64_t batch_at_ = 0;
    BatchHeader stored_;
    BatchView view_;
    std::vector<CursorView> cursors_;
    char const* why_ = "";
};

}  // namespace gantry::log
