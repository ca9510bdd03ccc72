#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

// HTTP messages as plain values, and the pure functions over them. No sockets here.
namespace gantry::http {

enum class Method : std::uint8_t { Get, Head, Post, Put, Patch, Delete, Options };
inline constexpr std::array<std::string_view, 7> method_names = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view method_name(Method m) { return method_names[std::size_t(m)]; }
std::string_view reason_phrase(int status);  // "Not Found"; "Unknown" for a code without a registered phrase

bool equals_ignoring_case(std::string_view a, std::string_view b);

struct Header {
    std::string_view name;
    std::string_view value;  // without surrounding blanks
};

// The head of a request, checked (RFC 9112): exactly one Host (HTTP/1.1), no doubt about where the body ends, no control characters.
// All views point into the connection's read buffer: see Exchange for how long they live.
struct RequestHead {
    Method method = Method::Get;
    int version_minor = 1;        // HTTP/1.<n>
    std::string_view target;      // as sent; of a mounted listener (ListenAddress::mount) with the mount in front, as is the path
    std::string_view path;        // still percent-encoded; starts with "/", or is "*" for OPTIONS *
    std::string_view query;       // without "?", still encoded
    std::string_view mount = {};  // what was put in front; empty: nothing
    std::string_view host;        // authority: of an absolute-form target, else of Host; with its port; may be empty in HTTP/1.0
    std::span<Header const> headers;
    std::uint64_t name_sizes = ~std::uint64_t(0);  // of the names of headers, a bit each (size_bit); more bits do no harm
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool keep_alive = true;
    bool expect_continue = false;
    std::uint64_t headers_id = 0;  // two heads of one connection with the same one show the same header lines, at the same place; 0: none

    static constexpr std::uint64_t size_bit(std::size_t size) { return std::uint64_t(1) << (size < 63 ? size : 63); }
    // The first header of that name (any case), or nothing / an empty view.
    Header const* find(std::string_view name) const;
    std::string_view header(std::string_view name) const;
    bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// --- content negotiation ---------------------------------------------------------------------------------------------------
// Whether `Accept-Encoding` admits gzip (q > 0; `*` counts; absent: no).
bool accepts_gzip(std::string_view accept_encoding);
// Text, JSON, XML, JavaScript, SVG, WebAssembly and their "+json"/"+xml" kin. text/event-stream is not: it must not be held back.
bool is_compressible(std::string_view content_type);
// application/json, application/<x>+json, application/x-ndjson; parameters ignored.
bool is_json_like(std::string_view content_type);

// --- byte ranges (RFC 9110 §14) --------------------------------------------------------------------------------------------
struct ByteRange {
    enum class Kind : std::uint8_t {
        Whole,          // no usable Range: answer 200 with everything
        Partial,        // 206 with [first, first + size)
        Unsatisfiable,  // 416 with `Content-Range: bytes */size`
    } kind = Kind::Whole;
    std::uint64_t first = 0;
    std::uint64_t size = 0;
};
// `range` and `if_range` as received (empty: absent); `etag` the current strong validator with its quotes, `last_modified` the HTTP
// date, as they would be sent. Several ranges in one header are answered as Whole, as the standard allows.
ByteRange choose_range(std::string_view range, std::string_view if_range, std::uint64_t total_bytes, std::string_view etag,
                       std::string_view last_modified = {});
// "bytes 0-9/100", or "bytes */100" for an unsatisfiable one.
std::string content_range(ByteRange const& range, std::uint64_t total_bytes);

// --- open loopback mode (DESIGN §9) ----------------------------------------------------------------------------------------
// What protects an unauthenticated server on loopback from web pages in the user's browser. Refuses (403 not_loopback, 403
// cross_site, 415 json_required) a Host that is not loopback, an Origin that is not loopback, Sec-Fetch-Site: cross-site, and a command
// (not GET, HEAD, OPTIONS) with a body whose type is not JSON-like.
Result<void> check_loopback(RequestHead const& head);
// The Host alone.
Result<void> check_loopback_host(RequestHead const& head);
// What keeps a page of another origin from acting with what the browser shows by itself (a password, a certificate, a cookie): 403
// cross_site for a command with an Origin that isn't this host, or Sec-Fetch-Site: cross-site.
Result<void> check_same_origin(RequestHead const& head);
// "localhost", "acme.localhost", "127.x.y.z", "[::1]", each with any port. Nobody else can give a meaning to a name under localhost (RFC
// 6761).
bool is_loopback_authority(std::string_view authority);
// The first label of a host name that has several; empty for "localhost" and addresses.
std::string_view site_label(std::string_view authority);

// --- server-sent events ----------------------------------------------------------------------------------------------------
// Appends one event. Line breaks in `data` become several data lines; `id` and `event` must not hold line breaks (asserted).
void append_sse_event(std::string& out, std::string_view event, std::string_view id, std::string_view data);
inline constexpr std::string_view sse_heartbeat = ":\n\n";

// --- problems --------------------------------------------------------------------------------------------------------------
// RFC 9457 body with type, title, status, code, detail and errors[]; never the cause.
// `instance`: the request's id; `oops_id`: of the error report. Empty ones are left out.
void append_problem_json(std::string& out, Problem const& problem, std::string_view instance = {}, std::string_view oops_id = {});
// What isn't UTF-8 becomes U+FFFD: problems quote requests.
void append_json_string(std::string& out, std::string_view text);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(Time t);

}  // namespace gantry::http
