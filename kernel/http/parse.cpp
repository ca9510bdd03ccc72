#include "kernel/http/parse.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <functional>

namespace gantry::http {
namespace {
namespace beast = boost::beast;

constexpr Refusal bad_request(char const* detail) { return {400, "bad_request", detail}; }
constexpr std::string_view root_path = "/";     // of an absolute-form target without one
constexpr std::size_t request_line_extra = 32;  // longest method, two spaces, the version, CR LF

bool is_token_char(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && std::strchr("!#$%&'*+-.^_`|~", c));
}

bool has_control(std::string_view value) {
    bool bad = false;
    for (unsigned char c : value) bad |= (c < 0x20 && c != '\t') | (c == 0x7f);
    return bad;
}

std::string_view view(beast::string_view s) { return {s.data(), s.size()}; }

// Beast's parser driven by hand: it checks the grammar and hands out views of the buffer; nothing is copied.
class HeadParser final : public beast::http::basic_parser<true> {
   public:
    HeadParser(std::vector<Header>& headers, RequestHead& head) : headers_(headers), head_(head) {}
    Refusal refusal;
    beast::http::verb verb = beast::http::verb::unknown;
    int hosts = 0, lengths = 0, codings = 0;
    std::string_view host, length, coding, expect;

   private:
    using error_code = beast::error_code;
    using string_view = beast::string_view;
    void on_request_impl(beast::http::verb v, string_view, string_view target, int version, error_code&) override {
        verb = v, head_.target = view(target), head_.version_minor = version - 10;
    }
    void on_field_impl(beast::http::field f, string_view name, string_view value, error_code& ec) override {
        using beast::http::field;
        if (has_control(view(value))) {
            refusal = bad_request("A header value holds control characters.");
            ec = beast::http::error::bad_value;
            return;
        }
        headers_.push_back({view(name), view(value)});
        if (f == field::host)
            ++hosts, host = view(value);
        else if (f == field::content_length)
            ++lengths, length = view(value);
        else if (f == field::transfer_encoding)
            ++codings, coding = view(value);
        else if (f == field::expect)
            expect = view(value);
    }
    void on_header_impl(error_code&) override {}
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}

    std::vector<Header>& headers_;
    RequestHead& head_;
};

Refusal translate(beast::error_code ec, std::string_view bytes) {
    using beast::http::error;
    if (ec == error::bad_version) {
        std::string_view const line = bytes.substr(0, bytes.find('\r'));
        std::size_t const at = line.rfind(' ');
        std::string_view const version = at == line.npos ? "" : line.substr(at + 1);
        if (version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.')
            return {505, "http_version", "This server speaks HTTP/1.1."};
        return bad_request("The request line is malformed.");
    }
    if (ec == error::header_limit) return {431, "header_too_large", "The request's headers are too large."};
    if (ec == error::bad_method || ec == error::bad_target) return bad_request("The request line is malformed.");
    if (ec == error::bad_content_length || ec == error::multiple_content_length)
        return bad_request("Content-Length is malformed, repeated, or beside Transfer-Encoding.");
    if (ec == error::bad_transfer_encoding) return bad_request("Transfer-Encoding is repeated, or beside Content-Length.");
    return bad_request("A header is malformed.");
}

bool set_method(beast::http::verb verb, RequestHead& head) {
    using beast::http::verb;
    switch (verb) {
        case verb::get: head.method = Method::Get; return true;
        case verb::head: head.method = Method::Head; return true;
        case verb::post: head.method = Method::Post; return true;
        case verb::put: head.method = Method::Put; return true;
        case verb::patch: head.method = Method::Patch; return true;
        case verb::delete_: head.method = Method::Delete; return true;
        case verb::options: head.method = Method::Options; return true;
        default: return false;
    }
}

// Where the body ends must be beyond doubt: this is what request smuggling lives on.
Refusal set_framing(HeadParser const& parser, RequestHead& head) {
    if (parser.codings > 0) {
        if (parser.lengths > 0) return bad_request("Content-Length and Transfer-Encoding exclude each other.");
        if (parser.codings > 1) return bad_request("Transfer-Encoding is repeated.");
        if (head.version_minor == 0) return bad_request("HTTP/1.0 has no Transfer-Encoding.");
        if (!equals_ignoring_case(parser.coding, "chunked"))
            return {501, "transfer_coding_unknown", "The only transfer coding is chunked."};
        head.chunked = true;
        return {};
    }
    if (parser.lengths == 0) return {};
    if (parser.lengths > 1) return bad_request("Content-Length is repeated.");
    std::uint64_t value = 0;
    if (parser.length.empty() || parser.length.size() > 18) return bad_request("Content-Length is malformed.");
    for (char c : parser.length) {
        if (c < '0' || c > '9') return bad_request("Content-Length is malformed.");
        value = value * 10 + std::uint64_t(c - '0');
    }
    head.content_length = value;
    return {};
}

Refusal set_target(RequestHead& head) {
    std::string_view rest = head.target;
    for (unsigned char c : rest)
        if (c <= 0x20 || c >= 0x7f || c == '#') return bad_request("The target holds characters that must be percent-encoded.");
    if (rest == "*") {
        if (head.method != Method::Options) return bad_request("The target * is for OPTIONS alone.");
        head.path = rest;
        return {};
    }
    if (!rest.starts_with('/')) {
        std::size_t const scheme = rest.find("://");
        if (scheme == rest.npos) return bad_request("The target must be a path or an http URL.");
        std::string_view const name = rest.substr(0, scheme);
        if (!equals_ignoring_case(name, "http") && !equals_ignoring_case(name, "https"))
            return bad_request("The target must be a path or an http URL.");
        rest.remove_prefix(scheme + 3);
        std::size_t const end = std::min(rest.find_first_of("/?"), rest.size());
        head.host = rest.substr(0, end);
        if (!is_valid_authority(head.host)) return bad_request("The target's host is malformed.");
        rest.remove_prefix(end);
    }
    std::size_t const mark = rest.find('?');
    head.path = rest.substr(0, mark);
    head.query = mark == rest.npos ? std::string_view{} : rest.substr(mark + 1);
    if (head.path.empty()) head.path = root_path;
    return {};
}

Refusal set_host(HeadParser const& parser, RequestHead& head) {
    if (parser.hosts > 1) return bad_request("Host is repeated.");
    if (parser.hosts == 0 && head.version_minor >= 1) return bad_request("Host is missing.");
    if (parser.hosts == 1 && !is_valid_authority(parser.host)) return bad_request("Host is malformed.");
    if (head.host.empty()) head.host = parser.host;
    return {};
}

}  // namespace

std::size_t HeadScanner::end_of_line(std::string_view bytes, std::size_t lf, Limits const& limits) {
    // Size first: how a head is cut into pieces must not decide which of its faults is named.
    if (lines_ == 0 && lf - line_start_ > limits.target_bytes + request_line_extra)
        return refusal_ = {414, "uri_too_long", "The target is too long."}, 0;
    if (lf + 1 - leading_ > limits.head_bytes) return refusal_ = {431, "header_too_large", "The request's headers are too large."}, 0;
    if (lf == line_start_ || bytes[lf - 1] != '\r') return refusal_ = bad_request("Lines end with CR LF."), 0;
    bool const empty = lf == line_start_ + 1;
    if (empty && lines_ == 0) {
        if (leading_ >= 4) return refusal_ = bad_request("The request line is missing."), 0;
        return leading_ = line_start_ = lf + 1, 0;
    }
    if (empty) return lf + 1;
    if (lines_ > 0 && (bytes[line_start_] == ' ' || bytes[line_start_] == '\t'))
        return refusal_ = bad_request("Headers must not be folded."), 0;
    if (++lines_ > limits.header_count + 1) return refusal_ = {431, "header_too_large", "The request has too many headers."}, 0;
    line_start_ = lf + 1;
    return 0;
}

std::size_t HeadScanner::scan(std::string_view bytes, Limits const& limits) {
    while (!refusal_) {
        void const* found = scanned_ < bytes.size() ? std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_) : nullptr;
        if (!found) break;
        std::size_t const lf = std::size_t(static_cast<char const*>(found) - bytes.data());
        scanned_ = lf + 1;
        std::size_t const head_size = end_of_line(bytes, lf, limits);
        if (head_size > 0) return head_size;
    }
    scanned_ = std::max(scanned_, bytes.size());
    if (refusal_) return 0;
    if (lines_ == 0 && bytes.size() - leading_ > limits.target_bytes + request_line_extra)
        refusal_ = {414, "uri_too_long", "The target is too long."};
    else if (bytes.size() - leading_ > limits.head_bytes)
        refusal_ = {431, "header_too_large", "The request's headers are too large."};
    return 0;
}

Refusal parse_head(std::string_view bytes, Limits const& limits, std::vector<Header>& headers, RequestHead& head) {
    headers.clear();
    head = {};
    HeadParser parser(headers, head);
    parser.header_limit(std::uint32_t(bytes.size() + 1));
    parser.body_limit(boost::none);
    beast::error_code ec;
    parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    if (parser.refusal) return parser.refusal;
    if (ec) return translate(ec, bytes);
    if (!parser.is_header_done()) return bad_request("The request is malformed.");
    if (head.target.size() > limits.target_bytes) return {414, "uri_too_long", "The target is too long."};
    head.headers = headers, head.name_sizes = 0;
    for (auto const& h : headers) head.name_sizes |= RequestHead::size_bit(h.name.size());
    head.keep_alive = parser.keep_alive();
    if (auto refused = set_framing(parser, head)) return refused;
    if (!set_method(parser.verb, head)) return {501, "method_unknown", "This server does not know the method."};
    if (auto refused = set_target(head)) return refused;
    if (auto refused = set_host(parser, head)) return refused;
    if (!parser.expect.empty() && head.version_minor >= 1) {
        if (!equals_ignoring_case(parser.expect, "100-continue"))
            return {417, "expectation_failed", "The only expectation is 100-continue."};
        head.expect_continue = true;
    }
    return {};
}

void rebase(RequestHead& head, std::vector<Header>& headers, std::string_view from, char const* to) {
    std::less_equal<char const*> const before;
    auto move = [&](std::string_view& v) {
        bool const inside = before(from.data(), v.data()) && before(v.data() + v.size(), from.data() + from.size());
        if (!v.empty() && inside) v = {to + (v.data() - from.data()), v.size()};
    };
    for (auto& h : headers) move(h.name), move(h.value);
    move(head.target), move(head.path), move(head.query), move(head.host);
    head.headers = headers;
}

bool is_valid_authority(std::string_view authority) {
    if (authority.empty() || authority.size() > 320) return false;
    std::size_t port = authority.npos;
    if (authority[0] == '[') {
        std::size_t const close = authority.find(']');
        if (close == authority.npos || close < 3) return false;
        for (char c : authority.substr(1, close - 1))
            if (!std::strchr("0123456789abcdefABCDEF:.", c) || c == 0) return false;
        if (close + 1 < authority.size()) port = close + 1;
        if (port != authority.npos && authority[port] != ':') return false;
    } else {
        port = authority.find(':');
        std::string_view const name = authority.substr(0, port);
        if (name.empty()) return false;
        for (unsigned char c : name)
            if (!is_token_char(c) && !(c && std::strchr("(),;=", c))) return false;
        if (name.find_first_of("#|^`") != name.npos) return false;
    }
    if (port == authority.npos) return true;
    std::string_view const digits = authority.substr(port + 1);
    if (digits.size() > 5) return false;
    unsigned value = 0;
    for (char c : digits) {
        if (c < '0' || c > '9') return false;
        value = value * 10 + unsigned(c - '0');
    }
    return value <= 65535;
}

void BodyDecoder::start(RequestHead const& head, Limits const& limits) {
    *this = {};
    line_limit_ = limits.chunk_line_bytes, trailer_limit_ = limits.trailer_bytes;
    remaining_ = head.content_length.value_or(0);
    state_ = head.chunked ? State::Size : remaining_ > 0 ? State::Fixed : State::Done;
}

void BodyDecoder::bad(char const* detail) { refusal_ = bad_request(detail); }

BodyDecoder::Step BodyDecoder::next(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && state_ != State::Done && !refusal_) {
        if (state_ == State::Fixed || state_ == State::Data) {
            std::size_t const n = std::size_t(std::min<std::uint64_t>(remaining_, bytes.size() - used));
            remaining_ -= n;
            if (remaining_ == 0) state_ = state_ == State::Fixed ? State::Done : State::DataCr;
            return {used + n, bytes.substr(used, n)};
        }
        byte(static_cast<unsigned char>(bytes[used++]));
    }
    return {used, {}};
}

void BodyDecoder::byte(unsigned char c) {
    switch (state_) {
        case State::Size:
        case State::Extension: return size_byte(c);
        case State::SizeLf:
            if (c != '\n') return bad("A chunk's size line must end with CR LF.");
            state_ = remaining_ > 0 ? State::Data : State::TrailerStart;
            digits_ = 0, line_bytes_ = 0;
            return;
        case State::DataCr:
            if (c != '\r') return bad("A chunk is longer than its size.");
            state_ = State::DataLf;
            return;
        case State::DataLf:
            if (c != '\n') return bad("A chunk must end with CR LF.");
            state_ = State::Size;
            return;
        case State::EndLf:
            if (c != '\n') return bad("A chunked body must end with CR LF.");
            state_ = State::Done;
            return;
        default: return trailer_byte(c);
    }
}

void BodyDecoder::size_byte(unsigned char c) {
    if (++line_bytes_ > line_limit_) return bad("A chunk's size line is too long.");
    if (c == '\r') {
        if (digits_ == 0) return bad("A chunk has no size.");
        state_ = State::SizeLf;
        return;
    }
    if (state_ == State::Extension) {
        if ((c < 0x20 && c != '\t') || c == 0x7f) bad("A chunk extension holds control characters.");
        return;
    }
    if (c == ';' && digits_ > 0) {
        state_ = State::Extension;
        return;
    }
    int const value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (value < 0) return bad("A chunk's size is malformed.");
    if (++digits_ > 15) return bad("A chunk's size is too large.");
    remaining_ = digits_ == 1 ? std::uint64_t(value) : remaining_ * 16 + std::uint64_t(value);
}

void BodyDecoder::trailer_byte(unsigned char c) {
    if (++trailer_bytes_ > trailer_limit_) {
        refusal_ = {431, "header_too_large", "The trailers are too large."};
        return;
    }
    switch (state_) {
        case State::TrailerStart:
            if (c == '\r')
                state_ = State::EndLf;
            else if (is_token_char(c))
                state_ = State::TrailerName;
            else
                bad("A trailer is malformed.");
            return;
        case State::TrailerName:
            if (c == ':')
                state_ = State::TrailerValue;
            else if (!is_token_char(c))
                bad("A trailer is malformed.");
            return;
        case State::TrailerValue:
            if (c == '\r')
                state_ = State::TrailerLf;
            else if ((c < 0x20 && c != '\t') || c == 0x7f)
                bad("A trailer holds control characters.");
            return;
        case State::TrailerLf:
            if (c != '\n') return bad("Lines end with CR LF.");
            state_ = State::TrailerStart;
            return;
        default: return bad("The body is malformed.");
    }
}

}  // namespace gantry::http
