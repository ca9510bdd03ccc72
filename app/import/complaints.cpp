#include "app/import/complaints.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::import {

void Complaints::malformed(std::string_view file, std::uint64_t line, std::string_view what) {
    ++count_;
    if (count_ > shown_max_ || count_ <= seen_before_) return;
    if (line == 0)
        fmt::print(out_, "{}: {}\n", file, what);
    else
        fmt::print(out_, "{}:{}: {}\n", file, line, what);
}

void Complaints::warn(std::string_view what) { fmt::print(out_, "gantry import: {}\n", what); }

void Complaints::read_again() { seen_before_ = std::max(seen_before_, count_), count_ = 0; }

void Complaints::close() {
    if (count_ > shown_max_) fmt::print(out_, "… and {} more malformed lines\n", count_ - shown_max_);
}

}  // namespace gantry::import
