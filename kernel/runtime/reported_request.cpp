#include "kernel/runtime/reported_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernel/runtime/binding.h"

namespace gantry::runtime {
namespace {

constexpr std::string_view masked = "[masked]";
constexpr std::size_t value_bytes_max = 1000, headers_max = 100;

// Of others only the names are told.
bool is_plain_header(std::string_view name) {
    constexpr std::array<std::string_view, 28> plain = {"Accept",
                                                        "Accept-Encoding",
                                                        "Accept-Language",
                                                        "Cache-Control",
                                                        "Connection",
                                                        "Content-Encoding",
                                                        "Content-Length",
                                                        "Content-Type",
                                                        "Date",
                                                        "Deprecation",
                                                        "Expect",
                                                        "Gantry-After",
                                                        "Gantry-Consistency",
                                                        "Gantry-Timeout",
                                                        "Host",
                                                        "If-Match",
                                                        "If-None-Match",
                                                        "Last-Event-ID",
                                                        "Origin",
                                                        "Prefer",
                                                        "Range",
                                                        "Sec-Fetch-Site",
                                                        "traceparent",
                                                        "Transfer-Encoding",
                                                        "User-Agent",
                                                        "X-Forwarded-Host",
                                                        "X-Forwarded-Proto",
                                                        "X-Request-Id"};
    return std::ranges::any_of(plain, [&](std::string_view one) { return http::equals_ignoring_case(one, name); });
}

codec::Field const* field_of(RouteDecl const* decl, std::string_view name) {
    if (!decl || decl->foreign || !decl->input) return nullptr;
    auto const found = std::ranges::find(decl->input->fields, name, &codec::Field::name);
    return found == decl->input->fields.end() ? nullptr : &*found;
}

bool is_plain(codec::Type const& type) {
    if (type.kind == codec::Kind::optional || type.kind == codec::Kind::list) return is_plain(type.element());
    return type.kind != codec::Kind::secret && type.kind != codec::Kind::personal;
}

std::string masked_query(std::string_view query, RouteDecl const* decl) {
    std::string out;
    while (!query.empty()) {
        auto const end = std::min(query.find('&'), query.size());
        auto const one = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        auto const equals = std::min(one.find('='), one.size());
        auto const name = one.substr(0, equals);
        auto const* field = field_of(decl, name);
        bool const tells = equals == one.size() || name == "as_of" || (field && is_plain(field->type()));
        if (!out.empty()) out += '&';
        tells ? out.append(one) : out.append(name).append("=").append(masked);
    }
    return out;
}

// As it was asked for, but for segments that the route's pattern names after what is nobody's business.
std::string masked_path(std::string_view path, RouteDecl const* decl) {
    auto const asked = segments_of(path);
    auto const pattern = segments_of(decl ? decl->path : std::string_view());
    if (!decl || decl->foreign || asked.too_many || asked.count < pattern.count) return std::string(path);
    std::string out;
    auto const ahead = asked.count - pattern.count;
    for (std::size_t i = 0; i < asked.count; ++i) {
        auto const name = i >= ahead ? pattern.at[i - ahead] : std::string_view();
        auto const* field = name.starts_with('{') ? field_of(decl, name.substr(1, name.size() - 2)) : nullptr;
        out.append("/").append(field && !is_plain(field->type()) ? masked : asked.at[i]);
    }
    return out.empty() ? "/" : out;
}

std::string text_of(observe::Attribute const& attribute) {
    return std::visit([&](auto const& value) { return fmt::format("{}={}", attribute.key, value); }, attribute.value);
}

}  // namespace

ReportedCaller reported_caller(Viewer const* viewer, EdgeCaller const* caller) {
    ReportedCaller out;
    if (!viewer && caller) viewer = &caller->viewer;
    if (viewer) {
        out.id = viewer->id.str(), out.sees_all = viewer->sees_all;
        for (auto const& team : viewer->teams) out.teams.push_back(team.str());
    }
    if (!caller) return out;
    out.operates = caller->operates, out.anonymous = caller->anonymous;
    if (caller->caller) out.scopes = caller->caller->scopes().patterns();
    return out;
}

ReportedRequest reported_request(RequestFacts const& facts, RouteDecl const* decl) {
    ReportedRequest out;
    if (!facts.head) return out;
    auto const& head = *facts.head;
    out.method = http::method_name(head.method), out.path = masked_path(head.path, decl), out.query = masked_query(head.query, decl);
    out.scheme = facts.tls ? "https" : "http", out.host = head.host;
    for (auto const& header : head.headers) {
        if (out.headers.size() == headers_max) break;
        auto const value = is_plain_header(header.name) ? header.value.substr(0, value_bytes_max) : masked;
        out.headers.push_back({std::string(header.name), std::string(value)});
    }
    return out;
}

std::vector<ReportedSpan> reported_timeline(observe::RequestTrace const& trace, RouteDecl const* decl) {
    std::vector<ReportedSpan> out;
    auto const now_us = (system_clock().steady_ns() - trace.began_ns()) / 1000;
    std::int64_t ended_us = 0;
    for (auto const& span : trace.spans()) {
        ReportedSpan row{.start_us = span.start_ns / 1000, .end_us = now_us, .kind = std::string(name_of(span.kind))};
        if (span.duration_ns >= 0) row.end_us = (span.start_ns + span.duration_ns) / 1000;
        row.name = span.name;
        for (auto const& attribute : span.attribute_list()) row.detail.append(row.detail.empty() ? "" : " ").append(text_of(attribute));
        if (span.duration_ns >= 0) ended_us = std::max(ended_us, row.end_us);
        out.push_back(std::move(row));
    }
    // What failed is noted in the trace only when it has ended.
    if (decl) out.push_back({ended_us, now_us, "internal", decl->command ? "decide" : "read", "failed"});
    return out;
}

}  // namespace gantry::runtime
