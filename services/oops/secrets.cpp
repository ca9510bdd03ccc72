#include "services/oops/secrets.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace gantry::oops {
namespace {

constexpr std::array<std::string_view, 14> secret_parts = {"password",      "passwd",         "passphrase", "secret",    "token",
                                                           "authorization", "cookie",         "apikey",     "accesskey", "privatekey",
                                                           "credential",    "oauthsignature", "sessionid",  "sessionkey"};
constexpr std::array<std::string_view, 7> secret_names = {"pwd", "pw", "auth", "dsn", "sid", "pin", "cvv"};
constexpr std::array<std::string_view, 6> counts_of_tokens = {"tokens", "tokencount", "tokenizer", "tokentype", "tokenusage", "tokenlimit"};
// Pairs of letters that start a part: most places of most names start none, and each member of each report has a name.
constexpr std::array<bool, 1024> starts_a_part = [] {
    std::array<bool, 1024> out{};
    for (auto part : secret_parts) out[std::size_t(part[0] & 31) << 5 | (part[1] & 31)] = true;
    return out;
}();
constexpr std::size_t secret_name_chars_max = 4;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.'; }

// The last 200 bytes of a name, in small letters and digits alone.
struct Squeezed {
    char text[200];
    std::size_t size = 0;
    explicit Squeezed(std::string_view name) {
        if (name.size() > sizeof text) name = name.substr(name.size() - sizeof text);
        for (char c : name)
            if (c >= 'A' && c <= 'Z')
                text[size++] = char(c | 0x20);
            else if ((c >= 'a' && c <= 'z') || is_digit(c))
                text[size++] = c;
    }
    std::string_view view() const { return {text, size}; }
};

bool holds_a_part(std::string_view name) {
    for (std::size_t i = 0; i + 5 <= name.size(); ++i) {
        if (!starts_a_part[std::size_t(name[i] & 31) << 5 | (name[i + 1] & 31)]) continue;
        auto const rest = name.substr(i);
        for (auto part : secret_parts) {
            if (!rest.starts_with(part)) continue;
            bool const counts =
                part == "token" && std::any_of(counts_of_tokens.begin(), counts_of_tokens.end(), [&](auto word) { return rest == word; });
            if (!counts) return true;
        }
    }
    return false;
}

bool passes_card_check(std::string_view digits) {
    int sum = 0;
    bool twice = false;
    for (auto i = digits.size(); i-- > 0; twice = !twice) {
        int const d = (digits[i] - '0') * (twice ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}

// The end of a card's number that starts at `from`: 13 to 19 digits, in groups or not.
std::size_t card_end(std::string_view text, std::size_t from) {
    if (from > 0 && (is_word(text[from - 1]))) return from;
    char digits[20];
    std::size_t count = 0, i = from, end = from;
    for (; i < text.size() && count < sizeof digits; ++i) {
        if (is_digit(text[i]))
            digits[count++] = text[i], end = i + 1;
        else if ((text[i] != ' ' && text[i] != '-') || (i > 0 && !is_digit(text[i - 1])))
            break;
    }
    bool const ends = end == text.size() || !is_word(text[end]) || text[end] == '.';
    bool const card = count >= 13 && count <= 19 && ends && digits[0] >= '2' && digits[0] <= '6' && passes_card_check({digits, count});
    return card ? end : from;
}

bool starts_without_case(std::string_view text, std::string_view lower) {
    if (text.size() < lower.size()) return false;
    for (std::size_t i = 0; i < lower.size(); ++i)
        if ((text[i] | 0x20) != lower[i]) return false;
    return true;
}
std::size_t end_of_word(std::string_view text, std::size_t from, std::string_view stops) {
    return std::min(text.find_first_of(stops, from), text.size());
}

constexpr std::array<bool, 256> may_tell = [] {
    std::array<bool, 256> out{};
    for (char c : std::string_view(":=@Bb-23456")) out[std::uint8_t(c)] = true;
    return out;
}();

// One pass over a text: a look around each character that may stand before, behind or at the start of a secret.
class Hider {
   public:
    Hider(std::string_view text, std::string& out, SecretRules const& rules) : text_(text), out_(out), rules_(rules) {}
    std::size_t run() {
        for (std::size_t i = 0; i < text_.size(); ++i) {
            if (!may_tell[std::uint8_t(text_[i])]) continue;  // most of a text
            switch (text_[i]) {
                case ':':
                case '=': after_name(i); break;
                case '@': before_at(i); break;
                case 'B':
                case 'b': after_scheme(i); break;
                case '-': pem(i); break;
                case '2':
                case '3':
                case '4':
                case '5':
                case '6':
                    if (auto const end = card_end(text_, i); end > i) hide(i, end);
                    break;
                default: break;
            }
            if (done_ > i + 1) i = done_ - 1;
        }
        if (count_) out_.append(text_.substr(done_));
        return count_;
    }

   private:
    void hide(std::size_t from, std::size_t to) {
        if (from < done_ || to <= from || text_.substr(from, to - from) == hidden_text) return;
        if (count_ == 0) out_.clear();
        out_.append(text_.substr(done_, from - done_)).append(hidden_text);
        done_ = to, ++count_;
    }
    // name=value, name = "value", name: 'value', "name": "value": of code and configuration as of queries.
    void after_name(std::size_t i) {
        std::size_t end = i;
        while (end > done_ && text_[end - 1] == ' ') --end;
        if (end > done_ && is_quote(text_[end - 1])) --end;
        std::size_t from = end;
        while (from > done_ && is_word(text_[from - 1])) --from;
        if (from == end || !names_a_secret(text_.substr(from, end - from), rules_)) return;
        auto const value = std::min(text_.find_first_not_of(' ', i + 1), text_.size());
        if (value < text_.size() && is_quote(text_[value]))
            return hide(value + 1, std::min(text_.find(text_[value], value + 1), text_.size()));
        if (text_[i] == '=' && end == i && value == i + 1) hide(value, end_of_word(text_, value, "&;, \t\r\n'\")}]"));
    }
    static bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
    // https://user:password@host
    void before_at(std::size_t i) {
        std::size_t from = i;
        while (from > done_ && text_[from - 1] != '/' && text_[from - 1] != ' ' && i - from < 400) --from;
        if (from < 3 || text_.substr(from - 3, 3) != "://") return;
        auto const colon = text_.find(':', from);
        if (colon < i) hide(colon + 1, i);
    }
    void after_scheme(std::size_t i) {
        if (i > 0 && is_word(text_[i - 1])) return;
        for (std::string_view scheme : {"bearer ", "basic "}) {
            if (!starts_without_case(text_.substr(i), scheme)) continue;
            auto const from = i + scheme.size(), end = end_of_word(text_, from, " \t\r\n,;'\"");
            if (end - from >= 16) hide(from, end);
        }
    }
    void pem(std::size_t i) {
        auto const rest = text_.substr(i);
        if (!rest.starts_with("-----BEGIN ")) return;
        auto const opening = rest.substr(0, rest.find('\n', 0));
        if (opening.find("PRIVATE KEY-----") == opening.npos) return;
        auto const closing = rest.find("-----END ");
        hide(i, closing == rest.npos ? text_.size() : end_of_word(text_, i + closing, "\n"));
    }

    std::string_view text_;
    std::string& out_;
    SecretRules const& rules_;
    std::size_t done_ = 0, count_ = 0;
};

void write_text(std::string_view text, std::string& out, SecretRules const& rules, std::size_t& count) {
    std::string without;
    auto const here = hide_in_text(text, without, rules);
    codec::append_json_string(out, here ? std::string_view(without) : text);
    count += here;
}

void write(codec::JsonValue value, std::string& out, SecretRules const& rules, std::size_t& count) {
    using codec::JsonKind;
    if (value.is(JsonKind::text)) return write_text(value.text(), out, rules, count);
    bool const object = value.is(JsonKind::object);
    if ((!object && !value.is(JsonKind::list)) || value.size() == 0) return value.write(out);
    char separator = object ? '{' : '[';
    for (auto item : value) {
        out += std::exchange(separator, ',');
        if (object) codec::append_json_string(out, item.key()), out += ':';
        bool const tells = object && !item.is(JsonKind::null) && !item.is(JsonKind::boolean) && item.text() != hidden_text;
        bool const secret = tells && names_a_secret(item.key(), rules);
        if (secret)
            codec::append_json_string(out, hidden_text), ++count;
        else
            write(item, out, rules, count);
    }
    out += object ? '}' : ']';
}

}  // namespace

bool names_a_secret(std::string_view name, SecretRules const& rules) {
    if (rules.off || name.size() < 2) return false;
    Squeezed const squeezed(name);
    auto const s = squeezed.view();
    auto const among = [&](auto const& list) { return std::find(list.begin(), list.end(), s) != list.end(); };
    bool const told = holds_a_part(s) || (s.size() <= secret_name_chars_max && among(secret_names)) ||
                      std::any_of(rules.also.begin(), rules.also.end(), [&](auto const& part) { return s.find(part) != s.npos; });
    return told && !std::any_of(rules.except.begin(), rules.except.end(), [&](auto const& e) { return Squeezed(e).view() == s; });
}

std::size_t hide_in_text(std::string_view text, std::string& out, SecretRules const& rules) {
    return rules.off ? 0 : Hider(text, out, rules).run();
}

std::size_t write_without_secrets(codec::JsonValue value, std::string& out, SecretRules const& rules) {
    std::size_t count = 0;
    write(value, out, rules, count);
    return count;
}

}  // namespace gantry::oops
