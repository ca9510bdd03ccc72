#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "kernel/log/log.h"
#include "kernel/runtime/baseline.h"
#include "kernel/runtime/followed.h"
#include "kernel/runtime/remembered.h"
#include "kernel/runtime/service_decl.h"

// A service's state, and how it comes from snapshots, baselines and the log.
namespace gantry::runtime {

// All of it outlives whoever is given it.
struct Sources {
    ServiceDecl const& decl;
    log::Log const& log;
    log::Snapshots* snapshots = nullptr;  // null: none
    codec::Sealer const* sealer = nullptr;
};

// The state after event `last`, with what the kernel keeps beside it.
struct Folded {
    std::unique_ptr<void, void (*)(void*)> service;
    std::vector<BaselineMark> baselines = {};  // that are whole and not yet cut away, the oldest first
    Remembered remembered = {};
    std::vector<std::string> agreed = {};  // names of the event types that may be recorded; empty: not told since the log began (upgrade.h)
    FollowedSources followed = {};
    Position last = 0;
    Time last_time = {};

    static Folded empty(ServiceDecl const& decl) { return {decl.state.create()}; }
    // As it is now, standing still. Needs the lock that guards it.
    Folded view(ServiceDecl const& decl) const;
    std::uint64_t memory_bytes(ServiceDecl const& decl) const;
};

// Is told now and then how far a replay came; false ends it ("stopped").
using Progress = std::function<bool(Folded const& at, Position end)>;

// The newest good snapshot at or before a position; nothing when there is none that fits what the log still has.
Result<std::optional<Folded>> load_snapshot(Sources const& sources, Position at_most);
// The state of a baseline. "baseline_unreadable".
Result<Folded> load_baseline(Sources const& sources, BaselineMark mark);
// Folds the events after `state.last` up to and including `upto`, or the durable end of the log. Fails with what makes the log unreadable:
// "log_damaged", "event_type_unknown", "event_shape_unreadable", …
Result<void> replay(Sources const& sources, Folded& state, Position upto, Progress const& progress);

// Writes a snapshot's content, or a baseline's.
Result<void> save(Sources const& sources, Folded const& state, log::Snapshots::Meta const& meta, log::Snapshots::Keep keep);
void save_portable(ServiceDecl const& decl, Folded const& state, state::Out& out);

}  // namespace gantry::runtime
