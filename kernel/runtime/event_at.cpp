#include "kernel/runtime/event_at.h"

#include "kernel/base/varint.h"

namespace gantry::runtime {

Result<codec::AnyValue> event_at(Host const& host, Position position) {
    auto const& type = *host.decl().event;
    codec::AnyValue borrowed(type), owned(type);
    Result<void> read = fail(410, "position_gone", "the log has no such event");
    TRY_VOID(host.log().find(position, [&](log::BatchView const& batch) {
        auto reader = host.event_readers().of(batch, type, host.decl().renames);
        if (!reader) return read = std::unexpected(std::move(reader.error())), false;
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            auto const number = std::uint32_t(in.varint());
            auto const payload = in.string();
            if (batch.first + i != position) continue;
            read = (*reader)->decode(number, payload, borrowed.get(), host.sealer());
            if (read) type.ops.assign(owned.get(), borrowed.get());  // a copy owns
        }
        return false;
    }));
    if (!read) return std::unexpected(std::move(read.error()));
    return owned;
}

Result<std::shared_ptr<void const>> event_if_kept(Host const& host, Position position) {
    RecentEvents::Place place;
    return event_if_kept(host, position, place);
}
Result<std::shared_ptr<void const>> event_if_kept(Host const& host, Position position, RecentEvents::Place& place) {
    if (auto recent = host.recent().find(position, place)) return recent;
    auto event = event_at(host, position);
    if (!event && event.error().code == "position_gone") return nullptr;
    if (!event) return std::unexpected(std::move(event.error()));
    auto kept = std::make_shared<codec::AnyValue>(std::move(*event));
    return std::shared_ptr<void const>(kept, kept->get());
}

}  // namespace gantry::runtime
