#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/codec/plan.h"
#include "kernel/codec/schema.h"
#include "kernel/codec/written.h"

namespace gantry::codec {
namespace {

struct Written : detail::WrittenEvent {
    std::uint32_t today = EventReader::none;
    detail::Plan plan;
};

class Reader final : public EventReader {
   public:
    Reader(Type const& event, std::vector<Written> written) : event_(event), written_(std::move(written)) {}

    bool identical(std::uint32_t number) const override {
        Written const* w = find(number);
        return w && w->today != none && w->plan.same;
    }
    std::uint32_t today(std::uint32_t number) const override {
        Written const* w = find(number);
        return w ? w->today : none;
    }
    bool ignorable(std::uint32_t number) const override {
        Written const* w = find(number);
        return w && w->today == none && w->type.ignorable;
    }
    Result<void> decode(std::uint32_t number, std::string_view payload, void* variant, Sealer const* sealer) const override {
        Written const* w = find(number);
        if (!w) return fail(500, "event_type_unknown", fmt::format("the schema of this log has no event type number {}", number));
        if (w->today == none)
            return fail(500, "event_type_unknown",
                        fmt::format("event type \"{}\" is unknown to this program, a newer one recorded it: use that; it was written as {}",
                                    w->type.name, describe(w->shape)));
        ByteReader in(payload);
        if (detail::read_planned(w->plan, event_.ops.choose(variant, w->today), in, sealer) && in.done()) return {};
        return fail(500, "event_malformed",
                    fmt::format("an event of type \"{}\" doesn't follow the schema it was written under", w->type.name));
    }

   private:
    Written const* find(std::uint32_t number) const {
        if (number < written_.size() && written_[number].type.number == number) return &written_[number];
        for (auto const& w : written_)
            if (w.type.number == number) return &w;
        return nullptr;
    }
    Type const& event_;
    std::vector<Written> written_;
};

Result<void> plan_event(Written& w, Type const& event, std::span<Rename const> renames) {
    std::string_view name = w.type.name;
    for (auto const& r : renames)
        if (r.record.empty() && r.from == name) name = r.to;
    for (std::uint32_t i = 0; i < event.alternatives.size(); ++i) {
        if (event.alternatives[i].name != name) continue;
        TRY_ASSIGN(w.plan,
                   detail::make_plan(w.shape, event.alternatives[i].type(), fmt::format("event type \"{}\"", w.type.name), renames));
        w.today = i;
        return {};
    }
    return {};  // unknown today: told by the first event of it, if there is any
}

}  // namespace

Result<std::unique_ptr<EventReader>> make_event_reader(std::string_view blob, Type const& event, std::span<Rename const> renames) {
    GANTRY_ASSERT(event.kind == Kind::variant, "events are a variant of records");
    TRY_ASSIGN(auto read, detail::read_schema(blob));
    std::vector<Written> written;
    for (auto& event_type : read) written.push_back({std::move(event_type), EventReader::none, {}});
    for (auto& w : written) TRY_VOID(plan_event(w, event, renames));
    return std::make_unique<Reader>(event, std::move(written));
}

Result<std::vector<EventType>> event_types(std::string_view blob) {
    TRY_ASSIGN(auto written, detail::read_schema(blob));
    std::vector<EventType> out;
    for (auto& w : written) out.push_back(std::move(w.type));
    return out;
}

namespace {

class PlannedValueReader final : public ValueReader {
   public:
    bool identical() const override { return plan_.same; }
    bool decode(ByteReader& in, void* value, Sealer const* sealer) const override { return detail::read_planned(plan_, value, in, sealer); }
    Result<void> open(std::string_view schema, Type const& type, std::string_view what, std::span<Rename const> renames) {
        ByteReader in(schema);
        auto version = in.fixed<std::uint8_t>();
        if (version != value_schema_version || !detail::read_shape(in, shape_) || !in.done())
            return fail(500, "schema_malformed", fmt::format("{}: the schema that they were written under can't be read", what));
        TRY_ASSIGN(plan_, detail::make_plan(shape_, type, what, renames));
        return {};
    }

   private:
    static constexpr std::uint8_t value_schema_version = 1;
    detail::Shape shape_;
    detail::Plan plan_;
};

}  // namespace

Result<std::unique_ptr<ValueReader>> make_value_reader(std::string_view schema, Type const& type, std::string_view what,
                                                       std::span<Rename const> renames) {
    auto reader = std::make_unique<PlannedValueReader>();
    TRY_VOID(reader->open(schema, type, what, renames));
    return std::unique_ptr<ValueReader>(std::move(reader));
}

}  // namespace gantry::codec
