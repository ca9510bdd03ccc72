#include "kernel/auth/aws_signature.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernel/base/assert.h"

namespace gantry::auth {
namespace {

constexpr std::string_view algorithm = aws_signature_scheme, unsigned_payload = "UNSIGNED-PAYLOAD";
constexpr std::size_t authorization_bytes_max = 4096, query_bytes_max = 8192, headers_max = 100;
constexpr std::int64_t lasts_s_max = 7 * 86'400;
using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

std::unexpected<Problem> malformed(std::string detail) { return fail(400, "aws_signature_malformed", std::move(detail)); }

std::string_view text_of(Digest const& digest) { return {reinterpret_cast<char const*>(digest.data()), digest.size()}; }

std::string hex_of(Digest const& digest) {
    std::string out;
    for (auto byte : digest) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
    return out;
}
std::string sha256_hex(std::string_view bytes) {
    Digest digest;
    SHA256(reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(), digest.data());
    return hex_of(digest);
}
Digest hmac(std::string_view key, std::string_view text) {
    Digest digest;
    unsigned size = 0;
    auto const* made = HMAC(EVP_sha256(), key.data(), int(key.size()), reinterpret_cast<unsigned char const*>(text.data()), text.size(),
                            digest.data(), &size);
    GANTRY_ASSERT(made && size == digest.size(), "OpenSSL has HMAC-SHA256");
    return digest;
}

bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}
void encode(std::string_view text, bool slashes, std::string& out) {
    for (char c : text)
        if (is_unreserved(c) || (c == '/' && !slashes))
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
}
int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
// What is no escape stays as it is.
std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const escape = text[i] == '%' && i + 2 < text.size() && digit_of(text[i + 1]) >= 0 && digit_of(text[i + 2]) >= 0;
        out += escape ? char(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2])) : text[i];
        if (escape) i += 2;
    }
    return out;
}

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    return out;
}
std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}
std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> out;
    for (;;) {
        auto const end = text.find(at);
        out.push_back(text.substr(0, end));
        if (end == text.npos) return out;
        text.remove_prefix(end + 1);
    }
}

std::string_view header_of(AwsRequest const& request, std::string_view name) {
    for (auto const& [n, value] : request.headers)
        if (lowered(n) == name) return trimmed(value);
    return {};
}
std::optional<std::string> parameter_of(AwsRequest const& request, std::string_view name) {
    for (auto const part : split(request.query, '&')) {
        auto const equals = std::min(part.find('='), part.size());
        if (decoded(part.substr(0, equals)) == name) return decoded(part.substr(std::min(equals + 1, part.size())));
    }
    return {};
}

std::string canonical_path(std::string_view path, AwsRules const& rules) {
    if (path.empty()) return "/";
    if (rules.path_as_it_is) return std::string(path);
    std::vector<std::string_view> kept;
    for (auto const segment : split(path, '/')) {
        if (segment.empty() || segment == ".") continue;
        if (segment != "..")
            kept.push_back(segment);
        else if (!kept.empty())
            kept.pop_back();
    }
    std::string out;
    for (auto const segment : kept) out += '/', encode(segment, true, out);
    if (out.empty() || path.ends_with('/')) out += '/';
    return out;
}

std::string canonical_query(AwsRequest const& request) {
    std::vector<std::pair<std::string, std::string>> all;
    for (auto const part : split(request.query, '&')) {
        if (part.empty()) continue;
        auto const equals = std::min(part.find('='), part.size());
        auto& [name, value] = all.emplace_back();
        encode(decoded(part.substr(0, equals)), true, name);
        encode(decoded(part.substr(std::min(equals + 1, part.size()))), true, value);
        if (name == "X-Amz-Signature") all.pop_back();
    }
    std::ranges::sort(all);
    std::string out;
    for (auto const& [name, value] : all) out.append(out.empty() ? "" : "&").append(name).append("=").append(value);
    return out;
}

// Blanks in a row are one; values of one name are joined.
std::string canonical_header(AwsRequest const& request, std::string_view name) {
    std::string out(name);
    out += ':';
    bool first = true;
    for (auto const& [n, value] : request.headers) {
        if (lowered(n) != name) continue;
        if (!std::exchange(first, false)) out += ',';
        bool blank = false;
        for (char c : trimmed(value)) {
            bool const is_blank = c == ' ' || c == '\t';
            if (!is_blank || !blank) out += is_blank ? ' ' : c;
            blank = is_blank;
        }
    }
    return out += '\n';
}

std::string joined(std::vector<std::string> const& texts) {
    std::string out;
    for (auto const& text : texts) out.append(out.empty() ? "" : ";").append(text);
    return out;
}

bool is_hex(std::string_view text, std::size_t size) {
    return text.size() == size && std::ranges::all_of(text, [](char c) { return digit_of(c) >= 0; });
}

std::optional<Time> parse_basic_time(std::string_view t) {
    if (t.size() != 16 || t[8] != 'T' || t[15] != 'Z') return {};
    auto const parsed = parse_time(fmt::format("{}-{}-{}T{}:{}:{}Z", t.substr(0, 4), t.substr(4, 2), t.substr(6, 2), t.substr(9, 2),
                                               t.substr(11, 2), t.substr(13, 2)));
    return parsed ? std::optional(*parsed) : std::nullopt;
}

// "AKID/20260102/us-east-1/sqs/aws4_request"
Result<void> take_scope(AwsShown& shown, std::string_view credential) {
    auto const parts = split(credential, '/');
    if (parts.size() != 5 || parts[4] != "aws4_request" || parts[0].empty() || parts[1].size() != 8)
        return malformed("Credential: expected KEY/YYYYMMDD/REGION/SERVICE/aws4_request");
    shown.access_key = parts[0], shown.date = parts[1], shown.region = parts[2], shown.service = parts[3];
    return {};
}

Result<void> take_headers(AwsShown& shown, std::string_view list) {
    for (auto const name : split(list, ';')) shown.headers.push_back(lowered(name));
    if (shown.headers.size() > headers_max) return malformed("SignedHeaders: too many");
    std::ranges::sort(shown.headers);
    if (std::ranges::find(shown.headers, "host") == shown.headers.end()) return malformed("SignedHeaders: host must be signed");
    return {};
}

Result<AwsShown> shown_in_header(AwsRequest const& request, std::string_view value) {
    if (value.size() > authorization_bytes_max) return malformed("Authorization is too long");
    value.remove_prefix(algorithm.size());
    AwsShown shown;
    std::string_view credential, headers, signature;
    for (auto part : split(value, ',')) {
        part = trimmed(part);
        if (part.starts_with("Credential=")) credential = part.substr(11);
        if (part.starts_with("SignedHeaders=")) headers = part.substr(14);
        if (part.starts_with("Signature=")) signature = part.substr(10);
    }
    TRY_VOID(take_scope(shown, credential));
    TRY_VOID(take_headers(shown, headers));
    shown.signature = lowered(signature), shown.time = header_of(request, "x-amz-date");
    shown.payload = header_of(request, "x-amz-content-sha256");
    return shown;
}

Result<AwsShown> shown_in_query(AwsRequest const& request) {
    AwsShown shown;
    auto const get = [&](std::string_view name) { return parameter_of(request, name).value_or(""); };
    if (get("X-Amz-Algorithm") != algorithm) return malformed("X-Amz-Algorithm: expected AWS4-HMAC-SHA256");
    TRY_VOID(take_scope(shown, get("X-Amz-Credential")));
    TRY_VOID(take_headers(shown, get("X-Amz-SignedHeaders")));
    shown.signature = lowered(get("X-Amz-Signature")), shown.time = get("X-Amz-Date");
    shown.payload = get("X-Amz-Content-Sha256");
    if (shown.payload.empty()) shown.payload = header_of(request, "x-amz-content-sha256");
    auto const lasts = get("X-Amz-Expires");
    std::int64_t seconds = 0;
    auto const [end, error] = std::from_chars(lasts.data(), lasts.data() + lasts.size(), seconds);
    if (error != std::errc() || end != lasts.data() + lasts.size() || seconds < 1 || seconds > lasts_s_max)
        return malformed("X-Amz-Expires: expected seconds from 1 to 604800");
    shown.lasts = Duration::seconds(seconds);
    return shown;
}

Result<void> check_time(AwsShown const& shown, AwsRules const& rules, Time now) {
    auto const signed_at = parse_basic_time(shown.time);
    auto const lasts = shown.lasts.value_or(rules.skew);
    if (now + rules.skew < *signed_at || *signed_at + lasts < now)
        return fail(403, "aws_signature_expired", "the request was signed at " + shown.time + ", and it is " + format_time(now));
    return {};
}

Result<void> check_payload(AwsShown const& shown, AwsRequest const& request, AwsRules const& rules) {
    if (shown.payload.empty()) return {};  // the body's own hash is what was signed
    if (is_hex(shown.payload, 64)) {
        if (lowered(shown.payload) == sha256_hex(request.body)) return {};
    } else if (rules.unsigned_payload && (shown.payload == unsigned_payload || shown.payload.starts_with("STREAMING-"))) {
        return {};
    }
    return fail(400, "aws_payload_wrong", "x-amz-content-sha256 is not the hash of the body");
}

}  // namespace

Result<AwsShown> shown_aws_signature(AwsRequest const& request) {
    if (request.query.size() > query_bytes_max) return malformed("the query is too long");
    auto const authorization = header_of(request, "authorization");
    bool const in_header = authorization.starts_with(algorithm);
    if (!in_header && !parameter_of(request, "X-Amz-Signature"))
        return fail(403, "aws_signature_missing", "the request isn't signed: AWS Signature Version 4 is expected");
    TRY_ASSIGN(auto shown, in_header ? shown_in_header(request, authorization) : shown_in_query(request));
    if (!is_hex(shown.signature, 64)) return malformed("Signature: expected 64 hexadecimal digits");
    if (!parse_basic_time(shown.time) || !shown.time.starts_with(shown.date))
        return malformed("X-Amz-Date: expected YYYYMMDDTHHMMSSZ on the day of the credential's scope");
    // What a client's own headers ask for counts only if it was signed.
    for (auto const& [name, value] : request.headers)
        if (auto const small = lowered(name); small.starts_with("x-amz-") && std::ranges::find(shown.headers, small) == shown.headers.end())
            return malformed("SignedHeaders: " + small + " must be signed");
    return shown;
}

std::string aws_canonical_request(AwsShown const& shown, AwsRequest const& request, AwsRules const& rules) {
    std::string out = fmt::format("{}\n{}\n{}\n", request.verb, canonical_path(request.path, rules), canonical_query(request));
    for (auto const& name : shown.headers) out += canonical_header(request, name);
    auto const nothing_said = shown.lasts && rules.unsigned_payload ? std::string(unsigned_payload) : sha256_hex(request.body);
    return out.append("\n").append(joined(shown.headers)).append("\n").append(shown.payload.empty() ? nothing_said : shown.payload);
}

std::string aws_signature_of(AwsShown const& shown, std::string_view canonical_request, std::string_view secret) {
    auto const scope = fmt::format("{}/{}/{}/aws4_request", shown.date, shown.region, shown.service);
    auto const to_sign = fmt::format("{}\n{}\n{}\n{}", algorithm, shown.time, scope, sha256_hex(canonical_request));
    auto key = hmac(std::string("AWS4").append(secret), shown.date);
    for (auto const& part : {std::string_view(shown.region), std::string_view(shown.service), std::string_view("aws4_request")})
        key = hmac(text_of(key), part);
    return hex_of(hmac(text_of(key), to_sign));
}

Problem aws_signature_wrong(std::string_view service) {
    return {403, "aws_signature_wrong", "the signature is not that of this request by this key, for the service " + std::string(service)};
}

Result<void> check_aws_signature(AwsShown const& shown, AwsRequest const& request, std::string_view secret, AwsRules const& rules,
                                 Time now) {
    auto const expected = aws_signature_of(shown, aws_canonical_request(shown, request, rules), secret);
    bool const same = CRYPTO_memcmp(expected.data(), shown.signature.data(), expected.size()) == 0;
    if (!same || shown.service != rules.service) return fail(aws_signature_wrong(rules.service));
    TRY_VOID(check_time(shown, rules, now));
    return check_payload(shown, request, rules);
}

}  // namespace gantry::auth
