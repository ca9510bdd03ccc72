#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/log/log.h"
#include "kernel/state/due.h"
#include "kernel/state/table.h"

// Effects (DESIGN §5): what a service wants done outside, a mail or a call, is a fact that it records; the kernel does it once the fact is
// durable, and records what became of it.
namespace gantry {

using EffectId = Id<"e_">;

// The fact that something is to be done. The event goes by the name of its arguments: Effect<SendMail> is "send_mail". An id that is
// pending already asks for nothing new.
template <class Args>
struct Effect {
    using named_after = Args;
    EffectId id;
    Args args;
    BOOST_DESCRIBE_CLASS(Effect, (), (id, args), (), ())
};

enum class EffectStep {
    done,     // the target took it
    failed,   // this time; it is tried again at `again_at`
    dead,     // given up: an operator says whether it is tried again
    retried,  // by an operator
    dropped,  // by an operator
};
ENUM(EffectStep, done, failed, dead, retried, dropped);

// What became of an effect: the kernel's fact in the service's log. `error` is of `failed` and `dead`, `note` an operator's.
struct EffectOutcome {
    EffectId id;
    EffectStep step = EffectStep::done;
    std::optional<Time> again_at;
    std::optional<Str> error, note;
};
RECORD(EffectOutcome, id, step, again_at, error, note);

// One that is not done yet.
struct PendingEffect {
    EffectId id;
    Str kind;
    log::Position position = 0;  // of the event that asks for it, which has its arguments
    Time requested_at;
    std::int64_t attempts = 0;      // that failed
    std::optional<Time> next_at;    // absent: it is dead
    std::optional<Str> last_error;  // of the newest attempt
};
RECORD(PendingEffect, id, kind, position, requested_at, attempts, next_at, last_error);

// The pending effects of a service: a member of its State, kept by the kernel.
class Outbox {
   public:
    using row_type = PendingEffect;
    void requested(EffectId const& id, std::string_view kind, log::Position position, Time at);
    void apply(EffectOutcome const& outcome, Time at);

    PendingEffect const* find(EffectId const& id) const { return rows_.find(id); }
    // In the order of ids, which is that of time for those that Ctx::fresh made.
    template <class Visit>
    void walk(EffectId const* after, Visit&& visit) const {
        rows_.walk(after, [&](EffectId const&, PendingEffect const& row) { return visit(row); });
    }
    // Those of a kind that are due, the longest due first, until `visit(row)` returns false.
    template <class Visit>
    void walk_due(std::string_view kind, Time now, Visit&& visit) const {
        if (auto const* lane = lane_of(kind))
            lane->due.walk([&](auto const& entry) { return entry.at <= now && visit(*rows_.find(entry.key)); });
    }
    std::optional<Time> first_due() const;
    std::optional<log::Position> oldest() const;  // position of the oldest that is pending or dead: the log is needed from there on
    std::size_t size() const { return rows_.size(); }

    void set_salt(std::uint64_t salt);
    std::size_t memory_bytes() const;
    void save(state::Out& out) const;
    bool load(state::In& in);

   private:
    struct Lane {
        std::string kind;
        Due<EffectId> due;
    };
    Lane const* lane_of(std::string_view kind) const;
    Lane& lane_for(std::string_view kind);
    Table<EffectId, PendingEffect> rows_;
    std::vector<Lane> lanes_;  // a kind each, in the order in which they came up
};

}  // namespace gantry
