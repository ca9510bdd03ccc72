#include "kernel/log/memory/memory_snapshots.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "kernel/log/thinning.h"

namespace gantry::log {
namespace {

struct Kept {
    Snapshots::Meta meta;
    std::shared_ptr<std::string const> bytes;
};

class MemorySource final : public Snapshots::Source {
   public:
    explicit MemorySource(Kept kept) : kept_(std::move(kept)) {}
    Snapshots::Meta const& meta() const override { return kept_.meta; }
    std::uint64_t left() const override { return kept_.bytes->size() - at_; }
    Result<void> read(std::span<char> out) override {
        if (out.size() > left()) return fail(500, "snapshot_damaged", "The snapshot is shorter than expected.");
        std::memcpy(out.data(), kept_.bytes->data() + at_, out.size());
        at_ += out.size();
        return {};
    }

   private:
    Kept kept_;
    std::size_t at_ = 0;
};

class MemorySnapshots final : public Snapshots {
   public:
    Result<void> save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write, Keep keep) override {
        std::string bytes;
        TRY_VOID(write([&](std::string_view more) { return bytes.append(more), Result<void>(); }));
        std::lock_guard lock(mutex_);
        std::erase_if(kept_, [&](Kept const& k) {
            return k.meta.position == meta.position && k.meta.fingerprint == meta.fingerprint && k.meta.incarnation == meta.incarnation;
        });
        kept_.push_back({meta, std::make_shared<std::string const>(std::move(bytes))});
        std::ranges::sort(kept_, {}, [](Kept const& k) { return k.meta.position; });
        thin_out(meta, keep);
        return {};
    }
    Result<std::unique_ptr<Source>> newest(Incarnation incarnation, std::uint64_t fingerprint, Position at_most) override {
        std::lock_guard lock(mutex_);
        for (auto it = kept_.rbegin(); it != kept_.rend(); ++it)
            if (it->meta.incarnation == incarnation && it->meta.fingerprint == fingerprint && it->meta.position <= at_most)
                return std::make_unique<MemorySource>(*it);
        return nullptr;
    }
    std::vector<Meta> list() override {
        std::lock_guard lock(mutex_);
        std::vector<Meta> all;
        for (auto& k : kept_) all.push_back(k.meta);
        return all;
    }
    Result<void> remove_all() override {
        std::lock_guard lock(mutex_);
        kept_.clear();
        return {};
    }

   private:
    void thin_out(Meta const& saved, Keep keep) {
        std::vector<KeptSnapshot> ours;
        std::vector<std::size_t> places, gone;
        std::set<std::pair<Incarnation, std::uint64_t>> foreign;
        for (auto i = kept_.size(); i-- > 0;) {
            auto const& meta = kept_[i].meta;
            if (meta.incarnation == saved.incarnation && meta.fingerprint == saved.fingerprint)
                ours.push_back({meta.position, kept_[i].bytes->size()}), places.push_back(i);
            else if (!foreign.emplace(meta.incarnation, meta.fingerprint).second)
                gone.push_back(i);
        }
        std::ranges::reverse(ours), std::ranges::reverse(places);
        for (auto i : surplus(ours, keep)) gone.push_back(places[i]);
        std::ranges::sort(gone, std::greater<>());
        for (auto i : gone) kept_.erase(kept_.begin() + std::ptrdiff_t(i));
    }
    std::mutex mutex_;
    std::vector<Kept> kept_;  // by position
};

}  // namespace

std::unique_ptr<Snapshots> memory_snapshots() { return std::make_unique<MemorySnapshots>(); }

}  // namespace gantry::log
