#include "services/pool/laws.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::pool {
namespace {

constexpr std::int64_t grace_us = 30'000'000;  // no lease runs out sooner after a start

}  // namespace

std::string Laws::saw(At const& at, Event const& event) {
    std::visit([&](auto const& e) { on(at, e); }, event);
    return broken_;
}
void Laws::broken(std::string what) {
    if (broken_.empty()) broken_ = std::move(what);
}
void Laws::wanted(std::string const& ticket, std::string owner, std::map<std::string, std::int64_t> counts) {
    asked_[ticket] = {.owner = std::move(owner), .counts = std::move(counts)};
}
std::uint64_t Laws::lease_of(std::string const& ticket) const {
    auto const found = served_.find(ticket);
    return found == served_.end() ? 0 : found->second;
}
void Laws::grow(std::string const& name, Thing& thing, std::uint64_t fence) {
    if (fence <= thing.fence) broken(fmt::format("the fence of {} went from {} to {}", name, thing.fence, fence));
    thing.fence = fence;
}

void Laws::on(At const&, TypeSet const& e) { types_[e.type.str()] = e.settings; }
void Laws::on(At const&, Added const& e) {
    if (things_.contains(e.name.str())) broken(e.name.str() + " was added twice");
    things_[e.name.str()] = {.type = e.type.str(), .state = e.state.str(), .fence = e.fence, .usable = e.state.view() == "free"};
}

// --- tickets ------------------------------------------------------------------------------------------------------------------------

void Laws::on(At const& at, Queued const& e) {
    auto const ticket = e.ticket.str();
    if (line_.contains(ticket) || lease_of(ticket) != 0) broken(ticket + " stands in line twice, or was served before");
    Wish wish{.owner = e.owner.str(), .seq = at.position, .firm_us = e.firm_at.us};
    for (auto const& want : e.wants) wish.counts[want.type.str()] += want.count.value;
    line_[ticket] = std::move(wish);
}
void Laws::on(At const&, Withdrawn const& e) { line_.erase(e.ticket.str()); }

std::map<std::string, std::int64_t> Laws::free_counts() const {
    std::map<std::string, std::int64_t> out;
    for (auto const& [name, thing] : things_) out[thing.type] += thing.usable;
    return out;
}
bool Laws::has_quota(Wish const& wish) const {
    return std::ranges::all_of(wish.counts, [&](auto const& want) {
        auto const found = types_.find(want.first);
        auto const quota = found == types_.end() ? 0 : found->second.quota.value;
        std::int64_t has = 0;
        for (auto const& [lease, hold] : holds_)
            if (hold.owner == wish.owner)
                for (auto const& name : hold.has) has += things_.at(name).type == want.first;
        return quota == 0 || has + want.second <= quota;
    });
}
// Nobody starves: what is free is set aside for those that waited longer than their patience, the oldest first.
void Laws::check_turn(At const& at, std::string const& ticket, Wish const& wish) {
    auto left = free_counts();
    std::vector<std::pair<std::uint64_t, Wish const*>> before;
    for (auto const& [other, waits] : line_)
        if (other != ticket && waits.firm_us <= at.time.us && (wish.seq == 0 || wish.firm_us > at.time.us || waits.seq < wish.seq))
            before.emplace_back(waits.seq, &waits);
    std::ranges::sort(before);
    for (auto const& [seq, waits] : before)
        if (has_quota(*waits))
            for (auto const& [type, count] : waits->counts) left[type] -= std::min(count, left[type]);
    for (auto const& [type, count] : wish.counts)
        if (count > left[type])
            broken(fmt::format("{} has {} of {}, and {} were not set aside for older tickets", ticket, count, type, left[type]));
}
void Laws::on(At const& at, Leased const& e) {
    auto const ticket = e.ticket.str();
    if (auto const before = lease_of(ticket); before != 0)
        return broken(fmt::format("{} has ls_{}, and gets ls_{}", ticket, before, e.lease.n));
    auto const in_line = line_.find(ticket);
    auto const wish = in_line != line_.end() ? in_line->second : asked_[ticket];
    std::map<std::string, std::int64_t> counts;
    for (auto const& name : e.resources) {
        auto const& thing = things_[name.str()];
        if (thing.lease != 0) broken(fmt::format("{} has two holders, ls_{} and ls_{}", name.view(), thing.lease, e.lease.n));
        if (!thing.usable) broken(fmt::format("{} is given and not verified", name.view()));
        ++counts[thing.type];
    }
    if (counts != wish.counts) broken(ticket + " has not what it wants");
    if (!has_quota({.owner = e.owner.str(), .counts = counts})) broken(e.owner.str() + " has more than its quota");
    check_turn(at, ticket, wish);
    Hold hold{.ticket = ticket, .owner = e.owner.str(), .until_us = e.until.us};
    for (auto const& name : e.resources) {
        auto& thing = things_[name.str()];
        grow(name.str(), thing, e.lease.n);
        thing.lease = e.lease.n, thing.usable = false, thing.state = e.state.str();
        hold.has.insert(name.str());
    }
    hold.had = hold.has;
    holds_[e.lease.n] = std::move(hold), served_[ticket] = e.lease.n;
    line_.erase(ticket);
}

// --- leases -------------------------------------------------------------------------------------------------------------------------

void Laws::on(At const&, Extended const& e) {
    auto const found = holds_.find(e.lease.n);
    if (found == holds_.end() || found->second.has.empty()) return broken(fmt::format("ls_{} is over, and was extended", e.lease.n));
    found->second.until_us = e.until.us;
}
void Laws::on(At const& at, Released const& e) {
    auto& hold = holds_[e.lease.n];
    if (e.how == Ended::expired && at.time.us < hold.until_us) broken(fmt::format("ls_{} ran out before its deadline", e.lease.n));
    if (e.how == Ended::expired && at.time.us < started_us_ + grace_us)
        broken(fmt::format("ls_{} ran out within the grace of a start", e.lease.n));
    for (auto const& name : e.resources) {
        auto& thing = things_[name.str()];
        if (thing.lease != e.lease.n) broken(fmt::format("{} came back from ls_{}, and ls_{} had it", name.view(), e.lease.n, thing.lease));
        if (e.to.view() == "free") broken(fmt::format("{} is free again, and was not verified", name.view()));
        grow(name.str(), thing, e.fence);
        thing.lease = 0, thing.state = e.to.str();
        hold.has.erase(name.str());
    }
}

// --- cleaning -----------------------------------------------------------------------------------------------------------------------

void Laws::on(At const&, Moved const& e) {
    auto& thing = things_[e.name.str()];
    if (e.to.view() == "free") broken(fmt::format("{} is free, and was not verified", e.name.view()));
    thing.state = e.to.str(), thing.usable = false;
    if (e.fence != 0) grow(e.name.str(), thing, e.fence);
}
void Laws::on(At const&, CleaningBegan const& e) {
    auto& thing = things_[e.name.str()];
    if (thing.lease != 0 || thing.usable) broken(fmt::format("{} is cleaned while it is held or free", e.name.view()));
    thing.state = "cleaning";
}
void Laws::on(At const&, Cleaned const& e) {
    auto& thing = things_[e.name.str()];
    if (!e.verified) broken(fmt::format("{} is free, and was not verified", e.name.view()));
    if (thing.lease != 0) broken(fmt::format("{} was cleaned while ls_{} had it", e.name.view(), thing.lease));
    thing.state = "free", thing.usable = true;
}
void Laws::on(At const&, CleanFailed const& e) {
    auto& thing = things_[e.name.str()];
    if (thing.lease != 0 || thing.usable) broken(fmt::format("{} failed to be cleaned while it is held or free", e.name.view()));
    grow(e.name.str(), thing, e.fence);
    thing.state = e.to.str();
}

}  // namespace gantry::pool
