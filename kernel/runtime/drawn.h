#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "kernel/base/random.h"

namespace gantry::runtime {

// Another's random numbers, of which the first are remembered: so that a report can tell them, and a replay draw them again. What a
// failed decision drew was recorded nowhere and told to nobody, so they are no secret.
class DrawnRandom final : public Random {
   public:
    static constexpr std::size_t kept_max = 32;
    explicit DrawnRandom(Random& from) : from_(from) {}
    std::uint64_t next() override {
        auto const number = from_.next();
        if (total_ < kept_max) kept_[total_] = number;
        ++total_;
        return number;
    }
    std::span<std::uint64_t const> kept() const { return {kept_.data(), total_ < kept_max ? total_ : kept_max}; }
    std::size_t total() const { return total_; }

   private:
    Random& from_;
    std::size_t total_ = 0;
    std::array<std::uint64_t, kept_max> kept_;  // the first total_ of them are set
};

}  // namespace gantry::runtime
