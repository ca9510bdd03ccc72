#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "kernel/base/time.h"
#include "kernel/log/log.h"
#include "kernel/state/hash_index.h"
#include "kernel/state/io.h"
#include "kernel/state/rows.h"

namespace gantry::runtime {

// 128 bits of keyed hash: what is kept of an Idempotency-Key (with its caller and route) and of a request's bytes.
using ShortHash = std::array<std::uint8_t, 16>;

// The commands of the last hours that came with an Idempotency-Key. It is state: folded from the batches' headers, in snapshots and
// baselines, forgotten by log time. A copy is a cheap view.
class Remembered {
   public:
    static constexpr Duration keep = Duration::hours(24);
    static constexpr std::size_t commands_max = 4'000'000;  // a day of 46 a second; beyond it a command with a key is refused

    struct Command {
        ShortHash key{}, body{};
        log::Position position = 0;  // of the first event of its batch, where the reply lies
        Time time{};
        std::uint32_t newer = 0;
        std::uint32_t unused = 0;
    };

    Command const* find(ShortHash const& key) const;
    // The key must not be there.
    void add(ShortHash const& key, ShortHash const& body, log::Position position, Time time);
    void forget_before(Time time);
    bool full() const { return commands_.size() >= commands_max; }
    std::size_t size() const { return commands_.size(); }
    // What the log must keep to answer repeats; nothing when there are none.
    std::optional<log::Position> oldest() const;
    std::size_t memory_bytes() const { return commands_.memory_bytes() + index_.memory_bytes(); }

    // A fixed form that every later release reads.
    void save(state::Out& out) const;
    bool load(state::In& in);

   private:
    static std::uint64_t hash_of(ShortHash const& key);
    state::Pool<Command> commands_;  // numbers from 1; a list from the oldest to the newest
    state::HashIndex index_;         // by key, to number - 1
    std::uint32_t oldest_ = 0, newest_ = 0;
};

}  // namespace gantry::runtime
