#include "kernel/runtime/recent_events.h"

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/base/varint.h"
#include "kernel/codec/any_value.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t overhead_bytes = 96;  // of a batch, besides its events

// A value that may point into the bytes that it was read from.
struct Shown {
    std::shared_ptr<std::string const> bytes;
    codec::AnyValue value;
};

}  // namespace

RecentEvents::RecentEvents(codec::Type const& event_variant, codec::Sealer const* sealer, std::size_t bytes_max)
    : type_(event_variant), sealer_(sealer), bytes_max_(bytes_max) {
    if (!keeps()) return;
    auto reader = codec::make_event_reader(codec::encode_event_schema(type_), type_);
    GANTRY_ASSERT(reader, "today's events have today's shape");
    reader_ = std::move(*reader);
}

void RecentEvents::add(log::Position first, std::uint32_t count, std::string events) {
    if (!keeps()) return;
    std::deque<Batch> dropped;  // freed without the lock
    auto shared = std::make_shared<std::string const>(std::move(events));
    std::lock_guard lock(mutex_);
    bytes_ += shared->size() + overhead_bytes;
    batches_.push_back({first, count, std::move(shared)});
    while (bytes_ > bytes_max_) {
        bytes_ -= batches_.front().events->size() + overhead_bytes;
        dropped.push_back(std::move(batches_.front()));
        batches_.pop_front();
    }
}

bool RecentEvents::reach(log::Position position, Place& place) const {
    if (position < place.next || position - place.batch.first >= place.batch.count) {
        std::lock_guard lock(mutex_);
        auto at = std::ranges::upper_bound(batches_, position, {}, &Batch::first);
        if (at == batches_.begin() || position - (--at)->first >= at->count) return false;
        place = {*at, at->first, 0};
    }
    return true;
}

std::shared_ptr<void const> RecentEvents::find(log::Position position, Place& place, std::size_t bytes_max) const {
    if (!keeps() || !reach(position, place)) return nullptr;
    auto const& bytes = *place.batch.events;
    ByteReader in(std::string_view(bytes).substr(place.offset));
    for (;; ++place.next) {
        auto const number = std::uint32_t(in.varint());
        auto const payload = in.string();
        if (place.next < position) continue;
        ++place.next, place.offset = bytes.size() - in.left();
        if (payload.size() > bytes_max) return nullptr;
        auto shown = std::make_shared<Shown>(place.batch.events, codec::AnyValue(type_));
        if (!reader_->decode(number, payload, shown->value.get(), sealer_)) return nullptr;
        return {shown, shown->value.get()};
    }
}

Result<std::shared_ptr<codec::EventReader const>> EventReaders::of(log::BatchView const& batch, codec::Type const& event_variant,
                                                                   std::span<codec::Rename const> renames) {
    std::lock_guard lock(mutex_);
    for (auto const& [id, reader] : kept_)
        if (id == batch.schemas_id) return reader;
    TRY_ASSIGN(std::shared_ptr<codec::EventReader const> reader, codec::make_event_reader(batch.schemas, event_variant, renames));
    if (kept_.size() == kept_max) kept_.pop_front();
    kept_.emplace_back(batch.schemas_id, reader);
    return reader;
}

}  // namespace gantry::runtime
