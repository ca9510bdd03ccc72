#include "services/queue/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/queue/queue.h"

namespace gantry::queue {
namespace {

constexpr std::size_t types_max = 50, tags_from_max = 10, tags_max = 20;
constexpr std::size_t batch_bytes_wanted = 8 << 20;
constexpr Duration idle_pause = Duration::millis(20), unwaited_pause = Duration::seconds(1);
constexpr Duration first_wait = Duration::seconds(1), longest_wait = Duration::seconds(300);

Problem invalid(std::string_view pointer, std::string detail) {
    return {422, "rule_invalid", "the rule can't be as it says", {{std::string(pointer), std::move(detail)}}};
}

bool is_word(std::string_view text, std::string_view signs) {
    return std::ranges::all_of(
        text, [&](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || signs.contains(c); });
}

bool is_allowed(SourceText const& source, Ctx const& cx) {
    auto const& sources = cx.configured<Settings>().rule_sources;
    return std::ranges::any_of(sources, [&](std::string const& one) { return feed_of(one) == feed_of(source); });
}
Problem not_allowed(SourceText const& source) {
    return {422,
            "source_not_allowed",
            fmt::format("[queue] rule_sources doesn't name {}: whoever runs this server says what is followed", source.view()),
            {{"/source", "expected one of [queue] rule_sources"}}};
}

Result<void> check_source(SourceText const& source, Ctx const& cx) {
    std::string_view const text = source;
    if (!text.starts_with('/') && !text.starts_with("http://") && !text.starts_with("https://"))
        return fail(invalid("/source", R"(expected a service of this site ("/tracker"), or the URL of a feed)"));
    if (text.contains('@'))
        return fail(invalid("/source", "expected a URL without a name and a password: it stands in the log, and in answers"));
    auto const feed = feed_of(text);
    if (!feed.ends_with("/events") || feed.contains('?'))
        return fail(invalid("/source", R"(expected the path of a feed, as "http://host:8080/tracker/v1/events")"));
    if (feed == "/queue/v1/events") return fail(invalid("/source", "a rule of the queue doesn't follow the queue"));
    if (!is_allowed(source, cx)) return fail(not_allowed(source));
    return {};
}

Result<void> check_pointers(SetRule const& in) {
    auto const check = [](std::string_view at, Pointer const& pointer) -> Result<void> {
        if (pointer.view().starts_with('/')) return {};
        return fail(invalid(at, R"(expected a JSON pointer into the event, as "/subject" or "/data/package")"));
    };
    if (in.key_from) TRY_VOID(check("/key_from", *in.key_from));
    if (in.group_from) TRY_VOID(check("/group_from", *in.group_from));
    if (!in.tags_from) return {};
    if (in.tags_from->size() > tags_from_max) return fail(invalid("/tags_from", fmt::format("expected at most {}", tags_from_max)));
    for (std::size_t i = 0; i < in.tags_from->size(); ++i) TRY_VOID(check(fmt::format("/tags_from/{}", i), (*in.tags_from)[i]));
    return {};
}

Result<RuleSettings> settings_of(SetRule const& in, Ctx const& cx) {
    TRY_VOID(check_source(in.source, cx));
    if (in.types.empty() || in.types.size() > types_max) return fail(invalid("/types", fmt::format("expected 1 to {}", types_max)));
    for (std::size_t i = 0; i < in.types.size(); ++i)
        if (!is_word(in.types[i], "_")) return fail(invalid(fmt::format("/types/{}", i), R"(expected a type of events, as "reported")"));
    TRY_VOID(check_queue_name(in.queue));
    TRY_VOID(check_pointers(in));
    RuleSettings out{.source = in.source, .types = in.types, .queue = in.queue};
    if (in.tags) {
        TRY_VOID(check_tags(*in.tags));
        out.tags = *in.tags;
    }
    if (in.subject) out.subject = *in.subject;
    if (in.payload) out.payload = *in.payload;
    out.key_from = in.key_from, out.group_from = in.group_from;
    if (in.tags_from) out.tags_from = *in.tags_from;
    if (in.priority) out.priority = std::uint32_t(in.priority->value);
    if (in.delay_ms) out.delay_ms = *in.delay_ms;
    out.paused = in.paused.value_or(false);
    return out;
}

Result<void> check_after(std::optional<Text<0, 100>> const& after) {
    if (!after || after->empty() || after->view() == "now" || number_in(*after) > 0 || after->view().ends_with(".0")) return {};
    return fail(invalid("/after", R"(expected a position as the source's feed gives it ("2es6q4x55avw9.17"), "now", or "")"));
}

RuleState state_of(RuleRow const& row) {
    if (row.settings.paused) return RuleState::paused;
    if (!row.code.empty()) return row.retry_at ? RuleState::backing_off : RuleState::halted;
    if (!row.read_at) return RuleState::starting;
    return row.complete ? RuleState::caught_up : RuleState::behind;
}
std::uint64_t behind(RuleRow const& row) {
    auto const end = number_in(row.end), at = number_in(row.after);
    return end > at ? end - at : 0;
}
RuleView view_of(std::string_view name, RuleRow const& row) {
    RuleView out{.rule = std::string(name), .state = state_of(row), .settings = row.settings};
    out.after = row.after, out.end = row.end, out.behind = behind(row), out.tasks = row.tasks;
    out.read_at = row.read_at, out.last_event_at = row.last_event_at;
    if (!row.code.empty()) out.error = RuleError{row.code, row.detail, row.failed_since.value_or(Time{}), row.retry_at};
    return out;
}
Result<RuleRow const*> rule_named(State const& s, RuleName const& name) {
    if (auto const* row = s.rules.find(name)) return row;
    return fail(404, "rule_not_found", "there is no such rule; a PUT of it makes one");
}
// What a rule is after a fact that it goes on.
Emit<RuleView, Event> set(State const& s, RuleName const& name, RuleSettings settings, std::optional<Text<0, 100>> after, int status) {
    auto const* row = s.rules.find(name);
    RuleRow now = row ? *row : RuleRow{};
    if (after) now.after = after->str(), now.end.clear(), now.read_at = {};
    now.settings = settings, now.code.clear();
    return {{RuleSet{name, std::move(settings), std::move(after)}}, view_of(name, now), status};
}

RuleFailed failed(RuleName const& name, RuleRow const& row, SourceFault const& fault, Ctx const& cx) {
    RuleFailed out{name, Text<0, 100>(fault.code), Reason(fault.detail), {}};
    if (fault.halts) return out;
    auto wait = first_wait;
    for (auto i = row.failures; i > 0 && wait < longest_wait; --i) wait = Duration{wait.us * 2};
    wait = std::min(wait, longest_wait);
    out.retry_at = cx.now + Duration{wait.us / 2 + std::int64_t(cx.random.next() % std::uint64_t(wait.us / 2 + 1))};
    return out;
}

Put put_of(RuleSettings const& rule, SourceEvent const& event, TaskId id, Time now) {
    Put out;
    out.id = id, out.queue = rule.queue, out.content.payload.data = event.payload, out.priority = rule.priority;
    if (rule.delay_ms > 0) out.due = now + Duration::millis(rule.delay_ms);
    out.key = event.key, out.group = event.group, out.tags = rule.tags;
    for (auto const& tag : event.tags)
        if (out.tags.size() < tags_max &&
            std::ranges::find(out.tags, std::string_view(tag), [](Tag const& t) { return t.view(); }) == out.tags.end())
            out.tags.emplace_back(tag);
    return out;
}

}  // namespace

std::string feed_of(std::string_view source) {
    bool const service = source.starts_with('/') && source.find('/', 1) == source.npos;
    return std::string(source).append(service ? "/v1/events" : "");
}

Result<Page<RuleView>> list_rules(State const& s, ListRules const& in, Ctx const&) {
    std::optional<RuleName> after;
    if (in.cursor) {
        TRY_ASSIGN(after, read_cursor<RuleName>(*in.cursor));
    }
    Page<RuleView> page;
    s.rules.walk(after ? &*after : nullptr, [&](RuleName const& name, RuleRow const& row) {
        if (std::int64_t(page.items.size()) == in.limit) {
            page.next = make_cursor(RuleName(page.items.back().rule)), page.complete = false;
            return false;
        }
        return page.items.push_back(view_of(name, row)), true;
    });
    return page;
}
Result<RuleView> show_rule(State const& s, ByRule const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, rule_named(s, in.rule));
    return view_of(in.rule, *row);
}

Result<Emit<RuleView, Event>> set_rule(State const& s, SetRule const& in, Ctx const& cx) {
    if (!is_word(in.rule, "-_.")) return fail(invalid("/rule", "expected letters, digits and - _ ."));
    TRY_ASSIGN(auto settings, settings_of(in, cx));
    TRY_VOID(check_after(in.after));
    auto const* row = s.rules.find(in.rule);
    if (!row && s.rules.size() >= rules_max)
        return fail(409, "rules_full", fmt::format("there are {} rules, as many as there may be", rules_max));
    auto after = in.after;
    if (!after && (!row || feed_of(row->settings.source) != feed_of(settings.source))) after = "";
    if (row && !after && codec::to_json(row->settings) == codec::to_json(settings))
        return Emit<RuleView, Event>{{}, view_of(in.rule, *row)};
    return set(s, in.rule, std::move(settings), std::move(after), row ? 200 : 201);
}
Result<Emit<RuleView, Event>> drop_rule(State const& s, ByRule const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, rule_named(s, in.rule));
    return Emit<RuleView, Event>{{RuleDropped{in.rule}}, view_of(in.rule, *row)};
}
Result<Emit<RuleView, Event>> pause_rule(State const& s, ByRule const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, rule_named(s, in.rule));
    if (row->settings.paused) return Emit<RuleView, Event>{{}, view_of(in.rule, *row)};
    auto settings = row->settings;
    settings.paused = true;
    return set(s, in.rule, std::move(settings), {}, 200);
}
Result<Emit<RuleView, Event>> resume_rule(State const& s, ResumeRule const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, rule_named(s, in.rule));
    TRY_VOID(check_after(in.after));
    if (!is_allowed(row->settings.source, cx)) return fail(not_allowed(row->settings.source));
    if (!row->settings.paused && row->code.empty() && !in.after) return Emit<RuleView, Event>{{}, view_of(in.rule, *row)};
    auto settings = row->settings;
    settings.paused = false;
    return set(s, in.rule, std::move(settings), in.after, 200);
}

std::vector<Event> rule_due(State const& s, RuleName const& rule, Ctx const& cx) {
    auto const& row = *s.rules.find(rule);
    if (!is_allowed(row.settings.source, cx))
        return {failed(rule, row, {"source_not_allowed", not_allowed(row.settings.source).detail, true}, cx)};
    return {RuleAsked{rule}, Effect<ReadSource>{cx.fresh("e_"), {rule, row.epoch, row.after, row.settings}}};
}

std::vector<Event> source_read(State const& s, ReadSource const& args, Result<SourceRead> const& read, Ctx const& cx) {
    auto const* row = s.rules.find(args.rule);
    if (!row || row->epoch != args.epoch || row->after != args.after.view()) return {};  // it was set anew since
    if (!read) return {failed(args.rule, *row, {read.error().code, read.error().detail}, cx)};
    if (read->fault) return {failed(args.rule, *row, *read->fault, cx)};
    auto const* queue = s.queue(args.settings.queue);
    static QueueSettings const defaults;
    auto const& settings = queue ? queue->settings : defaults;
    auto const depth = queue ? std::int64_t(queue->depth()) : 0;
    std::vector<Event> out;
    RuleRead moved{args.rule, args.after, Text<0, 100>(read->end), 0, {}, cx.now};
    std::optional<SourceFault> fault;
    std::size_t bytes = 0;
    for (auto const& event : read->events) {
        if (settings.depth_max > 0 && depth + std::int64_t(moved.tasks) >= settings.depth_max)
            fault = SourceFault{"queue_full",
                                fmt::format("{} holds {} tasks, its depth_max", args.settings.queue.view(), settings.depth_max.value)};
        else if (std::int64_t(event.payload.size()) > settings.payload_bytes_max)
            fault = SourceFault{
                "event_too_large",
                fmt::format("event {} has {} bytes, and {} takes payloads of up to {}: raise that, or go on with after {}", event.id,
                            event.payload.size(), args.settings.queue.view(), settings.payload_bytes_max.value, event.id),
                true};
        if (fault || bytes > batch_bytes_wanted) break;
        bytes += event.payload.size();
        out.push_back(put_of(args.settings, event, TaskId{s.given() + 1 + moved.tasks}, cx.now));
        ++moved.tasks, moved.after = event.id, moved.last_event_at = event.time;
    }
    if (fault && moved.tasks == 0) return {failed(args.rule, *row, *fault, cx)};
    bool const all = moved.tasks == read->events.size();
    if (all) moved.after = read->next;
    if (all && moved.tasks == 0 && read->complete) moved.again_at = cx.now + (read->waited ? idle_pause : unwaited_pause);
    out.push_back(std::move(moved));
    return out;
}

void rule_metrics(State const& s, std::vector<OwnMetric>& out) {
    OwnMetric lag{OwnMetricKind::gauge, "gantry_queue_rule_behind_events", "Events of a rule's source that it hasn't looked at yet.", {}};
    OwnMetric state{OwnMetricKind::gauge, "gantry_queue_rule_state", "1 for the state that a rule is in.", {}};
    OwnMetric tasks{OwnMetricKind::counter, "gantry_queue_rule_tasks_total", "Tasks that a rule put.", {}};
    constexpr std::array names{"starting", "caught_up", "behind", "backing_off", "halted", "paused"};
    s.rules.walk(nullptr, [&](RuleName const& name, RuleRow const& row) {
        lag.samples.push_back({{{"rule", name.str()}}, double(behind(row))});
        state.samples.push_back({{{"rule", name.str()}, {"state", names[std::size_t(state_of(row))]}}, 1});
        tasks.samples.push_back({{{"rule", name.str()}}, double(row.tasks)});
        return true;
    });
    for (auto* family : {&lag, &state, &tasks}) out.push_back(std::move(*family));
}

// --- the facts ------------------------------------------------------------------------------------------------------------------------

void State::apply(RuleSet const& e, At const& at) {
    rules.change_or_put(e.rule, [&](RuleRow& row) {
        row.settings = e.settings, row.epoch = at.position;
        if (e.after) row.after = e.after->str(), row.end.clear(), row.read_at = {}, row.complete = false;
        row.code.clear(), row.detail.clear(), row.failed_since = {}, row.retry_at = {}, row.failures = 0;
    });
    if (e.settings.paused)
        rules_due.clear(e.rule);
    else
        rules_due.set(e.rule, at.time);
}
void State::apply(RuleDropped const& e) {
    rules.erase(e.rule);
    rules_due.clear(e.rule);
}
void State::apply(RuleAsked const& e) { rules_due.clear(e.rule); }
void State::apply(RuleRead const& e, At const& at) {
    bool const known = rules.change(e.rule, [&](RuleRow& row) {
        row.after = e.after.str(), row.end = e.end.str(), row.tasks += e.tasks, row.read_at = at.time;
        if (e.last_event_at) row.last_event_at = e.last_event_at;
        row.complete = number_in(row.after) >= number_in(row.end);
        row.code.clear(), row.detail.clear(), row.failed_since = {}, row.retry_at = {}, row.failures = 0;
    });
    if (known) rules_due.set(e.rule, e.again_at);
}
void State::apply(RuleFailed const& e, At const& at) {
    rules.change(e.rule, [&](RuleRow& row) {
        if (row.code.empty()) row.failed_since = at.time;
        row.code = e.code.str(), row.detail = e.detail.str(), row.retry_at = e.retry_at, ++row.failures;
    });
    rules_due.clear(e.rule);
    if (e.retry_at && rules.contains(e.rule)) rules_due.set(e.rule, *e.retry_at);
}

}  // namespace gantry::queue
