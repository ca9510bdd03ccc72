#include "services/oops/sentry_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "services/oops/sentry_envelope.h"

namespace gantry::oops {
namespace {
using codec::JsonKind;
using codec::JsonTree;
using codec::JsonValue;

std::unexpected<Problem> wrong(std::string_view place, std::string_view expected, JsonValue found) {
    auto const detail = fmt::format("expected {}, found {}", expected, name_of(found.kind()));
    return fail(Problem{400, "event_invalid", fmt::format("{}: {}", place, detail), {{fmt::format("/{}", place), detail}}});
}
bool is_nothing(JsonValue v) { return v.is(JsonKind::absent) || v.is(JsonKind::null); }

// Of a text or number as it reads; of a list or object its JSON.
std::string_view reading(JsonValue v, std::string& room) {
    switch (v.kind()) {
        case JsonKind::text: return v.text();
        case JsonKind::number: return v.token();
        case JsonKind::boolean: return *v.boolean() ? "true" : "false";
        case JsonKind::absent:
        case JsonKind::null: return {};
        default: return room.clear(), v.write(room), room;
    }
}

std::optional<Level> level_of(std::string_view word) {
    constexpr std::array<std::pair<std::string_view, Level>, 9> words = {{{"fatal", Level::fatal},
                                                                          {"critical", Level::fatal},
                                                                          {"error", Level::error},
                                                                          {"warning", Level::warning},
                                                                          {"warn", Level::warning},
                                                                          {"info", Level::info},
                                                                          {"log", Level::info},
                                                                          {"debug", Level::debug},
                                                                          {"sample", Level::debug}}};
    for (auto const& [name, level] : words)
        if (name == word) return level;
    return {};
}

class EventReader {
   public:
    EventReader(Report& report, ReadOptions const& options) : b_(report, options), r_(report), limits_(options.limits) {}

    Result<void> read(JsonValue event, std::string_view fallback_id) {
        if (!event.is(JsonKind::object)) return wrong("event", "an object", event);
        r_.received_at = b_.options().received_at;
        TRY_VOID(id(event["event_id"], fallback_id));
        for (auto member : event) TRY_VOID(one(member));
        settle(event);
        b_.finish();
        return {};
    }

   private:
    template <std::size_t Max>
    void text(Text<0, Max>& out, JsonValue v, std::string_view at) {
        b_.text(out, reading(v, room_), at);
    }
    template <std::size_t Max>
    void shown(Text<0, Max>& out, JsonValue v, std::string_view at) {
        b_.shown(out, reading(v, room_), at);
    }

    Result<void> id(JsonValue given, std::string_view fallback) {
        auto const known = is_nothing(given) ? fallback : given.text();
        auto id = sentry_id(known);
        if (id.empty()) return wrong("event_id", "32 hex digits", given);
        return r_.id = ReportId(id), Result<void>{};
    }

    using Read = Result<void> (EventReader::*)(JsonValue);
    struct Member {
        std::string_view name;
        Read read;
    };
    // Sorted by name.
    static constexpr std::size_t members_count = 35;
    static std::array<Member, members_count> const members;

    Result<void> one(JsonValue member) {
        auto const at =
            std::lower_bound(members.begin(), members.end(), member.key(), [](auto const& m, auto name) { return m.name < name; });
        if (at != members.end() && at->name == member.key()) return is_nothing(member) ? Result<void>{} : (this->*at->read)(member);
        if (!is_nothing(member)) b_.add_extra(member.key(), member);
        return {};
    }

    Result<void> skip(JsonValue) { return {}; }
    Result<void> breadcrumbs(JsonValue v) {
        TRY_ASSIGN(auto const list, values(v, "breadcrumbs"));
        auto const count = list.size();
        b_.cut("breadcrumbs", count - std::min(count, limits_.breadcrumbs_max), CutUnit::items);
        std::size_t i = 0;
        for (auto crumb : list)
            if (i++ + limits_.breadcrumbs_max >= count) breadcrumb(crumb);
        return {};
    }
    void breadcrumb(JsonValue v) {
        auto& out = r_.breadcrumbs.emplace_back();
        out.at = sentry_time(v["timestamp"]);
        text(out.type, v["type"], "breadcrumbs");
        text(out.category, v["category"], "breadcrumbs");
        out.level = level_of(v["level"].text()).value_or(Level::info);
        shown(out.message, v["message"], "breadcrumbs");
        if (v["data"].size()) b_.raw(out.data, v["data"], "breadcrumbs");
    }
    Result<void> contexts(JsonValue v) {
        if (!v.is(JsonKind::object)) return wrong("contexts", "an object", v);
        text(r_.trace_id, v["trace"]["trace_id"], "trace_id");
        text(r_.span_id, v["trace"]["span_id"], "span_id");
        if (auto const status = v["response"]["status_code"].integer(); status && *status >= 100 && *status < 1000)
            r_.status = std::uint16_t(*status);
        for (auto flag : v["flags"]["values"])
            b_.add_named(r_.flags, flag["flag"].text(), reading(flag["result"], room_), limits_.flags_max, "flags");
        add_without("contexts", v, {"feedback"});
        if (v["feedback"].is(JsonKind::object)) add_without("feedback", v["feedback"], {"message", "url", "name", "contact_email"});
        return {};
    }
    // To `extra`, without members that have a field: above all without what tells of a person.
    void add_without(std::string_view name, JsonValue object, std::initializer_list<std::string_view> told_elsewhere) {
        std::string json;
        std::size_t hidden = 0;
        for (auto m : object) {
            if (std::find(told_elsewhere.begin(), told_elsewhere.end(), m.key()) != told_elsewhere.end()) continue;
            json += json.empty() ? '{' : ',';
            codec::append_json_string(json, m.key());
            json += ':';
            hidden += write_without_secrets(m, json, b_.options().secrets);
        }
        if (json.empty()) return;
        r_.hidden += std::uint32_t(hidden);
        b_.add_extra(name, json + '}');
    }
    Result<void> culprit(JsonValue v) {
        if (r_.topic.empty()) text(r_.topic, v, "topic");
        return {};
    }
    Result<void> csp(JsonValue v) {
        auto& out = r_.csp.emplace();
        text(out.directive, v["effective_directive"], "csp");
        shown(out.blocked, v["blocked_uri"], "csp");
        shown(out.document, v["document_uri"], "csp");
        shown(out.source, v["source_file"], "csp");
        return {};
    }
    Result<void> debug_meta(JsonValue v) {
        for (auto image : v["images"])
            if (auto const file = image["code_file"].text(); !file.empty() && !image["debug_id"].text().empty())
                debug_ids_.emplace_back(file, image["debug_id"].text());
        return b_.add_extra("debug_meta", v), Result<void>{};
    }
    Result<void> dist(JsonValue v) { return text(r_.dist, v, "dist"), Result<void>{}; }
    Result<void> environment(JsonValue v) { return text(r_.environment, v, "environment"), Result<void>{}; }
    Result<void> exception(JsonValue v) {
        if (v.is(JsonKind::object) && !v["values"]) return one_exception(v, 0);
        TRY_ASSIGN(auto const list, values(v, "exception"));
        auto const count = list.size();
        Kept const kept{limits_.exceptions_max / 2, limits_.exceptions_max - limits_.exceptions_max / 2};
        b_.cut("exceptions", kept.left_out(count), CutUnit::items);
        std::size_t i = 0;
        for (auto item : list) {
            if (kept.keeps(i, count) && !is_nothing(item)) TRY_VOID(one_exception(item, i));
            ++i;
        }
        return {};
    }
    Result<void> one_exception(JsonValue v, std::size_t i) {
        if (!v.is(JsonKind::object)) return wrong(fmt::format("exception/values/{}", i), "an object", v);
        auto& out = r_.exceptions.emplace_back();
        text(out.type, v["type"], "exceptions/type");
        shown(out.value, v["value"], "exceptions/value");
        text(out.module, v["module"], "exceptions/module");
        if (auto const how = v["mechanism"]; how.is(JsonKind::object)) {
            auto& mechanism = out.mechanism.emplace();
            text(mechanism.type, how["type"], "exceptions/mechanism");
            mechanism.handled = how["handled"].boolean();
        }
        auto const& stack = v["stacktrace"] ? v["stacktrace"] : v["raw_stacktrace"];
        return frames(out.frames, stack, [&] { return fmt::format("exception/values/{}/stacktrace/frames", i); });
    }
    template <class Place>
    Result<void> frames(std::vector<Frame>& out, JsonValue stack, Place place) {
        auto const list = stack["frames"];
        if (is_nothing(list)) return {};
        if (!list.is(JsonKind::list)) return wrong(place(), "a list", list);
        auto const count = list.size();
        Kept const kept{limits_.frames_max / 2, limits_.frames_max - limits_.frames_max / 2};
        b_.cut("frames", kept.left_out(count), CutUnit::items);
        out.reserve(std::min(count, limits_.frames_max));
        std::size_t i = 0;
        for (auto item : list) {
            if (!is_nothing(item) && !item.is(JsonKind::object)) return wrong(fmt::format("{}/{}", place(), i), "an object", item);
            if (kept.keeps(i++, count)) frame(out.emplace_back(), item);
        }
        return {};
    }
    // One walk over the members: a frame has a dozen of them, and a report a hundred frames.
    void frame(Frame& out, JsonValue v) {
        JsonValue package, abs_path;
        for (auto m : v) {
            auto const key = m.key();
            if (key == "filename")
                text(out.file, m, "frames/file");
            else if (key == "function")
                text(out.function, m, "frames/function");
            else if (key == "module")
                text(out.module, m, "frames/module");
            else if (key == "abs_path")
                abs_path = m;
            else if (key == "package")
                package = m;
            else if (key == "lineno")
                out.line = count(m);
            else if (key == "colno")
                out.column = count(m);
            else if (key == "in_app")
                out.in_app = m.boolean();
            else if (key == "context_line")
                shown(out.context_line, m, "frames/context_line");
            else if (key == "pre_context")
                lines(out.lines_before, m, m.size() - std::min(m.size(), limits_.lines_max));
            else if (key == "post_context")
                lines(out.lines_after, m, 0);
            else if (key == "vars")
                variables(out.variables, m);
            else if (key == "debug_id")
                text(out.debug_id, m, "frames/debug_id");
        }
        if (!abs_path.text().empty()) text(out.file, abs_path, "frames/file");
        if (out.module.empty()) text(out.module, package, "frames/module");
        if (out.function == Str("?")) out.function = {};
    }
    static std::uint32_t count(JsonValue v) { return std::uint32_t(std::clamp<std::int64_t>(v.integer().value_or(0), 0, UINT32_MAX)); }
    void lines(std::vector<Phrase>& out, JsonValue list, std::size_t from) {
        auto const size = list.size();
        b_.cut("frames/lines", size - std::min(size, limits_.lines_max), CutUnit::items);
        out.reserve(std::min(size, limits_.lines_max));
        std::size_t i = 0;
        for (auto line : list)
            if (i++ >= from && out.size() < limits_.lines_max) shown(out.emplace_back(), line, "frames/lines");
    }
    void variables(std::vector<Named>& out, JsonValue vars) {
        out.reserve(std::min(vars.size(), limits_.frame_variables_max));
        for (auto v : vars) add_named(out, v.key(), v, limits_.frame_variables_max, "frames/variables");
    }
    // A list or an object becomes the text of its JSON, without the secrets inside.
    void add_named(std::vector<Named>& list, std::string_view name, JsonValue v, std::size_t items_max, std::string_view at) {
        if (v.is(JsonKind::list) || v.is(JsonKind::object)) {
            std::string json;
            auto const hidden = write_without_secrets(v, json, b_.options().secrets);
            if (list.size() < items_max) r_.hidden += std::uint32_t(hidden);
            return b_.add_named(list, name, json, items_max, at);
        }
        b_.add_named(list, name, reading(v, room_), items_max, at);
    }
    Result<void> fingerprint(JsonValue v) {
        if (!v.is(JsonKind::list)) return wrong("fingerprint", "a list", v);
        for (auto part : v)
            if (auto* out = b_.add(r_.fingerprint, limits_.fingerprint_max, "fingerprint")) shown(*out, part, "fingerprint");
        return {};
    }
    Result<void> level(JsonValue v) {
        auto const known = level_of(v.text());
        if (!known) b_.add_extra("level", v);
        return r_.level = known.value_or(Level::error), level_told_ = true, Result<void>{};
    }
    Result<void> logger(JsonValue v) { return text(r_.logger, v, "logger"), Result<void>{}; }
    Result<void> logentry(JsonValue v) {
        if (!v.is(JsonKind::object)) return shown(r_.message, v, "message"), Result<void>{};
        auto const formatted = v["formatted"];
        std::string room;
        auto const pattern = v["message"].text();
        if (!v["params"].size()) {
            shown(r_.message, is_nothing(formatted) ? v["message"] : formatted, "message");
            if (!is_nothing(formatted) && formatted.text() != pattern) b_.shown(r_.message_template, pattern, "message_template");
            return {};
        }
        b_.shown(r_.message_template, pattern, "message_template");
        if (is_nothing(formatted))
            b_.shown(r_.message, filled(pattern, v["params"]), "message");
        else
            shown(r_.message, formatted, "message");
        return {};
    }
    // Python's %s, %d, %r with the parameters in order; anything else stays as it is.
    static std::string filled(std::string_view pattern, JsonValue params) {
        std::string out, room;
        auto param = params.begin();
        auto const end = params.end();
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            bool const placeholder = pattern[i] == '%' && i + 1 < pattern.size() && std::string_view("sdrfixX").contains(pattern[i + 1]);
            if (pattern.substr(i).starts_with("%%"))
                out += '%', ++i;
            else if (placeholder && params.is(JsonKind::list) && !(param == end))
                out += reading(*param, room), ++param, ++i;
            else
                out += pattern[i];
        }
        return out;
    }
    Result<void> message(JsonValue v) {
        if (v.is(JsonKind::object)) return logentry(v);
        if (r_.message.empty()) shown(r_.message, v, "message");
        return {};
    }
    Result<void> modules(JsonValue v) {
        for (auto m : v) b_.add_named(r_.modules, m.key(), reading(m, room_), limits_.modules_max, "modules");
        return {};
    }
    Result<void> platform(JsonValue v) { return text(r_.platform, v, "platform"), Result<void>{}; }
    Result<void> release(JsonValue v) { return text(r_.release, v, "release"), Result<void>{}; }
    Result<void> request(JsonValue v) {
        if (!v.is(JsonKind::object)) return wrong("request", "an object", v);
        for (auto m : v) {
            auto const key = m.key();
            if (key == "url")
                shown(r_.url, m, "url");
            else if (key == "method")
                text(r_.method, m, "method");
            else if (key == "headers" || key == "env" || key == "cookies" || key == "data" || key == "query_string")
                variables_of(key, m);
            else if (!is_nothing(m))
                b_.add_extra(fmt::format("request.{}", key), m);
        }
        return {};
    }
    void variables_of(std::string_view group, JsonValue v) {
        if (is_nothing(v)) return;
        if (!v.is(JsonKind::object) && !v.is(JsonKind::list)) return b_.add_variable(group, reading(v, room_));
        for (auto m : v) {
            bool const pair = m.is(JsonKind::list) && m.size() == 2 && v.is(JsonKind::list);
            auto const name = pair ? (*m.begin()).text() : m.key();
            auto value = m;
            if (pair) value = *++m.begin();
            if (group == "headers") header(name, value);
            if (value.is(JsonKind::list) || value.is(JsonKind::object))
                add_named(r_.variables, fmt::format("{}.{}", group, name), value, limits_.variables_max, "variables");
            else
                b_.add_variable(fmt::format("{}.{}", group, name), reading(value, room_));
        }
    }
    void header(std::string_view name, JsonValue value) {
        if (name == "User-Agent" || name == "user-agent") text(r_.user_agent, value, "user_agent");
        if (name == "Referer" || name == "referer") shown(r_.referrer, value, "referrer");
    }
    Result<void> sdk(JsonValue v) {
        std::string name(v["name"].text());
        if (!v["version"].text().empty()) name += fmt::format("/{}", v["version"].text());
        return b_.text(r_.sdk, name, "sdk"), Result<void>{};
    }
    Result<void> server_name(JsonValue v) { return text(r_.hostname, v, "hostname"), Result<void>{}; }
    Result<void> stacktrace(JsonValue v) {
        return frames(r_.stack, v, [] { return "stacktrace/frames"; });
    }
    Result<void> tags(JsonValue v) {
        for (auto m : v) {
            if (m.is(JsonKind::list) && m.size() == 2)
                b_.add_tag((*m.begin()).text(), reading(*++m.begin(), room_));
            else if (v.is(JsonKind::list))
                b_.add_tag(m["key"].text(), reading(m["value"], room_));
            else
                b_.add_tag(m.key(), reading(m, room_));
        }
        return v.is(JsonKind::list) || v.is(JsonKind::object) ? Result<void>{} : wrong("tags", "an object", v);
    }
    Result<void> template_of(JsonValue v) {
        frame(r_.template_frame.emplace(), v);
        return {};
    }
    // The stack of the thread that crashed, or that told.
    Result<void> threads(JsonValue v) {
        TRY_ASSIGN(auto const list, values(v, "threads"));
        JsonValue chosen;
        for (auto t : list)
            if (!chosen || (!chosen["crashed"].boolean().value_or(false) && t["current"].boolean().value_or(false)) ||
                t["crashed"].boolean().value_or(false))
                chosen = t;
        if (r_.stack.empty()) return frames(r_.stack, chosen["stacktrace"], [] { return "threads/values/stacktrace/frames"; });
        return {};
    }
    Result<void> timestamp(JsonValue v) {
        r_.told_at = sentry_time(v);
        if (!r_.told_at) return wrong("timestamp", "seconds since 1970 or an RFC 3339 time", v);
        return {};
    }
    Result<void> transaction(JsonValue v) { return text(r_.topic, v, "topic"), Result<void>{}; }
    Result<void> user(JsonValue v) {
        if (!v.is(JsonKind::object)) return wrong("user", "an object", v);
        auto& out = b_.user();
        std::string other;
        for (auto m : v) {
            auto const key = m.key();
            if (key == "id")
                text(out.id, m, "user");
            else if (key == "username" || (key == "name" && out.name.empty()))
                text(out.name, m, "user");
            else if (key == "email")
                text(out.email, m, "user");
            else if (key == "ip_address")
                address(out, m);
            else if (!is_nothing(m))
                other_of_user(other, m);
        }
        if (!other.empty() && other.size() < limits_.raw_bytes_max) out.other.emplace().text = other + '}';
        return {};
    }
    void address(ReportUser& out, JsonValue v) {
        if (v.text() == "{{auto}}")
            b_.text(out.ip, b_.options().peer_ip, "user");
        else
            text(out.ip, v, "user");
    }
    void other_of_user(std::string& out, JsonValue m) {
        out += out.empty() ? '{' : ',';
        codec::append_json_string(out, m.key());
        out += ':';
        if (names_a_secret(m.key(), b_.options().secrets))
            out += "\"<hidden>\"", ++r_.hidden;
        else
            r_.hidden += std::uint32_t(write_without_secrets(m, out, b_.options().secrets));
    }

    // A list, also as {"values": […]}.
    static Result<JsonValue> values(JsonValue v, std::string_view place) {
        auto const list = v.is(JsonKind::object) ? v["values"] : v;
        if (is_nothing(list)) return JsonValue();
        if (!list.is(JsonKind::list))
            return wrong(v.is(JsonKind::object) ? fmt::format("{}/values", place) : std::string(place), "a list", list);
        return list;
    }

    // What follows from several members.
    void settle(JsonValue event) {
        if (auto const feedback = event["contexts"]["feedback"]) {
            r_.kind = ReportKind::feedback, r_.level = Level::info;
            if (r_.message.empty()) shown(r_.message, feedback["message"], "message");
            if (r_.url.empty()) shown(r_.url, feedback["url"], "url");
            if (auto const mail = feedback["contact_email"]; !is_nothing(mail)) text(b_.user().email, mail, "user");
            if (auto const name = feedback["name"]; !is_nothing(name)) text(b_.user().name, name, "user");
        } else if (r_.csp) {
            r_.kind = ReportKind::csp;
        } else if (is_message() && r_.level < Level::error) {
            r_.kind = ReportKind::message;
        }
        if (!level_told_ && r_.exceptions.empty() && r_.kind != ReportKind::feedback) r_.level = Level::error;
        for (auto& e : r_.exceptions) mark(e.frames);
        mark(r_.stack);
    }
    // Browsers give a message an exception without a type, for the sake of its stack.
    bool is_message() const {
        return std::all_of(r_.exceptions.begin(), r_.exceptions.end(), [](auto const& e) { return e.type.empty(); });
    }
    void mark(std::vector<Frame>& frames) {
        if (debug_ids_.empty()) return;
        for (auto& frame : frames)
            for (auto const& [file, id] : debug_ids_)
                if (frame.debug_id.empty() && frame.file.view() == file) b_.text(frame.debug_id, id, "frames/debug_id");
    }

    Builder b_;
    Report& r_;
    ReportLimits const& limits_;
    std::string room_;
    bool level_told_ = false;
    std::vector<std::pair<std::string_view, std::string_view>> debug_ids_;
};

constexpr std::array<EventReader::Member, EventReader::members_count> EventReader::members = {{
    {"_meta", &EventReader::skip},
    {"breadcrumbs", &EventReader::breadcrumbs},
    {"contexts", &EventReader::contexts},
    {"csp", &EventReader::csp},
    {"culprit", &EventReader::culprit},
    {"debug_meta", &EventReader::debug_meta},
    {"dist", &EventReader::dist},
    {"environment", &EventReader::environment},
    {"event_id", &EventReader::skip},
    {"exception", &EventReader::exception},
    {"fingerprint", &EventReader::fingerprint},
    {"level", &EventReader::level},
    {"logentry", &EventReader::logentry},
    {"logger", &EventReader::logger},
    {"message", &EventReader::message},
    {"modules", &EventReader::modules},
    {"platform", &EventReader::platform},
    {"project", &EventReader::skip},
    {"release", &EventReader::release},
    {"request", &EventReader::request},
    {"sdk", &EventReader::sdk},
    {"sentry.interfaces.Exception", &EventReader::exception},
    {"sentry.interfaces.Http", &EventReader::request},
    {"sentry.interfaces.Message", &EventReader::logentry},
    {"sentry.interfaces.Stacktrace", &EventReader::stacktrace},
    {"sentry.interfaces.User", &EventReader::user},
    {"server_name", &EventReader::server_name},
    {"stacktrace", &EventReader::stacktrace},
    {"tags", &EventReader::tags},
    {"template", &EventReader::template_of},
    {"threads", &EventReader::threads},
    {"timestamp", &EventReader::timestamp},
    {"transaction", &EventReader::transaction},
    {"type", &EventReader::skip},
    {"user", &EventReader::user},
}};

}  // namespace

Result<Report> read_sentry_event(codec::JsonValue event, ReadOptions const& options, std::string_view fallback_id) {
    Report report;
    TRY_VOID(EventReader(report, options).read(event, fallback_id));
    return report;
}

Result<Report> read_sentry_event(std::string_view json, ReadOptions const& options, std::string_view fallback_id) {
    TRY_ASSIGN(auto const tree, JsonTree::read(json));
    return read_sentry_event(tree.root(), options, fallback_id);
}

Result<Report> read_user_report(std::string_view json, ReadOptions const& options) {
    TRY_ASSIGN(auto const tree, JsonTree::read(json));
    auto const told = tree.root();
    Report report{.id = ReportId(sentry_id(told["event_id"].text())), .kind = ReportKind::feedback, .level = Level::info};
    if (report.id.empty()) return wrong("event_id", "32 hex digits", told["event_id"]);
    report.received_at = options.received_at;
    Builder builder(report, options);
    builder.shown(report.message, told["comments"].text(), "message");
    if (!told["name"].text().empty()) builder.text(builder.user().name, told["name"].text(), "user");
    if (!told["email"].text().empty()) builder.text(builder.user().email, told["email"].text(), "user");
    return report;
}

Result<Report> read_csp_report(std::string_view json, ReadOptions const& options) {
    TRY_ASSIGN(auto const tree, JsonTree::read(json));
    auto const root = tree.root();
    auto const old = root["csp-report"], told = old ? old : root["body"];
    if (!told.is(JsonKind::object)) return wrong("csp-report", "an object", told);
    auto const member = [&](std::string_view dashed, std::string_view camel) { return (old ? told[dashed] : told[camel]).text(); };
    Report report{.kind = ReportKind::csp, .level = Level::warning};
    report.received_at = options.received_at;
    Builder builder(report, options);
    auto& csp = report.csp.emplace();
    auto directive = member("effective-directive", "effectiveDirective");
    if (directive.empty()) directive = told["violated-directive"].text();
    builder.text(csp.directive, directive.substr(0, directive.find(' ')), "csp");
    builder.shown(csp.blocked, member("blocked-uri", "blockedURL"), "csp");
    builder.shown(csp.document, member("document-uri", "documentURL"), "csp");
    builder.shown(csp.source, member("source-file", "sourceFile"), "csp");
    builder.shown(report.url, csp.document, "url");
    builder.shown(report.referrer, member("referrer", "referrer"), "referrer");
    report.message = Long(fmt::format("Blocked {} from {}", csp.directive.view(), csp.blocked.view()));
    builder.add_extra("csp_report", told);
    builder.finish();
    return report;
}

}  // namespace gantry::oops
