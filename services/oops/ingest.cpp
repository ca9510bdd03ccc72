#include "services/oops/ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "services/oops/alert_mail.h"
#include "services/oops/fingerprint.h"
#include "services/oops/maps.h"
#include "services/oops/oops_dict.h"
#include "services/oops/oops_json.h"
#include "services/oops/sentry_auth.h"
#include "services/oops/sentry_intake.h"

namespace gantry::oops {
namespace {

constexpr std::size_t item_bytes_max = 1 << 20;       // that is kept
constexpr std::int64_t spike_age_us = 6 * window_us;  // younger groups have no usual number
constexpr std::uint64_t spike_reports_min = 20;
constexpr std::uint64_t crash_sessions_min = 100;

// Sentry's clients keep the leading digits of what a DSN calls the project.
Result<std::uint32_t> project_of(ForeignRequest const& request) {
    auto const text = request.field("project");
    std::uint32_t project = 0;
    auto const end = std::from_chars(text.data(), text.data() + text.size(), project).ptr;
    if (end == text.data() || end != text.data() + text.size() || project == 0)
        return fail(404, "project_not_found", "a project is a number, as its DSN ends with it");
    return project;
}

ReadOptions options_of(ForeignRequest const& request) {
    ReadOptions options;
    options.peer_ip = std::string(request.client);
    return options;
}

// The key may also be the user of an Authorization, or the ancestors' programs' own header.
Result<SentryCaller> caller_of(ForeignRequest const& request, std::string_view dsn) {
    if (auto const key = request.header("X-Oops-Auth"); !key.empty()) return SentryCaller{std::string(key), {}, {}};
    auto auth = request.header("X-Sentry-Auth");
    if (auth.empty() && request.header("Authorization").starts_with("Sentry ")) auth = request.header("Authorization");
    return sentry_caller(request.query, auth, dsn);
}

ItemTold item(std::string_view type, std::string_view name, std::string_view content_type, std::string_view bytes) {
    return {Name(type.substr(0, 200)), Name(name.substr(0, 200)), Name(content_type.substr(0, 200)), Bytes{std::string(bytes)}};
}

void add_items(Told& told, SentryIntake const& intake) {
    auto const keep = [&](ItemTold one) {
        if (one.bytes.data.size() <= item_bytes_max) return told.items.push_back(std::move(one));
        told.dropped.push_back({Name("item_too_large"), one.type, 1});
    };
    for (auto const& a : intake.attachments) keep(item(a.type.empty() ? "attachment" : a.type, a.name, a.content_type, a.bytes));
    for (auto const& r : intake.raw) keep(item(r.type, {}, r.content_type, r.payload));
    for (auto const& c : intake.check_ins) keep(item("check_in", c.monitor, c.environment, c.status));
}

Told told_of(std::uint32_t project, SentryCaller const& caller, SentryIntake&& intake) {
    Told told{.project = project, .key = caller.key, .answer_id = intake.event_id, .reports = std::move(intake.reports)};
    for (auto const& s : intake.sessions)
        told.sessions.push_back(
            {Phrase(s.release.substr(0, 1000)), Name(s.environment.substr(0, 200)), s.started, s.errored, s.crashed, s.abnormal});
    for (auto const& d : intake.dropped) told.dropped.push_back({Name(d.reason.substr(0, 200)), Name(d.category.substr(0, 200)), d.count});
    for (auto const& r : intake.refused) told.refused.push_back(r.detail);
    add_items(told, intake);
    return told;
}

Told one_report(std::uint32_t project, SentryCaller const& caller, Report report) {
    Told told{.project = project, .key = caller.key, .answer_id = report.id.str()};
    told.reports.push_back(std::move(report));
    return told;
}

}  // namespace

Result<Told> parse_envelope(ForeignRequest const& request) {
    TRY_ASSIGN(auto const project, project_of(request));
    TRY_ASSIGN(auto const envelope, split_envelope(request.body));
    TRY_ASSIGN(auto const caller, caller_of(request, envelope.dsn));
    return told_of(project, caller, read_items(envelope, options_of(request)));
}

Result<Told> parse_store(ForeignRequest const& request) {
    TRY_ASSIGN(auto const project, project_of(request));
    TRY_ASSIGN(auto const caller, caller_of(request, {}));
    TRY_ASSIGN(auto report, read_sentry_event(request.body, options_of(request)));
    return one_report(project, caller, std::move(report));
}

Result<Told> parse_oops(ForeignRequest const& request) {
    TRY_ASSIGN(auto const project, project_of(request));
    TRY_ASSIGN(auto const caller, caller_of(request, {}));
    TRY_ASSIGN(auto report, read_oops(request.body, options_of(request)));
    return one_report(project, caller, std::move(report));
}

Result<Told> parse_oops_json(ForeignRequest const& request) {
    TRY_ASSIGN(auto const project, project_of(request));
    TRY_ASSIGN(auto const caller, caller_of(request, {}));
    auto const type = request.header("Content-Type").substr(0, request.header("Content-Type").find(';'));
    if (!type.empty() && type != "application/json" && type != "text/json")
        return fail(415, "content_type_unknown", "a report here is JSON: send it as application/json");
    TRY_ASSIGN(auto report, read_oops_json(request.body, options_of(request)));
    auto told = one_report(project, caller, std::move(report));
    for (auto const& lost : lost_in_oops_json(request.body)) told.dropped.push_back({Name(lost.reason), Name("error"), lost.count});
    return told;
}

Result<void> Ingest::check_key(std::uint32_t project, std::string_view key) const {
    auto const* row = state_.projects.find(project);
    if (!row || row->key.view() != key) return fail(403, "project_key_wrong", "there is no project of this number with this key");
    return {};
}

Ingest::Placed Ingest::place(std::uint32_t project, std::uint64_t app, std::uint64_t system) const {
    if (auto const n = state_.find_bucket(project, app, system)) {
        auto const& bucket = state_.bucket(n);
        auto const minute = std::uint64_t(cx_.now.us / minute_us);
        return {n, bucket.group, bucket.minute == minute ? bucket.in_minute : 0};
    }
    for (std::size_t i = 0; i < opened_.size(); ++i) {
        auto const& o = opened_[i];
        bool const same_app = app != 0 && o.app == app, same_system = system != 0 && o.system == system;
        if (o.project == project && (same_app || same_system))
            return {std::uint32_t(state_.buckets.size() + i + 1), std::uint32_t(state_.groups.size() + i + 1), o.count};
    }
    return {};
}

Result<Ingested> Ingest::take(std::uint32_t project, Report report) {
    auto const* row = state_.projects.find(project);
    if (!row) return fail(404, "project_not_found", "there is no project of this number");
    auto const minute = std::uint64_t(cx_.now.us / minute_us);
    if ((row->minute == minute ? row->in_minute : 0) + count_ >= std::uint64_t(std::int64_t(row->limits.reports_a_minute))) {
        Problem problem{429, "project_limit", "this project takes no more reports in this minute: PATCH its limits, or report less"};
        problem.retry_after_s = int(60 - cx_.now.us % minute_us / 1'000'000);
        return std::unexpected(std::move(problem));
    }
    if (report.id.empty()) report.id = ReportId(cx_.fresh("OOPS-"));
    report.received_at = cx_.now;
    if (report.user && report.user->subject.empty()) report.user->subject = cx_.subject_of(key_of(report.user->value));
    if (auto const n = state_.find_report(project, report.id.view()))
        return Ingested{report.id, GroupId{state_.bucket(state_.report(n).bucket).group}, true, false};
    auto const& rules = rules_of(row->rules.view());
    auto const prints = fingerprint(report, rules);
    auto const placed = place(project, prints.app, prints.system);
    if (std::ranges::find(taken_, report.id.view()) != taken_.end()) return Ingested{report.id, GroupId{placed.group}, true, false};
    taken_.push_back(report.id.str());
    auto const id = report.id;
    if (placed.bucket != 0 && placed.in_minute >= std::uint64_t(std::int64_t(row->limits.group_a_minute)) &&
        placed.bucket <= state_.buckets.size()) {
        Title const title(std::string(state_.phrases.text(state_.group(placed.group).title)));
        alert(project, *row, placed, false, title, report.id, report.release);
        events_.push_back(Counted{Project(project), BucketId{placed.bucket}, report.release});
        return Ingested{id, GroupId{placed.group}, false, true};
    }
    ++count_;
    bool const is_new = placed.bucket == 0;
    if (is_new) opened_.push_back({project, prints.app, prints.system, 1});
    auto const group = is_new ? std::uint32_t(state_.groups.size() + opened_.size()) : placed.group;
    if (!is_new && placed.bucket > state_.buckets.size()) ++opened_[placed.bucket - state_.buckets.size() - 1].count;
    auto const ruled = ruled_title(report, rules);
    Title const title(Str((ruled ? *ruled : title_of(report)).substr(0, 300)));
    auto maps = row->maps != 0 ? maps_for(state_, project, report) : std::vector<MapAt>();
    if (maps.empty()) alert(project, *row, {placed.bucket, group, placed.in_minute}, is_new, title, report.id, report.release);
    events_.push_back(Reported{Project(project), prints.app, prints.system, title, std::move(report), ruled.has_value()});
    ReportAt const at{std::uint32_t(state_.reports.size() + count_), cx_.next + events_.size() - 1};
    if (!maps.empty()) events_.push_back(Effect<MapOne>{cx_.fresh("e_"), {at, is_new, row->rules_at, std::move(maps)}});
    return Ingested{id, GroupId{group}, false, false};
}

void Ingest::alert(std::uint32_t project, ProjectRow const& row, Placed const& placed, bool is_new, Title const& title, ReportId const& id,
                   Phrase const& release) {
    auto const& alerts = row.alerts;
    auto const say = [&](AlertKind kind) { tell(row, {{}, kind, Project(project), GroupId{placed.group}, title, id, release}); };
    if (is_new) {
        if (alerts.on_new) say(AlertKind::appeared);
        return;
    }
    if (placed.group > state_.groups.size()) return;
    auto const& group = state_.group(placed.group);
    if (alerts.on_regressed && state_.regresses(group, release.view()) && std::ranges::find(again_, placed.group) == again_.end())
        again_.push_back(placed.group), say(AlertKind::regressed);
    if (State::status_of(group, cx_.now) == Status::ignored) return;
    auto const window = std::uint32_t(cx_.now.us / window_us);
    auto const in_window = std::uint64_t(group.window == window ? group.in_window : 0) + ++more_[placed.group];
    if (alerts.frequent > 0 && in_window == std::uint64_t(std::int64_t(alerts.frequent))) say(AlertKind::frequent);
    if (alerts.spike == 0 || cx_.now.us - group.first_us < spike_age_us) return;
    auto const usual = std::uint64_t(State::usual_in(group, window)) * std::uint64_t(std::int64_t(alerts.spike)) / usual_unit;
    if (in_window == std::max(usual, spike_reports_min)) say(AlertKind::spike);
}

void Ingest::alert_later(std::uint32_t report, std::uint32_t bucket, bool was_new, Title const& title) {
    auto const& row = state_.report(report);
    auto const& project = *state_.projects.find(row.project);
    bool const is_new = bucket == 0 || (bucket == row.bucket && was_new);
    auto const group = bucket == 0 ? std::uint32_t(state_.groups.size() + 1) : state_.bucket(bucket).group;
    ReportId const id(std::string(state_.ids.text(row.id)));
    alert(row.project, project, {bucket, group, 0}, is_new, title, id, Phrase(std::string(state_.phrases.text(row.release))));
}

void Ingest::tell(ProjectRow const& row, CallHook const& what) {
    for (auto const& url : row.alerts.hooks) {
        auto call = what;
        call.url = url;
        events_.push_back(Effect<CallHook>{cx_.fresh("e_"), std::move(call)});
    }
    for (auto const& to : row.alerts.mails) events_.push_back(Effect<SendMail>{cx_.fresh("e_"), alert_mail(to, row, what, cx_)});
}

void Ingest::count(std::uint32_t project, SessionsTold const& sessions) {
    events_.push_back(SessionsCounted{Project(project), sessions.release, sessions.environment, sessions.started, sessions.errored,
                                      sessions.crashed, sessions.abnormal});
    auto const* row = state_.projects.find(project);
    auto const percent = std::uint64_t(std::int64_t(row->alerts.crashed_percent));
    if (percent == 0) return;
    auto const* release = state_.release(project, sessions.release.view(), sessions.environment.view());
    if (release && release->crashes_told) return;
    auto const started = (release ? release->sessions : 0) + sessions.started,
               crashed = (release ? release->crashed : 0) + sessions.crashed;
    bool const told = std::ranges::any_of(events_, [&](Event const& e) {
        auto const* before = std::get_if<CrashesTold>(&e);
        return before && before->release == sessions.release && before->environment == sessions.environment;
    });
    if (told || started < crash_sessions_min || crashed * 100 < percent * started) return;
    auto const title = fmt::format("{} of {} sessions of {} crashed", crashed, started, sessions.release.view().substr(0, 200));
    tell(*row, {{}, AlertKind::crashing, Project(project), {}, Title(title), {}, sessions.release});
    events_.push_back(CrashesTold{Project(project), sessions.release, sessions.environment});
}

namespace {

Result<std::vector<Ingested>> take_all(Ingest& ingest, Told const& in) {
    TRY_VOID(ingest.check_key(in.project, in.key));
    std::vector<Ingested> taken;
    for (auto const& report : in.reports) {
        TRY_ASSIGN(auto one, ingest.take(in.project, report));
        taken.push_back(std::move(one));
    }
    Project const project(in.project);
    for (auto const& s : in.sessions) ingest.count(in.project, s);
    for (auto const& d : in.dropped) ingest.add(ClientsDropped{project, d.reason, d.category, d.count});
    for (auto const& i : in.items) {
        auto const report = taken.empty() ? std::nullopt : std::optional(taken.front().id);
        ingest.add(ItemKept{project, report, i.type, i.name, i.content_type, i.bytes});
    }
    return taken;
}

}  // namespace

Result<Emit<ForeignReply, Event>> ingest_sentry(State const& s, Told const& in, Ctx const& cx) {
    Ingest ingest(s, cx);
    TRY_ASSIGN(auto const taken, take_all(ingest, in));
    bool const nothing = taken.empty() && in.sessions.empty() && in.dropped.empty() && in.items.empty();
    if (nothing && !in.refused.empty()) return fail(400, "envelope_items_invalid", in.refused.front());
    auto const id = !in.answer_id.empty() ? in.answer_id : taken.empty() ? std::string() : taken.front().id.str();
    ForeignReply reply{.body = id.empty() ? "{}" : fmt::format(R"({{"id":"{}"}})", id)};
    if (!taken.empty()) reply.headers.push_back({"X-Oops-Id", taken.front().id.str()});
    return Emit<ForeignReply, Event>{ingest.take_events(), std::move(reply)};
}

Result<Emit<ForeignReply, Event>> ingest_oops(State const& s, Told const& in, Ctx const& cx) {
    Ingest ingest(s, cx);
    TRY_ASSIGN(auto const taken, take_all(ingest, in));
    auto const& one = taken.front();
    ForeignReply reply{.body = fmt::format(R"({{"id":"{}","group":"g_{}","repeated":{}}})", one.id.view(), one.group.n, one.repeated)};
    return Emit<ForeignReply, Event>{ingest.take_events(), std::move(reply)};
}

// What Sentry's clients look at: the status, Retry-After and the header that names what is limited, and for how long.
ForeignReply refuse_sentry(Problem const& problem) {
    ForeignReply reply{.status = problem.status,
                       .body = fmt::format(R"({{"detail":"{}","code":"{}","causes":[]}})", problem.code, problem.code)};
    reply.headers.push_back({"X-Sentry-Error", problem.code});
    if (problem.status == 429)
        reply.headers.push_back({"X-Sentry-Rate-Limits", fmt::format("{}::project:{}", problem.retry_after_s.value_or(60), problem.code)});
    return reply;
}

Result<Emit<Ingested, Event>> ingest(State const& s, ReportTold const& in, Ctx const& cx) {
    TRY_ASSIGN(auto report, report_of_input(in.report, {.received_at = cx.now}));
    Ingest ingest(s, cx);
    TRY_ASSIGN(auto const taken, ingest.take(std::uint32_t(std::int64_t(in.project)), std::move(report)));
    return Emit<Ingested, Event>{ingest.take_events(), taken, taken.repeated ? 200 : 201};
}

}  // namespace gantry::oops
