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
    // Called once, from the calling thread or later on the lane, with an answer for each command in the order of run().
    using DoneAll = std::move_only_function<void(std::vector<Result<Answer>>)>;
    void end(int lane, DoneAll done);

   private:
    friend class GroupedCall;
    void enter();                                               // takes the service, unless it is held
    Position last() const { return host_.applied() + count_; }  // recorded here or before
    Result<void> take(std::string_view events, std::uint32_t count, std::vector<state::KeyHash> touched, bool is_watched);
    Result<void> append();
    void leave();  // writes what was recorded, and lets others in

    Host& host_;
    bool inside_ = false, watched_ = false;
    Time now_{};
    // Of what the next write records.
    std::uint32_t count_ = 0;
    std::string events_, caller_, request_id_, trace_id_, trace_state_;
    std::vector<state::KeyHash> touched_;
    std::string payload_room_, events_room_;  // of the call under way
    std::size_t written_ = 0;                 // so many outcomes rest on what was written
    std::vector<Host::Outcome> outcomes_;
};

// One of them.
class GroupedCall final : public HostCall {
   public:
    GroupedCall(HostGroup& group, Request const& request) : HostCall(group.host_, request.viewer, &request), group_(group) {
        payload_.swap(group_.payload_room_), events_.swap(group_.events_room_);
    }
    ~GroupedCall() override {
        payload_.swap(group_.payload_room_), events_.swap(group_.events_room_);
        group_.payload_room_.clear(), group_.events_room_.clear();
    }
    Result<void*> begin_write() override;
    Result<void> end_write(codec::Type const& reply, void const* value, int status) override;
    void abandon_write() override;
    void let_go() override;

   private:
    Result<void> keep_earlier() override { return group_.append(); }
    HostGroup& group_;
};

}  // namespace gantry::runtime
