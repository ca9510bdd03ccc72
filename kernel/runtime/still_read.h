#pragma once
#include <optional>
#include <string>

#include "kernel/runtime/event_at.h"

namespace gantry::runtime {

// A read of a state that stands still: one of the past, or that of now under its lock.
class StillRead final : public Call {
   public:
    StillRead(Host const& host, RouteDecl const& route, Bind const& bind, Ctx const& ctx, void const* state)
        : host_(host), route_(route), bind_(bind), ctx_(ctx), state_(state), reading_(ctx.viewer) {}
    // Of the past, which ends with `at`, under the rights of `now`.
    StillRead(Host const& host, RouteDecl const& route, Bind const& bind, Ctx const& ctx, void const* past, Position at, void const* now)
        : host_(host), route_(route), bind_(bind), ctx_(ctx), state_(past), at_(at), reading_(ctx.viewer, {past, now}) {}
    ~StillRead() override { state::reading = nullptr; }

    Result<void> bind(codec::Type const& input, void* out) override { return bind_(input, out); }
    Result<void const*> begin_read() override {
        state::reading = &reading_;
        return state_;
    }
    Position end_read() override {
        state::reading = nullptr;
        return at_ ? *at_ : host_.rests_on(reading_);
    }
    Ctx const& ctx() const override { return ctx_; }
    Result<Searched> search(void const* input) override;
    Result<std::shared_ptr<void const>> event(Position position) override { return event_if_kept(host_, position); }
    std::string position_text(Position position) const override { return host_.position_text(position); }
    void answer(codec::Type const& reply, void const* value, int) override;
    std::string& body() { return body_; }

    Result<void*> begin_write() override { return wrong(); }
    Result<void> may_record(std::uint32_t) override { return {}; }
    void record(std::uint32_t, std::uint64_t) override {}
    std::string& payload() override { return body_; }
    codec::Sealer const* sealer() const override { return nullptr; }
    At next_at() const override { return {}; }
    void applying() override {}
    Result<void> end_write(codec::Type const&, void const*, int) override { return std::unexpected(wrong().error()); }
    void abandon_write() override {}

   private:
    static Result<void*> wrong() { return fail(500, "internal_error", "a GET is no command"); }
    Host const& host_;
    RouteDecl const& route_;
    Bind const& bind_;
    Ctx const& ctx_;
    void const* state_;
    std::optional<Position> at_;
    state::Reading reading_;
    std::string body_;
};

}  // namespace gantry::runtime
