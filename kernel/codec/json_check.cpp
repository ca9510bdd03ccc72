#include "kernel/codec/json_check.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "kernel/codec/json.h"
#include "kernel/codec/utf8.h"

namespace gantry::codec {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes from `at` on that stand for themselves in a string: ASCII, no quote, no backslash, no control character. Eight at a time: of the
// last seven bytes of `json` what is left of a run is for the caller.
std::size_t plain_run(std::string_view json, std::size_t at) {
    constexpr std::uint64_t low = 0x0101010101010101, high = 0x8080808080808080;
    auto const has = [](std::uint64_t word, char c) {
        auto const x = word ^ (low * std::uint8_t(c));
        return (x - low) & ~x;
    };
    std::size_t i = at;
    for (std::uint64_t word; i + sizeof word <= json.size(); i += sizeof word) {
        std::memcpy(&word, json.data() + i, sizeof word);
        auto const control = (word - low * 0x20) & ~word;
        // A borrow only ever comes from a byte that ends the run: the lowest one found is one.
        auto const ends = (word | control | has(word, '"') | has(word, '\\')) & high;
        if (ends != 0) return i - at + std::size_t(std::countr_zero(ends)) / 8;
    }
    return i - at;
}

class Checker {
   public:
    Checker(std::string_view json, std::size_t depth_max) : json_(json), depth_max_(depth_max) {}

    std::optional<JsonSyntaxError> run() {
        skip_space();
        if (at_ == json_.size()) return JsonSyntaxError{at_, "there is no value"};
        document();
        return std::move(error_);
    }
    bool has_space() const { return has_space_; }

   private:
    // One loop with its own stack: the input must not decide how deep the program's stack gets.
    void document() {
        do {
            if (!value()) return;                 // opened a container, or read a scalar
            while (!opened_ && !open_.empty()) {  // after a value: a comma, or the container's end
                skip_space();
                char close = open_.back();
                if (take(close)) {
                    open_.pop_back();
                    continue;
                }
                if (!take(',')) return refuse(close == '}' ? "',' or '}'" : "',' or ']'");
                skip_space();
                if (close == '}' && !key()) return;
                break;
            }
        } while (opened_ || !open_.empty());
        skip_space();
        if (at_ != json_.size()) refuse("nothing more");
    }

    // Reads a scalar, or opens a container and stands before its first value (`opened_`); an empty container counts as a scalar.
    bool value() {
        opened_ = false;
        skip_space();
        if (at_ == json_.size()) return refuse("a value"), false;
        char c = json_[at_];
        if (c == '{' || c == '[') return open(c == '{' ? '}' : ']');
        if (c == '"') return string();
        if (c == '-' || is_digit(c)) return number();
        for (std::string_view word : {"true", "false", "null"})
            if (json_.substr(at_).starts_with(word)) return at_ += word.size(), true;
        return refuse("a value"), false;
    }

    bool open(char close) {
        if (open_.size() == depth_max_) {
            error_ = {at_, fmt::format("lists and objects may nest {} deep", depth_max_), true};
            return false;
        }
        ++at_, skip_space();
        if (take(close)) return true;
        open_.push_back(close), opened_ = true;
        return close == ']' || key();
    }

    bool key() {
        if (at_ == json_.size() || json_[at_] != '"') return refuse("a field name in double quotes"), false;
        if (!string()) return false;
        skip_space();
        return take(':') || (refuse("':'"), false);
    }

    bool string() {
        ++at_;
        while (at_ += plain_run(json_, at_), at_ < json_.size()) {
            char c = json_[at_];
            if (c == '"') return ++at_, true;
            if (std::uint8_t(c) < 0x20) return refuse("no bare control character in text"), false;
            if (c == '\\') {
                if (!escape()) return false;
                continue;
            }
            std::size_t const n = std::uint8_t(c) < 0x80 ? 1 : utf8_length_at(json_, at_);
            if (n == 0) {
                error_ = {at_, fmt::format("the byte 0x{:02x} is not UTF-8", std::uint8_t(c)), false, true};
                return false;
            }
            at_ += n;
        }
        return refuse("a closing '\"'"), false;
    }

    bool escape() {
        if (at_ + 1 >= json_.size()) return refuse("an escape"), false;
        if (json_[at_ + 1] != 'u') {
            if (std::string_view("\"\\/bfnrt").find(json_[at_ + 1]) == std::string_view::npos) return refuse("a known escape"), false;
            return at_ += 2, true;
        }
        int unit = hex(at_ + 2);
        if (unit < 0) return refuse("four hexadecimal digits after \\u"), false;
        if (unit >= 0xdc00 && unit <= 0xdfff) return refuse("no low surrogate without a high one"), false;
        if (unit >= 0xd800 && unit <= 0xdbff) {
            int low = json_.substr(at_ + 6).starts_with("\\u") ? hex(at_ + 8) : -1;
            if (low < 0xdc00 || low > 0xdfff) return refuse("a low surrogate after the high one"), false;
            at_ += 6;
        }
        return at_ += 6, true;
    }

    int hex(std::size_t at) const {
        int v = 0;
        for (std::size_t i = at; i < at + 4; ++i) {
            char c = i < json_.size() ? json_[i] : 'x';
            int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
            if (digit < 0) return -1;
            v = v * 16 + digit;
        }
        return v;
    }

    bool digits() {
        std::size_t from = at_;
        while (at_ < json_.size() && is_digit(json_[at_])) ++at_;
        return at_ > from || (refuse("a digit"), false);
    }
    bool number() {
        take('-');
        if (take('0')) {
            if (at_ < json_.size() && is_digit(json_[at_])) return refuse("no digit after a leading zero"), false;
        } else if (!digits()) {
            return false;
        }
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            return digits();
        }
        return true;
    }

    void skip_space() {
        while (at_ < json_.size() && is_space(json_[at_])) ++at_, has_space_ = true;
    }
    bool take(char c) {
        if (at_ == json_.size() || json_[at_] != c) return false;
        return ++at_, true;
    }
    void refuse(std::string_view expected) {
        std::string found = "the end";
        if (at_ < json_.size()) {
            auto c = std::uint8_t(json_[at_]);
            found = c > 0x20 && c < 0x7f ? fmt::format("'{}'", char(c)) : fmt::format("the byte 0x{:02x}", c);
        }
        error_ = {at_, fmt::format("expected {}, found {}", expected, found)};
        if (at_ < json_.size() && utf8_length_at(json_, at_) == 0)
            error_->what = fmt::format("the byte 0x{:02x} is not UTF-8", std::uint8_t(json_[at_])), error_->not_utf8 = true;
    }

    std::string_view json_;
    std::size_t depth_max_;
    bool has_space_ = false;
    std::size_t at_ = 0;
    std::string open_;  // the closing brackets that are owed
    bool opened_ = false;
    std::optional<JsonSyntaxError> error_;
};

// Copies JSON token by token: `outside` is called with each character that is outside strings and isn't space.
template <class Outside>
void copy_tokens(std::string_view json, std::string& out, Outside outside) {
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (json[i] != '"') {
            if (!is_space(json[i])) outside(json[i], i);
            continue;
        }
        std::size_t from = i++;
        while (i += plain_run(json, i), json[i] != '"') i += json[i] == '\\' ? 2 : 1;
        out.append(json, from, i + 1 - from);
    }
}

}  // namespace

std::optional<JsonSyntaxError> check_json(std::string_view json, std::size_t depth_max, bool* compact) {
    Checker checker(json, depth_max);
    auto error = checker.run();
    if (compact) *compact = !checker.has_space();
    return error;
}

std::string minify_json(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    copy_tokens(json, out, [&](char c, std::size_t) { out += c; });
    return out;
}

std::string pretty_json(std::string_view json) {
    if (check_json(json, 1000)) return std::string(json);
    std::string out;
    std::size_t depth = 0;
    auto new_line = [&] { out.append(1, '\n').append(depth * 2, ' '); };
    auto next_token = [&](std::size_t i) {
        while (is_space(json[i])) ++i;
        return json[i];
    };
    copy_tokens(json, out, [&](char c, std::size_t i) {
        if (c == '}' || c == ']') {
            --depth;
            if (out.back() != '{' && out.back() != '[') new_line();
        }
        out += c;
        if (c == ':') out += ' ';
        if (c == ',') new_line();
        if (c == '{' || c == '[') {
            ++depth;
            if (char next = next_token(i + 1); next != '}' && next != ']') new_line();
        }
    });
    return out;
}

}  // namespace gantry::codec
