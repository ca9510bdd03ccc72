#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "app/import/source.h"

namespace gantry::import {

// A list of reports that all have an `id`, in the order given. A position is how many were taken in and a hash over the ids of those:
// "1500.4b1d9c0e8f7a6b5d". While the list begins as it did, an import goes on where it stood. When something came in between (a package
// was installed), the list is sent again from its start, and the tracker drops by their ids the reports that it has.
class ListSource final : public ReportSource {
   public:
    // Keeps the first of several with one id.
    explicit ListSource(std::vector<Positioned> reports);
    Result<void> start_after(std::string_view position) override;
    std::optional<Positioned> next() override;
    std::uint64_t done() const override { return at_; }
    std::uint64_t total() const override { return reports_.size(); }
    std::uint64_t repeats() const { return repeats_; }

   private:
    std::vector<Positioned> reports_;
    std::size_t at_ = 0;
    std::uint64_t repeats_ = 0;
};

}  // namespace gantry::import
