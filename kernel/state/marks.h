#pragma once
#include "kernel/base/hash.h"
#include "kernel/state/io.h"
#include "kernel/state/tracking.h"

namespace gantry::state {

// What was looked up and what changed, for state that a service builds from parts that don't track: it says so itself, by keys of its
// choice. Holds nothing.
class Marks : public Tracked {
   public:
    void looked_up(std::uint64_t key) const { note(mix64(key)); }
    void looked_at_all() const { note_all(); }
    void changed(std::uint64_t key) { touch(mix64(key)); }
    // Somebody waits for a change, of this or of anything else: a mark that only waiting commands look at may be left out otherwise.
    bool is_awaited() const { return writing && writing->touched; }
    // What a change of the key touches: for a command that waits.
    KeyHash key_of(std::uint64_t key) const { return key_of_hash(mix64(key)); }
    std::size_t memory_bytes() const { return 0; }
    void save(Out&) const {}
    bool load(In&) { return true; }
};

}  // namespace gantry::state
