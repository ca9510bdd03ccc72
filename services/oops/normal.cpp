#include "services/oops/normal.h"

#include <algorithm>
#include <array>

#include "kernel/service.h"

namespace gantry::oops {
namespace {

constexpr std::size_t read_bytes_max = 16'384;  // of a longer text the middle goes before anything is looked at

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::size_t count_while(std::string_view s, std::size_t from, auto&& is) {
    std::size_t n = 0;
    while (from + n < s.size() && is(s[from + n])) ++n;
    return n;
}
std::size_t digits(std::string_view s, std::size_t from) { return count_while(s, from, is_digit); }

// Each gives how many bytes at the front are one, or 0.
std::size_t address(std::string_view s) {
    if (s.size() < 3 || s[0] != '0' || (s[1] | 0x20) != 'x') return 0;
    auto const n = count_while(s, 2, is_hex);
    return n ? n + 2 : 0;
}
std::size_t uuid(std::string_view s) {
    if (s.size() < 36 || s[8] != '-') return 0;
    for (std::size_t i = 0; i < 36; ++i)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !is_hex(s[i])) return 0;
    return 36;
}
// 12:30, 12:30:01, 12:30:01.25, with a zone.
std::size_t time_of_day(std::string_view s) {
    if (digits(s, 0) != 2 || s.size() < 5 || s[2] != ':' || digits(s, 3) < 2) return 0;
    std::size_t n = 5;
    if (n < s.size() && s[n] == ':' && digits(s, n + 1) == 2) n += 3;
    if (n < s.size() && (s[n] == '.' || s[n] == ',') && digits(s, n + 1)) n += 1 + digits(s, n + 1);
    if (n < s.size() && s[n] == 'Z') return n + 1;
    if (n + 1 < s.size() && (s[n] == '+' || s[n] == '-') && digits(s, n + 1) >= 2) {
        n += 3;
        if (n < s.size() && s[n] == ':') ++n;
        n += std::min<std::size_t>(digits(s, n), 2);
    }
    return n;
}
std::size_t moment(std::string_view s) {
    if (auto const n = time_of_day(s)) return n;
    if (digits(s, 0) != 4 || s.size() < 10 || (s[4] != '-' && s[4] != '/') || digits(s, 5) != 2 || s[7] != s[4] || digits(s, 8) != 2)
        return 0;
    if (s.size() <= 11 || (s[10] != 'T' && s[10] != ' ')) return 10;
    auto const rest = time_of_day(s.substr(11));
    return rest ? 11 + rest : 10;
}
std::size_t ip(std::string_view s) {
    std::size_t n = 0;
    for (int part = 0; part < 4; ++part) {
        auto const d = digits(s, n);
        if (d == 0 || d > 3) return 0;
        n += d;
        if (part < 3 && (n >= s.size() || s[n++] != '.')) return 0;
    }
    return n;
}
// 16 or more hex digits, digits and letters among them.
std::size_t hash(std::string_view s) {
    auto const n = count_while(s, 0, is_hex);
    if (n < 16 || (n < s.size() && (is_letter(s[n]) || s[n] == '_'))) return 0;
    auto const d = std::count_if(s.begin(), s.begin() + std::ptrdiff_t(n), is_digit);
    return d && std::size_t(d) < n ? n : 0;
}
std::size_t url(std::string_view s) {
    for (std::string_view scheme : {"http://", "https://", "ftp://", "ws://", "wss://"})
        if (s.starts_with(scheme)) {
            auto n = scheme.size() +
                     count_while(s, scheme.size(), [](char c) { return !is_space(c) && !std::string_view("\"'<>)]}").contains(c); });
            while (n > scheme.size() && std::string_view(".,;:!?").contains(s[n - 1])) --n;
            return n;
        }
    return 0;
}
std::size_t number(std::string_view s) {
    auto n = digits(s, 0);
    if (n + 1 < s.size() && (s[n] == '.' || s[n] == ',') && is_digit(s[n + 1])) n += 1 + digits(s, n + 1);
    return n;
}

class Normalizer {
   public:
    explicit Normalizer(std::string_view text) : s_(text) { out_.reserve(text.size() + 16); }
    std::string run() {
        while (i_ < s_.size()) step();
        while (out_.ends_with(' ')) out_.pop_back();
        return std::move(out_);
    }

   private:
    void step() {
        char const c = s_[i_];
        bool const inside = i_ > 0 && (is_letter(s_[i_ - 1]) || is_digit(s_[i_ - 1]));  // of a word
        if (is_space(c)) return space();
        if (c == '@' && inside) return mail();
        if (!inside && is_digit(c) && numeric()) return;
        if (!inside && is_letter(c) && worded()) return;
        out_ += c, ++i_;
    }
    void space() {
        if (!out_.empty() && out_.back() != ' ') out_ += ' ';
        ++i_;
    }
    bool put(std::size_t bytes, std::string_view word) {
        if (bytes == 0) return false;
        out_ += word, i_ += bytes;
        return true;
    }
    bool numeric() {
        auto const rest = s_.substr(i_);
        return put(address(rest), "<address>") || put(uuid(rest), "<uuid>") || put(moment(rest), "<time>") || put(ip(rest), "<ip>") ||
               put(hash(rest), "<hash>") || put(number(rest), "<int>");
    }
    bool worded() {
        auto const rest = s_.substr(i_);
        if ((is_hex(rest[0]) && (put(uuid(rest), "<uuid>") || put(hash(rest), "<hash>"))) || put(url(rest), "<url>")) return true;
        // A word without anything of the kind goes at once.
        auto const n = count_while(rest, 0, is_letter);
        out_.append(rest.substr(0, n)), i_ += n;
        return true;
    }
    void mail() {
        auto const is_part = [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-'; };
        auto const domain = count_while(s_, i_ + 1, is_part);
        if (domain < 3 || s_.substr(i_ + 1, domain).find('.') == s_.npos) return out_ += '@', void(++i_);
        auto const is_local = [&](char c) { return is_part(c) || c == '_' || c == '+' || c == '<' || c == '>'; };
        while (!out_.empty() && is_local(out_.back())) out_.pop_back();
        put(1 + domain, "<email>");
    }

    std::string_view s_;
    std::size_t i_ = 0;
    std::string out_;
};

std::size_t to_boundary(std::string_view s, std::size_t i) {
    while (i > 0 && i < s.size() && (std::uint8_t(s[i]) & 0xc0) == 0x80) --i;
    return i;
}
std::string elided(std::string_view s, std::size_t bytes_max) {
    if (s.size() <= bytes_max) return std::string(s);
    auto const first = to_boundary(s, bytes_max * 2 / 3), last = to_boundary(s, s.size() - bytes_max / 3 + 3);
    return std::string(s.substr(0, first)) + "…" + std::string(s.substr(last));
}

std::size_t sql_string(std::string_view s) {
    std::size_t n = 1;
    for (; n < s.size(); ++n) {
        if (s[n] == '\\')
            ++n;
        else if (s[n] == '\'' && n + 1 < s.size() && s[n + 1] == '\'')
            ++n;
        else if (s[n] == '\'')
            return n + 1;
    }
    return s.size();
}
// "$INT, $INT, $INT" → "$INT, …"
void collapse_lists(std::string& out) {
    for (std::string_view word : {"$INT", "$STRING"})
        for (std::string_view separator : {", ", ","}) {
            auto const pair = std::string(word) + std::string(separator) + std::string(word);
            for (std::size_t at = out.find(pair); at != out.npos; at = out.find(pair, at + 1)) {
                std::size_t end = at + word.size();
                while (std::string_view(out).substr(end).starts_with(pair.substr(word.size()))) end += pair.size() - word.size();
                out.replace(at + word.size(), end - at - word.size(), ", …");
            }
        }
}

}  // namespace

bool looks_like_sql(std::string_view text) {
    while (!text.empty() && is_space(text[0])) text.remove_prefix(1);
    for (std::string_view word :
         {"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "select ", "insert into ", "update ", "delete from "})
        if (text.starts_with(word)) return true;
    return false;
}

std::string normal_sql(std::string_view sql) {
    auto const cut = elided(sql, read_bytes_max);
    std::string out;
    std::string_view const s = cut;
    for (std::size_t i = 0; i < s.size();) {
        bool const inside = i > 0 && (is_letter(s[i - 1]) || is_digit(s[i - 1]) || s[i - 1] == '_' || s[i - 1] == '"' || s[i - 1] == '$');
        if (s[i] == '\'') {
            i += sql_string(s.substr(i)), out += "$STRING";
        } else if (is_digit(s[i]) && !inside) {
            i += number(s.substr(i)), out += "$INT";
        } else if (is_space(s[i])) {
            if (!out.empty() && out.back() != ' ') out += ' ';
            ++i;
        } else {
            out += s[i++];
        }
    }
    while (out.ends_with(' ')) out.pop_back();
    collapse_lists(out);
    return elided(out, normal_chars_max);
}

std::string normal_text(std::string_view text) {
    if (looks_like_sql(text)) return normal_sql(text);
    if (text.size() > read_bytes_max) return elided(Normalizer(elided(text, read_bytes_max)).run(), normal_chars_max);
    return elided(Normalizer(text).run(), normal_chars_max);
}

}  // namespace gantry::oops
