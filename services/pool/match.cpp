#include "services/pool/match.h"

#include <algorithm>
#include <map>
#include <set>

namespace gantry::pool {
namespace {

bool has_labels(Labels const& labels, Labels const& wanted) {
    return std::ranges::all_of(wanted, [&](auto const& w) {
        auto const found = labels.find(w.first);
        return found != labels.end() && found->second == w.second;
    });
}
bool has_any_label(Labels const& labels, Labels const& unwanted) {
    return std::ranges::any_of(unwanted, [&](auto const& u) {
        auto const found = labels.find(u.first);
        return found != labels.end() && found->second == u.second;
    });
}
bool in_ranges(Numbers const& numbers, std::map<std::string, Range> const& ranges) {
    return std::ranges::all_of(ranges, [&](auto const& r) {
        auto const found = numbers.find(r.first);
        if (found == numbers.end()) return false;
        return (!r.second.min || found->second >= *r.second.min) && (!r.second.max || found->second <= *r.second.max);
    });
}

// Gives resources to slots, a slot for each one that is wanted; who is in the way moves on where it can.
class Seating {
   public:
    explicit Seating(std::vector<std::vector<std::uint32_t>> candidates) : candidates_(std::move(candidates)) {}
    bool seat(std::size_t want) {
        tried_.clear();
        slots_.push_back(want);
        if (find(slots_.size() - 1)) return true;
        slots_.pop_back();
        return false;
    }
    std::vector<std::uint32_t> taken() const {
        std::vector<std::pair<std::size_t, std::uint32_t>> by_slot;
        for (auto const& [resource, slot] : slot_of_) by_slot.emplace_back(slot, resource);
        std::ranges::sort(by_slot);
        std::vector<std::uint32_t> out;
        for (auto const& [slot, resource] : by_slot) out.push_back(resource);
        return out;
    }

   private:
    bool find(std::size_t slot) {
        for (auto candidate : candidates_[slots_[slot]])
            if (!slot_of_.contains(candidate)) return slot_of_[candidate] = slot, true;
        for (auto candidate : candidates_[slots_[slot]]) {
            if (!tried_.insert(candidate).second || !find(slot_of_[candidate])) continue;
            return slot_of_[candidate] = slot, true;
        }
        return false;
    }
    std::vector<std::vector<std::uint32_t>> candidates_;  // of each want
    std::vector<std::size_t> slots_;                      // the want of each
    std::map<std::uint32_t, std::size_t> slot_of_;
    std::set<std::uint32_t> tried_;
};

// The first `enough` that fit, in the order of the offer; for `avoid.same` one of each value.
std::vector<std::uint32_t> candidates_of(State const& s, Want const& want, std::size_t enough, Offer const& offer, IsFree const& is_free) {
    std::vector<std::uint32_t> out;
    std::set<std::string, std::less<>> values;
    auto consider = [&](std::uint32_t number) {
        Resource const& r = *s.resources.find(number);
        if (!fits(s.names.text(number), r, want)) return true;
        if (!want.avoid.same.empty()) {
            auto const value = r.labels.find(want.avoid.same.str());
            if (value != r.labels.end() && !values.insert(value->second).second) return true;
        }
        out.push_back(number);
        return out.size() < enough;
    };
    auto const type = s.type_number(want.type);
    if (type == 0) return out;
    if (want.names.empty()) return offer(want, consider), out;
    std::set<std::uint32_t> named;
    for (auto const& name : want.names) {
        auto const number = s.names.find(name);
        if (number == State::unknown || number == 0 || !is_free(number) || !named.insert(number).second) continue;
        if (s.resources.find(number)->type == type && !consider(number)) break;
    }
    return out;
}

}  // namespace

bool fits(std::string_view name, Resource const& r, Want const& want) {
    auto const is_it = [&](Name const& n) { return n.view() == name; };
    if (!want.names.empty() && std::ranges::none_of(want.names, is_it)) return false;
    if (std::ranges::any_of(want.avoid.names, is_it) || has_any_label(r.labels, want.avoid.labels)) return false;
    return has_labels(r.labels, want.labels) && in_ranges(r.numbers, want.ranges);
}

std::uint64_t wanted_of(std::span<Want const> wants, std::string_view type) {
    std::uint64_t sum = 0;
    for (auto const& want : wants) sum += want.type.view() == type ? std::uint64_t(std::int64_t(want.count)) : 0;
    return sum;
}

Picked pick(State const& s, std::span<Want const> wants, Offer const& offer, IsFree const& is_free) {
    std::vector<std::vector<std::uint32_t>> candidates;
    for (auto const& want : wants) candidates.push_back(candidates_of(s, want, wanted_of(wants, want.type), offer, is_free));
    Seating seating(std::move(candidates));
    bool complete = true;
    for (std::size_t i = 0; i < wants.size(); ++i)
        for (std::int64_t n = 0; n < wants[i].count; ++n)
            if (!seating.seat(i)) {
                complete = false;
                break;
            }
    return {seating.taken(), complete};
}

std::uint32_t narrowest(State const& s, Want const& want, std::uint64_t KindRow::* count) {
    auto const type = s.type_number(want.type);
    auto out = type;
    auto fewest = ~std::uint64_t(0);
    for (auto const& [label, value] : want.labels) {
        auto const kind = s.label_kind(type, label, value);
        auto const* row = kind == 0 ? nullptr : s.kinds.find(kind);
        if (!row || row->members == 0) return 0;
        if (row->*count < fewest) fewest = row->*count, out = kind;
    }
    return out;
}

std::optional<std::vector<std::uint32_t>> in_narrowest_range(State const& s, Want const& want, std::uint64_t below,
                                                             std::uint64_t& looked_at) {
    std::optional<std::vector<std::uint32_t>> out;
    auto const type = s.type_number(want.type);
    for (auto const& [name, range] : want.ranges) {
        auto const what = s.number_kind(type, name);
        if (what == 0) return std::vector<std::uint32_t>{};
        auto const last = range.max ? ordered_bits(*range.max) : ~std::uint64_t(0);
        std::vector<std::uint32_t> found;
        s.numbered.ascend({.what = what, .value = range.min ? ordered_bits(*range.min) : 0}, [&](NumberKey const& key) {
            if (key.what != what || key.value > last) return false;
            found.push_back(key.resource);
            return ++looked_at, found.size() < below;
        });
        if (found.size() < below) below = found.size(), out = std::move(found);
    }
    return out;
}

std::uint64_t count_fitting(State const& s, Want const& want, std::uint64_t enough, std::uint64_t& looked_at) {
    auto const type = s.type_number(want.type);
    std::uint64_t found = 0, most = ~std::uint64_t(0);
    auto consider = [&](std::uint32_t number) {
        auto const* r = s.resources.find(number);
        if (r && r->type == type && r->state != retired && !r->destroying && fits(s.names.text(number), *r, want)) ++found;
        return ++looked_at, found < enough && --most > 0;
    };
    if (!want.names.empty()) {
        std::set<std::uint32_t> numbers;
        for (auto const& name : want.names)
            if (auto const n = s.names.find(name); n != State::unknown && n != 0 && numbers.insert(n).second && !consider(n)) break;
        return found;
    }
    auto const kind = narrowest(s, want, &KindRow::members);
    auto const* row = kind == 0 ? nullptr : s.kinds.find(kind);
    if (!row) return 0;
    auto const look = [&] { s.members.ascend(Member{kind, 0}, [&](Member const& m) { return m.kind == kind && consider(m.resource); }); };
    if (!want.ranges.empty()) most = tried_first;
    look();
    if (found >= enough || want.ranges.empty() || row->members <= tried_first) return found;
    found = 0, most = ~std::uint64_t(0);
    auto const numbers = in_narrowest_range(s, want, row->members, looked_at);
    if (!numbers) return look(), found;
    for (auto number : *numbers)
        if (!consider(number)) break;
    return found;
}

std::uint64_t alike_of(std::span<Want const> wants) {
    std::string text;
    for (auto const& want : wants) codec::append_json(text, want);
    return hash64(text);
}

}  // namespace gantry::pool
