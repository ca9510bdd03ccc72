// The effect of a rule: a page of its source's feed, and whether it can be believed.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "services/queue/rules.h"

namespace gantry::queue {
namespace {

constexpr Duration wait = Duration::seconds(5);  // of one request; a server that stops waits no longer for it
constexpr std::size_t page_bytes_max = 16 << 20;
constexpr std::size_t text_chars_max = 200;

struct Page {
    std::vector<SourceEvent> events;
    std::string next, end;
    bool complete = false;
};

std::unexpected<SourceFault> wrong(std::string code, std::string detail, bool halts = false) {
    return std::unexpected(SourceFault{std::move(code), std::move(detail), halts});
}
template <class T>
using Read = std::expected<T, SourceFault>;

std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool const plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-_.~").contains(c);
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}
std::string_view history_in(std::string_view position) { return position.substr(0, std::min(position.find('.'), position.size())); }
bool is_position(std::string_view text) {
    auto const dot = text.find('.');
    return dot != text.npos && dot > 0 && dot + 1 < text.size() &&
           std::ranges::all_of(text.substr(dot + 1), [](char c) { return c >= '0' && c <= '9'; });
}

// What stands at a JSON pointer, if it is a text, a number or a boolean; cut to what a key may have.
std::string text_at(codec::JsonValue value, std::string_view pointer) {
    while (!pointer.empty()) {
        auto const end = std::min(pointer.find('/', 1), pointer.size());
        std::string name(pointer.substr(1, end - 1));
        for (auto const& [code, sign] : {std::pair{"~1", "/"}, {"~0", "~"}})
            for (auto at = name.find(code); at != name.npos; at = name.find(code, at + 1)) name.replace(at, 2, sign);
        value = value[name];
        pointer.remove_prefix(end);
    }
    std::string out(value.is(codec::JsonKind::number) ? value.token() : value.text());
    if (auto const flag = value.boolean()) out = *flag ? "true" : "false";
    std::size_t chars = 0, bytes = 0;
    for (; bytes < out.size(); ++bytes) {
        if ((static_cast<unsigned char>(out[bytes]) & 0xc0) != 0x80 && ++chars > text_chars_max) break;
        if (static_cast<unsigned char>(out[bytes]) < 0x20) out[bytes] = ' ';
    }
    return out.resize(bytes), out;
}

SourceEvent event_of(ReadSource const& args, codec::JsonValue item) {
    auto const& rule = args.settings;
    SourceEvent out{.id = std::string(item["id"].text()), .payload = {}, .key = {}, .group = {}, .tags = {}, .time = {}};
    (rule.payload == RulePayload::data ? item["data"] : item).write(out.payload);
    if (rule.key_from) out.key = text_at(item, *rule.key_from);
    if (rule.group_from) out.group = text_at(item, *rule.group_from);
    for (auto const& pointer : rule.tags_from)
        if (auto tag = text_at(item, pointer); !tag.empty()) out.tags.push_back(tag.substr(0, 100));
    if (auto const time = parse_time(item["time"].text())) out.time = *time;
    return out;
}

// The feed has no more what comes next, or has another history.
SourceFault gap_in(ReadSource const& args, std::string_view after, codec::JsonValue item) {
    auto const next = item["data"]["next"].text();
    auto const lost_from = number_in(after) + 1, goes_on = number_in(next) + 1;
    if (item["data"]["reason"].text() == "retention")
        return {"source_gap",
                fmt::format("{} has events from {} on: {} to {} were retired before this rule read them, and are lost to it. Resume with "
                            "after {} to go on there",
                            args.settings.source.view(), goes_on, lost_from, goes_on - 1, next),
                true};
    return {
        "source_history",
        fmt::format("{} has another history than the one that was read up to {}: it was restored, or begun anew. Resume with after {} to "
                    "go on with its first event, or with \"now\"",
                    args.settings.source.view(), after, next),
        true};
}

bool is_wanted(RuleSettings const& rule, codec::JsonValue item) {
    auto type = item["type"].text();
    if (auto const dot = type.rfind('.'); dot != type.npos) type.remove_prefix(dot + 1);
    bool const typed = std::ranges::any_of(rule.types, [&](EventType const& one) { return one.view() == type; });
    return typed && (rule.subject.empty() || item["subject"].text() == rule.subject.view());
}

Read<Page> page_in(ReadSource const& args, std::string_view after, std::string_view body) {
    auto const source = args.settings.source.view();
    auto const tree = codec::JsonTree::read(body, {.values_max = 2'000'000});
    auto const first = body.find_first_not_of(" \r\n\t");
    if (!tree && first != body.npos && body[first] == '<')
        return wrong("source_not_a_feed",
                     fmt::format("{} answers with HTML, not with a page of a feed: something else stands there", source));
    auto const root = tree ? tree->root() : codec::JsonValue();
    Page out{{}, std::string(root["next"].text()), std::string(root["position"].text()), root["complete"].boolean().value_or(false)};
    if (!root["items"].is(codec::JsonKind::list) || !is_position(out.next) || !is_position(out.end))
        return wrong("source_not_a_feed", fmt::format("{} answers with something that is no page of a feed", source));
    std::string before(after);
    auto const comes_after = [&](std::string_view position) {
        return is_position(position) &&
               (before.empty() || (history_in(position) == history_in(before) && number_in(position) > number_in(before)));
    };
    for (auto const item : root["items"]) {
        if (item["type"].text() == "gantry.gap") return std::unexpected(gap_in(args, before, item));
        auto const id = item["id"].text();
        if (!comes_after(id))
            return wrong("source_lies",
                         fmt::format("{} gave event \"{}\" where events after \"{}\" were asked for: nothing of this page was taken",
                                     source, id.substr(0, 100), before));
        if (is_wanted(args.settings, item)) out.events.push_back(event_of(args, item));
        before = id;
    }
    if (out.next != before && !comes_after(out.next) && !(before.empty() && is_position(out.next)))
        return wrong("source_lies", fmt::format("{} says that \"{}\" comes next after \"{}\"", source, out.next.substr(0, 100), before));
    return out;
}

// Why there is no page.
SourceFault fault_of(ReadSource const& args, client::Reply const& reply) {
    auto const source = args.settings.source.view();
    auto const& error = *reply.error;
    if (reply.status == 0) return {"source_unanswered", fmt::format("{} gave no answer: {}", source, error.code), false};
    if (error.code == "after_ahead")
        return {
            "source_ahead",
            fmt::format("{} is not as far as {}, which was read already: it was restored from an older backup. Resume with another after",
                        source, args.after.view()),
            true};
    if (reply.status == 401 || reply.status == 403)
        return {"source_refuses", fmt::format("{} wants a caller with rights: {}", source, error.code), false};
    if (reply.status == 404) return {"source_gone", fmt::format("there is no {}: {}", feed_of(source), error.code), false};
    return {"source_failed", fmt::format("{} answered {}: {}: {}", source, reply.status, error.code, error.detail), false};
}

Read<Page> ask(ReadSource const& args, std::string_view after, int limit, Outside& outside) {
    client::Request request;
    request.target = fmt::format("{}?limit={}", feed_of(args.settings.source), limit);
    request.headers = {{"Accept", "application/json"}};
    request.total_timeout_ms = 3 * wait.us / 1000;
    if (args.after == Text<0, 100>("now")) {
        request.target += "&wait=0s";
    } else {
        if (!after.empty()) request.target += fmt::format("&after={}", escaped(after));
        request.target += fmt::format("&wait={}", format_duration(wait));
    }
    for (bool first = true; auto const& type : args.settings.types)
        request.target += std::exchange(first, false) ? "&type=" + type.str() : "," + type.str();
    if (!args.settings.subject.empty()) request.target += "&subject=" + escaped(args.settings.subject);
    std::string body;
    bool too_long = false;
    request.download = [&](std::string_view bytes) {
        too_long = too_long || body.size() + bytes.size() > page_bytes_max;
        if (!too_long) body.append(bytes);
        return !too_long;
    };
    auto const reply = outside.send(std::move(request));
    if (too_long)
        return wrong("page_too_long", fmt::format("{} answers with more than {} MiB", args.settings.source.view(), page_bytes_max >> 20));
    if (!reply.ok()) return std::unexpected(fault_of(args, reply));
    if (body.empty()) body = reply.body;
    return page_in(args, after, body);
}
// Large events: fewer of them.
Read<Page> ask(ReadSource const& args, std::string_view after, Outside& outside) {
    Read<Page> page = wrong("", "");
    for (int limit : {rule_events_a_turn, 20, 1}) {
        page = ask(args, after, limit, outside);
        if (page || page.error().code != "page_too_long") break;
    }
    return page;
}

}  // namespace

std::uint64_t number_in(std::string_view position) {
    auto const digits = position.substr(std::min(position.rfind('.') + 1, position.size()));
    std::uint64_t out = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return position.contains('.') ? out : 0;
}

Result<SourceRead> read_source(ReadSource const& args, Outside& outside) {
    bool const to_its_end = args.after.view() == "now";
    SourceRead out{.events = {}, .next = to_its_end ? "" : args.after.str(), .end = {}};
    do {
        auto const began = outside.now();
        auto page = ask(args, out.next, outside);
        if (!page) return out.fault = std::move(page.error()), out;
        out.events = std::move(page->events), out.next = page->next, out.end = page->end, out.complete = page->complete;
        if (to_its_end) return out.events.clear(), out.next = out.end, out.complete = out.waited = true, out;
        out.waited = outside.now() - began >= Duration{wait.us / 2};
    } while (out.complete && out.events.empty() && out.waited && !outside.stopping() &&
             outside.now() + Duration{4 * wait.us} < outside.until);
    return out;
}

}  // namespace gantry::queue
