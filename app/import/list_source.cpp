#include "app/import/list_source.h"

#include <fmt/format.h>

#include <unordered_set>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"

namespace gantry::import {

ListSource::ListSource(std::vector<Positioned> reports) {
    std::unordered_set<std::string> seen;
    std::uint64_t chain = 0;
    for (auto& one : reports) {
        GANTRY_ASSERT(one.report.id.has_value(), "a listed report has an id");
        if (!seen.insert(*one.report.id).second) {
            ++repeats_;
            continue;
        }
        chain = hash64(*one.report.id, chain + 1);
        one.position = fmt::format("{}.{:016x}", reports_.size() + 1, chain);
        reports_.push_back(std::move(one));
    }
}

Result<void> ListSource::start_after(std::string_view position) {
    at_ = 0;
    for (std::size_t i = 0; i < reports_.size(); ++i)
        if (reports_[i].position == position) at_ = i + 1;
    return {};
}

std::optional<Positioned> ListSource::next() {
    if (at_ == reports_.size()) return {};
    return reports_[at_++];
}

}  // namespace gantry::import
