#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kernel/runtime/host.h"
#include "kernel/runtime/host_call.h"

namespace gantry::runtime {

// Commands of one request, as the lines of a bulk: each is decided as if it had come alone, and one write records them all. The service is
// held from the first decision until end(), so a group is short. What fails is the one command's, unless the log takes nothing more: then
// it fails for all that the group recorded since it was last written.
class HostGroup {
   public:
    explicit HostGroup(Host& host) : host_(host) {}
    ~HostGroup();
    HostGroup(HostGroup const&) = delete;
    HostGroup& operator=(HostGroup const&) = delete;

    // Commands without an Idempotency-Key that don't work before they are decided: the others are for Host::call. None may wait.
    static bool takes(RouteDecl const& route) { return route.command && !route.slow && !route.kernel; }
    void run(Request const& request);
    // `told` is called once with an answer for each command, in the order of run(): from the calling thread, later on the lane, or on the
    // committer's thread, so it touches what is its own alone. Then `done` is, from the calling thread or on the lane.
    using Told = std::move_only_function<void(std::vector<Result<Answer>>)>;
    using DoneAll = std::move_only_function<void()>;
    void end(int lane, Told told, DoneAll done);

   private:
    friend class GroupedCall;
    void enter();                                               // takes the service
    Position last() const { return host_.applied() + count_; }  // recorded here or before
    Result<void> take(std::string_view events, std::uint32_t count, std::vector<state::KeyHash> touched, bool is_watched);
    Result<void> append();
    void leave();  // writes what was recorded, and lets others in
    static bool is_plain(std::vector<Host::Outcome> const& outcomes);

    Host& host_;
    bool inside_ = false, watched_ = false;
    Result<void> may_write_;  // when the service was taken
    Time now_{};
    // Of what the next write records.
    std::uint32_t count_ = 0;
    std::string events_, caller_, request_id_, trace_id_, trace_state_;
    std::vector<state::KeyHash> touched_;
    HostCall::Room room_;             // of the call under way
    std::size_t admitted_bytes_ = 0;  // of events, that the log would take
    std::size_t written_ = 0;         // so many outcomes rest on what was written
    std::vector<Host::Outcome> outcomes_;
};

// One of them.
class GroupedCall final : public HostCall {
   public:
    GroupedCall(HostGroup& group, Request const& request) : HostCall(group.host_, request.viewer, &request, &group.room_), group_(group) {}
    ~GroupedCall() override { room_.payload.clear(), room_.events.clear(); }
    Result<void*> begin_write() override;
    Result<void> end_write(codec::Type const& reply, void const* value, int status) override;
    Result<void> may_append() override;
    void abandon_write() override;
    void let_go() override;

   private:
    Result<void> keep_earlier() override { return group_.append(); }
    HostGroup& group_;
};

}  // namespace gantry::runtime
