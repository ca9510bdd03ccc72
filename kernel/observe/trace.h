#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "kernel/base/time.h"
#include "kernel/observe/trace_context.h"

// What one request spent its time on. A RequestTrace lives in an object that is used again for the next request; recording takes no
// memory and no lock. Most are forgotten at the end; trace_store.h keeps those that somebody will ask for.
//
//     trace.begin("GET /notes/v1/{id}", SpanKind::server, caller, clock.wall(), clock.steady_ns(), random);
//     auto decide = trace.open("decide", now_ns);
//     trace.close(decide, now_ns);
//     trace.end(now_ns);
namespace gantry::observe {

// With the numbers of OTLP.
enum class SpanKind : std::uint8_t { internal = 1, server = 2, client = 3, producer = 4, consumer = 5 };
enum class SpanStatus : std::uint8_t { unset = 0, ok = 1, error = 2 };
std::string_view name_of(SpanKind kind);
std::string_view name_of(SpanStatus status);

struct Attribute {
    using Value = std::variant<std::string_view, std::int64_t, double, bool>;
    std::string_view key;
    Value value;
};

struct Span {
    static constexpr std::size_t attributes_max = 4;
    std::string_view name;
    SpanId id, parent;              // no parent: nobody asked for it that we know
    std::int64_t start_ns = 0;      // since the trace's start
    std::int64_t duration_ns = -1;  // -1: still open
    SpanKind kind = SpanKind::internal;
    SpanStatus status = SpanStatus::unset;
    std::uint8_t attribute_count = 0;
    std::array<Attribute, attributes_max> attributes;  // the first `attribute_count` are set
    std::span<Attribute const> attribute_list() const { return {attributes.data(), attribute_count}; }
};

// Names, keys and text values live as long as the trace: they are literals, or went through keep(). Moments are of Clock::steady_ns().
// One thread at a time.
class RequestTrace {
   public:
    static constexpr std::size_t spans_max = 16, links_max = 4, text_max = 512;
    // Names one of this trace's spans. What is done to `none` is nothing: a caller needs no question when there was no room.
    enum class Handle : std::uint8_t { root = 0, none = 255 };

    // Forgets what was before. Without a caller a trace of our own begins, its id random.
    void begin(std::string_view name, SpanKind kind, std::optional<TraceContext> const& caller, Time wall, std::int64_t now_ns,
               Random& random);
    Handle open(std::string_view name, std::int64_t now_ns, SpanKind kind = SpanKind::internal, Handle parent = Handle::root);
    void close(Handle span, std::int64_t now_ns, SpanStatus status = SpanStatus::unset);
    // A span that is over.
    Handle add(std::string_view name, std::int64_t start_ns, std::int64_t end_ns, SpanKind kind = SpanKind::internal,
               Handle parent = Handle::root);
    void rename(Handle span, std::string_view name);
    // A key set before gets its new value.
    void set(Handle span, std::string_view key, Attribute::Value value);
    // Another trace that this one goes on from: of the event that a follower or an effect takes up.
    void link(TraceContext const& from);
    // A copy with the trace's lifetime, cut (between characters) when the room of `text_max` bytes ends.
    std::string_view keep(std::string_view text);
    // Closes the root, and what is still open with it.
    void end(std::int64_t now_ns, SpanStatus status = SpanStatus::unset);

    TraceId id() const { return trace_; }
    // What work that this span asks others for gets as traceparent.
    TraceContext context(Handle span = Handle::root) const;
    bool sampled() const { return sampled_; }
    void set_sampled(bool sampled) { sampled_ = sampled; }
    Time wall() const { return wall_; }
    std::int64_t began_ns() const { return began_ns_; }
    std::int64_t duration_ns() const { return spans_[0].duration_ns; }  // -1 before end()
    std::span<Span const> spans() const { return {spans_.data(), span_count_}; }
    std::span<TraceContext const> links() const { return {links_.data(), link_count_}; }
    std::string_view text() const { return {text_.data(), text_used_}; }
    std::uint32_t dropped_spans() const { return dropped_spans_; }
    std::uint32_t dropped_attributes() const { return dropped_attributes_; }  // and links

   private:
    Span* at(Handle span) { return std::size_t(span) < span_count_ ? &spans_[std::size_t(span)] : nullptr; }

    TraceId trace_;
    Time wall_;
    std::int64_t began_ns_ = 0;
    std::uint32_t dropped_spans_ = 0, dropped_attributes_ = 0;
    std::uint16_t text_used_ = 0;
    std::uint8_t span_count_ = 0, link_count_ = 0;
    bool sampled_ = false, random_ = false;
    std::array<Span, spans_max> spans_;
    std::array<TraceContext, links_max> links_;
    std::array<char, text_max> text_;
};

// The value of a Server-Timing header: `total;dur=3.021, decide;dur=0.040`, in milliseconds, of the spans that are closed; only whole
// entries that `out` has room for. Names become tokens.
std::string_view server_timing(RequestTrace const& trace, std::int64_t now_ns, std::span<char> out);

}  // namespace gantry::observe
