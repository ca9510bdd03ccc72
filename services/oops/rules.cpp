#include "services/oops/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gantry::oops {
namespace {

constexpr std::size_t text_bytes_max = 100'000, rules_max = 1000, matchers_max = 20, pattern_bytes_max = 500, parts_max = 20;

struct FieldName {
    std::string_view name;
    RuleField field;
};
constexpr std::array<FieldName, 17> field_names = {{{"type", RuleField::type},
                                                    {"value", RuleField::value},
                                                    {"message", RuleField::message},
                                                    {"logger", RuleField::logger},
                                                    {"level", RuleField::level},
                                                    {"kind", RuleField::kind},
                                                    {"release", RuleField::release},
                                                    {"environment", RuleField::environment},
                                                    {"topic", RuleField::topic},
                                                    {"transaction", RuleField::topic},
                                                    {"platform", RuleField::platform},
                                                    {"url", RuleField::url},
                                                    {"path", RuleField::path},
                                                    {"module", RuleField::module},
                                                    {"function", RuleField::function},
                                                    {"in_app", RuleField::in_app},
                                                    {"app", RuleField::in_app}}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// One line, read from left to right.
class LineParser {
   public:
    LineParser(std::string_view line, std::uint32_t number) : rest_(line), number_(number) {}

    Result<Rule> run() {
        Rule rule{.line = number_};
        for (blanks(); !take("->"); blanks()) {
            if (rest_.empty()) return refuse("`->` and an action are missing");
            if (rule.matchers.size() == matchers_max) return refuse(fmt::format("a rule has at most {} matchers", matchers_max));
            TRY_ASSIGN(auto matched, matcher());
            rule.matchers.push_back(std::move(matched));
        }
        if (rule.matchers.empty()) return refuse("a rule starts with a matcher, as type:KeyError");
        TRY_VOID(action(rule));
        return rule;
    }

   private:
    std::unexpected<Problem> refuse(std::string_view why) const {
        return fail(400, "rules_invalid", fmt::format("line {}: {}", number_, why));
    }
    void blanks() {
        while (!rest_.empty() && is_blank(rest_[0])) rest_.remove_prefix(1);
    }
    bool take(std::string_view word) { return rest_.starts_with(word) && (rest_.remove_prefix(word.size()), true); }

    Result<RuleMatcher> matcher() {
        RuleMatcher out;
        out.negated = take("!");
        auto const colon = rest_.find_first_of(": \t");
        if (colon == rest_.npos || rest_[colon] != ':') return refuse(fmt::format("\"{:.40}\" is no matcher; one is type:KeyError", rest_));
        auto const name = rest_.substr(0, colon);
        rest_.remove_prefix(colon + 1);
        TRY_VOID(field(name, out));
        TRY_ASSIGN(out.pattern, word());
        if (out.pattern.empty()) return refuse(fmt::format("{} has no pattern", name));
        if (out.pattern.size() > pattern_bytes_max) return refuse(fmt::format("a pattern has at most {} bytes", pattern_bytes_max));
        if (out.field == RuleField::in_app && out.pattern != "true" && out.pattern != "false") return refuse("in_app is true or false");
        return out;
    }
    Result<void> field(std::string_view name, RuleMatcher& out) const {
        for (std::string_view prefix : {"tag.", "tags."})
            if (name.starts_with(prefix) && name.size() > prefix.size())
                return out.field = RuleField::tag, out.tag = name.substr(prefix.size()), Result<void>{};
        for (auto const& known : field_names)
            if (known.name == name) return out.field = known.field, Result<void>{};
        std::string list = "tag.NAME";
        for (auto const& known : field_names) list.append(", ").append(known.name);
        return refuse(fmt::format("unknown matcher \"{:.40}\"; known are {}", name, list));
    }
    // Up to a blank, or what stands in quotes.
    Result<std::string> word() {
        std::string out;
        if (!take("\"")) {
            auto const end = std::min(rest_.find_first_of(" \t\r"), rest_.size());
            out = rest_.substr(0, end);
            rest_.remove_prefix(end);
            return out;
        }
        while (!rest_.empty() && rest_[0] != '"') {
            if (rest_[0] == '\\' && rest_.size() > 1 && (rest_[1] == '"' || rest_[1] == '\\')) rest_.remove_prefix(1);
            out += rest_[0];
            rest_.remove_prefix(1);
        }
        if (!take("\"")) return refuse("a quote is not closed");
        return out;
    }

    Result<void> action(Rule& rule) {
        blanks();
        if (take("in_app:")) return app(rule);
        if (take("fingerprint:")) {
            rule.action = RuleAction::fingerprint;
        } else if (take("title:")) {
            rule.action = RuleAction::title;
        } else {
            return refuse(fmt::format("unknown action \"{:.40}\"; known are in_app:true, in_app:false, fingerprint: …, title: …", rest_));
        }
        for (blanks(); !rest_.empty(); blanks()) {
            if (rule.parts.size() == parts_max) return refuse(fmt::format("at most {} parts", parts_max));
            TRY_ASSIGN(auto next, part());
            rule.parts.push_back(std::move(next));
        }
        return rule.parts.empty() ? Result<void>(refuse("the action has no parts")) : Result<void>{};
    }
    Result<void> app(Rule& rule) {
        blanks();
        TRY_ASSIGN(auto const value, word());
        blanks();
        if ((value != "true" && value != "false") || !rest_.empty()) return refuse("in_app is true or false, and ends the line");
        bool const about_frames = std::any_of(rule.matchers.begin(), rule.matchers.end(), [](auto const& m) { return m.of_frame(); });
        if (!about_frames) return refuse("in_app needs a matcher of frames: path, module or function");
        rule.action = value == "true" ? RuleAction::in_app : RuleAction::not_in_app;
        return {};
    }
    Result<std::string> part() {
        if (!rest_.starts_with("{{")) return word();
        auto const end = rest_.find("}}");
        if (end == rest_.npos) return refuse("{{ is not closed");
        std::string name;
        for (char c : rest_.substr(2, end - 2))
            if (!is_blank(c)) name += c;
        rest_.remove_prefix(end + 2);
        constexpr std::array<std::string_view, 13> known = {"default",     "type",     "value",      "message", "function",
                                                            "module",      "logger",   "level",      "topic",   "release",
                                                            "environment", "platform", "transaction"};
        if (std::find(known.begin(), known.end(), name) == known.end() && !name.starts_with("tag.") && !name.starts_with("tags."))
            return refuse(fmt::format("unknown variable {{{{ {:.40} }}}}", name));
        return fmt::format("{{{{ {} }}}}", name);
    }

    std::string_view rest_;
    std::uint32_t number_;
};

std::string_view kind_name(ReportKind kind) {
    for (auto const& value : codec::type_of<ReportKind>().values)
        if (value.value == std::int64_t(kind)) return value.name;
    return {};
}
std::string_view level_name(Level level) {
    for (auto const& value : codec::type_of<Level>().values)
        if (value.value == std::int64_t(level)) return value.name;
    return {};
}

bool of_report(RuleMatcher const& m, Report const& r) {
    auto const fits = [&](std::string_view text) { return matches_glob(m.pattern, text); };
    auto const some_exception = [&](auto member) {
        return std::any_of(r.exceptions.begin(), r.exceptions.end(), [&](auto const& e) { return fits((e.*member).view()); });
    };
    switch (m.field) {
        case RuleField::type: return some_exception(&Exception::type);
        case RuleField::value: return some_exception(&Exception::value);
        case RuleField::message: return fits(r.message) || (r.message.empty() && some_exception(&Exception::value));
        case RuleField::logger: return fits(r.logger);
        case RuleField::level: return fits(level_name(r.level));
        case RuleField::kind: return fits(kind_name(r.kind));
        case RuleField::release: return fits(r.release);
        case RuleField::environment: return fits(r.environment);
        case RuleField::topic: return fits(r.topic);
        case RuleField::platform: return fits(r.platform);
        case RuleField::url: return fits(r.url);
        case RuleField::tag:
            return std::any_of(r.tags.begin(), r.tags.end(), [&](auto const& t) { return t.key.view() == m.tag && fits(t.value); });
        default: return false;
    }
}
bool of_frame(RuleMatcher const& m, Frame const& f, bool in_app) {
    switch (m.field) {
        case RuleField::path: return matches_glob(m.pattern, f.file);
        case RuleField::module: return matches_glob(m.pattern, f.module);
        case RuleField::function: return matches_glob(m.pattern, f.function);
        case RuleField::in_app: return (m.pattern == "true") == in_app;
        default: return false;
    }
}
bool frame_matches(Rule const& rule, Frame const& frame, bool in_app) {
    return std::all_of(rule.matchers.begin(), rule.matchers.end(),
                       [&](auto const& m) { return !m.of_frame() || of_frame(m, frame, in_app) != m.negated; });
}
bool some_frame_matches(Rule const& rule, Report const& report) {
    auto const some = [&](std::vector<Frame> const& frames) {
        return std::any_of(frames.begin(), frames.end(), [&](auto const& f) { return frame_matches(rule, f, f.in_app.value_or(true)); });
    };
    return some(report.stack) ||
           std::any_of(report.exceptions.begin(), report.exceptions.end(), [&](auto const& e) { return some(e.frames); });
}

}  // namespace

Result<Rules> Rules::parse(std::string_view text) {
    Rules out;
    if (text.size() > text_bytes_max) return fail(400, "rules_invalid", fmt::format("rules have at most {} bytes", text_bytes_max));
    for (std::uint32_t number = 1; !text.empty(); ++number) {
        auto const end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
        while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
        if (line.empty() || line[0] == '#') continue;
        if (out.rules.size() == rules_max) return fail(400, "rules_invalid", fmt::format("line {}: at most {} rules", number, rules_max));
        TRY_ASSIGN(auto rule, LineParser(line, number).run());
        out.rules.push_back(std::move(rule));
    }
    return out;
}

Rules const& rules_of(std::string_view text) {
    struct Parsed {
        std::string text;
        Rules rules;
    };
    constexpr std::size_t kept = 16;
    thread_local std::vector<Parsed> lately;
    auto known = std::ranges::find(lately, text, &Parsed::text);
    if (known == lately.end()) {
        if (lately.size() == kept) lately.pop_back();
        lately.insert(lately.begin(), {std::string(text), Rules::parse(text).value_or(Rules{})});
    } else {
        std::rotate(lately.begin(), known, known + 1);
    }
    return lately.front().rules;
}

bool matches(Rule const& rule, Report const& report, Frame const* frame, bool frame_in_app) {
    bool frames = false;
    for (auto const& m : rule.matchers) {
        if (m.of_frame())
            frames = true;
        else if (of_report(m, report) == m.negated)
            return false;
    }
    if (!frames) return true;
    return frame ? frame_matches(rule, *frame, frame_in_app) : some_frame_matches(rule, report);
}

bool matches_glob(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = pattern.npos, from = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++, from = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
            ++p, ++t;
        } else if (star != pattern.npos) {
            p = star + 1, t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace gantry::oops
