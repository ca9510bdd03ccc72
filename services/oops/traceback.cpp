#include "services/oops/traceback.h"

#include <algorithm>
#include <charconv>

namespace gantry::oops {
namespace {

constexpr std::size_t exceptions_max = 50;

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
    return s;
}
bool take(std::string_view& s, std::string_view word) { return s.starts_with(word) && (s.remove_prefix(word.size()), true); }
bool take_number(std::string_view& s, std::uint32_t& out) {
    auto const read = std::from_chars(s.data(), s.data() + s.size(), out);
    if (read.ec != std::errc()) return false;
    return s.remove_prefix(std::size_t(read.ptr - s.data())), true;
}
std::string_view up_to(std::string_view& s, std::string_view stop) {
    auto const end = std::min(s.find(stop), s.size());
    auto const out = s.substr(0, end);
    s.remove_prefix(std::min(s.size(), end + stop.size()));
    return out;
}

// `File "a.py", line 3, in f` and `Module a.b, line 3, in f`.
bool python_frame(std::string_view s, TextFrame& out) {
    if (take(s, "File \""))
        out.file = up_to(s, "\"");
    else if (take(s, "Module "))
        out.module = s.substr(0, s.find(',')), s.remove_prefix(out.module.size());
    else
        return false;
    if (auto const at = s.find(", line "); at != s.npos) s.remove_prefix(at + 7);
    if (!take_number(s, out.line)) return false;
    if (take(s, ", in ")) out.function = trimmed(s);
    return true;
}

// `at f (file:1:2)`, `at async f (file:1:2)`, `at file:1:2`.
bool javascript_frame(std::string_view s, TextFrame& out) {
    if (!take(s, "at ")) return false;
    take(s, "async ");
    auto place = s;
    if (s.ends_with(')') && s.find(" (") != s.npos) {
        out.function = s.substr(0, s.find(" ("));
        place = s.substr(s.find(" (") + 2);
        place.remove_suffix(1);
    }
    std::uint32_t numbers[2] = {0, 0};
    int count = 0;
    for (; count < 2; ++count) {
        auto const colon = place.rfind(':');
        if (colon == place.npos) break;
        auto digits = place.substr(colon + 1);
        if (!take_number(digits, numbers[count]) || !digits.empty()) break;
        place = place.substr(0, colon);
    }
    out.file = place, out.line = count == 2 ? numbers[1] : numbers[0], out.column = count == 2 ? numbers[0] : 0;
    return true;
}

bool is_marker(std::string_view s) { return s.find_first_not_of("~^ ") == s.npos; }

class Parser {
   public:
    Parser(std::string_view text, std::size_t frames_max) : rest_(text), frames_max_(frames_max) {}
    std::vector<TextException> run() {
        for (std::string_view line; next(line);) {
            auto const s = trimmed(line);
            bool const indented = line.starts_with(' ') || line.starts_with('\t');
            if (s.starts_with("Traceback (most recent call last)") || s.starts_with("Traceback (innermost last)"))
                begin();
            else if (indented && frame_line(s))
                continue;
            else if (in_stack_ && indented)
                context(s);
            else if (!indented && !s.empty())
                plain(line);
            else if (s.empty())
                value_open_ = false;
        }
        return std::move(out_);
    }

   private:
    bool next(std::string_view& line) {
        if (rest_.empty()) return false;
        line = up_to(rest_, "\n");
        return true;
    }
    void begin() {
        if (out_.size() == exceptions_max) out_.erase(out_.begin() + exceptions_max / 2);
        out_.emplace_back(), in_stack_ = true, value_open_ = javascript_ = false;
    }
    bool frame_line(std::string_view s) {
        TextFrame frame;
        if (in_stack_ && python_frame(s, frame)) return add(frame), true;
        if (!javascript_frame(s, frame) || out_.empty() || (in_stack_ && !javascript_)) return false;
        javascript_ = true, value_open_ = false;
        return add(frame), true;
    }
    // What is outermost comes first: JavaScript tells it last.
    void add(TextFrame const& frame) {
        auto& frames = out_.back().frames;
        if (frames.size() == frames_max_) return;
        frames.insert(javascript_ ? frames.begin() : frames.end(), frame);
    }
    void context(std::string_view s) {
        auto& frames = out_.back().frames;
        if (!frames.empty() && frames.back().context_line.empty() && !is_marker(s) && !s.starts_with("- __traceback"))
            frames.back().context_line = s;
    }
    void plain(std::string_view line) {
        if (value_open_ && !out_.empty()) {  // a value of several lines
            auto& value = out_.back().value;
            if (!value.empty()) value = {value.data(), std::size_t(line.data() + line.size() - value.data())};
            return;
        }
        if (line.starts_with("During handling of") || line.starts_with("The above exception")) return;
        if (!in_stack_) {
            if (!out_.empty() || !looks_like_javascript(line)) return;
            begin();
            in_stack_ = false, javascript_ = true;
        }
        auto s = line;
        auto name = trimmed(up_to(s, ": "));
        if (name.ends_with(':')) name.remove_suffix(1);
        auto& e = out_.back();
        if (auto const dot = name.rfind('.'); dot != name.npos && name.find(' ') == name.npos)
            e.module = name.substr(0, dot), name.remove_prefix(dot + 1);
        e.type = name, e.value = trimmed(s);
        in_stack_ = false, value_open_ = true;
    }
    // "TypeError: …" in front of lines "    at …".
    bool looks_like_javascript(std::string_view line) const {
        auto after = rest_;
        return line.find(' ') > line.find(':') - 1 && trimmed(up_to(after, "\n")).starts_with("at ");
    }

    std::string_view rest_;
    std::size_t frames_max_;
    std::vector<TextException> out_;
    bool in_stack_ = false, value_open_ = false, javascript_ = false;
};

}  // namespace

std::vector<TextException> parse_traceback(std::string_view text, std::size_t frames_max) { return Parser(text, frames_max).run(); }

}  // namespace gantry::oops
