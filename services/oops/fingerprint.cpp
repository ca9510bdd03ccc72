#include "services/oops/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernel/service.h"
#include "services/oops/builder.h"
#include "services/oops/normal.h"

namespace gantry::oops {
namespace {

constexpr std::size_t app_frames_max = 8, system_frames_max = 40, context_bytes_max = 120, title_chars_max = 200;

std::string_view trimmed(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r' || s.back() == '\n')) s.remove_suffix(1);
    return s;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; }

bool is_javascript(std::string_view platform) { return platform == "javascript" || platform == "node"; }
bool is_native(std::string_view platform) {
    return platform == "native" || platform == "c" || platform == "cocoa" || platform == "rust" || platform == "gantry";
}

// Without the query, the folders, and what a build puts in for caching: "app.3f2a9c01.min.js" → "app.min.js".
void append_basename(std::string& out, std::string_view file) {
    file = file.substr(0, file.find_first_of("?#"));
    if (auto const slash = file.find_last_of("/\\"); slash != file.npos) file.remove_prefix(slash + 1);
    while (!file.empty()) {
        auto const end = std::min(file.find_first_of(".-", 1), file.size());
        auto part = file.substr(0, end);
        auto const word = part.substr(part[0] == '.' || part[0] == '-');
        bool const hash =
            word.size() >= 6 && std::all_of(word.begin(), word.end(), is_hex) && std::any_of(word.begin(), word.end(), is_digit);
        if (!hash)
            for (char c : part) out += lower(c);
        file.remove_prefix(end);
    }
}

// Without parameters, template arguments, hashes and clones.
void append_native_function(std::string& out, std::string_view f) {
    int depth = 0;
    for (std::size_t i = 0; i < f.size(); ++i) {
        if (f.substr(i).starts_with("operator")) {
            auto const end = std::min(f.find('(', i + 9), f.size());
            out.append(f.substr(i, end - i)), i = end - 1;
            continue;
        }
        if (f.substr(i).starts_with("(anonymous namespace)")) {
            out += "(anonymous namespace)", i += 20;
            continue;
        }
        if (depth == 0 && (f[i] == '(' || f.substr(i).starts_with(" ["))) break;
        if (f[i] == '<') {
            ++depth;
        } else if (f[i] == '>') {
            depth -= depth > 0;
        } else if (depth == 0) {
            out += f[i];
        }
    }
    if (auto const hash = out.rfind("::h"); hash != out.npos && out.size() - hash == 19) out.resize(hash);
}

void append_code(std::string& out, std::string_view line) {
    line = trimmed(line);
    if (!line.empty() && line.size() <= context_bytes_max) (out += '\n') += line;
}
bool has_no_name(std::string_view function) {
    return function.empty() || function == "?" || function == "<anonymous>" || function == "anonymous";
}

void append_key(std::string& out, Frame const& f, std::string_view platform) {
    if (is_native(platform) && !f.function.empty()) return append_native_function(out, f.function);
    bool const javascript = is_javascript(platform);
    if (!f.module.empty()) out += f.module.view();
    if (f.module.empty() || javascript) (out += '\n'), append_basename(out, f.file);
    bool const code = !trimmed(f.context_line).empty() && trimmed(f.context_line).size() <= context_bytes_max;
    if (!has_no_name(f.function) && !(javascript && code)) (out += '\n') += f.function.view();
    append_code(out, f.context_line);
}

bool is_of_a_library(std::string_view file) {
    constexpr std::array<std::string_view, 9> inside = {
        "/site-packages/", "/dist-packages/", "/node_modules/", "/vendor/bundle/", "/.cargo/registry/",
        "/go/pkg/mod/",    "/rustc/",         "/jdk/",          "/gems/"};
    constexpr std::array<std::string_view, 11> start = {
        "/usr/lib/", "/usr/local/lib/python", "/usr/include/", "/lib/", "node:", "internal/", "<frozen ", "<anonymous>", "native ",
        "webpack/",  "chrome-extension:"};
    for (auto s : start)
        if (file.starts_with(s)) return true;
    if (file.starts_with("node_modules/")) return true;
    return file.find('/') != file.npos && std::any_of(inside.begin(), inside.end(), [&](auto s) { return file.find(s) != file.npos; });
}

// Hashes parts, each with its length so that ("ab","c") isn't ("a","bc"), and notes them down if asked.
class Mixer {
   public:
    explicit Mixer(std::vector<std::string>* why) : why_(why) {}
    void add(std::string_view part) {
        hash_ = hash64(part, mix64(hash_ ^ part.size()));
        if (why_) why_->emplace_back(part);
    }
    void add(std::uint64_t part) { hash_ = mix64(hash_ ^ part) + part; }
    std::uint64_t value() const { return hash_; }

   private:
    std::vector<std::string>* why_;
    std::uint64_t hash_ = fingerprint_version;
};

class Fingerprinter {
   public:
    Fingerprinter(Report const& report, Rules const& rules, std::vector<std::string>* why) : r_(report), rules_(rules), why_(why) {}

    Fingerprints run() {
        for (auto const& rule : rules_.rules)
            if (rule.action == RuleAction::fingerprint && matches(rule, r_, nullptr, true)) {
                auto out = of_parts(rule.parts, GroupedBy::rule);
                out.rule_line = rule.line;
                return out;
            }
        if (client_says_more()) return of_parts(r_.fingerprint, GroupedBy::client);
        return by_default(why_);
    }

    std::string expanded(std::string_view part) const {
        std::string out;
        while (!part.empty()) {
            auto const from = part.find("{{"), to = part.find("}}", std::min(from, part.size()));
            if (from == part.npos || to == part.npos) return out.append(part);
            out.append(part.substr(0, from)).append(variable(trimmed(part.substr(from + 2, to - from - 2))));
            part.remove_prefix(to + 2);
        }
        return out;
    }

   private:
    static bool is_default(std::string_view part) {
        part = trimmed(part);
        return part.starts_with("{{") && part.ends_with("}}") && part.size() > 4 && trimmed(part.substr(2, part.size() - 4)) == "default";
    }
    bool client_says_more() const { return !r_.fingerprint.empty() && !(r_.fingerprint.size() == 1 && is_default(r_.fingerprint[0])); }

    template <class Part>
    Fingerprints of_parts(std::vector<Part> const& parts, GroupedBy how) {
        Mixer app(why_), system(nullptr);
        for (auto const& part : parts) {
            if (is_default(part)) {
                auto const inner = by_default(why_);
                app.add(inner.app), system.add(inner.system);
            } else {
                auto const text = expanded(part);
                app.add(text), system.add(text);
            }
        }
        return {app.value(), system.value(), how};
    }

    std::string variable(std::string_view name) const {
        auto const* last = r_.exceptions.empty() ? nullptr : &r_.exceptions.back();
        auto const* frame = top_frame();
        if (name == "type") return last ? last->type.str() : std::string();
        if (name == "value") return last ? normal_text(last->value) : std::string();
        if (name == "message") return normal_text(!r_.message.empty() ? r_.message.view() : last ? last->value.view() : std::string_view());
        if (name == "function") return frame ? frame->function.str() : std::string();
        if (name == "module") return frame ? frame->module.str() : std::string();
        if (name == "logger") return r_.logger.str();
        if (name == "topic" || name == "transaction") return r_.topic.str();
        if (name == "release") return r_.release.str();
        if (name == "environment") return r_.environment.str();
        if (name == "platform") return r_.platform.str();
        if (name == "level") return codec::encode_scalar(codec::type_of<Level>(), &r_.level);
        for (std::string_view prefix : {"tag.", "tags."})
            if (name.starts_with(prefix))
                for (auto const& tag : r_.tags)
                    if (tag.key.view() == name.substr(prefix.size())) return tag.value.str();
        return {};
    }
    Frame const* top_frame() const {
        auto const& frames = r_.exceptions.empty() ? r_.stack : r_.exceptions.back().frames;
        for (auto f = frames.rbegin(); f != frames.rend(); ++f)
            if (in_app(*f)) return &*f;
        return frames.empty() ? nullptr : &frames.back();
    }

    bool in_app(Frame const& frame) const {
        bool out = is_in_app(frame, r_.platform);
        for (auto const& rule : rules_.rules) {
            bool const about = rule.action == RuleAction::in_app || rule.action == RuleAction::not_in_app;
            if (about && matches(rule, r_, &frame, out)) out = rule.action == RuleAction::in_app;
        }
        return out;
    }

    Fingerprints by_default(std::vector<std::string>* why) {
        Mixer app(why), system(nullptr);
        auto const both = [&](std::string_view part) { app.add(part), system.add(part); };
        auto const done = [&](GroupedBy how) { return Fingerprints{app.value(), system.value(), how}; };
        if (!r_.exceptions.empty()) {
            for (auto const& e : r_.exceptions) exception(e, app, system);
            return done(GroupedBy::exceptions);
        }
        if (!r_.stack.empty()) {
            if (!r_.message_template.empty()) both(r_.message_template);
            stack(r_.stack, app, system);
            return done(GroupedBy::stack);
        }
        if (r_.template_frame)
            return both(r_.template_frame->file), both(trimmed(r_.template_frame->context_line)), done(GroupedBy::template_line);
        if (r_.csp) return both(r_.csp->directive), both(host_of(r_.csp->blocked)), done(GroupedBy::csp);
        if (!r_.message_template.empty()) return both(r_.message_template), done(GroupedBy::message);
        if (!r_.message.empty()) return both(normal_text(r_.message)), done(GroupedBy::message);
        both(codec::encode_scalar(codec::type_of<ReportKind>(), &r_.kind)), both(r_.topic);
        return done(GroupedBy::nothing);
    }
    void exception(Exception const& e, Mixer& app, Mixer& system) {
        app.add(e.type), system.add(e.type);
        if (!e.frames.empty()) return stack(e.frames, app, system);
        auto const value = normal_text(e.value);
        app.add(value), system.add(value);
    }
    // From the innermost frame out; a frame that calls itself counts once.
    void stack(std::vector<Frame> const& frames, Mixer& app, Mixer& system) {
        std::size_t of_app = 0, of_all = 0;
        std::string before;
        for (auto f = frames.rbegin(); f != frames.rend() && of_all < system_frames_max; ++f) {
            key_.clear(), append_key(key_, *f, r_.platform);
            if (key_ == before) continue;
            system.add(key_), ++of_all;
            if (of_app < app_frames_max && in_app(*f)) app.add(key_), ++of_app;
            std::swap(before, key_);
        }
        if (of_app == 0) app.add(system.value());
    }
    static std::string_view host_of(std::string_view url) {
        auto const scheme = url.find("://");
        if (scheme == url.npos) return url;
        url.remove_prefix(scheme + 3);
        return url.substr(0, url.find_first_of("/?#:"));
    }

    Report const& r_;
    Rules const& rules_;
    std::vector<std::string>* why_;
    std::string key_;
};

std::string cut_title(std::string_view text) {
    std::string room;
    auto const line = trimmed(text.substr(0, text.find('\n')));
    auto const fitted = fit_text(line, title_chars_max - 1, room);
    return fitted.left_out ? std::string(fitted.text) + "…" : std::string(fitted.text);
}

}  // namespace

bool is_in_app(Frame const& frame, std::string_view platform) {
    auto const file = frame.file.view();
    if (is_of_a_library(file)) return false;
    if (is_native(platform) && frame.function.view().starts_with("std::")) return false;
    return frame.in_app.value_or(true);
}

std::string frame_key(Frame const& frame, std::string_view platform) {
    std::string out;
    append_key(out, frame, platform);
    return out;
}

Fingerprints fingerprint(Report const& report, Rules const& rules, std::vector<std::string>* why) {
    return Fingerprinter(report, rules, why).run();
}

std::optional<std::string> ruled_title(Report const& report, Rules const& rules) {
    for (auto const& rule : rules.rules) {
        if (rule.action != RuleAction::title || !matches(rule, report, nullptr, true)) continue;
        std::string title;
        for (auto const& part : rule.parts) title += (title.empty() ? "" : " ") + Fingerprinter(report, rules, nullptr).expanded(part);
        return cut_title(title);
    }
    return {};
}

std::string title_of(Report const& report, Rules const& rules) {
    if (auto ruled = ruled_title(report, rules)) return *ruled;
    if (report.exceptions.empty()) {
        if (!report.message.empty()) return cut_title(report.message);
        return report.topic.empty() ? "(no title)" : cut_title(report.topic);
    }
    auto const& last = report.exceptions.back();
    if (last.type.empty()) return cut_title(last.value);
    return cut_title(last.value.empty() ? last.type.str() : fmt::format("{}: {}", last.type.view(), trimmed(last.value)));
}

}  // namespace gantry::oops
