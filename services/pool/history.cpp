#include "services/pool/history.h"

#include <algorithm>

namespace gantry::pool {
namespace {

std::optional<std::string> if_any(std::string_view text) { return text.empty() ? std::nullopt : std::optional(std::string(text)); }

// What an event says of a resource.
struct Teller {
    HistoryItem& out;
    void operator()(Added const& e) const { out.state = e.state.str(); }
    void operator()(Removed const& e) const { out.detail = if_any(e.reason); }
    void operator()(Drained const& e) const { out.detail = if_any(e.reason); }
    void operator()(Leased const& e) const {
        out.who = e.owner.str(), out.lease = e.lease, out.state = e.state.str(), out.detail = if_any(e.reason);
    }
    void operator()(Released const& e) const {
        out.lease = e.lease, out.state = e.to.str(), out.detail = if_any(e.reason), out.broken = e.broken;
        if (e.how != Ended::released) out.what = codec::encode_scalar(codec::type_of<Ended>(), &e.how);
    }
    void operator()(Moved const& e) const { out.state = e.to.str(), out.detail = if_any(e.reason); }
    void operator()(Kept const& e) const { out.who = e.owner.str(), out.state = "reserved", out.detail = if_any(e.reason); }
    void operator()(CleaningBegan const& e) const { out.who = e.worker.str(), out.state = "cleaning"; }
    void operator()(CleanedUnverified const& e) const { out.detail = if_any(e.detail); }
    void operator()(Cleaned const& e) const { out.state = "free", out.detail = if_any(e.detail); }
    void operator()(CleanFailed const& e) const { out.state = e.to.str(), out.detail = if_any(e.reason); }
    void operator()(Stuck const& e) const { out.state = e.state.str(); }
    void operator()(DestroyBegan const& e) const { out.state = "retired", out.detail = if_any(e.reason); }
    void operator()(DestroyFailed const& e) const { out.detail = if_any(e.reason); }
    template <class Other>
    void operator()(Other const&) const {}
};

}  // namespace

Result<FoundSteps> find_history(State const& s, ByName const& in, Ctx const&) {
    auto const* r = s.resource(in.name);
    if (!r) return fail(404, "resource_not_found", "there is no resource with this name");
    FoundSteps out{.name = in.name.str(), .broken_by = if_any(r->broken_by)};
    for (auto step = r->first_step; step != 0; step = std::uint32_t(s.steps[step].newer)) out.steps.push_back(s.steps[step]);
    out.complete = r->steps < steps_max;
    std::ranges::reverse(out.steps);
    return out;
}

Result<History> tell_history(FoundSteps const& found, Events<Event>& events, Ctx const& cx) {
    History out{.name = found.name, .broken_by = found.broken_by, .complete = found.complete};
    for (auto const& step : found.steps) {
        if (step.position > cx.durable) continue;
        TRY_ASSIGN(auto const* event, events.at(step.position));
        if (!event) {
            out.complete = false;
            break;
        }
        HistoryItem item{.position = step.position,
                         .what = std::string(codec::type_of<Event>().alternatives[event->index()].name),
                         .at = Time{step.at_us}};
        std::visit(Teller{item}, *event);
        out.items.push_back(std::move(item));
    }
    // Whose lease it was that ended.
    std::map<std::uint64_t, std::string> owners;
    for (auto const& item : out.items)
        if (item.what == "leased") owners[item.lease->n] = *item.who;
    for (auto& item : out.items)
        if (item.lease && !item.who)
            if (auto const owner = owners.find(item.lease->n); owner != owners.end()) item.who = owner->second;
    return out;
}

}  // namespace gantry::pool
