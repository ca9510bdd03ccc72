#include "kernel/runtime/follow_call.h"

#include "kernel/runtime/reports.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t detail_bytes_max = 500;

// At most so many bytes, and no character cut in two.
std::string shortened(std::string_view text) {
    if (text.size() > detail_bytes_max) {
        text = text.substr(0, detail_bytes_max);
        while (!text.empty() && (text.back() & 0xc0) == 0x80) text.remove_suffix(1);
        if (!text.empty() && (text.back() & 0x80)) text.remove_suffix(1);
    }
    return std::string(text);
}

}  // namespace

void FollowCall::applying() {
    state::reading = nullptr;
    applying_ = true;
    writing_.emplace(host_.stamps_, base_ + count_ - 1);
    note_touches();
    state::writing = &*writing_;
}

void FollowCall::complete(log::BatchView& batch) {
    batch.cursors = {&cursor_, 1}, batch.note = letters_.note();
    if (causes_ == 1) batch.cause = log::CauseView{source_, caused_by_};
}

Result<FollowTurned> FollowCall::turn(FollowTurn const& turn, std::optional<Poison>& poison) {
    TRY_ASSIGN(state_, begin_write());
    state::reading = nullptr;
    followed_ = &host_.state_.followed.at(source_);
    base_ = ctx_.next;
    FollowTurned out;
    if (followed_->incarnation != turn.known || followed_->position != turn.after) return let_go(), out.is_void = true, out;
    cursor_ = {source_, turn.incarnation, turn.after};
    auto const began_ns = host_.parts_.clock.steady_ns();
    for (auto const& item : turn.items) {
        if (!turn.retry && is_full()) {
            out.full = true;
            break;
        }
        TRY_VOID(take(turn, item, poison));
        if (!turn.retry) cursor_.position = item.position;
        ++out.taken;
        bool const last = out.taken == turn.items.size() || room_.events.size() > batch_bytes_max;
        if (last || (out.taken % 8 == 0 && host_.parts_.clock.steady_ns() - began_ns > hold_ns_max)) break;
    }
    if (out.taken == turn.items.size() && !turn.retry) cursor_.position = turn.upto;
    out.recorded = turn.checkpoint || count_ > 0 || !letters_.empty();
    TRY_VOID(commit(out.recorded));
    return out;
}

// Fails when the turn is over and nothing of it stands.
Result<void> FollowCall::take(FollowTurn const& turn, FollowItem const& item, std::optional<Poison>& poison) {
    auto const bytes = room_.events.size();
    auto const count = count_;
    Result<void> done;
    if (poison && poison->position == item.position) {
        done = std::unexpected(poison->problem);
    } else {
        try {
            done = decide(turn, item);
        } catch (...) {
            auto const thrown = thrown_now();
            if (applying_) {
                auto problem = promise_broken(thrown->message);
                (void)host_.report("follower", source_, problem, thrown.get());
                poison = Poison{item.position, problem};
                return std::unexpected(std::move(problem));
            }
            Problem problem{500, "internal_error", "the decision failed inside the service"};
            problem.cause = thrown->message;
            (void)host_.report("follower", source_, problem, thrown.get());
            done = std::unexpected(std::move(problem));
        }
    }
    state::writing = nullptr, state::reading = nullptr, applying_ = false;
    if (!done) room_.events.resize(bytes), count_ = count, room_.payload.clear();
    if (count_ != count) ++causes_, caused_by_ = item.position;
    ctx_.next = base_ + count_;
    settle(turn, item, done);
    return {};
}

Result<void> FollowCall::decide(FollowTurn const& turn, FollowItem const& item) {
    if (item.unreadable) return std::unexpected(*item.unreadable);
    if (!turn.retry && !followed_->letters().empty() && followed_->blocks(subject_of(*turn.decl.event, item.event)))
        return fail(409, "behind_dead_letter", "an earlier event with this subject lies among the dead letters");
    auto const& handler = turn.decl.handlers[item.alternative];
    if (!handler.function) return {};
    return handler.run(handler.function, *this, state_, item.event, {item.position, item.time, item.caller});
}

// Puts what failed among the letters, and takes away what did not.
void FollowCall::settle(FollowTurn const& turn, FollowItem const& item, Result<void> const& done) {
    auto const now = ctx_.now;
    if (done) {
        if (!turn.retry) return;
        drop_letter(*followed_, item.position, letters_);
        return;
    }
    DeadLetter letter{.time = now};
    if (turn.retry)
        letter.subject = followed_->letters().at(item.position).subject;
    else if (item.event)
        letter.subject = subject_of(*turn.decl.event, item.event);
    letter.code = done.error().code, letter.detail = shortened(done.error().detail);
    letter.state = letter.code == "behind_dead_letter" ? DeadLetter::State::behind : DeadLetter::State::failed;
    letters_.put(item.position, letter);
    followed_->put(item.position, std::move(letter));
}

// What was folded is undone when the log refuses it.
Result<void> FollowCall::commit(bool must_record) {
    if (count_ > 0) {
        followed_->incarnation = cursor_.incarnation, followed_->position = cursor_.position;
        ctx_.next = base_;
        return end_write(codec::type_of<codec::RawJson>(), nullptr, 204);
    }
    if (must_record) {
        log::BatchView batch;
        batch.kind = log::BatchKind::checkpoint, batch.time = ctx_.now, batch.caller = ctx_.caller();
        complete(batch);
        host_.note_effects();
        if (auto appended = host_.parts_.log.append(batch); !appended) {
            if (!letters_.empty()) return undo(std::move(appended.error()));
            return let_go(), std::unexpected(std::move(appended.error()));
        }
        host_.state_.last_time = ctx_.now;
    }
    followed_->incarnation = cursor_.incarnation, followed_->position = cursor_.position;
    host_.broken_promises_ = 0;
    let_go();
    return {};
}

Result<void> FollowCall::change(Change const& change) {
    TRY_VOID(begin_write());
    followed_ = &host_.state_.followed.at(source_);
    base_ = ctx_.next;
    auto const before = *followed_;
    auto changed = change(*followed_, letters_);
    if (!changed) return *followed_ = before, let_go(), std::unexpected(std::move(changed.error()));
    cursor_ = {source_, followed_->incarnation, followed_->position};
    return commit(true);
}

}  // namespace gantry::runtime
