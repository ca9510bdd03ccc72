#include "services/oops/rfc822.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace gantry::oops {
namespace {

constexpr std::size_t bytes_max = 16 << 20, lines_max = 200'000;

struct Header {
    std::string_view name;  // in small letters
    std::string_view wire;  // as it is written
    std::string_view key;   // in the dictionary
};
// In the order in which they are written.
constexpr std::array<Header, 12> headers = {{{"oops-id", "Oops-Id", "id"},
                                             {"exception-type", "Exception-Type", "type"},
                                             {"exception-value", "Exception-Value", "value"},
                                             {"date", "Date", "time"},
                                             {"page-id", "Page-Id", "topic"},
                                             {"branch", "Branch", "branch_nick"},
                                             {"revision", "Revision", "revno"},
                                             {"user", "User", "username"},
                                             {"url", "URL", "url"},
                                             {"duration", "Duration", "duration"},
                                             {"informational", "Informational", "informational"},
                                             {"oops-reporter", "Oops-Reporter", "reporter"}}};

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) { return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }
std::string lower(std::string_view s) {
    std::string out(s);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = char(c | 0x20);
    return out;
}
std::string_view trimmed(std::string_view s) {
    while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
    return s;
}

// ASCII with backslashes: what isn't is \xNN, \uNNNN or \UNNNNNNNN; a backslash is doubled, a line feed is \n.
std::string escaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        auto const n = codec::utf8_length_at(text, i);
        auto const c = std::uint8_t(text[i]);
        if (n <= 1) {
            if (c == '\\')
                out += "\\\\";
            else if (c == '\n')
                out += "\\n";
            else if (c == '\r')
                out += "\\r";
            else if (c == '\t')
                out += "\\t";
            else if (c < 0x20 || c >= 0x7f)
                out += fmt::format("\\x{:02x}", c);
            else
                out += text[i];
            ++i;
            continue;
        }
        std::uint32_t code = n == 2 ? c & 31 : n == 3 ? c & 15 : c & 7;
        for (std::size_t k = 1; k < n; ++k) code = code << 6 | (std::uint8_t(text[i + k]) & 63);
        out += code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
        i += n;
    }
    return out;
}
void append_utf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) return void(out += char(c));
    if (c < 0x800) return void((out += char(0xc0 | c >> 6)) += char(0x80 | (c & 63)));
    if (c < 0x10000) return void(((out += char(0xe0 | c >> 12)) += char(0x80 | (c >> 6 & 63))) += char(0x80 | (c & 63)));
    ((out += char(0xf0 | c >> 18)) += char(0x80 | (c >> 12 & 63))) += char(0x80 | (c >> 6 & 63));
    out += char(0x80 | (c & 63));
}
bool read_code(std::string_view digits, std::size_t count, std::uint32_t& out) {
    if (digits.size() < count) return false;
    out = 0;
    for (std::size_t i = 0; i < count; ++i) {
        int const d = hex_digit(digits[i]);
        if (d < 0) return false;
        out = out << 4 | std::uint32_t(d);
    }
    return out < 0x110000 && (out < 0xd800 || out >= 0xe000);
}
// \xNN is a byte, as it was one when it was written. What is no escape stays.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
        std::uint32_t code = 0;
        std::size_t const digits = next == 'x' ? 2 : next == 'u' ? 4 : next == 'U' ? 8 : 0;
        if (digits && read_code(text.substr(i + 2), digits, code)) {
            if (next == 'x')
                out += char(code);
            else
                append_utf8(out, code);
            i += 1 + digits;
        } else if (next == '\\' || next == 'n' || next == 'r' || next == 't') {
            out += next == '\\' ? '\\' : next == 'n' ? '\n' : next == 'r' ? '\r' : '\t', ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

bool is_safe(char c) {
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || std::string_view("_.-~;/\\?:@&+$, ()*!").contains(c);
}
std::string quoted(std::string_view text) {
    std::string out;
    for (char c : text)
        if (is_safe(c))
            out += c;
        else
            out += fmt::format("%{:02X}", std::uint8_t(c));
    return out;
}
std::string unquoted(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int const high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1, low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0)
            out += char(high << 4 | low), i += 2;
        else
            out += text[i];
    }
    return out;
}
std::string collapsed(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool const space = is_space(c) || c == '\n' || c == '\r' || c == '\v' || c == '\f';
        if (!space)
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

// (\d+)-(\d+)(?:@([\w-]+))?\s+(.*)
bool read_statement(std::string_view line, Bson& out) {
    std::int64_t start = 0, end = 0;
    auto number = [&](std::int64_t& n) {
        auto const read = std::from_chars(line.data(), line.data() + line.size(), n);
        if (read.ec != std::errc() || !is_digit(line[0])) return false;
        return line.remove_prefix(std::size_t(read.ptr - line.data())), true;
    };
    if (line.empty() || !number(start) || !line.starts_with('-')) return false;
    line.remove_prefix(1);
    if (line.empty() || !number(end)) return false;
    std::string category;
    if (line.starts_with('@')) {
        std::size_t n = 1;
        while (n < line.size() &&
               (is_digit(line[n]) || ((line[n] | 0x20) >= 'a' && (line[n] | 0x20) <= 'z') || line[n] == '_' || line[n] == '-'))
            ++n;
        category = line.substr(1, n - 1);
        if (category.empty()) return false;
        line.remove_prefix(n);
    }
    if (line.empty() || !is_space(line[0])) return false;
    out = Bson::array();
    out.push(Bson::of(start)), out.push(Bson::of(end));
    out.push(category.empty() ? Bson{} : Bson::of(category));
    out.push(Bson::of(unescaped(trimmed(line))));
    return true;
}
bool starts_traceback(std::string_view line) { return lower(line.substr(0, 9)) == "traceback" || line.starts_with("== EXTRA DATA =="); }

class Reader {
   public:
    explicit Reader(std::string_view text) : rest_(text) {}

    Result<Bson> run() {
        TRY_VOID(read_headers());
        body();
        if (variables_.members.size()) out_.add("req_vars", std::move(variables_));
        if (timeline_.members.size()) out_.add("timeline", std::move(timeline_));
        return std::move(out_);
    }

   private:
    bool line(std::string_view& out) {
        if (rest_.empty()) return false;
        auto const end = rest_.find('\n');
        out = rest_.substr(0, end);
        rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
        if (out.ends_with('\r')) out.remove_suffix(1);
        return ++number_, true;
    }
    std::unexpected<Problem> refuse(std::string_view why) const {
        return fail(400, "oops_text_invalid", fmt::format("line {}: {}", number_, why));
    }

    Result<void> read_headers() {
        std::string_view now;
        std::string name, value;
        while (line(now) && !now.empty()) {
            if (is_space(now[0]) && !name.empty()) {
                (value += ' ') += trimmed(now);
                continue;
            }
            TRY_VOID(header(name, value));
            auto const colon = now.find(':');
            if (colon == now.npos || colon == 0) return refuse("a header is `Name: value`");
            name = lower(trimmed(now.substr(0, colon))), value = trimmed(now.substr(colon + 1));
        }
        TRY_VOID(header(name, value));
        if (!out_.find("id")) return refuse("the header Oops-Id is missing");
        return {};
    }
    Result<void> header(std::string_view name, std::string_view value) {
        if (name.empty()) return {};
        if (name == "topic") name = "page-id";
        auto const known = std::find_if(headers.begin(), headers.end(), [&](auto const& h) { return h.name == name; });
        if (known == headers.end() || out_.find(known->key)) return {};
        if (known->key == "time") return time(value);
        if (known->key == "duration") return duration(value);
        if (known->key == "informational") return out_.add("informational", Bson::of(lower(value) == "true")), Result<void>{};
        out_.add(known->key, Bson::of(unescaped(value)));
        return {};
    }
    // A day without a time of day isn't told; a time without a zone is UTC.
    Result<void> time(std::string_view value) {
        auto told = parse_time(value);
        if (!told) told = parse_time(fmt::format("{}Z", value));
        if (!told) return refuse(fmt::format("Date is an ISO 8601 time, not {:.40}", value));
        // Of microseconds, which a datetime of BSON doesn't hold, the text keeps all.
        if (told->us % 1000 == 0)
            out_.add("time", Bson::of(*told));
        else
            out_.add("time", Bson::of(format_time(*told)));
        return {};
    }
    Result<void> duration(std::string_view value) {
        double seconds = 0;
        auto const read = std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (read.ec != std::errc() || read.ptr != value.data() + value.size())
            return refuse(fmt::format("Duration is seconds, not {:.40}", value));
        out_.add("duration", Bson::of(seconds));
        return {};
    }

    // Variables, statements and a traceback: told apart by how their lines look, for writers didn't agree on blank lines.
    void body() {
        std::string_view now;
        bool statements = false;
        for (auto before = rest_; line(now); before = rest_) {
            Bson statement;
            if (starts_traceback(now)) return traceback(before);
            if (now.empty()) continue;
            if (read_statement(now, statement)) {
                timeline_.push(std::move(statement)), statements = true;
            } else if (auto const equals = now.find('='); equals != now.npos && !statements) {
                variables_.add(unescaped(unquoted(now.substr(0, equals))), Bson::of(unescaped(unquoted(now.substr(equals + 1)))));
            } else {
                return traceback(before);
            }
        }
    }
    void traceback(std::string_view text) {
        rest_ = {};
        out_.add("tb_text", Bson::of(unescaped_lines(text)));
    }
    static std::string unescaped_lines(std::string_view text) {
        std::string out;
        while (!text.empty()) {
            auto const end = text.find('\n');
            out += unescaped(text.substr(0, end));
            if (end != text.npos) out += '\n';
            text.remove_prefix(end == text.npos ? text.size() : end + 1);
        }
        return out;
    }

    std::string_view rest_;
    std::size_t number_ = 0;
    Bson out_ = Bson::document(), variables_ = Bson::document(), timeline_ = Bson::array();
};

// A scalar as a header or a variable shows it.
std::string shown(Bson const& v) {
    switch (v.type) {
        case BsonType::boolean: return v.integer ? "True" : "False";
        case BsonType::int32:
        case BsonType::int64: return std::to_string(v.integer);
        case BsonType::real: return fmt::format("{}", v.real);
        case BsonType::datetime: return format_time({v.integer * 1000});
        case BsonType::text:
        case BsonType::code:
        case BsonType::symbol: return v.text;
        case BsonType::null:
        case BsonType::undefined: return {};
        default: {
            std::string out;
            append_json(out, v);
            return out;
        }
    }
}
Bson const& at(Bson const& list, std::size_t i) {
    static Bson const none;
    return i < list.members.size() ? list.members[i] : none;
}

// (name, value) of the request's variables, of a dictionary or of a list of pairs, where a single stands for a name without value.
std::vector<std::pair<std::string, std::string>> variables_of(Bson const& told) {
    std::vector<std::pair<std::string, std::string>> out;
    for (auto const& value : told.members) {
        if (!told.is_list())
            out.emplace_back(value.key, shown(value));
        else if (value.is_list())
            out.emplace_back(shown(at(value, 0)), shown(at(value, 1)));
        else
            out.emplace_back(shown(value), "");
    }
    std::sort(out.begin(), out.end());
    return out;
}

void write_headers(Bson const& report, std::string& out) {
    for (auto const& h : headers) {
        auto const* value = report.find(h.key);
        if (!value && h.key == "revno") value = report.find("revision");
        if (!value && h.key != "id") continue;
        if (value && (value->is(BsonType::null) || value->is(BsonType::undefined)) && h.key != "id") continue;
        out += fmt::format("{}: {}\n", h.wire, value ? escaped(shown(*value)) : "");
    }
}
void write_timeline(Bson const& rows, std::string& out, std::vector<std::string>& lost) {
    for (std::size_t i = 0; i < rows.members.size(); ++i) {
        auto const& row = rows.members[i];
        auto const ms = [&](std::size_t k) {
            auto const& v = at(row, k);
            return std::max<std::int64_t>(0, v.is(BsonType::real) ? std::int64_t(v.real) : v.integer);
        };
        auto const category = shown(at(row, 2));
        out +=
            fmt::format("{:05}-{:05}{}{} {}\n", ms(0), ms(1), category.empty() ? "" : "@", category, escaped(collapsed(shown(at(row, 3)))));
        if (row.members.size() > 4) lost.push_back(fmt::format("timeline/{}/traceback", i));
    }
}
void name_what_is_lost(Bson const& report, std::vector<std::string>& lost) {
    for (auto const& member : report.members) {
        bool const header = std::any_of(headers.begin(), headers.end(), [&](auto const& h) { return h.key == member.key; });
        if (!header && member.key != "revision" && member.key != "req_vars" && member.key != "timeline" && member.key != "tb_text")
            lost.push_back(member.key);
    }
}

}  // namespace

Result<Bson> read_rfc822(std::string_view text) {
    if (text.size() > bytes_max) return fail(413, "oops_text_too_large", fmt::format("a report has at most {} bytes", bytes_max));
    if (std::size_t(std::count(text.begin(), text.end(), '\n')) > lines_max)
        return fail(413, "oops_text_too_large", fmt::format("a report has at most {} lines", lines_max));
    return Reader(text).run();
}

std::string write_rfc822(Bson const& report, std::vector<std::string>* lost) {
    std::string out;
    std::vector<std::string> unsaid;
    write_headers(report, out);
    out += '\n';
    if (auto const* variables = report.find("req_vars"))
        for (auto const& [name, value] : variables_of(*variables))
            out += fmt::format("{}={}\n", quoted(escaped(name)), quoted(escaped(value)));
    out += '\n';
    if (auto const* rows = report.find("timeline")) write_timeline(*rows, out, unsaid);
    if (auto const* traceback = report.find("tb_text"); traceback && traceback->is(BsonType::text)) {
        out += '\n';
        for (std::string_view rest = traceback->text; !rest.empty();) {
            auto const end = rest.find('\n');
            out += escaped(rest.substr(0, end));
            if (end != rest.npos) out += '\n';
            rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        }
    }
    name_what_is_lost(report, unsaid);
    if (lost) *lost = std::move(unsaid);
    return out;
}

}  // namespace gantry::oops
