#include "kernel/testing/memory_snapshots.h"

#include <algorithm>

namespace gantry::testing {

class MemorySnapshots::Reading final : public log::Snapshots::Source {
   public:
    explicit Reading(Kept const& kept) : meta_(kept.meta), left_(kept.bytes) {}
    Meta const& meta() const override { return meta_; }
    Result<void> read(std::span<char> out) override {
        if (out.size() > left_.size()) return fail(500, "snapshot_damaged");
        std::copy_n(left_.begin(), out.size(), out.begin());
        left_.remove_prefix(out.size());
        return {};
    }
    std::uint64_t left() const override { return left_.size(); }

   private:
    Meta meta_;
    std::string_view left_;
};

Result<void> MemorySnapshots::save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write, Keep) {
    Kept kept{meta, {}};
    TRY_VOID(write([&](std::string_view bytes) -> Result<void> { return kept.bytes += bytes, Result<void>(); }));
    kept_[meta.position] = std::move(kept);
    return {};
}

Result<std::unique_ptr<log::Snapshots::Source>> MemorySnapshots::newest(log::Incarnation incarnation, std::uint64_t fingerprint,
                                                                        log::Position at_most) {
    auto const found = offered_ ? kept_.find(*offered_) : kept_.end();
    bool const fits = found != kept_.end() && found->second.meta.incarnation == incarnation &&
                      found->second.meta.fingerprint == fingerprint && found->first <= at_most;
    return fits ? std::make_unique<Reading>(found->second) : nullptr;
}

std::vector<log::Snapshots::Meta> MemorySnapshots::list() {
    std::vector<Meta> out;
    for (auto const& [position, kept] : kept_) out.push_back(kept.meta);
    return out;
}

Result<void> MemorySnapshots::remove_all() { return kept_.clear(), Result<void>(); }

}  // namespace gantry::testing
