#include <charconv>
#include <cmath>

#include "kernel/codec/json.h"
#include "kernel/observe/trace_store.h"

// Plain text: what administration reads, not a contract of a service.
namespace gantry::observe {
namespace {

void append_number(std::string& out, auto value) {
    char digits[32];
    out.append(digits, std::to_chars(digits, std::end(digits), value).ptr);
}

template <std::size_t n>
void append_hex(std::string& out, std::array<char, n> const& digits) {
    out.append("\"").append(digits.data(), n).append("\"");
}

void append_value(std::string& out, Attribute::Value const& value) {
    if (auto const* text = std::get_if<std::string_view>(&value)) return codec::append_json_string(out, *text);
    if (auto const* number = std::get_if<std::int64_t>(&value)) return append_number(out, *number);
    if (auto const* real = std::get_if<double>(&value)) return std::isfinite(*real) ? append_number(out, *real) : void(out += "null");
    out += std::get<bool>(value) ? "true" : "false";
}

void append_text_member(std::string& out, std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    codec::append_json_string(out, value);
}

void append_number_member(std::string& out, std::string_view name, auto value) {
    out.append(",\"").append(name).append("\":");
    append_number(out, value);
}

void append_summary_members(std::string& out, KeptTrace const& trace) {
    out += "\"trace_id\":";
    append_hex(out, hex_of(trace.id));
    append_text_member(out, "began_at", format_time(trace.began));
    append_number_member(out, "duration_us", trace.duration_ns / 1000);
    append_number_member(out, "status", trace.status);
    append_text_member(out, "kept_because", name_of(trace.because));
    append_text_member(out, "name", trace.spans[0].name);
    append_text_member(out, "request_id", trace.request_id);
    append_text_member(out, "site", trace.site);
    append_text_member(out, "service", trace.service);
    append_text_member(out, "method", trace.method);
    append_text_member(out, "route", trace.route);
}

void append_span(std::string& out, Span const& span) {
    out += "{\"span_id\":";
    append_hex(out, hex_of(span.id));
    if (span.parent) out += ",\"parent_span_id\":", append_hex(out, hex_of(span.parent));
    append_text_member(out, "name", span.name);
    append_text_member(out, "kind", name_of(span.kind));
    append_text_member(out, "status", name_of(span.status));
    append_number_member(out, "start_ns", span.start_ns);
    append_number_member(out, "duration_ns", span.duration_ns);
    if (span.attribute_count > 0) {
        out += ",\"attributes\":{";
        for (char comma = 0; auto const& a : span.attribute_list()) {
            if (comma) out += comma;
            codec::append_json_string(out, a.key);
            out += ':', append_value(out, a.value), comma = ',';
        }
        out += '}';
    }
    out += '}';
}

}  // namespace

void append_trace_summary_json(std::string& out, KeptTrace const& trace) {
    out += '{';
    append_summary_members(out, trace);
    out += '}';
}

void append_trace_json(std::string& out, KeptTrace const& trace) {
    out += '{';
    append_summary_members(out, trace);
    out += ",\"spans\":[";
    for (char comma = 0; auto const& span : trace.spans) {
        if (comma) out += comma;
        append_span(out, span), comma = ',';
    }
    out += "],\"links\":[";
    for (char comma = 0; auto const& link : trace.links) {
        if (comma) out += comma;
        out += "{\"trace_id\":", append_hex(out, hex_of(link.trace));
        out += ",\"span_id\":", append_hex(out, hex_of(link.span)), out += '}', comma = ',';
    }
    out += ']';
    append_number_member(out, "dropped_spans", trace.dropped_spans);
    append_number_member(out, "dropped_attributes", trace.dropped_attributes);
    out += '}';
}

}  // namespace gantry::observe
