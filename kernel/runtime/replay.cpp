#include "kernel/runtime/replay.h"

#include <fmt/format.h>

#include <charconv>

#include "kernel/codec/json.h"
#include "kernel/runtime/event_at.h"
#include "kernel/runtime/line_decl.h"
#include "kernel/runtime/reports.h"

namespace gantry::runtime {
namespace {

// Those that were drawn then, in their order; beyond them others, the same in each replay.
class DrawnAgain final : public Random {
   public:
    explicit DrawnAgain(std::vector<std::string> const& drawn) {
        for (auto const& digits : drawn) {
            auto& number = numbers_.emplace_back(0);
            std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
        }
    }
    std::uint64_t next() override { return at_ < numbers_.size() ? numbers_[at_++] : beyond_.next(); }

   private:
    std::vector<std::uint64_t> numbers_;
    std::size_t at_ = 0;
    SeededRandom beyond_{1};
};

class ReplayCall final : public Call {
   public:
    ReplayCall(Host const& host, Folded& state, RouteDecl const& route, FailureReport const& report, Ctx ctx, codec::Sealer const* sealer)
        : host_(host), state_(state), route_(route), report_(report), ctx_(std::move(ctx)), sealer_(sealer), reading_(ctx_.viewer) {}
    ~ReplayCall() override { state::reading = nullptr, state::writing = nullptr; }

    Result<void> bind(codec::Type const& input, void* out) override {
        return codec::decode_json(input, out, report_.input->text, false, {.lenient = true});
    }
    Result<Searched> search(void const* input) override {
        TRY_ASSIGN(auto const query, route_.make_query(route_.query, input, ctx_));
        return query.nothing ? Searched{} : Call::search(input);
    }
    Result<void const*> begin_read() override { return begin(); }
    Position end_read() override {
        state::reading = nullptr;
        return state_.last;
    }
    Result<void*> begin_write() override { return begin(); }
    Ctx const& ctx() const override { return ctx_; }
    Result<std::shared_ptr<void const>> event(Position position) override { return event_if_kept(host_, position); }
    Result<void> may_record(std::uint32_t) override { return {}; }
    void record(std::uint32_t event_type, std::uint64_t) override {
        events_.emplace_back(host_.decl().event->alternatives[event_type].name), payload_.clear();
    }
    std::string& payload() override { return payload_; }
    codec::Sealer const* sealer() const override { return sealer_; }
    At next_at() const override { return {ctx_.next, ctx_.now, ctx_.caller()}; }
    void applying() override {
        state::reading = nullptr;
        applying_ = true;
        writing_.emplace(stamps_, ctx_.next + std::max<std::size_t>(events_.size(), 1) - 1);
        if (!events_.empty()) state::writing = &*writing_;
    }
    Result<void> end_write(codec::Type const& reply, void const* value, int status) override {
        state::writing = nullptr, applying_ = false;
        if (value) answer(reply, value, status);
        return {};
    }
    void abandon_write() override { state::reading = nullptr, state::writing = nullptr; }
    Result<void> wait(Wait wait, std::size_t events) override {
        if (!ctx_.may_wait || events > 0) return Call::wait(std::move(wait), events);
        abandon_write();
        answer_.status = 204, answer_.position = state_.last;  // it would have waited
        return {};
    }
    std::string position_text(Position position) const override { return host_.position_text(position); }
    void answer(codec::Type const& reply, void const* value, int status) override {
        answer_.status = status, answer_.position = state_.last;
        codec::encode_json(reply, value, answer_.body);
    }

    bool is_applying() const { return applying_; }
    std::vector<std::string>& events() { return events_; }
    Answer& told() { return answer_; }

   private:
    void* begin() {
        state::reading = &reading_;
        gantry_replay_decides();
        return state_.service.get();
    }
    Host const& host_;
    Folded& state_;
    RouteDecl const& route_;
    FailureReport const& report_;
    Ctx ctx_;
    codec::Sealer const* sealer_;
    state::Reading reading_;
    state::Stamps stamps_;
    std::optional<state::Writing> writing_;
    std::string payload_;
    std::vector<std::string> events_;
    Answer answer_;
    bool applying_ = false;
};

Viewer viewer_of(ReportedCaller const& caller) {
    Viewer out{Str(caller.id), caller.sees_all};
    for (auto const& team : caller.teams) out.teams.push_back(Str(team));
    return out;
}

}  // namespace

extern "C" __attribute__((noinline)) void gantry_replay_decides() { asm volatile(""); }

RouteDecl const* route_of(ServiceDecl const& decl, FailureReport const& report) {
    for (auto const& route : decl.routes) {
        bool const named = fmt::format("{} {}", route.verb, route.path) == report.route;
        auto const version = fmt::format("/v{}/", int(route.version));
        bool const asked = route.foreign || report.request.path.empty() || report.request.path.find(version) != std::string::npos ||
                           report.request.path.ends_with(std::string_view(version).substr(0, version.size() - 1));
        if (named && asked) return &route;
    }
    for (auto const& line : decl.lines)
        for (auto const& command : line->commands)
            if (fmt::format("{} {}", command.route.verb, command.route.path) == report.route) return &command.route;
    return nullptr;
}

Result<Replayed> replay_request(Host const& host, Folded& state, RouteDecl const& route, FailureReport const& report,
                                codec::HashKey const& hash_key, codec::Sealer const* sealer, void const* settings) {
    if (!report.seen) return fail(400, "replay_impossible", "the report says no position: the request never came to see the state");
    if (!report.input) return fail(400, "replay_impossible", "the report has no input: it couldn't be read, or was too long to be told");
    if (!route.run) return fail(400, "replay_impossible", "this route is the kernel's own, and about what is beside the state");
    Viewer const viewer = viewer_of(report.caller);
    DrawnAgain random(report.seen->drawn);
    Ctx ctx{viewer, report.seen->now, state.last + 1, random, settings, &hash_key};
    ctx.durable = state.last, ctx.may_wait = report.seen->may_wait.value_or(false);
    if (route.command && !report.request.host.empty()) ctx.scheme = report.request.scheme, ctx.host = report.request.host;
    ReplayCall call(host, state, route, report, ctx, sealer);
    Replayed out{Answer{}, {}, {}, {}, false};
    Result<void> ran;
    try {
        ran = route.run(route.function, call);
    } catch (...) {
        auto const thrown = thrown_now();
        out.in_apply = call.is_applying();
        Problem problem{500, out.in_apply ? "apply_failed" : "internal_error",
                        "the request failed inside the service; nothing was recorded"};
        problem.cause = thrown->message;
        out.exception = ReportedException{thrown->type, thrown->message};
        if (thrown->of_throw) out.stack = observe::symbolise(thrown->stack.frames());
        ran = std::unexpected(std::move(problem));
    }
    out.events = std::move(call.events());
    out.outcome = ran ? Result<Answer>(std::move(call.told())) : std::unexpected(std::move(ran.error()));
    return out;
}

}  // namespace gantry::runtime
