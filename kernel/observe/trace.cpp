#include "kernel/observe/trace.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"
#include "kernel/codec/utf8.h"

namespace gantry::observe {
namespace {

// Different for each of a trace's spans, as random as the root's, and without asking for randomness again.
SpanId child_id(SpanId root, std::size_t index) {
    auto const n = mix64(root.n + index);
    return {n != 0 ? n : ~std::uint64_t(0)};
}

bool is_token(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Text of bounded size: `whole` says whether everything fitted.
struct BoundedText {
    std::span<char> room;
    std::size_t used = 0;
    bool whole = true;
    void put(char c) {
        if (used < room.size())
            room[used++] = c;
        else
            whole = false;
    }
    void put(std::string_view text) {
        for (char c : text) put(c);
    }
};

void put_timing(BoundedText& out, std::string_view name, std::int64_t duration_ns) {
    constexpr std::size_t name_max = 40;
    if (out.used > 0) out.put(", ");
    if (name.empty()) name = "_";
    for (char c : name.substr(0, name_max)) out.put(is_token(c) ? c : '_');
    out.put(";dur=");
    std::int64_t const us = std::max<std::int64_t>(0, duration_ns / 1000);
    char digits[24];
    out.put({digits, std::to_chars(digits, std::end(digits), us / 1000).ptr});
    for (std::int64_t unit : {std::int64_t(100), std::int64_t(10), std::int64_t(1)}) {
        if (unit == 100) out.put('.');
        out.put(char('0' + us / unit % 10));
    }
}

}  // namespace

std::string_view name_of(SpanKind kind) {
    static constexpr std::string_view names[] = {"", "internal", "server", "client", "producer", "consumer"};
    return names[std::size_t(kind)];
}

std::string_view name_of(SpanStatus status) {
    static constexpr std::string_view names[] = {"unset", "ok", "error"};
    return names[std::size_t(status)];
}

void RequestTrace::begin(std::string_view name, SpanKind kind, std::optional<TraceContext> const& caller, Time wall, std::int64_t now_ns,
                         Random& random) {
    trace_ = caller ? caller->trace : fresh_trace_id(random);
    sampled_ = caller && caller->sampled, random_ = !caller || caller->random;
    wall_ = wall, began_ns_ = now_ns;
    span_count_ = link_count_ = 0, text_used_ = 0, dropped_spans_ = dropped_attributes_ = 0;
    open(name, now_ns, kind, Handle::none);
    spans_[0].id = fresh_span_id(random);
    if (caller) spans_[0].parent = caller->span;
}

RequestTrace::Handle RequestTrace::open(std::string_view name, std::int64_t now_ns, SpanKind kind, Handle parent) {
    if (span_count_ == spans_max) return ++dropped_spans_, Handle::none;
    auto const* above = at(parent);
    auto& span = spans_[span_count_];
    span.name = name;
    span.id = child_id(spans_[0].id, span_count_);
    span.parent = above ? above->id : span_count_ > 0 ? spans_[0].id : SpanId();
    span.start_ns = now_ns - began_ns_, span.duration_ns = -1;
    span.kind = kind, span.status = SpanStatus::unset, span.attribute_count = 0;
    return Handle(span_count_++);
}

void RequestTrace::close(Handle handle, std::int64_t now_ns, SpanStatus status) {
    auto* span = at(handle);
    if (!span || span->duration_ns >= 0) return;
    span->duration_ns = std::max<std::int64_t>(0, now_ns - began_ns_ - span->start_ns);
    span->status = status;
}

RequestTrace::Handle RequestTrace::add(std::string_view name, std::int64_t start_ns, std::int64_t end_ns, SpanKind kind, Handle parent) {
    auto const span = open(name, start_ns, kind, parent);
    close(span, end_ns);
    return span;
}

void RequestTrace::rename(Handle handle, std::string_view name) {
    if (auto* span = at(handle)) span->name = name;
}

void RequestTrace::set(Handle handle, std::string_view key, Attribute::Value value) {
    auto* span = at(handle);
    if (!span) return;
    auto const end = span->attributes.begin() + span->attribute_count;
    auto const known = std::find_if(span->attributes.begin(), end, [&](Attribute const& a) { return a.key == key; });
    if (known != end) return void(known->value = value);
    if (span->attribute_count == Span::attributes_max) return void(++dropped_attributes_);
    span->attributes[span->attribute_count++] = {key, value};
}

void RequestTrace::link(TraceContext const& from) {
    if (link_count_ == links_max) return void(++dropped_attributes_);
    links_[link_count_++] = from;
}

std::string_view RequestTrace::keep(std::string_view text) {
    auto n = std::min(text.size(), text_max - text_used_);
    if (n < text.size())
        while (n > 0 && (std::uint8_t(text[n]) & 0xc0) == 0x80) --n;
    char* const at = text_.data() + text_used_;
    std::memcpy(at, text.data(), n);
    text_used_ = std::uint16_t(text_used_ + n);
    return {at, n};
}

void RequestTrace::end(std::int64_t now_ns, SpanStatus status) {
    GANTRY_ASSERT(span_count_ > 0, "a trace ends after it began");
    close(Handle::root, now_ns, status);
    for (std::size_t i = 1; i < span_count_; ++i) close(Handle(i), now_ns);
}

TraceContext RequestTrace::context(Handle handle) const {
    auto const index = std::size_t(handle) < span_count_ ? std::size_t(handle) : 0;
    return {trace_, spans_[index].id, sampled_, random_};
}

std::string_view server_timing(RequestTrace const& trace, std::int64_t now_ns, std::span<char> out) {
    BoundedText text{out};
    std::size_t whole = 0;
    auto entry = [&](std::string_view name, std::int64_t duration_ns) {
        put_timing(text, name, duration_ns);
        if (text.whole) whole = text.used;
        return text.whole;
    };
    bool more = entry("total", trace.duration_ns() >= 0 ? trace.duration_ns() : now_ns - trace.began_ns());
    auto const spans = trace.spans();
    for (std::size_t i = 1; i < spans.size() && more; ++i)
        if (spans[i].duration_ns >= 0) more = entry(spans[i].name, spans[i].duration_ns);
    return {out.data(), whole};
}

}  // namespace gantry::observe
