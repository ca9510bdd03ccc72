#include "kernel/http/head_reader.h"

#include <array>
#include <cstring>

namespace gantry::http {
namespace {

constexpr std::size_t kept_bytes_max = 2048;  // of a connection
constexpr std::string_view version = " HTTP/1.1\r";

// Of a plain request line, without its line feed: "GET /path?query HTTP/1.1\r". Whatever is different in any way is for the parser.
bool read_request_line(std::string_view line, Limits const& limits, RequestHead& head) {
    static constexpr std::array methods = {Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Head};
    if (!line.ends_with(version)) return false;
    line.remove_suffix(version.size());
    for (auto method : methods) {
        auto const name = method_name(method);
        if (line.size() < name.size() + 2 || line[name.size()] != ' ' || !line.starts_with(name)) continue;
        auto const target = line.substr(name.size() + 1);
        bool bad = target[0] != '/' || target.size() > limits.target_bytes;
        for (unsigned char c : target) bad |= c <= 0x20 || c >= 0x7f || c == '#';
        if (bad) return false;
        auto const mark = target.find('?');
        head.method = method, head.target = target, head.path = target.substr(0, mark);
        head.query = mark == target.npos ? std::string_view{} : target.substr(mark + 1);
        return true;
    }
    return false;
}

}  // namespace

std::size_t HeadReader::repeat(std::string_view bytes, Limits const& limits, RequestHead& head) const {
    if (kept_.empty() || bytes.size() <= kept_.size()) return 0;
    auto const lf = bytes.find('\n');
    if (lf == bytes.npos || bytes.size() - lf <= kept_.size() || std::memcmp(&bytes[lf + 1], kept_.data(), kept_.size()) != 0) return 0;
    auto const size = lf + 1 + kept_.size();
    head = said_;
    return size <= limits.head_bytes && read_request_line(bytes.substr(0, lf), limits, head) ? size : 0;
}

Refusal HeadReader::parse(std::string_view bytes, Limits const& limits, RequestHead& head) {
    kept_.clear();
    if (auto refused = parse_head(bytes, limits, headers_, head)) return refused;
    auto const* accept = head.find("Accept-Encoding");
    accepts_gzip_ = accept && http::accepts_gzip(accept->value);
    auto const lines = bytes.substr(bytes.find('\n') + 1);
    if (head.version_minor == 0 || !head.target.starts_with('/') || lines.size() > kept_bytes_max) return {};
    kept_.assign(lines);
    http::rebase(head, headers_, lines, kept_.data());
    head.headers_id = ++last_id_;
    said_ = head;
    return {};
}

}  // namespace gantry::http
