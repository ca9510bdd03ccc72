#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "kernel/codec/schema.h"
#include "kernel/log/log.h"

namespace gantry::runtime {

// The events that a service recorded last, as they went to its log, for answers that show them soon after: reading them there would cost a
// read of the disk each. Any thread.
class RecentEvents {
   public:
    static constexpr std::size_t default_bytes = 8 << 20;
    // `bytes_max` of 0: nothing is kept. `sealer` may be null; it and the type outlive this.
    RecentEvents(codec::Type const& event_variant, codec::Sealer const* sealer, std::size_t bytes_max);

    bool keeps() const { return bytes_max_ > 0; }
    // A batch's events as a BatchView has them; in the order of the log.
    void add(log::Position first, std::uint32_t count, std::string events);
    struct Batch {
        log::Position first = 0;
        std::uint32_t count = 0;
        std::shared_ptr<std::string const> events;
    };
    // Where the last one was found: the next is often the one behind it. Of one thread.
    struct Place {
        Batch batch;
        log::Position next = 0;  // whose bytes begin at `offset` of the batch
        std::size_t offset = 0;
    };
    // One event, as today's variant; null: it isn't among them, or is longer than so many bytes.
    std::shared_ptr<void const> find(log::Position position, Place& place, std::size_t bytes_max = ~std::size_t(0)) const;

   private:
    bool reach(log::Position position, Place& place) const;
    codec::Type const& type_;
    codec::Sealer const* sealer_;
    std::size_t const bytes_max_;
    std::unique_ptr<codec::EventReader> reader_;
    mutable std::mutex mutex_;
    std::deque<Batch> batches_;
    std::size_t bytes_ = 0;
};

// How events were written, by the schemas of their segments: each is read once. Any thread.
class EventReaders {
   public:
    Result<std::shared_ptr<codec::EventReader const>> of(log::BatchView const& batch, codec::Type const& event_variant,
                                                         std::span<codec::Rename const> renames);

   private:
    static constexpr std::size_t kept_max = 16;
    std::mutex mutex_;
    std::deque<std::pair<std::uint64_t, std::shared_ptr<codec::EventReader const>>> kept_;
};

}  // namespace gantry::runtime
