#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernel/log/log.h"
#include "kernel/state/io.h"

// A baseline is the state itself, written into the log in the portable form, so that the log may be cut below it (DESIGN §4). It is of the
// state at one position, and lies behind that position: other batches may come between and among its parts. A crash on the way leaves parts
// that no reader takes.
//
//     note = u8 form (1) u64 position i64 time u32 part u8 last, bytes          of each batch of kind `baseline`, at most 1 MiB
namespace gantry::runtime {

inline constexpr std::size_t baseline_part_bytes = 1 << 20;

struct BaselineMark {
    log::Position position = 0;  // all events up to here are in it
    Time time{};
};

// Cuts what is written into parts, and gives each to `append`.
class BaselineOut final : public state::Out {
   public:
    using Append = std::function<Result<void>(std::string_view note)>;
    BaselineOut(BaselineMark mark, codec::Sealer const* sealer, Append append);
    void write(void const* bytes, std::size_t size) override;
    Result<void> finish();

   private:
    void flush(bool last);
    BaselineMark mark_;
    Append append_;
    std::string note_;
    std::uint32_t part_ = 0;
    Result<void> failed_;
};

// Takes the batches of a scan, and knows which baselines are whole.
class BaselineParts {
   public:
    // The mark of the baseline that this part makes whole.
    std::optional<BaselineMark> take(log::BatchView const& batch);

   private:
    std::optional<BaselineMark> open_;
    std::uint32_t next_ = 0;
};

// The newest whole baseline of a log; nothing when there is none. Its bytes are read by a second scan, part by part.
Result<std::optional<BaselineMark>> find_baseline(log::Log const& log);
// Hands out the bytes of that baseline. "baseline_unreadable" when `load` says that it can't be: damaged, or of a shape that today's can't
// hold; the cause tells which.
Result<void> read_baseline(log::Log const& log, BaselineMark mark, codec::Sealer const* sealer, std::function<bool(state::In&)> const& load,
                           std::span<codec::Rename const> renames = {});

}  // namespace gantry::runtime
