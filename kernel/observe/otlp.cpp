#include "kernel/observe/otlp.h"

#include <charconv>
#include <cmath>

#include "kernel/codec/json.h"

namespace gantry::observe {
namespace {

void append_integer(std::string& out, std::int64_t value) {
    char digits[24];
    out.append(digits, std::to_chars(digits, std::end(digits), value).ptr);
}

template <std::size_t n>
void append_id(std::string& out, std::string_view name, std::array<char, n> const& digits) {
    out.append("\"").append(name).append("\":\"").append(digits.data(), n).append("\"");
}

void append_real(std::string& out, double value) {
    // As the JSON mapping of protobuf writes what JSON has no number for.
    if (std::isnan(value)) return void(out += "\"NaN\"");
    if (std::isinf(value)) return void(out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    char digits[32];
    out.append(digits, std::to_chars(digits, std::end(digits), value).ptr);
}

void append_attribute(std::string& out, std::string_view key, Attribute::Value const& value) {
    if (out.back() == '}') out += ',';
    out += "{\"key\":";
    codec::append_json_string(out, key);
    out += ",\"value\":{";
    if (auto const* text = std::get_if<std::string_view>(&value)) {
        out += "\"stringValue\":", codec::append_json_string(out, *text);
    } else if (auto const* number = std::get_if<std::int64_t>(&value)) {
        out += "\"intValue\":\"", append_integer(out, *number), out += '"';
    } else if (auto const* real = std::get_if<double>(&value)) {
        out += "\"doubleValue\":", append_real(out, *real);
    } else {
        out.append("\"boolValue\":").append(std::get<bool>(value) ? "true" : "false");
    }
    out += "}}";
}

void append_request_attributes(std::string& out, KeptTrace const& trace) {
    auto text = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) append_attribute(out, key, value);
    };
    text("http.request.method", trace.method);
    text("http.route", trace.route);
    if (trace.status > 0) append_attribute(out, "http.response.status_code", std::int64_t(trace.status));
    text("gantry.site", trace.site);
    text("gantry.service", trace.service);
    text("gantry.request_id", trace.request_id);
    append_attribute(out, "gantry.kept_because", name_of(trace.because));
}

void append_links(std::string& out, KeptTrace const& trace) {
    out += ",\"links\":[";
    for (auto const& link : trace.links) {
        if (out.back() == '}') out += ',';
        out += '{', append_id(out, "traceId", hex_of(link.trace)), out += ',', append_id(out, "spanId", hex_of(link.span)), out += '}';
    }
    out += ']';
}

void append_span(std::string& out, KeptTrace const& trace, std::size_t index) {
    auto const& span = trace.spans[index];
    bool const root = index == 0;
    // The flags of the trace context; and that it is known whether the parent is in another process, which the root's is.
    int const flags = int(trace.sampled) + 2 * int(trace.random) + 0x100 + (root && span.parent ? 0x200 : 0);
    auto const start_ns = trace.began.us * 1000 + span.start_ns;
    out += '{', append_id(out, "traceId", hex_of(trace.id)), out += ',', append_id(out, "spanId", hex_of(span.id));
    if (span.parent) out += ',', append_id(out, "parentSpanId", hex_of(span.parent));
    out += ",\"flags\":", append_integer(out, flags);
    out += ",\"name\":", codec::append_json_string(out, span.name);
    out += ",\"kind\":", append_integer(out, int(span.kind));
    out += ",\"startTimeUnixNano\":\"", append_integer(out, start_ns);
    out += "\",\"endTimeUnixNano\":\"", append_integer(out, start_ns + span.duration_ns);
    out += "\",\"attributes\":[";
    for (auto const& a : span.attribute_list()) append_attribute(out, a.key, a.value);
    if (root) append_request_attributes(out, trace);
    out += ']';
    if (root && trace.dropped_attributes > 0) out += ",\"droppedAttributesCount\":", append_integer(out, trace.dropped_attributes);
    if (root && !trace.links.empty()) append_links(out, trace);
    out += ",\"status\":{\"code\":", append_integer(out, int(span.status)), out += "}}";
}

}  // namespace

void append_otlp_spans(std::string& out, KeptTrace const& trace) {
    for (std::size_t i = 0; i < trace.spans.size(); ++i) {
        if (i > 0) out += ',';
        append_span(out, trace, i);
    }
}

std::string otlp_head(OtlpResource const& resource) {
    std::string out = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
    auto text = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) append_attribute(out, key, value);
    };
    text("service.name", resource.service_name);
    text("service.version", resource.service_version);
    text("service.instance.id", resource.service_instance);
    text("host.name", resource.host_name);
    out += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"gantry\"";
    if (!resource.service_version.empty()) out += ",\"version\":", codec::append_json_string(out, resource.service_version);
    return out += "},\"spans\":[";
}

}  // namespace gantry::observe
