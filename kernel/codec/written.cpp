#include "kernel/codec/written.h"

#include <fmt/format.h>

#include "kernel/codec/utf8.h"

namespace gantry::codec::detail {

Result<std::vector<WrittenEvent>> read_schema(std::string_view blob) {
    auto malformed = [](std::string_view why) { return fail(500, "event_schema_malformed", why); };
    ByteReader in(blob);
    auto version = in.fixed<std::uint8_t>();
    if (!in.ok() || version != 1) return malformed(fmt::format("the event schema has version {}, this release reads version 1", version));
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return malformed("the event schema ends early");
    std::vector<WrittenEvent> out(n);
    for (auto& w : out) {
        std::uint64_t number = in.varint();
        w.type.name = in.string();
        if (!scan_utf8(w.type.name).valid()) return malformed("the event schema has a name that isn't UTF-8");
        auto flags = in.fixed<std::uint8_t>();
        w.type.ignorable = flags & 1;
        w.type.number = std::uint32_t(number);
        if (!in.ok() || number >= EventReader::none || flags > 1 || !read_shape(in, w.shape) || w.shape.kind != Kind::record)
            return malformed(fmt::format("the event schema can't be read at event type \"{}\"", w.type.name));
    }
    if (!in.done()) return malformed("the event schema goes on after its end");
    return out;
}

}  // namespace gantry::codec::detail
