#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernel/runtime/follow_call.h"

namespace gantry::runtime {

// Where a follower reads: what is durable of a log in this process, or a feed over HTTP. One thread at a time.
class FollowSource {
   public:
    virtual ~FollowSource() = default;

    struct Chunk {
        std::span<FollowItem const> items;  // those that the follower takes
        Position upto = 0;                  // all events up to here were looked at
        log::Incarnation incarnation = 0;
    };
    // Events behind `after`, of the history `known` (0: the follower has read nothing yet); all of it lives until the next call. Nothing:
    // none now; the follower is woken when there may be some. Fails with 410 "source_gap" (retention cut what the follower needs), 410
    // "source_history" (the source has another history now) or 410 "source_ahead" (the follower has read more than the source has), until
    // an operator says where to go on; or with what is wrong for the moment.
    virtual Result<std::optional<Chunk>> read(log::Incarnation known, Position after) = 0;
    // The event at one position.
    virtual Result<std::optional<Chunk>> read_one(log::Incarnation known, Position position) = 0;

    struct Place {
        log::Incarnation incarnation = 0;  // 0: not known yet
        Position begin = 1, durable = 0;
    };
    virtual Place place() const = 0;
    // When the first event behind `after` happened, if that is known.
    virtual std::optional<Time> time_behind(Position after) const = 0;
    virtual bool ready() const = 0;
    virtual std::string where() const = 0;  // for people
};

bool needs_operator(Problem const& problem);

// Where the history that a source has now forked from a former one: up to there both are the same. Nothing: unknown.
using ForkOf = std::function<std::optional<Position>(log::Incarnation former)>;

// `wake` is called, from any thread, when there may be more. The host outlives the source.
std::unique_ptr<FollowSource> follow_log(Host& source, FollowDecl const& decl, std::function<void()> wake, ForkOf fork = {});
// `url`: of the server, as http://host:port. `follower` is the name by which the feed's server knows who reads.
std::unique_ptr<FollowSource> follow_feed(std::string url, FollowDecl const& decl, std::string follower, std::function<void()> wake,
                                          Duration wait = Duration::seconds(20));

}  // namespace gantry::runtime
