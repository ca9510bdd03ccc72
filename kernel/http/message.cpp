#include "kernel/http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernel/base/assert.h"
#include "kernel/codec/utf8.h"

namespace gantry::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }

std::string_view trim(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

// Cuts the part before `separator` off `rest`.
std::string_view cut(std::string_view& rest, char separator) {
    std::size_t const at = rest.find(separator);
    std::string_view const part = trim(rest.substr(0, at));
    rest = at == rest.npos ? std::string_view{} : rest.substr(at + 1);
    return part;
}

std::string_view media_type(std::string_view content_type) { return cut(content_type, ';'); }

bool ends_ignoring_case(std::string_view s, std::string_view end) {
    return s.size() >= end.size() && equals_ignoring_case(s.substr(s.size() - end.size()), end);
}

std::optional<std::uint64_t> parse_number(std::string_view digits) {
    if (digits.empty() || digits.size() > 18) return std::nullopt;
    std::uint64_t value = 0;
    for (char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + std::uint64_t(c - '0');
    }
    return value;
}

std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(0, std::min(authority.find(']'), authority.size() - 1) + 1);
    return authority.substr(0, authority.find(':'));
}

bool is_loopback_v4(std::string_view host) {
    int parts = 0;
    while (!host.empty() || parts < 4) {
        auto const part = parse_number(cut(host, '.'));
        if (!part || *part > 255 || ++parts > 4 || (parts == 1 && *part != 127)) return false;
    }
    return parts == 4;
}

bool is_below_localhost(std::string_view host) {
    constexpr std::string_view end = ".localhost";
    if (host.size() <= end.size() || !ends_ignoring_case(host, end) || host.front() == '.' || host.find("..") != host.npos) return false;
    return std::ranges::all_of(
        host, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 203: return "Non-Authoritative Information";
        case 204: return "No Content";
        case 205: return "Reset Content";
        case 206: return "Partial Content";
        case 207: return "Multi-Status";
        case 300: return "Multiple Choices";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 402: return "Payment Required";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 407: return "Proxy Authentication Required";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 423: return "Locked";
        case 424: return "Failed Dependency";
        case 425: return "Too Early";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 451: return "Unavailable For Legal Reasons";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        case 508: return "Loop Detected";
        default: return "Unknown";
    }
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

Header const* RequestHead::find(std::string_view name) const {
    if (!(name_sizes & size_bit(name.size()))) return nullptr;
    for (auto const& h : headers)
        if (h.name.size() == name.size() && equals_ignoring_case(h.name, name)) return &h;
    return nullptr;
}

std::string_view RequestHead::header(std::string_view name) const {
    auto const* h = find(name);
    return h ? h->value : std::string_view{};
}

bool accepts_gzip(std::string_view accept) {
    bool star = false, gzip = false, said = false;
    while (!accept.empty()) {
        std::string_view item = cut(accept, ',');
        std::string_view const coding = cut(item, ';');
        bool wanted = true;
        while (!item.empty()) {
            std::string_view const parameter = cut(item, ';');
            if (parameter.size() > 2 && lower(parameter[0]) == 'q' && parameter[1] == '=')
                wanted = parameter.substr(2).find_first_of("123456789") != parameter.npos;
        }
        if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) gzip = wanted, said = true;
        if (coding == "*") star = wanted;
    }
    return said ? gzip : star;
}

bool is_compressible(std::string_view content_type) {
    std::string_view const type = media_type(content_type);
    if (equals_ignoring_case(type, "text/event-stream")) return false;
    if (type.size() > 5 && equals_ignoring_case(type.substr(0, 5), "text/")) return true;
    if (ends_ignoring_case(type, "+json") || ends_ignoring_case(type, "+xml")) return true;
    for (std::string_view known :
         {"application/json", "application/x-ndjson", "application/xml", "application/javascript", "application/wasm"})
        if (equals_ignoring_case(type, known)) return true;
    return false;
}

bool is_json_like(std::string_view content_type) {
    std::string_view const type = media_type(content_type);
    if (equals_ignoring_case(type, "application/json") || equals_ignoring_case(type, "application/x-ndjson")) return true;
    return type.size() > 17 && equals_ignoring_case(type.substr(0, 12), "application/") && ends_ignoring_case(type, "+json");
}

ByteRange choose_range(std::string_view range, std::string_view if_range, std::uint64_t total, std::string_view etag,
                       std::string_view last_modified) {
    if (range.size() < 6 || !equals_ignoring_case(range.substr(0, 6), "bytes=")) return {};
    range = trim(range.substr(6));
    if (range.find(',') != range.npos) return {};
    if (!if_range.empty()) {
        // Only a strong match says that the parts belong together.
        bool const same = if_range.starts_with('"') ? if_range == etag : !if_range.starts_with("W/") && if_range == last_modified;
        if (!same) return {};
    }
    std::size_t const dash = range.find('-');
    if (dash == range.npos) return {};
    std::string_view const first_text = trim(range.substr(0, dash)), last_text = trim(range.substr(dash + 1));
    auto const first = parse_number(first_text), last = parse_number(last_text);
    if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return {};
    if (!first) {
        std::uint64_t const size = std::min(*last, total);
        if (size == 0) return {ByteRange::Kind::Unsatisfiable};
        return {ByteRange::Kind::Partial, total - size, size};
    }
    if (last && *last < *first) return {};
    if (*first >= total) return {ByteRange::Kind::Unsatisfiable};
    return {ByteRange::Kind::Partial, *first, std::min(last.value_or(total - 1), total - 1) - *first + 1};
}

std::string content_range(ByteRange const& range, std::uint64_t total) {
    if (range.kind != ByteRange::Kind::Partial) return fmt::format("bytes */{}", total);
    return fmt::format("bytes {}-{}/{}", range.first, range.first + range.size - 1, total);
}

bool is_loopback_authority(std::string_view authority) {
    std::string_view host = host_of(authority);
    if (equals_ignoring_case(host, "[::1]") || host == "[0:0:0:0:0:0:0:1]") return true;
    return equals_ignoring_case(host, "localhost") || is_loopback_v4(host) || is_below_localhost(host);
}

std::string_view site_label(std::string_view authority) {
    std::string_view const host = host_of(authority);
    bool const address = host.starts_with('[') || host.find_first_not_of("0123456789.") == host.npos;
    return address || host.find('.') == host.npos ? std::string_view() : host.substr(0, host.find('.'));
}

Result<void> check_loopback_host(RequestHead const& head) {
    if (is_loopback_authority(head.host)) return {};
    return fail(403, "not_loopback", "This server runs open on loopback and answers only to localhost, 127.0.0.0/8 and [::1].");
}

Result<void> check_loopback(RequestHead const& head) {
    TRY_VOID(check_loopback_host(head));
    int origins = 0;
    for (auto const& h : head.headers) {
        if (!equals_ignoring_case(h.name, "Origin")) continue;
        std::size_t const scheme = h.value.find("://");
        bool const http = scheme != h.value.npos && (h.value.substr(0, scheme) == "http" || h.value.substr(0, scheme) == "https");
        if (++origins > 1 || !http || !is_loopback_authority(h.value.substr(scheme + 3)))
            return fail(403, "cross_site", "This server runs open on loopback and refuses requests from other sites.");
    }
    if (equals_ignoring_case(head.header("Sec-Fetch-Site"), "cross-site"))
        return fail(403, "cross_site", "This server runs open on loopback and refuses requests from other sites.");
    bool const command = head.method != Method::Get && head.method != Method::Head && head.method != Method::Options;
    std::string_view const type = head.header("Content-Type");
    if (command && (head.has_body() || !type.empty()) && !is_json_like(type))
        return fail(415, "json_required", "Commands need a JSON content type: application/json, application/x-ndjson.");
    return {};
}

Result<void> check_same_origin(RequestHead const& head) {
    auto const refuse = [] {
        return fail(403, "cross_site", "This was asked for by a page of another site, which may not act for its reader.");
    };
    if (head.method == Method::Get || head.method == Method::Head || head.method == Method::Options) return {};
    for (auto const& h : head.headers) {
        if (!equals_ignoring_case(h.name, "Origin")) continue;
        auto const scheme = h.value.find("://");
        if (scheme == h.value.npos || !equals_ignoring_case(h.value.substr(scheme + 3), head.host)) return refuse();
    }
    if (equals_ignoring_case(head.header("Sec-Fetch-Site"), "cross-site")) return refuse();
    return {};
}

void append_sse_event(std::string& out, std::string_view event, std::string_view id, std::string_view data) {
    GANTRY_ASSERT(event.find_first_of("\r\n") == event.npos && id.find_first_of("\r\n") == id.npos, "an SSE field holds a line break");
    if (!event.empty()) out.append("event: ").append(event).append("\n");
    if (!id.empty()) out.append("id: ").append(id).append("\n");
    for (;;) {
        std::size_t const end = data.find_first_of("\r\n");
        out.append("data: ").append(data.substr(0, end)).append("\n");
        if (end == data.npos) break;
        data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    out += '\n';
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t i = 0, n = 1; i < text.size(); i += n) {
        char const c = text[i];
        n = codec::utf8_length_at(text, i);
        if (n == 0)
            out += "\ufffd", n = 1;
        else if (c == '"' || c == '\\')
            out += '\\', out += c;
        else if (static_cast<unsigned char>(c) < 0x20)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", int(c));
        else
            out.append(text, i, n);
    }
    out += '"';
}

void append_problem_json(std::string& out, Problem const& problem, std::string_view instance, std::string_view oops_id) {
    out += R"({"type":"about:blank","title":)";
    append_json_string(out, reason_phrase(problem.status));
    fmt::format_to(std::back_inserter(out), R"(,"status":{},"code":)", problem.status);
    append_json_string(out, problem.code);
    if (!problem.detail.empty()) out += R"(,"detail":)", append_json_string(out, problem.detail);
    if (!problem.faults.empty()) {
        out += R"(,"errors":[)";
        for (auto const& fault : problem.faults) {
            out += &fault == &problem.faults.front() ? R"({"pointer":)" : R"(,{"pointer":)";
            append_json_string(out, fault.pointer);
            out += R"(,"detail":)", append_json_string(out, fault.detail);
            out += '}';
        }
        out += ']';
    }
    if (!instance.empty()) out += R"(,"instance":)", append_json_string(out, instance);
    if (!oops_id.empty()) out += R"(,"oops_id":)", append_json_string(out, oops_id);
    out += '}';
}

std::string http_date(Time t) {
    static constexpr std::array<char const*, 7> days = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static constexpr std::array<char const*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const at =
        std::chrono::floor<std::chrono::seconds>(std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(t.us)));
    auto const day = std::chrono::floor<std::chrono::days>(at);
    std::chrono::year_month_day const date(day);
    std::chrono::hh_mm_ss const time(at - day);
    auto const weekday = ((day.time_since_epoch().count() % 7) + 7) % 7;
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[std::size_t(weekday)], unsigned(date.day()),
                       months[unsigned(date.month()) - 1], int(date.year()), time.hours().count(), time.minutes().count(),
                       time.seconds().count());
}

}  // namespace gantry::http
