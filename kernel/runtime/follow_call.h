#pragma once
#include <functional>
#include <optional>
#include <span>

#include "kernel/runtime/followed.h"
#include "kernel/runtime/host_call.h"

namespace gantry::runtime {

// One event of a source, decoded. All of it lives as long as who gave it says.
struct FollowItem {
    Position position = 0;
    Time time{};
    std::string_view caller;
    std::uint32_t alternative = 0;
    void const* event = nullptr;          // of the source's variant
    Problem const* unreadable = nullptr;  // instead of an event
};

// What a follower brings at once.
struct FollowTurn {
    FollowDecl const& decl;
    log::Incarnation known = 0;  // what the cursor is to be now, else the turn is void
    Position after = 0;
    log::Incarnation incarnation = 0;  // of the source
    std::span<FollowItem const> items;
    Position upto = 0;        // the cursor once all items are taken; the events between them concern nobody
    bool checkpoint = false;  // record the cursor in any case
    bool retry = false;       // the one item is a dead letter
};
struct FollowTurned {
    bool is_void = false;
    bool recorded = false;  // the cursor is in the log as it is in memory
    bool full = false;      // as many dead letters as there may be
    std::size_t taken = 0;
};

// What a follower's turn does under the lock of its service: decides, folds, and hands one batch to the log, with the cursor.
class FollowCall final : public HostCall {
   public:
    static constexpr std::int64_t hold_ns_max = 200'000;
    static constexpr std::uint64_t batch_bytes_max = 4 << 20;

    FollowCall(Host& host, Viewer const& kernel, std::string_view source) : HostCall(host, kernel, nullptr), source_(source) {}

    struct Poison {
        Position position = 0;
        Problem problem;
    };
    // Sets `poison` and fails when a fold broke its promise: nothing of the turn was recorded.
    Result<FollowTurned> turn(FollowTurn const& turn, std::optional<Poison>& poison);
    // An operator's change.
    using Change = std::function<Result<void>(Followed& cursor, LetterChanges& letters)>;
    Result<void> change(Change const& change);

    void record(std::uint32_t event_type, std::uint64_t) override { HostCall::record(event_type, count_); }
    // What can't be recorded is no failure of one decision: the whole turn's.
    Result<void> may_append() override { return {}; }
    void applying() override;

   private:
    void complete(log::BatchView& batch) override;
    Result<void> take(FollowTurn const& turn, FollowItem const& item, std::optional<Poison>& poison);
    Result<void> decide(FollowTurn const& turn, FollowItem const& item);
    void settle(FollowTurn const& turn, FollowItem const& item, Result<void> const& done);
    bool is_full() const { return followed_->letters().size() >= Followed::letters_max; }
    Result<void> commit(bool must_record);

    std::string_view source_;
    Followed* followed_ = nullptr;
    void* state_ = nullptr;
    Position base_ = 0;       // of the batch
    Position caused_by_ = 0;  // the one event that caused it all; 0: none, or several
    std::uint32_t causes_ = 0;
    log::CursorView cursor_;
    LetterChanges letters_;
};

// As the feed tells it; empty for one without a subject.
std::string subject_of(codec::Type const& event_variant, void const* event);

}  // namespace gantry::runtime
