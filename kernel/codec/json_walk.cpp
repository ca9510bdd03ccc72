#include "kernel/codec/json_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "kernel/codec/json.h"
#include "kernel/codec/utf8.h"

namespace gantry::codec {
namespace {
using detail::JsonNode;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

char* put_utf8(char* to, std::uint32_t c) {
    if (c < 0x80) return *to++ = char(c), to;
    if (c < 0x800) return *to++ = char(0xc0 | c >> 6), *to++ = char(0x80 | (c & 63)), to;
    if (c < 0x10000) return *to++ = char(0xe0 | c >> 12), *to++ = char(0x80 | (c >> 6 & 63)), *to++ = char(0x80 | (c & 63)), to;
    *to++ = char(0xf0 | c >> 18), *to++ = char(0x80 | (c >> 12 & 63));
    return *to++ = char(0x80 | (c >> 6 & 63)), *to++ = char(0x80 | (c & 63)), to;
}

class Parser {
   public:
    Parser(std::string_view json, JsonTreeLimits limits, std::vector<JsonNode>& nodes, std::unique_ptr<char[]>& unescaped)
        : json_(json), at_(json.data()), end_(json.data() + json.size()), limits_(limits), nodes_(nodes), unescaped_(unescaped) {}

    bool document() {
        if (auto scan = scan_utf8(json_); !scan.valid()) return at_ = json_.data() + scan.bad_at, expect("UTF-8");
        if (!value({}, 0)) return false;
        spaces();
        return at_ == end_ || expect("the end");
    }
    Problem problem() const {
        auto detail = fmt::format("not JSON at byte {}: expected {}", at_ - json_.data(), expected_);
        return {code_ == "body_too_many" ? 413 : 400, std::string(code_), detail, {{"", detail}}};
    }

   private:
    bool expect(std::string_view what, std::string_view code = "body_not_json") { return expected_ = what, code_ = code, false; }
    void spaces() {
        while (at_ != end_ && is_space(*at_)) ++at_;
    }
    bool next_is(char c) {
        spaces();
        return at_ != end_ && *at_ == c && (++at_, true);
    }

    bool value(std::string_view key, std::size_t depth) {
        spaces();
        if (at_ == end_) return expect("a value");
        if (nodes_.size() == limits_.values_max) return expect("fewer values", "body_too_many");
        std::size_t const self = nodes_.size();
        nodes_.emplace_back().key = key;
        switch (*at_) {
            case '{':
            case '[': return container(self, depth);
            case '"': ++at_, nodes_[self].kind = JsonKind::text; return string(nodes_[self].text);
            case 't': return literal(self, "true", JsonKind::boolean, true);
            case 'f': return literal(self, "false", JsonKind::boolean, false);
            case 'n': return literal(self, "null", JsonKind::null, false);
            default: nodes_[self].kind = JsonKind::number; return number(nodes_[self].text);
        }
    }

    bool container(std::size_t self, std::size_t depth) {
        if (depth == limits_.depth_max) return expect("less depth", "body_too_deep");
        bool const object = *at_++ == '{';
        nodes_[self].kind = object ? JsonKind::object : JsonKind::list;
        if (!next_is(object ? '}' : ']') && !members(self, object, depth)) return false;
        nodes_[self].span = std::uint32_t(nodes_.size() - self);
        return true;
    }
    bool members(std::size_t self, bool object, std::size_t depth) {
        std::uint32_t count = 0;
        do {
            std::string_view key;
            if (object) {
                if (!next_is('"')) return expect("a name in quotes");
                if (!string(key)) return false;
                if (!next_is(':')) return expect("':'");
            }
            if (!value(key, depth + 1)) return false;
            ++count;
        } while (next_is(','));
        nodes_[self].count = count;
        return next_is(object ? '}' : ']') || expect(object ? "',' or '}'" : "',' or ']'");
    }

    bool literal(std::size_t self, std::string_view word, JsonKind kind, bool flag) {
        if (std::size_t(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) return expect("a value");
        at_ += word.size(), nodes_[self].kind = kind, nodes_[self].flag = flag;
        return true;
    }

    bool digits() {
        if (at_ == end_ || !is_digit(*at_)) return expect("a digit");
        while (at_ != end_ && is_digit(*at_)) ++at_;
        return true;
    }
    bool number(std::string_view& out) {
        char const* from = at_;
        if (*at_ == '-') ++at_;
        if (at_ == end_ || !is_digit(*at_)) return expect(from == at_ ? "a value" : "a digit");
        if (*at_ == '0')
            ++at_;
        else
            digits();
        if (at_ != end_ && *at_ == '.' && (++at_, !digits())) return false;
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            ++at_;
            if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
            if (!digits()) return false;
        }
        return out = {from, std::size_t(at_ - from)}, true;
    }

    // Up to the first quote, backslash or control character, eight bytes at a time.
    void plain() {
        constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
        auto has_zero = [](std::uint64_t w) { return (w - ones) & ~w & high; };
        for (; end_ - at_ >= 8; at_ += 8) {
            std::uint64_t word;
            std::memcpy(&word, at_, 8);
            if (has_zero(word ^ ones * '"') | has_zero(word ^ ones * '\\') | ((word - ones * 0x20) & ~word & high)) break;
        }
        while (at_ != end_ && *at_ != '"' && *at_ != '\\' && std::uint8_t(*at_) >= 0x20) ++at_;
    }

    bool string(std::string_view& out) {
        char const* from = at_;
        plain();
        if (at_ == end_) return expect("'\"'");
        if (*at_ == '"') return out = {from, std::size_t(at_++ - from)}, true;
        return escaped_string(from, out);
    }
    bool escaped_string(char const* from, std::string_view& out) {
        if (!unescaped_) unescaped_ = std::make_unique_for_overwrite<char[]>(json_.size()), to_ = unescaped_.get();
        char* const start = to_;
        for (;;) {
            std::memcpy(to_, from, std::size_t(at_ - from)), to_ += at_ - from;
            if (at_ == end_) return expect("'\"'");
            if (*at_ == '"') return ++at_, out = {start, std::size_t(to_ - start)}, true;
            if (*at_ != '\\') return expect("no control character");
            if (++at_, !escape()) return false;
            from = at_, plain();
        }
    }
    bool escape() {
        if (at_ == end_) return expect("an escape");
        char const c = *at_;
        if (c == 'u') return ++at_, unicode();
        for (char const* pair = "\"\"\\\\//b\bf\fn\nr\rt\t"; *pair; pair += 2)
            if (*pair == c) return *to_++ = pair[1], ++at_, true;
        return expect("an escape");
    }
    bool hex4(std::uint32_t& out) {
        if (end_ - at_ < 4) return expect("four hex digits");
        out = 0;
        for (int i = 0; i < 4; ++i) {
            int const digit = hex_digit(at_[i]);
            if (digit < 0) return expect("four hex digits");
            out = out << 4 | std::uint32_t(digit);
        }
        return at_ += 4, true;
    }
    bool unicode() {
        std::uint32_t c, low;
        if (!hex4(c)) return false;
        if (c >= 0xd800 && c < 0xdc00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
            char const* before = at_;
            if (at_ += 2, !hex4(low)) return false;
            if (low >= 0xdc00 && low < 0xe000)
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            else
                at_ = before;
        }
        if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
        return to_ = put_utf8(to_, c), true;
    }

    std::string_view json_;
    char const* at_;
    char const* end_;
    JsonTreeLimits limits_;
    std::vector<JsonNode>& nodes_;
    std::unique_ptr<char[]>& unescaped_;
    char* to_ = nullptr;
    std::string_view expected_, code_;
};

}  // namespace

std::string_view name_of(JsonKind kind) {
    constexpr std::string_view names[] = {"nothing", "null", "a boolean", "a number", "text", "a list", "an object"};
    return names[std::size_t(kind)];
}

std::optional<double> JsonValue::number() const {
    double out = 0;
    auto const s = token();
    if (s.empty()) return {};
    auto const read = std::from_chars(s.data(), s.data() + s.size(), out);
    if (read.ec == std::errc::result_out_of_range) return {};
    return out;
}

std::optional<std::int64_t> JsonValue::integer() const {
    auto const s = token();
    std::int64_t out = 0;
    if (s.empty()) return {};
    if (auto const read = std::from_chars(s.data(), s.data() + s.size(), out); read.ec == std::errc() && read.ptr == s.data() + s.size())
        return out;
    auto const real = number();
    if (!real || !(*real >= -9.2e18 && *real <= 9.2e18) || double(std::int64_t(*real)) != *real) return {};
    return std::int64_t(*real);
}

JsonValue JsonValue::operator[](std::string_view name) const {
    if (!is(JsonKind::object)) return {};
    for (auto member : *this)
        if (member.key() == name) return member;
    return {};
}

void JsonValue::write(std::string& out) const {
    switch (kind()) {
        case JsonKind::absent:
        case JsonKind::null: out += "null"; return;
        case JsonKind::boolean: out += node_->flag ? "true" : "false"; return;
        case JsonKind::number: out += node_->text; return;
        case JsonKind::text: return append_json_string(out, node_->text);
        case JsonKind::list:
        case JsonKind::object: break;
    }
    bool const object = is(JsonKind::object);
    char separator = object ? '{' : '[';
    if (size() == 0) out += separator;
    for (auto item : *this) {
        out += std::exchange(separator, ',');
        if (object) append_json_string(out, item.key()), out += ':';
        item.write(out);
    }
    out += object ? '}' : ']';
}

Result<JsonTree> JsonTree::read(std::string_view json, JsonTreeLimits limits) {
    JsonTree tree;
    limits.values_max = std::min<std::size_t>(limits.values_max, std::numeric_limits<std::uint32_t>::max());
    tree.nodes_.reserve(std::min({json.size() / 12 + 4, limits.values_max, std::size_t(1) << 16}));
    Parser parser(json, limits, tree.nodes_, tree.unescaped_);
    if (!parser.document()) return fail(parser.problem());
    return tree;
}

}  // namespace gantry::codec
