#include "kernel/text/words.h"

#include <xapian.h>

#include <array>

#include "kernel/codec/utf8.h"

namespace gantry::text {
namespace {

enum class Kind : std::uint8_t { other, lower, upper, digit, alone };

constexpr std::array<Kind, 128> ascii_kinds = [] {
    std::array<Kind, 128> kinds{};
    for (char c = 'a'; c <= 'z'; ++c) kinds[std::size_t(c)] = Kind::lower;
    for (char c = 'A'; c <= 'Z'; ++c) kinds[std::size_t(c)] = Kind::upper;
    for (char c = '0'; c <= '9'; ++c) kinds[std::size_t(c)] = Kind::digit;
    return kinds;
}();

// Scripts that are written without spaces between words: kana, Han, bopomofo.
bool stands_alone(unsigned c) {
    return (c >= 0x2e80 && c <= 0x2fdf) || (c >= 0x3040 && c <= 0x312f) || (c >= 0x31a0 && c <= 0x31ff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

Kind kind_of(unsigned c) {
    if (c < 128) return ascii_kinds[c];
    using namespace Xapian;
    switch (Unicode::get_category(c)) {
        case Unicode::UPPERCASE_LETTER:
        case Unicode::TITLECASE_LETTER: return Kind::upper;
        case Unicode::OTHER_LETTER: return stands_alone(c) ? Kind::alone : Kind::digit;  // a letter without case parts nothing
        case Unicode::LOWERCASE_LETTER:
        case Unicode::MODIFIER_LETTER:
        case Unicode::NON_SPACING_MARK:
        case Unicode::ENCLOSING_MARK:
        case Unicode::COMBINING_SPACING_MARK: return Kind::lower;
        case Unicode::DECIMAL_DIGIT_NUMBER:
        case Unicode::LETTER_NUMBER:
        case Unicode::OTHER_NUMBER: return Kind::digit;
        default: return Kind::other;
    }
}

unsigned code_point(std::string_view text, std::size_t at, std::size_t bytes) {
    auto byte = [&](std::size_t i) { return unsigned(std::uint8_t(text[at + i])); };
    if (bytes == 2) return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    if (bytes == 3) return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
}

void append_folded(std::string& out, unsigned c) {
    char bytes[4];
    out.append(bytes, Xapian::Unicode::to_utf8(Xapian::Unicode::tolower(c), bytes));
}

}  // namespace

struct Words::Character {
    unsigned code = 0;
    std::size_t bytes = 1;
    Kind kind = Kind::other;
};

Words::Character Words::read(std::size_t at) const {
    auto const first = std::uint8_t(text_[at]);
    if (first < 128) [[likely]]
        return {first, 1, ascii_kinds[first]};
    auto const bytes = codec::utf8_length_at(text_, at);
    if (bytes == 0) return {};
    auto const code = code_point(text_, at, bytes);
    return {code, bytes, kind_of(code)};
}

void Words::fold(Character const& character) {
    if (folded_.size() >= word_bytes_max) return;
    if (character.code < 128)
        folded_ += char(character.kind == Kind::upper ? character.code + 32 : character.code);
    else
        append_folded(folded_, character.code);
}

bool Words::next() {
    folded_.clear(), cuts_.clear(), parts_.clear();
    Character now;
    for (; at_ < text_.size(); at_ += now.bytes)
        if (now = read(at_); now.kind != Kind::other) break;
    begin_ = at_;
    if (at_ >= text_.size()) return false;
    if (now.kind == Kind::alone) return fold(now), at_ += now.bytes, true;
    Kind before = Kind::other, before_that = Kind::other;
    std::size_t last_begin = 0;  // in folded_: of the character before
    for (; at_ < text_.size(); at_ += now.bytes) {
        now = read(at_);
        if (now.kind == Kind::other || now.kind == Kind::alone) break;
        if (now.kind == Kind::upper && before == Kind::lower) cuts_.push_back(folded_.size());
        if (now.kind == Kind::lower && before == Kind::upper && before_that == Kind::upper) cuts_.push_back(last_begin);
        before_that = before, before = now.kind, last_begin = folded_.size();
        fold(now);
    }
    if (!cuts_.empty()) find_parts();
    return true;
}

void Words::find_parts() {
    cuts_.push_back(folded_.size());
    std::size_t from = 0;
    for (auto const cut : cuts_) {
        if (cut > from + 1 && parts_.size() < parts_max) parts_.emplace_back(from, cut - from);
        from = cut;
    }
}

std::string fold_value(std::string_view value) {
    std::string out;
    for (std::size_t at = 0; at < value.size();) {
        auto const first = std::uint8_t(value[at]);
        auto const bytes = first < 128 ? 1 : codec::utf8_length_at(value, at);
        if (bytes > 1)
            append_folded(out, code_point(value, at, bytes));
        else
            out += char(first < 128 && ascii_kinds[first] == Kind::upper ? first + 32 : first);
        at += bytes == 0 ? 1 : bytes;
    }
    return out;
}

}  // namespace gantry::text
