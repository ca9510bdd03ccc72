// The kinds of resources, and who waits for which: what wishes are looked up by.
#include <algorithm>

#include "services/pool/state.h"

namespace gantry::pool {
namespace {

// With the size of the label, so that none is mistaken for another.
std::string kind_text(std::uint32_t type, std::string_view label, std::string_view value) {
    auto out = std::to_string(type).append(" ").append(std::to_string(label.size())).append(" ");
    return out.append(label).append(value);
}
std::string number_text(std::uint32_t type, std::string_view name) { return std::to_string(type).append("#").append(name); }

}  // namespace

std::uint32_t State::label_kind(std::uint32_t type, std::string_view label, std::string_view value) const {
    auto const id = kind_names.find(kind_text(type, label, value));
    return id == unknown ? 0 : label_bit | id;
}
std::uint32_t State::number_kind(std::uint32_t type, std::string_view name) const {
    auto const id = kind_names.find(number_text(type, name));
    return id == unknown ? 0 : id;
}

void State::count_kind(std::uint32_t type, std::uint32_t kind, std::int64_t of_members, std::int64_t of_free, std::int64_t of_waiting) {
    auto const is_ripe = [](KindRow const& row) { return row.free > 0 && row.waiting > 0; };
    bool was = false;
    KindRow now;
    kinds.change_or_put(kind, [&](KindRow& row) {
        was = is_ripe(row);
        row.type = type, row.members += std::uint64_t(of_members), row.waiting += std::uint64_t(of_waiting);
        row.free += std::uint64_t(of_free);
        now = row;
    });
    if (!was && is_ripe(now)) ripe.insert({type, kind});
    if (was && !is_ripe(now)) ripe.erase({type, kind});
    if (now.members == 0 && now.waiting == 0) kinds.erase(kind);
}

// Where it can be found from here on.
void State::index(std::uint32_t number, Resource const& r) {
    for (auto const& [label, value] : r.labels) kind_names.hold(kind_text(r.type, label, value));
    for (auto const& [name, value] : r.numbers)
        numbered.insert({.what = kind_names.hold(number_text(r.type, name)), .resource = number, .value = ordered_bits(value)});
    bool const is_free = can_be_given(r);
    each_kind(number, r, [&](std::uint32_t kind) {
        if (kind & name_bit) {
            if (is_free && kinds.contains(kind)) count_kind(r.type, kind, 0, 1, 0);
            return;
        }
        count_kind(r.type, kind, 1, is_free, 0);
        members.insert({kind, number});
        if (is_free) free.insert(free_key(kind, number, r));
    });
}

void State::unindex(std::uint32_t number, Resource const& r) {
    bool const was_free = can_be_given(r);
    each_kind(number, r, [&](std::uint32_t kind) {
        if (kind & name_bit) {
            if (was_free && kinds.contains(kind)) count_kind(r.type, kind, 0, -1, 0);
            return;
        }
        if (was_free) free.erase(free_key(kind, number, r));
        members.erase({kind, number});
        count_kind(r.type, kind, -1, was_free ? -1 : 0, 0);
    });
    for (auto const& [label, value] : r.labels) kind_names.release(kind_names.find(kind_text(r.type, label, value)));
    for (auto const& [name, value] : r.numbers) {
        auto const what = kind_names.find(number_text(r.type, name));
        numbered.erase({.what = what, .resource = number, .value = ordered_bits(value)});
        kind_names.release(what);
    }
}

// By which a want in line is looked up: one resource, or the label that the fewest have, or all of the type.
std::uint32_t State::kind_for(Want const& want) {
    auto const type = type_names.find(want.type);
    if (want.names.size() == 1) return name_bit | names.intern(want.names.front());
    if (want.labels.empty()) return type;
    std::pair<std::string_view, std::string_view> rarest;
    auto fewest = ~std::uint64_t(0);
    for (auto const& [label, value] : want.labels) {
        auto const kind = label_kind(type, label, value);
        auto const* row = kind == 0 ? nullptr : kinds.find(kind);
        auto const count = row ? row->members : 0;
        if (count < fewest) fewest = count, rarest = {label, value};
    }
    return label_bit | kind_names.hold(kind_text(type, rarest.first, rarest.second));
}

// The kinds by which a ticket comes into the line, each once.
std::vector<std::uint32_t> State::enter_line(std::vector<Want> const& wants) {
    std::vector<std::uint32_t> out;
    for (auto const& want : wants) {
        auto const kind = kind_for(want), type = type_names.find(want.type);
        if (std::ranges::find(out, kind) != out.end()) {
            if (kind & label_bit) kind_names.release(kind & ~label_bit);
            continue;
        }
        auto const* one = (kind & name_bit) != 0 && !kinds.contains(kind) ? resources.find(kind & ~name_bit) : nullptr;
        count_kind(type, kind, 0, one && one->type == type && can_be_given(*one), 1);
        out.push_back(kind);
    }
    return out;
}

}  // namespace gantry::pool
