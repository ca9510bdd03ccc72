#pragma once
#include <optional>
#include <string>

#include "kernel/codec/any_value.h"
#include "kernel/runtime/drawn.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// What the answer of a told command is made of, once it is durable. It owns everything that it shows.
struct Host::Telling {
    Viewer viewer;
    std::string scheme, host;
    Time now{};
    Position next = 0;
    std::optional<codec::AnyValue> found;  // nothing: of a repeat, whose batch holds it
};

// One call of one route. Holds the service's lock between begin and end, and lets go of it on every way out.
class HostCall : public Call {
   public:
    // What its events are written into; of its own unless it is given.
    struct Room {
        std::string payload, events;
    };
    HostCall(Host& host, Viewer const& viewer, Request const* request, Room* room = nullptr);
    ~HostCall() override { HostCall::let_go(); }
    // The service is for others again; what was recorded stays.
    virtual void let_go();

    Result<void> bind(codec::Type const& input, void* out) override { return request_->bind(input, out); }
    Result<Searched> search(void const* input) override;
    Result<void const*> begin_read() override;
    Position end_read() override;
    Result<void*> begin_write() override;
    Ctx const& ctx() const override { return ctx_; }
    DrawnRandom const& drawn() const { return drawn_; }
    Request const* request() const { return request_; }
    Result<std::shared_ptr<void const>> event(Position position) override;
    std::string& payload() override { return room_.payload; }
    codec::Sealer const* sealer() const override { return host_.parts_.sealer; }
    Result<void> may_record(std::uint32_t event_type) override;
    void record(std::uint32_t event_type, std::uint64_t events_so_far) override;
    At next_at() const override { return {ctx_.next, ctx_.now, ctx_.caller()}; }
    Result<void> may_append() override { return count_ > 0 ? host_.parts_.log.may_append(room_.events.size()) : Result<void>{}; }
    void applying() override;
    Result<void> end_write(codec::Type const& reply, void const* value, int status) override;
    void abandon_write() override;
    Result<void> wait(Wait wait, std::size_t events) override;
    std::string position_text(Position position) const override { return host_.position_text(position); }
    void answer(codec::Type const& reply, void const* value, int status) override;

    // apply threw: the batch was not logged, so the log still holds the truth.
    Problem promise_broken(std::string cause);
    bool is_applying() const { return applying_; }
    Answer take_answer() {
        answer_.position = rests_on_;
        return std::move(answer_);
    }
    // A refusal rests on the state that it saw, if it came to see one.
    Position rests_on() const { return rests_on_; }
    Position repeat_of() const { return repeat_of_; }
    bool is_parked() const { return parked_; }
    Host::Telling take_telling();
    void set_cause(std::optional<log::CauseView> cause) { cause_ = cause; }

   protected:
    enum class Held { none, shared, exclusive };
    Problem stopped() const;
    Result<void> may_write();
    bool may_wait(Waiter const& waiter) const;
    Result<bool> is_repeat();  // of a command with the same Idempotency-Key
    Result<void> check_if_match();
    virtual void complete(log::BatchView&) {}           // what else belongs into the header
    virtual Result<void> keep_earlier() { return {}; }  // what the same batch holds from before, when this call's fold fails
    Result<Position> append(codec::Type const& reply, void const* value, int status);
    void note_touches();  // while this folds
    void keep_seen() const;
    Result<void> undo(Problem why);  // the log refused what was folded already

    Host& host_;
    Request const* request_;  // null: a tick
    state::Reading reading_;
    std::optional<state::Writing> writing_;
    std::vector<state::KeyHash> touched_;
    DrawnRandom drawn_;
    Ctx ctx_;
    std::optional<log::CauseView> cause_;
    Held held_ = Held::none;
    bool applying_ = false, parked_ = false, is_watched_ = false;
    std::optional<codec::AnyValue> found_;  // of a told command
    Room own_room_;
    Room& room_;
    std::uint32_t count_ = 0;
    codec::KeyedHash key_hash_{}, body_hash_{};
    Position rests_on_ = 0;
    Position repeat_of_ = 0;
    Answer answer_;
};

}  // namespace gantry::runtime
