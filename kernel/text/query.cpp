#include "kernel/text/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "kernel/codec/utf8.h"
#include "kernel/text/terms.h"
#include "kernel/text/words.h"

namespace gantry::text {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-'; }

bool has(std::vector<std::string> const& names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }
bool is_text(Schema const& schema, std::string_view name) {
    return std::ranges::find(schema.texts, name, &TextField::name) != schema.texts.end();
}

std::string listed(std::vector<std::string> const& names) {
    if (names.empty()) return "none";
    return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> field_names(Schema const& schema) {
    std::vector<std::string> names;
    for (auto const& field : schema.texts) names.push_back(field.name);
    names.insert(names.end(), schema.numbers.begin(), schema.numbers.end());
    names.insert(names.end(), schema.exact.begin(), schema.exact.end());
    names.insert(names.end(), {"after", "before"});
    return names;
}

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
    return value;
}

class Parser {
   public:
    Parser(std::string_view query, Schema const& schema, ParseOptions const& options) : query_(query), schema_(schema), options_(options) {}

    Result<Match> run() {
        if (query_.size() > query_bytes_max)
            return fault(query_bytes_max, fmt::format("a query has at most {} bytes, and this one {}", query_bytes_max, query_.size()));
        skip_spaces();
        if (at_end()) return everything();
        TRY_ASSIGN(auto match, alternatives({}, 0));
        if (!at_end()) return fault(at_, "there is a ) too many: leave it out, or put the ( where the group begins");
        return match;
    }

   private:
    bool at_end() const { return at_ >= query_.size(); }
    void skip_spaces() {
        while (!at_end() && is_space(query_[at_])) ++at_;
    }
    std::size_t character(std::size_t at) const {
        std::size_t count = 1;
        for (std::size_t i = 0; i < std::min(at, query_.size()); ++i) count += (std::uint8_t(query_[i]) & 0xc0) != 0x80;
        return count;
    }
    std::unexpected<Problem> fault(std::size_t at, std::string_view what) const {
        auto detail = fmt::format("character {}: {}", character(at), what);
        Problem problem{400, "query_invalid", "the query has a fault: see errors"};
        problem.faults.push_back({std::string(options_.parameter), std::move(detail)});
        return fail(std::move(problem));
    }
    // Whether a word of the language itself stands here.
    bool take(std::string_view keyword) {
        auto const rest = query_.substr(at_);
        if (!rest.starts_with(keyword)) return false;
        if (rest.size() > keyword.size() && !is_space(rest[keyword.size()]) && rest[keyword.size()] != '(') return false;
        at_ += keyword.size();
        skip_spaces();
        return true;
    }

    Result<Match> alternatives(std::string_view field, std::size_t depth) {
        if (depth > query_depth_max) return fault(at_, fmt::format("at most {} groups stand within one another", query_depth_max));
        std::vector<Match> found;
        do {
            TRY_ASSIGN(auto match, together(field, depth));
            found.push_back(std::move(match));
        } while (take("OR"));
        return any_of(std::move(found));
    }
    Result<Match> together(std::string_view field, std::size_t depth) {
        std::vector<Match> found;
        for (auto const begin = at_;; skip_spaces()) {
            bool const and_follows = !found.empty() && take("AND");
            auto const rest = query_.substr(at_);
            bool const ends = rest.empty() || rest.front() == ')' || is_or(rest);
            if (ends && (found.empty() || and_follows))
                return fault(begin == at_ ? at_ : begin, rest.empty() || rest.front() == ')'
                                                             ? "expected a word, a phrase or field:value here"
                                                             : "expected a word, a phrase or field:value before OR");
            if (ends) return all_of(std::move(found));
            TRY_ASSIGN(auto match, one(field, depth));
            found.push_back(std::move(match));
        }
    }
    static bool is_or(std::string_view rest) { return rest.starts_with("OR") && (rest.size() == 2 || is_space(rest[2]) || rest[2] == '('); }

    Result<Match> one(std::string_view field, std::size_t depth) {
        bool const minus = query_[at_] == '-' && at_ + 1 < query_.size() && !is_space(query_[at_ + 1]);
        if (!minus && !take("NOT")) return positive(field, depth);
        if (minus) ++at_;
        if (at_end()) return fault(at_, "expected what the documents must not have behind NOT");
        if (depth > query_depth_max) return fault(at_, fmt::format("at most {} groups stand within one another", query_depth_max));
        TRY_ASSIGN(auto match, one(field, depth + 1));
        std::vector<Match> of;
        of.push_back(std::move(match));
        return none_of(std::move(of));
    }

    Result<Match> positive(std::string_view field, std::size_t depth) {
        auto const begin = at_;
        if (query_[at_] == '(') return group(field, depth);
        if (query_[at_] == '"') {
            TRY_ASSIGN(auto phrase, quoted());
            return condition(begin, field, phrase, Quoted::yes);
        }
        if (auto const name = field_name(); !name.empty()) {
            at_ += name.size() + 1;
            if (query_[at_] == '(') return group(name, depth);
            auto const value_at = at_;
            if (query_[at_] != '"') return condition(value_at, name, bare(), Quoted::no);
            TRY_ASSIGN(auto phrase, quoted());
            return condition(value_at, name, phrase, Quoted::yes);
        }
        return condition(begin, field, bare(), Quoted::no);
    }
    Result<Match> group(std::string_view field, std::size_t depth) {
        auto const begin = at_++;
        skip_spaces();
        TRY_ASSIGN(auto match, alternatives(field, depth + 1));
        if (at_end()) return fault(begin, "this ( has no ): put it where the group ends");
        ++at_;
        return match;
    }
    // "field:" in front of a value. What a program writes before a colon (`http://`, `std::`, `Error: …`) is a word.
    std::string_view field_name() const {
        if (!is_letter(query_[at_])) return {};
        std::size_t end = at_;
        while (end < query_.size() && is_name(query_[end])) ++end;
        if (end + 1 >= query_.size() || query_[end] != ':') return {};
        char const next = query_[end + 1];
        if (is_space(next) || next == ':' || next == '/' || next == '\\' || next == ')') return {};
        return query_.substr(at_, end - at_);
    }
    Result<std::string_view> quoted() {
        auto const begin = at_;
        auto const end = query_.find('"', begin + 1);
        if (end == query_.npos) return fault(begin, "this \" has no second one: put it where the phrase ends");
        at_ = end + 1;
        return query_.substr(begin + 1, end - begin - 1);
    }
    // Up to a space; a ) that closes no ( of its own ends it, too.
    std::string_view bare() {
        auto const begin = at_;
        for (int open = 0; !at_end() && !is_space(query_[at_]) && query_[at_] != '"'; ++at_) {
            if (query_[at_] == ')' && open-- == 0) break;
            if (query_[at_] == '(') ++open;
        }
        return query_.substr(begin, at_ - begin);
    }

    enum class Quoted { yes, no };
    Result<Match> condition(std::size_t at, std::string_view field, std::string_view value, Quoted quoted) {
        bool const prefix = quoted == Quoted::no && value.ends_with('*');
        if (quoted == Quoted::no && value.substr(0, value.size() - (prefix ? 1 : 0)).find('*') != value.npos)
            return fault(at + value.find('*'), "a * stands only at the end of a word, for words that begin so");
        if (field.empty() || is_text(schema_, field)) return words(at, field, value, prefix);
        if (field == "after" || field == "before") return time(at, field, value);
        if (has(schema_.numbers, field)) return number(at, field, value);
        if (!schema_.exact.empty() && !has(schema_.exact, field))
            return fault(at, fmt::format("there is no field {}; there are: {}", field, listed(field_names(schema_))));
        if (quoted == Quoted::no && (value.starts_with('<') || value.starts_with('>')))
            return fault(at, fmt::format("{} is not compared by size; numbers are: {}", field, listed(schema_.numbers)));
        auto text = value.substr(0, value.size() - (prefix ? 1 : 0));
        if (prefix && text.size() < prefix_bytes_min) return short_prefix(at);
        if (prefix && text.size() > value_bytes_max)
            return fault(at, fmt::format("at most {} bytes stand before the * of a value", value_bytes_max));
        TRY_VOID(count(at, 1));
        auto match = value_is(field, text);
        match.prefix = prefix, match.at = character(at);
        return match;
    }
    std::unexpected<Problem> short_prefix(std::size_t at) const {
        return fault(at, fmt::format("at least {} letters stand before a *", prefix_bytes_min));
    }
    Result<void> count(std::size_t at, std::size_t more) {
        if (terms_ += more; terms_ > query_terms_max) return fault(at, fmt::format("a query has at most {} words", query_terms_max));
        return {};
    }

    Result<Match> words(std::size_t at, std::string_view field, std::string_view value, bool prefix) {
        Match match{.kind = Match::Kind::words, .field = std::string(field), .prefix = prefix, .at = character(at)};
        std::size_t end = 0;
        for (Words words(value); words.next(); end = words.end()) match.words.emplace_back(words.word());
        if (match.words.empty()) return fault(at, "there is no letter and no digit in this: leave it out");
        if (prefix && (end + 1 != value.size() || match.words.back().size() < prefix_bytes_min)) return short_prefix(at);
        TRY_VOID(count(at, match.words.size()));
        return match;
    }

    Result<Match> number(std::size_t at, std::string_view field, std::string_view value) {
        auto match = number_between(field, {}, {});
        match.at = character(at);
        TRY_VOID(count(at, 1));
        constexpr double infinity = std::numeric_limits<double>::infinity();
        auto bound = [&](std::string_view sign, std::optional<double>& out, double towards) {
            if (!value.starts_with(sign)) return false;
            out = number_of(value.substr(sign.size()));
            if (out && towards != 0) out = std::nextafter(*out, towards);
            return true;
        };
        if (bound(">=", match.least, 0) || bound(">", match.least, infinity) || bound("<=", match.most, 0) ||
            bound("<", match.most, -infinity)) {
            if (match.least || match.most) return match;
        } else if (auto const dots = value.find(".."); dots != value.npos) {
            auto const from = value.substr(0, dots), upto = value.substr(dots + 2);
            match.least = number_of(from), match.most = number_of(upto);
            bool const good = (from.empty() || match.least) && (upto.empty() || match.most) && !(from.empty() && upto.empty());
            if (good && match.least && match.most && *match.least > *match.most)
                return fault(at, "the range begins above its end: the smaller number comes first");
            if (good) return match;
        } else if (auto const equal = number_of(value)) {
            match.least = match.most = equal;
            return match;
        }
        return fault(at, fmt::format("expected a number or a range: {0}:42, {0}:>=42, {0}:10..20", field));
    }

    Result<Match> time(std::size_t at, std::string_view field, std::string_view value) {
        auto const moment = moment_of(value);
        if (!moment)
            return fault(at,
                         fmt::format("expected a day ({0}:2026-01-31), a time ({0}:2026-01-31T12:00:00Z) or how long ago ({0}:7d)", field));
        TRY_VOID(count(at, 1));
        Match match{.kind = Match::Kind::time, .at = character(at)};
        if (field == "after")
            match.first = moment;
        else
            match.last = *moment - Duration::micros(1);
        return match;
    }
    std::optional<Time> moment_of(std::string_view value) const {
        if (auto const ago = parse_duration(value)) {
            if (ago->us < 0 || ago->us > Duration::days(365'000).us) return {};
            return options_.now - *ago;
        }
        auto const day = value.size() == 10 ? std::string(value) + "T00:00:00Z" : std::string(value);
        auto const time = parse_time(day);
        return time ? std::optional(*time) : std::nullopt;
    }

    std::string_view query_;
    Schema const& schema_;
    ParseOptions const& options_;
    std::size_t at_ = 0, terms_ = 0;
};

Match several(Match::Kind kind, std::vector<Match> of) {
    if (of.size() == 1 && kind != Match::Kind::none_of) return std::move(of.front());
    if (of.empty()) return everything();
    return {.kind = kind, .of = std::move(of)};
}

}  // namespace

Match everything() { return {}; }
Match value_is(std::string_view field, std::string_view value) {
    return {.kind = Match::Kind::value, .field = std::string(field), .value = fold_value(value)};
}
Match number_between(std::string_view field, std::optional<double> least, std::optional<double> most) {
    return {.kind = Match::Kind::number, .field = std::string(field), .least = least, .most = most};
}
Match all_of(std::vector<Match> of) { return several(Match::Kind::all_of, std::move(of)); }
Match any_of(std::vector<Match> of) { return several(Match::Kind::any_of, std::move(of)); }
Match none_of(std::vector<Match> of) { return several(Match::Kind::none_of, std::move(of)); }

Result<Match> parse(std::string_view query, Schema const& schema, ParseOptions const& options) {
    return Parser(query, schema, options).run();
}

std::string describe(Match const& match) {
    auto quoted = [](std::string_view text) { return fmt::format("{}:{}", text.size(), text); };
    std::string out = fmt::format("({} {}", int(match.kind), quoted(match.field));
    for (auto const& word : match.words) out += ' ' + quoted(word);
    out += ' ' + quoted(match.value);
    if (match.prefix) out += '*';
    if (match.least) out += fmt::format(" >={}", *match.least);
    if (match.most) out += fmt::format(" <={}", *match.most);
    if (match.first) out += " from";
    if (match.last) out += " to";
    for (auto const& inner : match.of) out += describe(inner);
    return out + ')';
}

std::string describe(Schema const& schema) {
    std::string out = fmt::format("version {}\nbasis {}\n", schema.version, schema.basis);
    for (auto const& field : schema.texts)
        out += fmt::format("text {} {} {}\n", field.name, field.phrases == Phrases::exact ? "exact" : "as_words", field.kept_bytes);
    for (auto const& name : schema.numbers) out += "number " + name + "\n";
    return out;
}

}  // namespace gantry::text
