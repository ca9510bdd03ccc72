#include "kernel/codec/schema_json.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "kernel/base/time.h"
#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_check.h"
#include "kernel/codec/utf8.h"
#include "kernel/codec/written.h"

namespace gantry::codec {
namespace {

using detail::Shape;
constexpr std::size_t raw_depth_max = 1000;
bool valid_utf8(std::string_view text) { return scan_utf8(text).valid(); }

// Walks one payload by its shape. Each function is false on malformed bytes.
class Printer {
   public:
    Printer(std::string& out, Sealer const* sealer) : out_(out), sealer_(sealer) {}
    bool value(Shape const& shape, ByteReader& in);
    bool record(Shape const& shape, ByteReader& in, bool first);

   private:
    bool boolean(ByteReader& in);
    bool integer(Shape const& shape, ByteReader& in);
    bool real(ByteReader& in);
    bool text(ByteReader& in);
    bool bytes(ByteReader& in);
    bool time(ByteReader& in);
    bool duration(ByteReader& in);
    bool list(Shape const& shape, ByteReader& in);
    bool map(Shape const& shape, ByteReader& in);
    bool variant(Shape const& shape, ByteReader& in);
    bool personal(Shape const& shape, ByteReader& in);
    void said_of(std::string_view what, std::string_view subject);
    std::string& out_;
    Sealer const* sealer_;
};

bool Printer::boolean(ByteReader& in) {
    auto v = in.fixed<std::uint8_t>();
    out_ += v ? "true" : "false";
    return in.ok() && v <= 1;
}

bool Printer::integer(Shape const& shape, ByteReader& in) {
    if (shape.is_signed)
        fmt::format_to(std::back_inserter(out_), "{}", in.signed_varint());
    else
        fmt::format_to(std::back_inserter(out_), "{}", in.varint());
    return in.ok();
}

bool Printer::real(ByteReader& in) {
    auto d = in.fixed<double>();
    if (!std::isfinite(d)) return out_ += "null", in.ok();
    char buffer[32];
    out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, d).ptr);
    return in.ok();
}

bool Printer::text(ByteReader& in) {
    auto s = in.string();
    if (!in.ok() || !valid_utf8(s)) return false;
    return append_json_string(out_, s), true;
}

bool Printer::bytes(ByteReader& in) {
    out_ += '"', append_base64(out_, in.string()), out_ += '"';
    return in.ok();
}

bool Printer::time(ByteReader& in) {
    constexpr std::int64_t year_0 = -62'167'219'200'000'000, year_10000 = 253'402'300'800'000'000;
    Time t{in.signed_varint()};
    bool told = t.us >= year_0 && t.us < year_10000;
    out_ += told ? fmt::format("\"{}\"", format_time(t)) : fmt::format("{}", t.us);
    return in.ok();
}

bool Printer::duration(ByteReader& in) {
    auto us = in.signed_varint();
    fmt::format_to(std::back_inserter(out_), "\"{}\"", format_duration({us == INT64_MIN ? us + 1 : us}));
    return in.ok();
}

bool Printer::list(Shape const& shape, ByteReader& in) {
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    out_ += '[';
    for (std::uint64_t i = 0; i < n; ++i) {
        if (i) out_ += ',';
        if (!value(*shape.element, in)) return false;
    }
    out_ += ']';
    return true;
}

bool Printer::map(Shape const& shape, ByteReader& in) {
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    out_ += '{';
    for (std::uint64_t i = 0; i < n; ++i) {
        if (i) out_ += ',';
        if (!text(in)) return false;
        out_ += ':';
        if (!value(*shape.element, in)) return false;
    }
    out_ += '}';
    return true;
}

bool Printer::record(Shape const& shape, ByteReader& in, bool first) {
    for (auto const& member : shape.members) {
        Shape const* inner = member.shape.get();
        if (inner->kind == Kind::optional) {
            auto there = in.fixed<std::uint8_t>();
            if (!in.ok() || there > 1) return false;
            if (!there) continue;  // left out, as the service does
            inner = inner->element.get();
        }
        if (!first) out_ += ',';
        first = false;
        append_json_string(out_, member.name);
        out_ += ':';
        if (!value(*inner, in)) return false;
    }
    out_ += '}';
    return true;
}

bool Printer::variant(Shape const& shape, ByteReader& in) {
    std::uint64_t index = in.varint();
    if (!in.ok() || index >= shape.members.size()) return false;
    auto const& chosen = shape.members[index];
    out_ += "{\"type\":";
    append_json_string(out_, chosen.name);
    return record(*chosen.shape, in, false);
}

void Printer::said_of(std::string_view what, std::string_view subject) {
    fmt::format_to(std::back_inserter(out_), "{{\"{}\":", what);
    append_json_string(out_, subject);
    out_ += '}';
}

bool Printer::personal(Shape const& shape, ByteReader& in) {
    enum { in_clear = 0, sealed = 1, erased = 2 };
    auto form = in.fixed<std::uint8_t>();
    auto subject = in.string();
    if (!in.ok() || form > erased || !valid_utf8(subject)) return false;
    if (form == in_clear) return value(*shape.element, in);
    if (form == erased) return said_of("erased", subject), true;
    auto closed = in.string();
    if (!in.ok()) return false;
    auto plain = sealer_ ? sealer_->open(subject, closed) : std::nullopt;
    if (!plain) return said_of(sealer_ ? "erased" : "sealed", subject), true;
    ByteReader inner(*plain);
    return value(*shape.element, inner) && inner.done();
}

bool Printer::value(Shape const& shape, ByteReader& in) {
    switch (shape.kind) {
        case Kind::boolean: return boolean(in);
        case Kind::integer:
        case Kind::sequence:
        case Kind::ref: return integer(shape, in);
        case Kind::real: return real(in);
        case Kind::text: return text(in);
        case Kind::bytes: return bytes(in);
        case Kind::time: return time(in);
        case Kind::duration: return duration(in);
        case Kind::enumeration: {
            auto index = in.varint();
            if (!in.ok() || index >= shape.members.size()) return false;
            return append_json_string(out_, shape.members[index].name), true;
        }
        case Kind::optional: {
            auto there = in.fixed<std::uint8_t>();
            if (!in.ok() || there > 1) return false;
            return there ? value(*shape.element, in) : (out_ += "null", true);
        }
        case Kind::list: return list(shape, in);
        case Kind::map: return map(shape, in);
        case Kind::record: return out_ += '{', record(shape, in, true);
        case Kind::variant: return variant(shape, in);
        case Kind::secret: return false;  // never written
        case Kind::personal: return personal(shape, in);
        case Kind::raw_json: {
            auto json = in.string();
            return in.ok() && !check_json(json, raw_depth_max) ? (out_ += json, true) : false;
        }
    }
    return false;
}

}  // namespace

struct EventPrinter::Events {
    std::vector<detail::WrittenEvent> list;
    detail::WrittenEvent const* find(std::uint32_t number) const {
        for (auto const& event : list)
            if (event.type.number == number) return &event;
        return nullptr;
    }
};

EventPrinter::EventPrinter(std::unique_ptr<Events> events) : events_(std::move(events)) {}
EventPrinter::EventPrinter(EventPrinter&&) noexcept = default;
EventPrinter& EventPrinter::operator=(EventPrinter&&) noexcept = default;
EventPrinter::~EventPrinter() = default;

Result<EventPrinter> EventPrinter::make(std::string_view schema_blob) {
    auto events = std::make_unique<Events>();
    TRY_ASSIGN(events->list, detail::read_schema(schema_blob));
    return EventPrinter(std::move(events));
}

std::string_view EventPrinter::name(std::uint32_t number) const {
    auto* event = events_->find(number);
    return event ? std::string_view(event->type.name) : std::string_view();
}

bool EventPrinter::append_json(std::uint32_t number, std::string_view payload, std::string& out, Sealer const* sealer) const {
    auto* event = events_->find(number);
    if (!event) return false;
    std::size_t const before = out.size();
    ByteReader in(payload);
    out += '{';
    bool good = Printer(out, sealer).record(event->shape, in, true) && in.done();
    if (!good) out.resize(before);
    return good;
}

}  // namespace gantry::codec
