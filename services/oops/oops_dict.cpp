#include "services/oops/oops_dict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "services/oops/oops_id.h"
#include "services/oops/rfc822.h"
#include "services/oops/traceback.h"

namespace gantry::oops {
namespace {

constexpr std::size_t depth_max = 256;  // of Extended JSON, which nests deeper than the BSON that it tells

std::unexpected<Problem> wrong(std::string_view place, std::string_view expected, Bson const& found) {
    auto const detail = fmt::format("expected {}, found {}", expected, name_of(found.type));
    return fail(Problem{400, "oops_invalid", fmt::format("{}: {}", place, detail), {{fmt::format("/{}", place), detail}}});
}
bool is_nothing(Bson const& v) { return v.is(BsonType::null) || v.is(BsonType::undefined); }
bool is_text(Bson const& v) { return v.is(BsonType::text) || v.is(BsonType::symbol) || v.is(BsonType::code) || v.is(BsonType::binary); }

// A scalar as text; of others their JSON.
std::string reading(Bson const& v) {
    if (is_text(v)) return v.text;
    if (is_nothing(v)) return {};
    if (v.is(BsonType::int64) || v.is(BsonType::int32)) return std::to_string(v.integer);
    if (v.is(BsonType::real)) return fmt::format("{}", v.real);
    std::string out;
    append_json(out, v);
    return out;
}
std::optional<double> number(Bson const& v) {
    if (v.is(BsonType::real)) return v.real;
    if (v.is(BsonType::int32) || v.is(BsonType::int64)) return double(v.integer);
    return {};
}
std::optional<Time> time_of(Bson const& v) {
    if (v.is(BsonType::datetime)) {
        if (v.integer < -62'167'219'200'000 || v.integer > 253'402'300'799'999) return {};  // the years 0 to 9999
        return Time{v.integer * 1000};
    }
    if (!v.is(BsonType::text)) return {};
    auto time = parse_time(v.text);
    if (!time) time = parse_time(fmt::format("{}Z", v.text));
    return time ? std::optional(*time) : std::nullopt;
}

class Reader {
   public:
    Reader(Report& report, ReadOptions const& options) : r_(report), b_(report, options), limits_(options.limits) {}

    Result<void> run(Bson const& told) {
        r_.received_at = b_.options().received_at;
        for (auto const& member : told.members) TRY_VOID(one(member));
        stack();
        TRY_VOID(left_over());
        b_.finish();
        if (kind_untold_) r_.kind = r_.exceptions.empty() && !r_.message.empty() ? ReportKind::message : ReportKind::error;
        if (gantry_) override_with(*gantry_);
        return {};
    }

    static bool knows(std::string_view name) {
        return std::any_of(members.begin(), members.end(), [&](auto const& m) { return m.name == name; });
    }

   private:
    using Read = Result<void> (Reader::*)(Bson const&);
    struct Member {
        std::string_view name;
        Read read;
    };
    static std::array<Member, 22> const members;

    Result<void> one(Bson const& member) {
        auto const at = std::find_if(members.begin(), members.end(), [&](auto const& m) { return m.name == member.key; });
        if (at == members.end()) return extra_.push_back(&member), Result<void>{};
        return is_nothing(member) ? Result<void>{} : (this->*at->read)(member);
    }

    template <std::size_t Max>
    Result<void> text(Text<0, Max>& out, Bson const& v) {
        if (v.is(BsonType::document) || v.is_list()) return wrong(v.key, "text", v);
        return b_.shown(out, reading(v), v.key), Result<void>{};
    }
    Result<void> id(Bson const& v) {
        auto known = lookup_id(reading(v));
        if (known && known->size() <= 64)
            r_.id = ReportId(*known);
        else if (!reading(v).empty())
            extra_.push_back(&v);
        return {};
    }
    Result<void> type(Bson const& v) { return text(type_, v); }
    Result<void> value(Bson const& v) { return text(value_, v); }
    Result<void> tb_text(Bson const& v) { return text(r_.traceback, v); }
    Result<void> time(Bson const& v) {
        r_.told_at = time_of(v);
        return r_.told_at ? Result<void>{} : wrong("time", "a datetime, or text of ISO 8601", v);
    }
    // -1: not known.
    Result<void> duration(Bson const& v) {
        auto const seconds = number(v);
        if (!seconds) return wrong("duration", "seconds", v);
        if (*seconds >= 0 && std::isfinite(*seconds * 1000)) r_.duration_ms = *seconds * 1000;
        return {};
    }
    Result<void> reporter(Bson const& v) { return text(r_.reporter, v); }
    Result<void> topic(Bson const& v) { return text(r_.topic, v); }
    Result<void> url(Bson const& v) { return text(r_.url, v); }
    Result<void> branch(Bson const& v) { return text(r_.branch, v); }
    Result<void> revision(Bson const& v) { return text(r_.revision, v); }
    Result<void> hostname(Bson const& v) { return text(r_.hostname, v); }
    Result<void> message(Bson const& v) { return text(r_.message, v); }
    Result<void> username(Bson const& v) {
        if (v.is(BsonType::document) || v.is_list()) return wrong("username", "text", v);
        if (reading(v) == "unauthenticated" || reading(v).empty()) return extra_.push_back(&v), Result<void>{};
        return b_.text(b_.user().name, reading(v), "user"), Result<void>{};
    }
    Result<void> informational(Bson const& v) {
        if (v.is(BsonType::boolean) && v.integer) r_.kind = ReportKind::informational, kind_untold_ = false;
        return {};
    }
    // 404, or "404 Not Found".
    Result<void> status(Bson const& v) {
        auto const digits = reading(v).substr(0, 3);
        int status = 0;
        for (char c : digits) status = c >= '0' && c <= '9' ? status * 10 + (c - '0') : -1000;
        if (digits.size() != 3 || status < 100) return wrong("HTTP_STATUS", "a status from 100 to 999", v);
        return r_.status = std::uint16_t(status), Result<void>{};
    }
    Result<void> req_vars(Bson const& v) {
        if (!v.is(BsonType::document) && !v.is_list()) return wrong("req_vars", "a document, or a list of pairs", v);
        for (auto const& item : v.members) {
            if (!v.is_list())
                variable(item.key, reading(item));
            else if (item.is_list() && !item.members.empty() && item.members.size() <= 2)
                variable(reading(item.members[0]), item.members.size() == 2 ? reading(item.members[1]) : std::string());
            else
                return wrong(fmt::format("req_vars/{}", item.key), "a list of 1 or 2", item);
        }
        return {};
    }
    void variable(std::string_view name, std::string_view value) {
        if (name == "REQUEST_METHOD") b_.text(r_.method, value, "method");
        if (name == "HTTP_REFERER") b_.shown(r_.referrer, value, "referrer");
        if (name == "HTTP_USER_AGENT") b_.text(r_.user_agent, value, "user_agent");
        b_.add_variable(name, value);
    }
    Result<void> timeline(Bson const& v) {
        if (!v.is_list()) return wrong("timeline", "a list", v);
        for (std::size_t i = 0; i < v.members.size(); ++i) TRY_VOID(row(v.members[i], i));
        return {};
    }
    Result<void> row(Bson const& v, std::size_t i) {
        auto const place = [&] { return fmt::format("timeline/{}", i); };
        auto const size = v.members.size();
        if (!v.is_list() || size < 4 || size > 5) return wrong(place(), "a list of 4 or 5", v);
        auto const start = number(v.members[0]), end = number(v.members[1]);
        if (!start) return wrong(place() + "/0", "milliseconds", v.members[0]);
        if (!end && !is_nothing(v.members[1])) return wrong(place() + "/1", "milliseconds", v.members[1]);
        auto* const out = b_.add(r_.timeline, limits_.timeline_max, "timeline");
        if (!out) return {};
        out->start_ms = ms(*start), out->end_ms = ms(end.value_or(*start));
        b_.text(out->category, reading(v.members[2]), "timeline");
        b_.shown(out->detail, reading(v.members[3]), "timeline");
        if (size == 5 && !is_nothing(v.members[4])) b_.shown(out->traceback.emplace(), reading(v.members[4]), "timeline");
        return {};
    }
    static std::int64_t ms(double n) { return std::isfinite(n) ? std::int64_t(std::clamp(n, -9e15, 9e15)) : 0; }
    Result<void> gantry(Bson const& v) {
        if (v.is(BsonType::text))
            gantry_ = &v;
        else
            extra_.push_back(&v);
        return {};
    }

    // The exceptions that the traceback tells, the last of them with the type and value that stand beside it.
    void stack() {
        auto const told = parse_traceback(r_.traceback);
        for (auto const& e : told) add_exception(e);
        if (type_.empty() && value_.empty()) return;
        if (r_.exceptions.empty()) r_.exceptions.emplace_back();
        auto& last = r_.exceptions.back();
        if (!type_.empty()) last.type = std::move(type_);
        if (!value_.empty()) last.value = std::move(value_);
    }
    void add_exception(TextException const& told) {
        auto& out = r_.exceptions.emplace_back();
        b_.text(out.type, told.type, "exceptions/type");
        b_.text(out.value, told.value, "exceptions/value");
        b_.text(out.module, told.module, "exceptions/module");
        auto const count = told.frames.size();
        Kept const kept{limits_.frames_max / 2, limits_.frames_max - limits_.frames_max / 2};
        b_.cut("frames", kept.left_out(count), CutUnit::items);
        for (std::size_t i = 0; i < count; ++i)
            if (kept.keeps(i, count)) add_frame(out.frames.emplace_back(), told.frames[i]);
    }
    void add_frame(Frame& out, TextFrame const& told) {
        b_.text(out.module, told.module, "frames/module");
        b_.text(out.function, told.function, "frames/function");
        b_.text(out.file, told.file, "frames/file");
        b_.text(out.context_line, told.context_line, "frames/context_line");
        out.line = told.line, out.column = told.column;
    }

    Result<void> left_over() {
        for (auto const* member : extra_) {
            std::string json;
            append_json(json, *member);
            auto const tree = codec::JsonTree::read(json, {.depth_max = depth_max});
            if (!tree) return fail(400, "oops_invalid", fmt::format("{}: {}", member->key, tree.error().detail));
            std::string room;
            b_.add_extra(fit_text(member->key, 200, room).text, tree->root());
        }
        return {};
    }

    void override_with(Bson const& told) {
        auto const tree = codec::JsonTree::read(told.text, {.depth_max = depth_max});
        auto const report = codec::from_json<Report>(told.text, {.depth_max = depth_max, .items_max = 2000, .lenient = true});
        if (!tree || !report || !tree->root().is(codec::JsonKind::object)) return;
        for (auto const& field : codec::type_of<Report>().fields) {
            if (!tree->root()[field.name] || field.name == "id" || field.name == "received_at") continue;
            field.type().ops.assign(reinterpret_cast<char*>(&r_) + field.offset, reinterpret_cast<char const*>(&*report) + field.offset);
        }
    }

    Report& r_;
    Builder b_;
    ReportLimits const& limits_;
    Name type_;
    Long value_;
    bool kind_untold_ = true;
    std::vector<Bson const*> extra_;
    Bson const* gantry_ = nullptr;
};

constexpr std::array<Reader::Member, 22> Reader::members = {{{"id", &Reader::id},
                                                             {"type", &Reader::type},
                                                             {"value", &Reader::value},
                                                             {"tb_text", &Reader::tb_text},
                                                             {"time", &Reader::time},
                                                             {"duration", &Reader::duration},
                                                             {"reporter", &Reader::reporter},
                                                             {"topic", &Reader::topic},
                                                             {"pageid", &Reader::topic},
                                                             {"url", &Reader::url},
                                                             {"username", &Reader::username},
                                                             {"req_vars", &Reader::req_vars},
                                                             {"timeline", &Reader::timeline},
                                                             {"db_statements", &Reader::timeline},
                                                             {"branch_nick", &Reader::branch},
                                                             {"revno", &Reader::revision},
                                                             {"revision", &Reader::revision},
                                                             {"hostname", &Reader::hostname},
                                                             {"informational", &Reader::informational},
                                                             {"HTTP_STATUS", &Reader::status},
                                                             {"message", &Reader::message},
                                                             {"gantry", &Reader::gantry}}};

void add_text(Bson& out, std::string_view name, std::string_view text) {
    if (!text.empty()) out.add(name, Bson::of(text));
}
void add_time(Bson& out, Time t) { out.add("time", t.us % 1000 == 0 ? Bson::of(t) : Bson::of(format_time(t))); }

Bson variables_of(Report const& report) {
    Bson out = Bson::document();
    for (auto const& v : report.variables) out.add(v.name, Bson::of(v.value.view()));
    return out;
}
Bson timeline_of(Report const& report) {
    Bson out = Bson::array();
    for (auto const& row : report.timeline) {
        auto& to = out.push(Bson::array());
        to.push(Bson::of(row.start_ms)), to.push(Bson::of(row.end_ms));
        to.push(row.category.empty() ? Bson{} : Bson::of(row.category.view()));
        to.push(Bson::of(row.detail.view()));
        if (row.traceback) to.push(Bson::of(row.traceback->view()));
    }
    return out;
}

std::string traceback_of(std::vector<Exception> const& exceptions) {
    std::string out;
    for (auto const& e : exceptions) {
        if (!out.empty()) out += "\nDuring handling of the above exception, another exception occurred:\n\n";
        out += "Traceback (most recent call last):\n";
        for (auto const& f : e.frames) {
            out +=
                fmt::format("  File \"{}\", line {}, in {}\n", f.file.empty() ? f.module.view() : f.file.view(), f.line, f.function.view());
            if (!f.context_line.empty()) {
                auto line = f.context_line.view();
                line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
                out += fmt::format("    {}\n", line);
            }
        }
        out += fmt::format("{}{}{}: {}\n", e.module.view(), e.module.empty() ? "" : ".", e.type.view(), e.value.view());
    }
    return out;
}

Bson plain_oops(Report const& report) {
    Bson out = Bson::document();
    add_text(out, "id", report.id);
    if (!report.exceptions.empty()) {
        add_text(out, "type", report.exceptions.back().type);
        add_text(out, "value", report.exceptions.back().value);
    }
    auto const traceback = report.traceback.empty() ? traceback_of(report.exceptions) : report.traceback.str();
    add_text(out, "tb_text", traceback);
    if (report.told_at) add_time(out, *report.told_at);
    if (report.duration_ms) out.add("duration", Bson::of(*report.duration_ms / 1000));
    add_text(out, "reporter", report.reporter);
    add_text(out, "topic", report.topic);
    add_text(out, "url", report.url);
    if (report.user)
        add_text(out, "username",
                 key_of(report.user->value) == report.user->value.id.view() && !report.user->value.name.empty()
                     ? report.user->value.name.view()
                     : key_of(report.user->value));
    if (!report.variables.empty()) out.add("req_vars", variables_of(report));
    if (!report.timeline.empty()) out.add("timeline", timeline_of(report));
    add_text(out, "branch_nick", report.branch);
    add_text(out, "revno", report.revision);
    add_text(out, "hostname", report.hostname);
    add_text(out, "message", report.message);
    if (report.kind == ReportKind::informational) out.add("informational", Bson::of(true));
    if (report.status && *report.status >= 100 && *report.status < 1000) out.add("HTTP_STATUS", Bson::of(std::int64_t(*report.status)));
    return out;
}

// The members of `extra` under their own names, but for names that mean something else there.
void add_extra(Report const& report, Bson& out) {
    if (!report.extra) return;
    auto const tree = codec::JsonTree::read(report.extra->text, {.depth_max = depth_max});
    if (!tree) return;
    for (auto member : tree->root())
        if (!out.find(member.key()) && (member.key() == "username" ? !member.text().empty() : !Reader::knows(member.key())))
            out.add(member.key(), bson_of_json(member));
}

// JSON of the fields that `read` doesn't have as `report` has them.
std::string differing(Report const& report, Report const& read) {
    std::string out;
    for (auto const& field : codec::type_of<Report>().fields) {
        auto const* a = reinterpret_cast<char const*>(&report) + field.offset;
        if (codec::equal(field.type(), a, reinterpret_cast<char const*>(&read) + field.offset)) continue;
        if (field.name == "id" || field.name == "received_at") continue;
        out += fmt::format("{}\"{}\":", out.empty() ? '{' : ',', field.name);
        // An optional that isn't there: null, so that the reader's own is taken away.
        codec::encode_json(field.type(), a, out);
    }
    return out.empty() ? out : out + '}';
}

}  // namespace

Result<Report> report_of_oops(Bson const& told, ReadOptions const& options) {
    Report report;
    TRY_VOID(Reader(report, options).run(told));
    if (report.id.empty()) report.id = ReportId(content_id(write_bson(told)));
    return report;
}

Result<Report> read_oops(std::string_view bytes, ReadOptions const& options) {
    if (bytes.empty()) return report_of_oops(Bson::document(), options);
    auto bson = read_bson(bytes);
    if (bson) return report_of_oops(*bson, options);
    // A document starts with its own size, a text with a letter of a header.
    bool const text = bytes.size() < 4 || (std::uint8_t(bytes[0]) >= 0x20 && std::uint8_t(bytes[3]) >= 0x20);
    if (!text) return std::unexpected(std::move(bson.error()));
    TRY_ASSIGN(auto const read, read_rfc822(bytes));
    return report_of_oops(read, options);
}

Bson oops_of_report(Report const& report, OopsForm form) {
    Bson out = plain_oops(report);
    add_extra(report, out);
    if (form == OopsForm::ancestors) return out;
    auto const read = report_of_oops(out, {.received_at = report.received_at});
    auto const rest = read ? differing(report, *read) : codec::to_json(report);
    if (!rest.empty()) out.add("gantry", Bson::of(rest));
    return out;
}

}  // namespace gantry::oops
