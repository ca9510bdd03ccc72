#include "kernel/observe/log_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "kernel/codec/utf8.h"

namespace gantry::observe {
namespace {

constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;

// Whether one of eight bytes may not stand as it is inside JSON's quotes: a control character, '"', '\', DEL, or not ASCII.
bool any_special(std::uint64_t word) {
    auto const is_zero = [](std::uint64_t w) { return (w - ones) & ~w & highs; };
    std::uint64_t const below_space = (word - ones * 0x20) & ~word & highs;
    return (word & highs) | below_space | is_zero(word ^ (ones * '"')) | is_zero(word ^ (ones * '\\')) | is_zero(word ^ (ones * 0x7f));
}
bool is_special(unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c >= 0x7f; }

std::size_t plain_prefix(std::string_view text) {
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + i, 8);
        if (any_special(word)) break;
    }
    while (i < text.size() && !is_special(static_cast<unsigned char>(text[i]))) ++i;
    return i;
}

// U+0080 to U+009F: a terminal may obey them as it does ESC and what follows.
bool is_c1(std::string_view text, std::size_t i) {
    return text[i] == '\xc2' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
}

void append_hex_escape(std::string& out, unsigned char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    out.append("\\u00").push_back(digits[c >> 4]);
    out.push_back(digits[c & 15]);
}

// One character (or one byte that is none); says how many bytes it took.
std::size_t append_escaped_at(std::string& out, std::string_view text, std::size_t i) {
    auto const c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') return out.append({'\\', char(c)}), 1;
    if (c == '\n') return out.append("\\n"), 1;
    if (c == '\t') return out.append("\\t"), 1;
    if (c == '\r') return out.append("\\r"), 1;
    if (c < 0x20 || c == 0x7f) return append_hex_escape(out, c), 1;
    std::size_t const length = codec::utf8_length_at(text, i);
    if (length == 0) return out.push_back('?'), 1;
    if (is_c1(text, i)) return append_hex_escape(out, static_cast<unsigned char>(text[i + 1])), 2;
    out.append(text.substr(i, length));
    return length;
}

void append_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        std::size_t const plain = plain_prefix(text);
        out.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (!text.empty()) text.remove_prefix(append_escaped_at(out, text, 0));
    }
}

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> digits;
    auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

void append_json_value(std::string& out, LogField::Value const& value) {
    if (auto* text = std::get_if<std::string_view>(&value)) return append_quoted(out, *text);
    if (auto* number = std::get_if<double>(&value); number && !std::isfinite(*number)) return void(out.append("null"));
    append_plain(out, value);
}

void append_logfmt_text(std::string& out, std::string_view text) {
    bool const plain = !text.empty() && plain_prefix(text) == text.size() && text.find(' ') == text.npos && text.find('=') == text.npos;
    if (plain) return void(out.append(text));
    append_quoted(out, text);
}

// Apache's rule for what a client chose: anything but printable ASCII goes as \xHH, and so do the marks that would end the column.
void append_ncsa_text(std::string& out, std::string_view text, bool quoted) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (text.empty()) return out.push_back('-');
    for (unsigned char c : text) {
        if (quoted && (c == '"' || c == '\\')) {
            out.append({'\\', char(c)});
        } else if (c < 0x20 || c >= 0x7f || (!quoted && (c == ' ' || c == '"' || c == '\\'))) {
            out.append({'\\', 'x', digits[c >> 4], digits[c & 15]});
        } else {
            out.push_back(char(c));
        }
    }
}

void append_two(char* to, unsigned value) { to[0] = char('0' + value / 10), to[1] = char('0' + value % 10); }

std::int64_t whole_second(std::int64_t us) { return us >= 0 ? us / 1'000'000 : (us - 999'999) / 1'000'000; }

std::string_view masked_target(AccessRecord const& r, std::string& scratch) {
    if (!r.target_cut && r.target.find('?') == r.target.npos) return r.target;
    scratch.clear();
    append_masked(scratch, r.target);
    if (r.target_cut) scratch.append("…");
    return scratch;
}

// Writes into room that is known to suffice.
class Pen {
   public:
    explicit Pen(char* at) : at_(at) {}
    Pen& put(std::string_view text) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        return *this;
    }
    template <std::integral Number>
    Pen& put(Number value) {
        at_ = std::to_chars(at_, at_ + 24, value).ptr;
        return *this;
    }
    // An absent one is left out.
    void field(std::string_view start, std::string_view text) {
        if (text.empty()) return;
        put(start);
        if (plain_prefix(text) == text.size()) {
            put(text);
        } else {
            std::string escaped;
            append_escaped(escaped, text);
            put(escaped);
        }
        put("\"");
    }
    // Of our own making: nothing in it needs an escape.
    void plain_field(std::string_view start, std::string_view text) {
        if (!text.empty()) put(start).put(text).put("\"");
    }
    char* end() const { return at_; }

   private:
    char* at_;
};

// Behind the time; says where it ends.
char* write_json_access(char* to, AccessRecord const& r, std::string_view target) {
    Pen pen(to);
    pen.put(R"(","level":"info","module":"access","message":"request")");
    pen.field(R"(,"client":")", r.client);
    pen.field(R"(,"caller":")", r.caller);
    pen.plain_field(R"(,"method":")", r.method);
    pen.field(R"(,"target":")", target);
    pen.put(R"(,"status":)").put(r.status).put(R"(,"sent_bytes":)").put(r.sent_bytes).put(R"(,"duration_us":)").put(r.duration_us);
    pen.field(R"(,"request_id":")", r.request_id);
    pen.plain_field(R"(,"trace_id":")", r.trace_id);
    pen.plain_field(R"(,"service":")", r.service);
    pen.plain_field(R"(,"route":")", r.route);
    pen.plain_field(R"(,"site":")", r.site);
    pen.field(R"(,"user_agent":")", r.user_agent);
    pen.plain_field(R"(,"refused":")", r.refused);
    pen.put(r.tls ? ",\"tls\":true}\n" : "}\n");
    return pen.end();
}

void append_json_access(std::string& out, AccessRecord const& r, std::string_view target, Stamps& stamps) {
    out.append(R"({"time":")");
    stamps.append(out, r.at);
    constexpr std::size_t names_and_numbers = 384, escaped_bytes_max = 6;  // \u0000
    std::size_t const shown = r.client.size() + r.caller.size() + target.size() + r.request_id.size() + r.user_agent.size();
    std::size_t const ours = r.method.size() + r.trace_id.size() + r.service.size() + r.route.size() + r.site.size() + r.refused.size();
    auto const begun = out.size();
    out.resize_and_overwrite(begun + names_and_numbers + shown * escaped_bytes_max + ours,
                             [&](char* all, std::size_t) { return std::size_t(write_json_access(all + begun, r, target) - all); });
}

void append_combined_access(std::string& out, AccessRecord const& r, std::string_view target, Stamps& stamps) {
    append_ncsa_text(out, r.client, false);
    out.append(" - ");
    append_ncsa_text(out, r.caller, false);
    out.append(" [");
    stamps.append_ncsa(out, r.at);
    out.append("] \"");
    append_ncsa_text(out, r.method, true);
    out.push_back(' ');
    append_ncsa_text(out, target, true);
    append_number(out.append(" HTTP/1."), unsigned(r.http_minor));
    append_number(out.append("\" "), r.status);
    out.push_back(' ');
    append_number(out, r.sent_bytes);
    out.append(" \"-\" \"");
    append_ncsa_text(out, r.user_agent, true);
    out.append("\"\n");
}

}  // namespace

std::string_view Stamps::of(Time t) {
    std::int64_t const second = whole_second(t.us);
    if (second != second_) {
        std::array<char, 27> whole;
        format_time(Time{second * 1'000'000}, whole.data());
        std::memcpy(text_.data(), whole.data(), 19);
        text_[19] = '.', text_[26] = 'Z';
        second_ = second;
    }
    auto const us = unsigned(t.us - second * 1'000'000);
    append_two(text_.data() + 20, us / 10'000);
    append_two(text_.data() + 22, us / 100 % 100);
    append_two(text_.data() + 24, us % 100);
    return {text_.data(), text_.size()};
}

void Stamps::append_ncsa(std::string& out, Time t) {
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (std::int64_t const second = whole_second(t.us); second != ncsa_second_) {
        auto const iso = of(t);
        auto const month = std::size_t((iso[5] - '0') * 10 + (iso[6] - '0') - 1);
        ncsa_.assign(iso.substr(8, 2)).append("/").append(months.substr(month * 3, 3)).append("/").append(iso.substr(0, 4));
        ncsa_.append(":").append(iso.substr(11, 8)).append(" +0000");
        ncsa_second_ = second;
    }
    out.append(ncsa_);
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    append_escaped(out, text);
    out.push_back('"');
}

void append_printable(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        std::size_t const plain = plain_prefix(text.substr(i));
        out.append(text.substr(i, plain));
        if ((i += plain) == text.size()) return;
        auto const c = static_cast<unsigned char>(text[i]);
        std::size_t const length = codec::utf8_length_at(text, i);
        if (c < 0x20 || c == 0x7f || is_c1(text, i))
            out.push_back(' ');
        else if (length == 0)
            out.push_back('?');
        else
            out.append(text.substr(i, length));
        i += length == 0 ? 1 : length;
    }
}

void append_plain(std::string& out, LogField::Value const& value) {
    if (auto* text = std::get_if<std::string_view>(&value)) return void(out.append(*text));
    if (auto* truth = std::get_if<bool>(&value)) return void(out.append(*truth ? "true" : "false"));
    if (auto* number = std::get_if<double>(&value)) return append_number(out, *number);
    if (auto* number = std::get_if<std::int64_t>(&value)) return append_number(out, *number);
    append_number(out, std::get<std::uint64_t>(value));
}

void append_json_line(std::string& out, LogEntry const& entry, Stamps& stamps) {
    out.append(R"({"time":")");
    stamps.append(out, entry.time);
    out.append(R"(","level":")").append(name_of(entry.level)).append(R"(","module":)");
    append_quoted(out, entry.module);
    out.append(",\"message\":");
    append_quoted(out, entry.message);
    for (auto const& field : entry.fields) {
        out.push_back(',');
        append_quoted(out, field.name);
        out.push_back(':');
        append_json_value(out, field.value);
    }
    out.append("}\n");
}

void append_message_and_fields(std::string& out, LogEntry const& entry) {
    append_printable(out, entry.message);
    for (auto const& field : entry.fields) {
        out.push_back(' ');
        append_printable(out, field.name);
        out.push_back('=');
        if (auto* text = std::get_if<std::string_view>(&field.value))
            append_logfmt_text(out, *text);
        else
            append_plain(out, field.value);
    }
}

void append_logfmt_line(std::string& out, LogEntry const& entry, Stamps& stamps) {
    stamps.append(out, entry.time);
    out.append(" ").append(name_of(entry.level)).append(" ");
    append_printable(out, entry.module);
    out.append(": ");
    append_message_and_fields(out, entry);
    out.push_back('\n');
}

void append_access_line(std::string& out, AccessRecord const& record, AccessFormat format, Stamps& stamps, std::string& scratch) {
    if (format == AccessFormat::logfmt) return append_logfmt_line(out, AccessAsEntry(record, AccessFields::unsaid).entry(), stamps);
    auto const target = masked_target(record, scratch);
    (format == AccessFormat::json ? append_json_access : append_combined_access)(out, record, target, stamps);
}

AccessAsEntry::AccessAsEntry(AccessRecord const& r, AccessFields which) {
    fields_.reserve(16);
    target_ = masked_target(r, message_);
    message_.assign(r.method).append(" ").append(target_).append(" ");
    append_number(message_, r.status);
    auto const text = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) fields_.emplace_back(name, value);
    };
    text("client", r.client), text("caller", r.caller);
    if (which == AccessFields::all) {
        text("method", r.method), text("target", target_);
        fields_.emplace_back("status", r.status);
    }
    fields_.emplace_back("sent_bytes", r.sent_bytes);
    fields_.emplace_back("duration_us", r.duration_us);
    text("request_id", r.request_id), text("trace_id", r.trace_id), text("service", r.service), text("route", r.route);
    text("site", r.site), text("user_agent", r.user_agent), text("refused", r.refused);
    if (r.tls) fields_.emplace_back("tls", true);
    entry_ = {.time = r.at, .level = Level::info, .module = "access", .message = message_, .fields = fields_};
}

}  // namespace gantry::observe
