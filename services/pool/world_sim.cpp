#include "services/pool/world_test.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pool {
namespace {

constexpr int of_each = 4;
struct TypeToSet {
    std::string_view name, settings;
};
constexpr TypeToSet types[] = {
    {"vm", R"("lease_ms":60000,"heartbeat_ms":20000,"clean_ms":8000,"verification":"worker","clean_attempts":100,"clean_wait_ms":100,)"
           R"("patience_ms":6000,"quota":5,"dirty_alert_ms":4000)"},
    {"ppa", R"("lease_ms":40000,"clean_ms":8000,"verification":"worker","clean_attempts":100,"clean_wait_ms":100,"patience_ms":0,)"
            R"("prefer":"rested","dirty_alert_ms":4000)"},
};
constexpr std::size_t to_set_up = std::size(types) * (1 + of_each);

bool is_for_want_of_space(Problem const& p) { return p.status == 507 || p.status == 503; }

}  // namespace

World::World(std::uint64_t seed) {
    SeededRandom random(mix64(seed));
    callers_.resize(2 + random.below(4));
    for (std::size_t i = 0; i < callers_.size(); ++i)
        callers_[i].caller = fmt::format("u_{}", i), callers_[i].owner = fmt::format("o{}", i % 3);
}
std::unique_ptr<sim::World> make_world(std::uint64_t seed) { return std::make_unique<World>(seed); }

void World::saw(At const& at, Event const& event) {
    if (auto found = laws_.saw(at, event); broken_.empty()) broken_ = std::move(found);
}
void World::step(sim::Process& process) {
    if (!broken_.empty()) return process.violated(broken_);
    if (set_up_ < to_set_up) return set_up(process);
    auto const dice = process.below(100);
    if (dice < 35)
        want(process, callers_[process.below(callers_.size())]);
    else if (dice < 55)
        give_back(process, false);
    else if (dice < 62)
        heartbeat(process);
    else if (dice < 95)
        clean(process, false);
    else
        late_word(process);
    if (!broken_.empty()) process.violated(broken_);
}
// The types and what there is of each, one after another; each is told again until it is acknowledged.
void World::set_up(sim::Process& process) {
    auto const n = set_up_;
    auto const& type = types[n / (1 + of_each)];
    auto told = [this, n](Result<runtime::Answer> answer) {
        if (set_up_ == n && (answer || answer.error().code == "resource_exists")) ++set_up_;
    };
    if (n % (1 + of_each) == 0)
        process.ask(
            {.verb = "PUT", .path = "/types/{type}", .body = fmt::format(R"({{"type":"{}",{}}})", type.name, type.settings), .told = told});
    else
        process.ask({.verb = "POST",
                     .path = "/resources",
                     .body = fmt::format(R"({{"name":"{}-{}","type":"{}","verified":true}})", type.name, n % (1 + of_each), type.name),
                     .told = told});
}
void World::stopped() {
    for (auto& caller : callers_) caller.asks = false;
}

// --- callers ------------------------------------------------------------------------------------------------------------------------

void World::want(sim::Process& process, Caller& caller) {
    if (caller.asks) return;
    if (caller.ticket.empty()) {
        caller.ticket = fmt::format("t{}", tickets_++);
        auto const vms = std::int64_t(process.below(4)), ppas = std::int64_t(process.below(vms == 0 ? 0 : 3)) + (vms == 0);
        std::map<std::string, std::int64_t> counts;
        std::string wants;
        for (auto const& [type, count] : {std::pair("vm", vms), std::pair("ppa", ppas)}) {
            if (count == 0) continue;
            counts[type] = count;
            wants += fmt::format(R"({}{{"type":"{}","count":{}}})", wants.empty() ? "" : ",", type, count);
        }
        caller.body =
            fmt::format(R"({{"ticket":"{}","owner":"{}","priority":{},"wants":[{}])", caller.ticket, caller.owner, process.below(3), wants);
        laws_.wanted(caller.ticket, caller.owner, std::move(counts));
    }
    acquire(process, caller);
}
void World::acquire(sim::Process& process, Caller& caller) {
    bool const waits = process.chance(0.5);
    caller.asks = true;
    process.ask({.verb = "POST",
                 .path = "/acquire",
                 .body = caller.body + (waits ? fmt::format(R"(,"wait_ms":{}}})", process.below(8000)) : "}"),
                 .caller = caller.caller,
                 .waits = waits,
                 .told = [this, &process, &caller](Result<runtime::Answer> answer) { told_ticket(process, caller, answer); }});
}
void World::told_ticket(sim::Process& process, Caller& caller, Result<runtime::Answer> const& answer) {
    caller.asks = false;
    auto const lease = laws_.lease_of(caller.ticket);
    if (!answer) {
        if (is_for_want_of_space(answer.error())) return;
        if (answer.error().status != 410)
            return process.violated(fmt::format("{} was refused: {} {}", caller.ticket, answer.error().code, answer.error().detail));
        if (lease == 0 || !laws_.holds().at(lease).has.empty()) process.violated(caller.ticket + " was told to be over, and is not");
        return caller.ticket.clear();
    }
    auto const told = codec::from_json<Acquired>(answer->body);
    if (!told) return process.violated("an answer can't be read: " + answer->body);
    if (told->outcome != Outcome::held) {
        if (lease == 0 && !laws_.is_waiting(caller.ticket)) process.violated(caller.ticket + " was told to wait, and is not in line");
        return;
    }
    if (!told->lease || told->lease->lease.n != lease) return process.violated(caller.ticket + " was given what the log doesn't know");
    auto const& had = laws_.holds().at(lease).had;
    for (auto const& held : told->lease->resources)
        if (!had.contains(held.name)) process.violated(fmt::format("{} was told to have {}", caller.ticket, held.name));
    told_[caller.ticket] = lease, leases_[lease] = caller.caller;
    caller.ticket.clear();
}
void World::give_back(sim::Process& process, bool surely) {
    if (leases_.empty()) return;
    auto it = leases_.begin();
    std::advance(it, std::ptrdiff_t(process.below(leases_.size())));
    auto const [lease, caller] = *it;
    if (!surely && process.chance(0.1)) return void(leases_.erase(it));  // it falls silent
    process.ask({.verb = "POST",
                 .path = "/leases/{lease}/release",
                 .body = fmt::format(R"({{"lease":"ls_{}"}})", lease),
                 .caller = caller,
                 .told = [this, &process, lease](Result<runtime::Answer> answer) {
                     if (!answer && is_for_want_of_space(answer.error())) return;
                     leases_.erase(lease);
                     if (!laws_.holds().at(lease).has.empty())
                         process.violated(
                             fmt::format("ls_{} was told to be over, and holds {}", lease, answer ? "still" : answer.error().code));
                     released_.insert(lease);
                 }});
}
void World::heartbeat(sim::Process& process) {
    if (leases_.empty()) return;
    auto it = leases_.begin();
    std::advance(it, std::ptrdiff_t(process.below(leases_.size())));
    auto const [lease, caller] = *it;
    process.ask({.verb = "POST",
                 .path = "/leases/{lease}/heartbeat",
                 .body = fmt::format(R"({{"lease":"ls_{}"}})", lease),
                 .caller = caller,
                 .told = [this, &process, lease](Result<runtime::Answer> answer) {
                     if (answer || is_for_want_of_space(answer.error())) return;
                     if (!laws_.holds().at(lease).has.empty())
                         process.violated(fmt::format("ls_{} holds, and its holder was told {}", lease, answer.error().code));
                     leases_.erase(lease);
                 }});
}

// --- cleaners -----------------------------------------------------------------------------------------------------------------------

// The queue: takes a task, refuses it, or says nothing, whether it took it or not.
client::Reply World::outside(sim::Process& process, client::Request const& request) {
    client::Reply reply;
    auto const dice = process.is_finishing() ? 99 : process.below(100);
    reply.status = dice < 10 ? 503 : dice < 20 ? 0 : 201;
    if (dice < 15 && dice >= 10) return reply;
    if (reply.status == 503) return reply;
    auto const tree = codec::JsonTree::read(request.body);
    auto const payload = tree->root()["payload"];
    tasks_.push_back({std::string(payload["resource"].text()), std::uint64_t(*payload["fence"].integer())});
    reply.body = R"({"id":"t_1","outcome":"put","state":"ready"})";
    return reply;
}
void World::clean(sim::Process& process, bool surely) {
    if (tasks_.empty()) return;
    auto const task = tasks_.front();
    tasks_.pop_front();
    auto const dice = surely ? 99 : process.below(100);
    if (dice < 10) return;  // its cleaner is gone, and the queue has given up
    if (dice < 20) tasks_.push_back(task);
    auto const worker = fmt::format("w{}", surely ? 9 : process.below(3));
    auto const say = [&](std::string_view path, std::string const& more) {
        process.ask({.verb = "POST",
                     .path = path,
                     .body = fmt::format(R"({{"name":"{}","fence":{},"worker":"{}"{}}})", task.resource, task.fence, worker, more),
                     .told = [this, task, surely](Result<runtime::Answer> answer) {
                         if (answer) return;
                         auto const& thing = laws_.things().at(task.resource);
                         if (is_for_want_of_space(answer.error())) return tasks_.push_back(task);
                         if (surely && thing.fence == task.fence && thing.state == "cleaning") tasks_.push_back(task);  // another's
                     }});
    };
    past_.push_back(task);
    if (dice >= 30) say("/resources/{name}/cleaning", "");
    if (dice >= 30 && dice < 38) return;  // it falls silent
    if (dice < 48)
        say("/resources/{name}/clean_failed", R"(,"reason":"not this time")");
    else
        say("/resources/{name}/cleaned", R"(,"verified":true)");
}
// Under a fence of long ago nothing is cleaned.
void World::late_word(sim::Process& process) {
    if (past_.empty()) return;
    auto const task = past_[process.below(past_.size())];
    process.ask({.verb = "POST",
                 .path = "/resources/{name}/cleaned",
                 .body = fmt::format(R"({{"name":"{}","fence":{},"verified":true}})", task.resource, task.fence - 1),
                 .told = [&process, task](Result<runtime::Answer> answer) {
                     if (answer) process.violated(fmt::format("{} was cleaned under an older fence", task.resource));
                 }});
}

// --- the end ------------------------------------------------------------------------------------------------------------------------

void World::started(sim::Process& process) {
    laws_.started(process.started());
    compare(process);
}
// The state after a start holds what the facts say, no more and no less.
void World::compare(sim::Process& process) {
    auto const& state = process.state<Service>();
    for (auto const& [name, thing] : laws_.things()) {
        auto const* r = state.resource(name);
        if (!r) return process.violated(name + " is lost");
        if (r->lease != thing.lease || r->fence != thing.fence || state.state_name(r->state) != thing.state)
            return process.violated(fmt::format("after a start {} is another than the log says: {} of ls_{} under {}", name,
                                                state.state_name(r->state), r->lease, r->fence));
        if ((r->state == free_) != thing.usable) return process.violated(name + " is free, and was not verified");
    }
    for (auto const& [ticket, lease] : told_)
        if (laws_.lease_of(ticket) != lease) return process.violated(fmt::format("{} was told to have ls_{}", ticket, lease));
    for (auto lease : released_)
        if (!laws_.holds().at(lease).has.empty()) return process.violated(fmt::format("ls_{} was told to be over", lease));
}
void World::finish(sim::Process& process) {
    if (!broken_.empty()) return process.violated(broken_);
    if (set_up_ < to_set_up) return set_up(process);
    for (auto& caller : callers_)
        if (!caller.ticket.empty()) want(process, caller);
    give_back(process, true);
    for (auto tasks = tasks_.size(); tasks > 0; --tasks) clean(process, true);
    // Whose task went astray more than once is an operator's.
    if (process.chance(0.05))
        for (auto const& [name, thing] : laws_.things())
            if (thing.state == "dirty")
                process.ask(
                    {.verb = "POST", .path = "/resources/{name}/clean", .body = fmt::format(R"({{"name":"{}"}})", name), .told = [](auto) {
                     }});
}
bool World::is_done(sim::Process&) const {
    auto const quiet = std::ranges::all_of(callers_, [](auto const& caller) { return caller.ticket.empty(); });
    auto const back = std::ranges::all_of(laws_.things(), [](auto const& at) { return at.second.usable; });
    return quiet && back && set_up_ == to_set_up && laws_.waiting() == 0;
}
void World::judge_the_end(sim::Process& process) {
    if (laws_.things().size() != std::size(types) * of_each) return process.violated("something is lost");
    for (std::uint64_t n = 0; n < tickets_; ++n)
        if (laws_.lease_of(fmt::format("t{}", n)) == 0) return process.violated(fmt::format("t{} was never served", n));
    compare(process);
    auto const& state = process.state<Service>();
    if (state.line.size() != 0 || state.waiting.size() != 0) process.violated("somebody waits for ever");
}

}  // namespace gantry::pool
