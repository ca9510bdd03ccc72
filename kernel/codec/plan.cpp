#include "kernel/codec/plan.h"

#include <fmt/format.h>

namespace gantry::codec::detail {
namespace {

class Planner {
   public:
    Planner(std::string_view what, std::span<Rename const> renames) : what_(what), renames_(renames) {}

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
        problem = Problem{500, "event_shape_unreadable",
                          fmt::format("{}, {}{}: written as {}, today {}", what_, path.empty() ? "the whole" : "field " + path, why,
                                      describe(written), describe(shape_of(today)))};
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

    std::string_view what_;
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

}  // namespace

Result<Plan> make_plan(Shape const& written, Type const& today, std::string_view what, std::span<Rename const> renames) {
    Planner planner(what, renames);
    Plan plan;
    if (!planner.plan(written, today, "", plan)) return fail(std::move(planner.problem));
    return plan;
}

bool read_planned(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer) { return read(plan, out, in, sealer); }

}  // namespace gantry::codec::detail
