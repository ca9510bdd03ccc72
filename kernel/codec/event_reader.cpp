#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/codec/schema.h"
#include "kernel/codec/shape.h"
#include "kernel/codec/written.h"

namespace gantry::codec {
namespace {
using detail::Named;
using detail::Shape;

// How one written shape is read: straight into today's type (`same`), converted, or skipped (`today` is null). Members are in written
// order.
struct Plan {
    Shape const* written = nullptr;
    Type const* today = nullptr;
    bool same = false;                     // the written layout is today's: decode_binary reads it
    bool wrap = false;                     // T is read into today's optional<T> by `element`
    std::unique_ptr<Plan> element = {};    // of optional, list, map, personal
    std::vector<Plan> members = {};        // of record and variant
    std::vector<std::size_t> target = {};  // today's field, alternative or enum value of each written member
};

struct Written : detail::WrittenEvent {
    std::uint32_t today = EventReader::none;
    Plan plan;
};

class Planner {
   public:
    Planner(std::string_view event, std::span<Rename const> renames) : event_(event), renames_(renames) {}

    // False when today's type can't hold what was written; `problem` then says why.
    bool plan(Shape const& written, Type const& today, std::string const& path, Plan& out) {
        out.written = &written, out.today = &today;
        if (today.kind == Kind::optional && written.kind != Kind::optional) {
            out.wrap = true, out.element = std::make_unique<Plan>();
            return plan(written, today.element(), path, *out.element);
        }
        if (written.kind != today.kind) return refuse(written, today, path);
        switch (written.kind) {
            case Kind::integer: return integer(written, today, path, out);
            case Kind::enumeration: return enumeration(written, today, path, out);
            case Kind::optional:
            case Kind::list:
            case Kind::map:
            case Kind::secret:
            case Kind::personal:
                out.element = std::make_unique<Plan>();
                if (!plan(*written.element, today.element(), path + suffix(written.kind), *out.element)) return false;
                out.same = out.element->same;
                return true;
            case Kind::record: return record(written, today, path, out);
            case Kind::variant: return variant(written, today, path, out);
            default: return out.same = true;
        }
    }
    Problem problem;

   private:
    static char const* suffix(Kind kind) { return kind == Kind::list ? "[]" : kind == Kind::map ? "{}" : ""; }

    bool refuse(Shape const& written, Type const& today, std::string const& path, std::string_view why = "") {
        problem =
            Problem{500, "event_shape_unreadable",
                    fmt::format("event type \"{}\", {}{}: written as {}, today {}", event_, path.empty() ? "the event" : "field " + path,
                                why, describe(written), describe(detail::shape_of(today)))};
        return false;
    }

    std::string_view renamed(std::string_view record, std::string_view name) const {
        for (auto const& r : renames_)
            if (r.record == record && r.from == name) return r.to;
        return name;
    }

    bool integer(Shape const& written, Type const& today, std::string const& path, Plan& out) {
        bool fits = written.is_signed == today.is_signed ? written.size <= today.size : today.is_signed && written.size < today.size;
        out.same = fits && written.is_signed == today.is_signed;
        return fits || refuse(written, today, path);
    }

    bool enumeration(Shape const& written, Type const& today, std::string const& path, Plan& out) {
        out.same = true;
        std::string record = snake_case(today.name);
        for (auto const& value : written.members) {
            std::string_view name = renamed(record, value.name);
            std::size_t i = 0;
            while (i < today.values.size() && today.values[i].name != name) ++i;
            if (i == today.values.size()) return refuse(written, today, path, fmt::format(", value \"{}\" is unknown today", value.name));
            out.same = out.same && i == out.target.size();
            out.target.push_back(i);
        }
        return true;
    }

    bool record(Shape const& written, Type const& today, std::string const& path, Plan& out) {
        std::string record = snake_case(today.name);
        std::vector<bool> taken(today.fields.size());
        out.same = written.members.size() == today.fields.size();
        for (auto const& member : written.members) {
            std::string_view name = renamed(record, member.name);
            std::size_t i = 0;
            while (i < today.fields.size() && today.fields[i].name != name) ++i;
            std::string at = path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
            Plan inner{.written = member.shape.get()};
            if (i == today.fields.size()) {
                out.same = false;
            } else {
                if (taken[i]) return refuse(written, today, at, ", two written fields lead here");
                taken[i] = true;
                if (!plan(*member.shape, today.fields[i].type(), at, inner)) return false;
                out.same = out.same && inner.same && i == out.target.size();
            }
            out.target.push_back(i);
            out.members.push_back(std::move(inner));
        }
        return true;
    }

    bool variant(Shape const& written, Type const& today, std::string const& path, Plan& out) {
        out.same = true;
        for (auto const& member : written.members) {
            std::string_view name = renamed("", member.name);
            std::size_t i = 0;
            while (i < today.alternatives.size() && today.alternatives[i].name != name) ++i;
            if (i == today.alternatives.size())
                return refuse(written, today, path, fmt::format(", alternative \"{}\" is unknown today", member.name));
            Plan inner;
            if (!plan(*member.shape, today.alternatives[i].type(), fmt::format("{}|{}", path, name), inner)) return false;
            out.same = out.same && inner.same && i == out.target.size();
            out.target.push_back(i);
            out.members.push_back(std::move(inner));
        }
        return true;
    }

    std::string_view event_;
    std::span<Rename const> renames_;
};

bool skip(Shape const& shape, ByteReader& in);

bool skip_items(Shape const& shape, ByteReader& in) {
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    for (; n > 0; --n) {
        if (shape.kind == Kind::map) in.string();
        if (!in.ok() || !skip(*shape.element, in)) return false;
    }
    return true;
}

// Reads past one written value.
bool skip(Shape const& shape, ByteReader& in) {
    switch (shape.kind) {
        case Kind::boolean: in.fixed<std::uint8_t>(); return in.ok();
        case Kind::real: in.fixed<double>(); return in.ok();
        case Kind::text:
        case Kind::bytes:
        case Kind::raw_json: in.string(); return in.ok();
        case Kind::optional: {
            auto has = in.fixed<std::uint8_t>();
            return in.ok() && has <= 1 && (!has || skip(*shape.element, in));
        }
        case Kind::list:
        case Kind::map: return skip_items(shape, in);
        case Kind::record:
            for (auto const& member : shape.members)
                if (!skip(*member.shape, in)) return false;
            return true;
        case Kind::variant: {
            std::uint64_t index = in.varint();
            return in.ok() && index < shape.members.size() && skip(*shape.members[index].shape, in);
        }
        case Kind::secret: return skip(*shape.element, in);
        case Kind::personal: {
            auto form = in.fixed<std::uint8_t>();
            in.string();
            if (!in.ok() || form > 2) return false;
            if (form == 1) in.string();
            return in.ok() && (form != 0 || skip(*shape.element, in));
        }
        default: in.varint(); return in.ok();
    }
}

bool read(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer);

bool read_personal(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer) {
    auto const& ops = plan.today->ops;
    auto form = in.fixed<std::uint8_t>();
    std::string_view subject = in.string();
    if (!in.ok() || form > 2) return false;
    ops.set(out, subject);
    if (form == 0) return read(*plan.element, ops.emplace(out), in, nullptr);
    std::string_view sealed = form == 1 ? in.string() : std::string_view{};
    if (!in.ok() || (form == 1 && !sealer)) return false;
    auto plain = form == 1 ? sealer->open(subject, sealed) : std::nullopt;
    if (!plain) return ops.reset(out), ops.set(out, subject), true;
    ByteReader inner(*plain);
    return read(*plan.element, ops.emplace(out), inner, nullptr) && inner.done();
}

bool read_record(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer) {
    Type const& today = *plan.today;
    today.ops.destroy(out), today.ops.construct(out);  // added fields have their default, whatever stood here before
    for (std::size_t i = 0; i < plan.members.size(); ++i) {
        Plan const& member = plan.members[i];
        bool fine = member.today ? read(member, static_cast<char*>(out) + today.fields[plan.target[i]].offset, in, sealer)
                                 : skip(*member.written, in);
        if (!fine) return false;
    }
    return true;
}

bool read_items(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer) {
    auto const& ops = plan.today->ops;
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    ops.clear(out);
    for (; n > 0; --n) {
        void* item = plan.today->kind == Kind::map ? ops.insert(out, in.string()) : ops.push(out);
        if (!in.ok() || !read(*plan.element, item, in, sealer)) return false;
    }
    return true;
}

bool read(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer) {
    Type const& today = *plan.today;
    if (plan.same) return decode_binary(today, out, in, sealer, false);
    if (plan.wrap) return read(*plan.element, today.ops.emplace(out), in, sealer);
    switch (today.kind) {
        case Kind::integer: {  // unsigned into a wider signed: the rest is `same`
            std::uint64_t v = in.varint();
            if (!in.ok() || v >> (plan.written->size * 8) != 0) return false;
            return today.ops.set_integer(out, std::int64_t(v)), true;
        }
        case Kind::enumeration: {
            std::uint64_t index = in.varint();
            if (!in.ok() || index >= plan.target.size()) return false;
            return today.ops.set_integer(out, today.values[plan.target[index]].value), true;
        }
        case Kind::optional: {
            auto has = in.fixed<std::uint8_t>();
            if (!in.ok() || has > 1) return false;
            if (!has) return today.ops.reset(out), true;
            return read(*plan.element, today.ops.emplace(out), in, sealer);
        }
        case Kind::list:
        case Kind::map: return read_items(plan, out, in, sealer);
        case Kind::record: return read_record(plan, out, in, sealer);
        case Kind::variant: {
            std::uint64_t index = in.varint();
            if (!in.ok() || index >= plan.members.size()) return false;
            return read(plan.members[index], today.ops.choose(out, plan.target[index]), in, sealer);
        }
        case Kind::secret: return read(*plan.element, today.ops.emplace(out), in, sealer);
        case Kind::personal: return read_personal(plan, out, in, sealer);
        default: return false;
    }
}

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
        if (w->today == none) return fail(500, "event_type_unknown", fmt::format("event type \"{}\" is unknown today", w->type.name));
        ByteReader in(payload);
        if (read(w->plan, event_.ops.choose(variant, w->today), in, sealer) && in.done()) return {};
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
        Planner planner(w.type.name, renames);
        if (!planner.plan(w.shape, event.alternatives[i].type(), "", w.plan)) return fail(planner.problem);
        w.today = i;
        return {};
    }
    if (w.type.ignorable) return {};
    return fail(500, "event_type_unknown",
                fmt::format("event type \"{}\" is unknown today; it was written as {}", w.type.name, describe(w.shape)));
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

}  // namespace gantry::codec
