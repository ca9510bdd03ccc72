// What a host does for its followers, and for those who follow it.
#include <exception>

#include "kernel/runtime/follow_call.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

Result<FollowTurned> Host::follow(FollowTurn const& turn) {
    static Viewer const kernel{Str("gantry"), true};
    std::optional<FollowCall::Poison> poison;
    for (FollowTurn now = turn;;) {
        auto const before = poison ? poison->position : Position{0};
        auto turned = FollowCall(*this, kernel, turn.decl.source).turn(now, poison);
        if (turned || !poison || poison->position == before) return turned;
        // Once more, up to the one that a fold could not bear: it goes among the dead letters.
        std::size_t upto = 0;
        while (turn.items[upto].position != poison->position) ++upto;
        now.items = turn.items.first(upto + 1);
        now.upto = turn.items[upto].position;
    }
}

FollowPlace Host::followed_place(std::string_view source) {
    lock_.lock_shared();
    FollowPlace place;
    if (auto const* followed = state_.followed.find(source)) {
        place = {followed->incarnation, followed->position, followed->needs(), followed->letters().size(), {}};
        if (auto const* letter = followed->to_retry()) place.to_retry = letter->first;
    }
    lock_.unlock_shared();
    return place;
}

Followed Host::followed(std::string_view source) {
    lock_.lock_shared();
    auto const* found = state_.followed.find(source);
    Followed copy = found ? *found : Followed(source);
    lock_.unlock_shared();
    return copy;
}

Result<void> Host::change_followed(std::string_view source, std::function<Result<void>(Followed&, LetterChanges&)> const& change) {
    static Viewer const kernel{Str("gantry"), true};
    return FollowCall(*this, kernel, source).change(change);
}

void Host::set_follower_desk(FollowerDesk* desk) { follower_desk_.store(desk, std::memory_order_release); }

std::uint64_t Host::on_progress(std::function<void()> listener) {
    std::lock_guard guard(listeners_mutex_);
    listeners_.emplace(next_listener_, std::move(listener));
    return next_listener_++;
}

void Host::stop_listening(std::uint64_t listener) {
    std::lock_guard guard(listeners_mutex_);
    listeners_.erase(listener);
}

void Host::keep_for(std::function<Position()> needed) {
    std::lock_guard guard(listeners_mutex_);
    needed_ = std::move(needed);
}

// A command of the kernel is answered, like any, once it is durable: its batch has no events, so that only the log itself can tell.
std::optional<Result<Answer>> Host::call_kernel(Request const& request, Later later) {
    auto answer = request.route.kernel(*this, request.bind);
    if (!request.route.command || !answer) return answer;
    if (!parts_.background) {
        TRY_VOID(parts_.log.wait_durable());
        return answer;
    }
    parts_.background([this, lane = request.lane, done = later(), answer = std::move(answer)]() mutable {
        if (auto durable = parts_.log.wait_durable(); !durable) answer = std::unexpected(std::move(durable.error()));
        if (!parts_.post || lane < 0) return done(std::move(answer));
        parts_.post(lane, [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
    });
    return {};
}

}  // namespace gantry::runtime
