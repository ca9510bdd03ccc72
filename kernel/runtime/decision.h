#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/base/record.h"
#include "kernel/base/result.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/codec/keyed_hash.h"
#include "kernel/codec/site_seal.h"
#include "kernel/log/log.h"
#include "kernel/state/tracking.h"

// What decisions, reads and folds are written with.
namespace gantry {

using log::Position;

// Where and when a fact happened; apply may take it as second parameter.
struct At {
    Position position = 0;
    Time time{};
    std::string_view caller;
};

// What a decision or a read may know besides the state.
struct Ctx {
    Viewer const& viewer;
    Time now{};         // log time of the command: never before an earlier event; of a read, the wall clock's
    Position next = 0;  // position of the first event that this command records
    Random& random;
    void const* settings = nullptr;
    codec::HashKey const* hash_key = nullptr;
    std::string_view scheme = "http", host = "localhost";  // how the caller reached this server
    std::string_view site = "main";                        // whose tenant's log this is
    Position durable = 0;                                  // of a read that tells events (`told`): the last one that can be had
    bool may_wait = false;  // of a command whose route says `Waits`: it may answer that it waits (Emit::wait). False: answer now

    Str const& caller() const { return viewer.id; }
    // What this server's own addresses begin with: "https://gantry.example:8443".
    std::string reached_at() const { return std::string(scheme).append("://").append(host); }
    // A new id: the prefix and 20 characters, sorted by time.
    std::string fresh(std::string_view prefix) const { return fresh_id(prefix, now.us, random); }
    // The subject under which a person's values are sealed: the same for the same name or address, and neither readable in it.
    Str subject_of(std::string_view name) const { return Str(codec::pseudonym(*hash_key, name)); }
    // What this site can tell again without having kept it: proofs in links, and texts that only it can read (kernel/codec/site_seal.h).
    std::string proof_of(std::string_view purpose, std::string_view what) const { return codec::proof_of(*hash_key, purpose, what); }
    std::string seal(std::string_view purpose, std::string_view plain) const {
        return codec::seal_for_site(*hash_key, purpose, plain, random);
    }
    std::optional<std::string> open(std::string_view purpose, std::string_view sealed) const {
        return codec::open_for_site(*hash_key, purpose, sealed);
    }
    template <class Settings>
    Settings const& configured() const {
        return *static_cast<Settings const*>(settings);
    }
};

// "Nothing yet": the request is parked, and decided again when one of the keys (`table.key_of(key)`) was touched. Once `until` has come by
// log time, the client's deadline is near, or the process is to stop, it is decided a last time, with Ctx::may_wait false. Those who wait
// for a key are asked one after another, in the order of their coming; who waits again keeps the place, and the time that was first said.
// Of those that are `alike` (the same number, not 0: one would decide as the other) one alone is asked about a touch.
struct Wait {
    std::vector<state::KeyHash> keys;
    Time until;
    std::uint64_t alike = 0;
};

// What a command gives back: the facts to record, all or nothing, and the reply. No facts: nothing is written. With `wait`, which only
// Ctx::may_wait allows, there are no facts, and the reply is told to nobody.
template <class Reply, class Event>
struct Emit {
    std::vector<Event> events;
    Reply reply{};
    int status = 200;
    std::optional<Wait> wait = {};
};

// One page of a list. `next` continues it; `complete` says whether the list ends here, and if it was cut short for another reason
// than `limit`, `why` says so. `position` is filled by the kernel: the state that the page shows.
template <class Item>
struct Page {
    std::vector<Item> items;
    std::optional<std::string> next;
    bool complete = true;
    std::optional<std::string> why;
    std::string position;
    BOOST_DESCRIBE_CLASS(Page, (), (items, next, complete, why, position), (), ())
};
using Limit = Bounded<1, 1000>;

enum class Version { v1 = 1, v2 = 2, v3 = 3 };
inline constexpr Version V1 = Version::v1, V2 = Version::v2, V3 = Version::v3;

// Who may call a route: one scope by name, or the loud `open_to_all`. A route without either does not compile.
struct Scope {
    std::string_view name;
    constexpr explicit Scope(std::string_view n) : name(n) {}
};
struct OpenToAll {};
inline constexpr OpenToAll open_to_all;
struct Doc {
    std::string_view text;
};
// Extras of a route. `Bulk`: takes application/x-ndjson too (each line a command with its own result) and an array (likewise).
// `Deprecated`: answers carry Deprecation and Sunset, and callers are counted. `Slow`: works for long, on a worker. `Waits`: a command that
// may answer that it waits (Emit::wait).
struct Bulk {};
struct Slow {};
struct Waits {};
struct Deprecated {
    std::string_view since, sunset;  // RFC 3339 dates
};

struct Outside;
// A failure is tried again, after a wait that doubles, unless it is a 4xx other than 408, 425 and 429: those won't get better. What fails
// for good is dead, and waits for an operator. Problem::detail is recorded, so it names no person; Problem::cause only goes to the log
// lines.
struct EffectOptions {
    Duration timeout = Duration::seconds(30);
    Duration first_wait = Duration::seconds(1), longest_wait = Duration::hours(1);  // or what Retry-After says, up to a day
    std::int64_t attempts_max = 20;
    std::size_t at_once = 4;  // of one kind
    // Most of its time it waits for an answer (a feed's next event): it doesn't take one of [server] effect_threads, which others need, but
    // one of as many beside them as `waiting_effects_max` says, for the whole process.
    bool waits = false;
};
inline constexpr int waiting_effects_max = 32;

}  // namespace gantry
