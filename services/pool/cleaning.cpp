#include "services/pool/cleaning.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/pool/alerts.h"
#include "services/pool/calls.h"
#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

constexpr std::int64_t longest_wait_ms = 3'600'000;

std::string queue_of(TypeSettings const& settings, std::string_view type) {
    return settings.clean_queue.empty() ? fmt::format("pool-clean-{}", type) : settings.clean_queue.str();
}

Problem lost(State const& s, std::string_view name, Resource const& r, std::uint64_t fence) {
    std::string now = s.state_name(r.state);
    if (auto const* lease = r.lease != 0 ? s.leases.find(r.lease) : nullptr)
        now = fmt::format("held by {} (ls_{})", lease->owner, r.lease);
    else if (r.state == cleaning)
        now = fmt::format("{} by {}", r.unverified ? "being verified, after cleaning" : "being cleaned", r.by);
    return {409, "cleaning_lost", fmt::format("fence {} is over: {} is {} now, with fence {}", fence, name, now, r.fence)};
}

struct Target {
    std::uint32_t number = 0;
    Resource const* r = nullptr;
    std::string worker;
};
// The resource that a worker speaks of, if the fence is that of now.
Result<Target> find_target(State const& s, Name const& name, std::uint64_t fence, std::optional<Owner> const& worker, Ctx const& cx) {
    auto const* r = s.resource(name);
    if (!r) return fail(404, "resource_not_found", "there is no resource with this name");
    if (r->fence != fence || r->unverified) return fail(lost(s, name, *r, fence));
    return Target{s.names.find(name), r, worker ? worker->str() : cx.caller().str()};
}
Result<Target> find_worked(State const& s, Name const& name, std::uint64_t fence, std::optional<Owner> const& worker, Ctx const& cx) {
    TRY_ASSIGN(auto target, find_target(s, name, fence, worker, cx));
    bool const other = target.r->state == cleaning && target.r->by != target.worker;
    if (other || (target.r->state != cleaning && target.r->state != dirty)) return fail(lost(s, name, *target.r, fence));
    return target;
}

CleaningView view_of(State const& s, Target const& target) {
    Resource const& r = *target.r;
    CleaningView out{std::string(s.names.text(target.number)),
                     std::string(s.type_names.text(r.type)),
                     s.state_name(r.state),
                     r.fence,
                     {},
                     {},
                     r.clean_failures};
    return out;
}
CleaningView working_view(State const& s, Target const& target, Time until) {
    auto out = view_of(s, target);
    out.state = "cleaning", out.worker = target.worker, out.deadline = until;
    return out;
}
TypeSettings const& settings_of(State const& s, Resource const& r) { return s.types.find(r.type)->settings; }
Time deadline_of(State const& s, Resource const& r, Ctx const& cx) { return cx.now + Duration::millis(settings_of(s, r).clean_ms); }

// It is clean and may be free: the fact, and what follows.
void free_it(Desk& desk, std::uint32_t number, bool verified, Reason const& detail) {
    State const& s = desk.state();
    Resource const& r = *s.resources.find(number);
    desk.record(Cleaned{Name(s.names.text(number)), verified, detail});
    settle(desk, number, "free", r.fence);
    desk.match(r.type);
}

}  // namespace

void settle(Desk& desk, std::uint32_t resource, std::string_view to, std::uint64_t fence, std::int64_t delay_ms) {
    State const& s = desk.state();
    Resource const& r = *s.resources.find(resource);
    auto const& settings = settings_of(s, r);
    Name const name(s.names.text(resource));
    bool const leaving = r.destroying || (r.drained && r.origin == Origin::made);
    if (leaving && (to == "free" || to == "dirty")) return destroy(desk, resource, "its time is over");
    if (to == "free" && s.types.find(r.type)->retires) return retire(desk, resource);
    if (to == "free" && !r.drained) return desk.came_free(resource);
    desk.is_gone(resource);
    if (to == "dirty") ask_cleaning(desk, TypeName(s.type_names.text(r.type)), settings, {{}, name, {}, fence, delay_ms, r.data});
}

void ask_cleaning(Desk& desk, TypeName const& type, TypeSettings const& settings, PutCleanTask task) {
    if (settings.cleaning != Cleaning::queue) return;
    task.queue = queue_of(settings, type), task.type = type;
    desk.record(Effect<PutCleanTask>{desk.cx().fresh("e_"), std::move(task)});
}

std::vector<std::uint32_t> types_of_resources(State const& s, std::vector<std::uint32_t> const& resources) {
    std::vector<std::uint32_t> out;
    for (auto number : resources)
        if (auto const* r = s.resources.find(number); r && std::ranges::find(out, r->type) == out.end()) out.push_back(r->type);
    return out;
}

void fail_cleaning(Desk& desk, std::uint32_t resource, Reason const& reason) {
    State const& s = desk.state();
    Resource const& r = *s.resources.find(resource);
    auto const& settings = settings_of(s, r);
    auto const failures = r.clean_failures + 1;
    bool const last = failures >= std::uint64_t(std::int64_t(settings.clean_attempts));
    auto const fence = desk.next_fence();
    std::string_view const to = last ? "quarantined" : "dirty";
    desk.record(CleanFailed{Name(s.names.text(resource)), reason, Word(to), fence});
    auto const doubled = settings.clean_wait_ms << std::min<std::uint64_t>(failures - 1, 20);
    settle(desk, resource, to, fence, std::min(doubled, longest_wait_ms));
    if (last) tell_alert(desk, resource, "quarantined", to, reason);
}

Result<CleaningReply> begin_cleaning(State const& s, CleaningStart const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const target, find_target(s, in.name, in.fence, in.worker, cx));
    if (target.r->state != dirty && target.r->state != cleaning) return fail(lost(s, in.name, *target.r, in.fence));
    auto const until = deadline_of(s, *target.r, cx);
    return CleaningReply{{CleaningBegan{in.name, target.worker, until}}, working_view(s, target, until)};
}

Result<CleaningReply> cleaning_goes_on(State const& s, CleaningBeat const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const target, find_worked(s, in.name, in.fence, in.worker, cx));
    auto const until = deadline_of(s, *target.r, cx);
    auto reply = working_view(s, target, until);
    if (target.r->state == dirty) return CleaningReply{{CleaningBegan{in.name, target.worker, until}}, std::move(reply)};
    return CleaningReply{{CleaningHeard{in.name, until, in.progress.value_or(Reason{})}}, std::move(reply)};
}

Result<CleaningReply> cleaned(State const& s, CleaningDone const& in, Ctx const& cx) {
    if (auto const* r = s.resource(in.name); r && r->fence == in.fence && r->state == free_)  // told again
        return CleaningReply{{}, view_of(s, {s.names.find(in.name), r, {}})};
    TRY_ASSIGN(auto const target, find_worked(s, in.name, in.fence, in.worker, cx));
    auto const& settings = settings_of(s, *target.r);
    auto const detail = in.detail.value_or(Reason{});
    bool const verified = in.verified.value_or(false);
    Desk desk(s, cx);
    auto reply = view_of(s, target);
    if (settings.verification == Verification::hook) {
        auto const until = deadline_of(s, *target.r, cx);
        desk.record(CleanedUnverified{in.name, detail, until});
        Str const type(s.type_names.text(target.r->type));
        desk.record(Effect<AskVerification>{cx.fresh("e_"), {settings.verify_url, in.name, TypeName(type), in.fence}});
        reply.state = "cleaning", reply.deadline = until;
        return CleaningReply{desk.take_events(), std::move(reply), 202};
    }
    if (settings.verification == Verification::worker && !verified)
        return fail({422,
                     "resource_unverified",
                     fmt::format("type {} wants it verified before it is free", s.type_names.text(target.r->type)),
                     {{"/verified", "expected true, or a call of clean_failed"}}});
    free_it(desk, target.number, verified, detail);
    reply.state = "free";
    return CleaningReply{desk.take_events(), std::move(reply)};
}

Result<CleaningReply> clean_failed(State const& s, CleaningFault const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const target, find_worked(s, in.name, in.fence, in.worker, cx));
    Desk desk(s, cx);
    fail_cleaning(desk, target.number, in.reason);
    auto reply = view_of(s, target);
    auto const& failed = std::get<CleanFailed>(desk.events.front());
    reply.state = failed.to.str(), reply.fence = failed.fence, ++reply.failures;
    return CleaningReply{desk.take_events(), std::move(reply)};
}

namespace {

struct TaskPayload {
    Str resource, type;
    std::uint64_t fence = 0;
    std::optional<codec::RawJson> data;
};
RECORD(TaskPayload, resource, type, fence, data);

}  // namespace

Result<TaskPut> put_clean_task(PutCleanTask const& args, Outside& outside) {
    TaskPayload payload{args.resource, args.type, args.fence, {}};
    if (!args.data.empty()) payload.data = codec::RawJson{args.data};
    return queue::enqueue({.queue = args.queue.str(),
                           .payload = codec::to_json(payload),
                           .key = args.resource.str(),
                           .unique = fmt::format("{}/{}", args.resource.view(), args.fence),
                           .delay_ms = args.delay_ms},
                          outside);
}

std::vector<Event> clean_task_put(State const& s, PutCleanTask const& args, Result<TaskPut> const& put, Ctx const&) {
    auto const* r = s.resource(args.resource);
    if (!r || r->fence != args.fence) return {};
    if (put) return {CleanTask{args.resource, args.fence, put->task, {}}};
    return {CleanTask{args.resource, args.fence, {}, Reason(fmt::format("{}: {}", put.error().code, put.error().detail))}};
}

Result<Verdict> read_verdict(Result<std::string> const& body) {
    return read_answer<Verdict>(body, [](codec::JsonValue root, Verdict& out) -> std::string {
        auto const verified = root["verified"].boolean();
        if (!verified) return "/verified: expected true or false";
        out.verified = *verified, out.detail = root["detail"].text().substr(0, 900);
        return {};
    });
}
Result<Verdict> ask_verification(AskVerification const& args, Outside& outside) {
    TaskPayload const asked{args.resource, args.type, args.fence, {}};
    return read_verdict(ask_json(outside, "POST", args.url, codec::to_json(asked)));
}

std::vector<Event> verification_told(State const& s, AskVerification const& args, Result<Verdict> const& verdict, Ctx const& cx) {
    auto const* r = s.resource(args.resource);
    if (!r || r->fence != args.fence || !r->unverified) return {};
    Desk desk(s, cx);
    auto const number = s.names.find(args.resource);
    if (verdict && verdict->verified)
        free_it(desk, number, true, Reason(verdict->detail));
    else if (verdict)
        fail_cleaning(desk, number, Reason("not verified: " + verdict->detail));
    else
        fail_cleaning(desk, number, Reason(fmt::format("the hook that verifies: {}: {}", verdict.error().code, verdict.error().detail)));
    return desk.take_events();
}

}  // namespace gantry::pool
