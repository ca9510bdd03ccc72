#include "services/pool/dynamic.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/pool/calls.h"
#include "services/pool/cleaning.h"

namespace gantry::pool {
namespace {

constexpr std::uint64_t made_at_once_max = 20;
constexpr Duration make_again = Duration::seconds(60);

struct AskedToMake {
    Str type;
};
RECORD(AskedToMake, type);
struct AskedToDestroy {
    Str type, name;
};
RECORD(AskedToDestroy, type, name);

std::uint64_t count_of(std::int64_t n) { return std::uint64_t(n); }

std::uint64_t being_made(Desk const& desk, std::uint32_t type) {
    std::uint64_t n = 0;
    desk.state().making.walk(nullptr, [&](EffectId const&, Making const& making) { return n += making.type == type, true; });
    auto const now = desk.asked_to_make.find(type);
    return n + (now == desk.asked_to_make.end() ? 0 : now->second);
}

bool wants_of(std::vector<Want> const& wants, std::string_view type) {
    return std::ranges::any_of(wants, [&](Want const& want) { return want.type.view() == type; });
}
// How many more wait for a type by the events of this decision: each ticket in line is worth one.
std::int64_t joined(Desk const& desk, std::string_view type) {
    std::int64_t n = 0;
    auto const waited = [&](Ticket const& ticket) {
        auto const* row = desk.state().ticket(ticket);
        return row && row->seq != 0 && wants_of(row->wants, type);
    };
    for (auto const& event : desk.events) {
        if (auto const* queued = std::get_if<Queued>(&event)) n += wants_of(queued->wants, type);
        if (auto const* leased = std::get_if<Leased>(&event)) n -= waited(leased->ticket);
        if (auto const* withdrawn = std::get_if<Withdrawn>(&event)) n -= waited(withdrawn->ticket);
    }
    return n;
}

std::string read_labels(codec::JsonValue told, Labels& out) {
    if (told && !told.is(codec::JsonKind::object)) return fmt::format("/labels: expected an object, found {}", name_of(told.kind()));
    for (auto label : told) {
        if (!label.is(codec::JsonKind::text)) return fmt::format("/labels/{}: expected text, found {}", label.key(), name_of(label.kind()));
        out[std::string(label.key())] = label.text();
    }
    return {};
}
std::string read_numbers(codec::JsonValue told, Numbers& out) {
    if (told && !told.is(codec::JsonKind::object)) return fmt::format("/numbers: expected an object, found {}", name_of(told.kind()));
    for (auto number : told) {
        auto const value = number.number();
        if (!value) return fmt::format("/numbers/{}: expected a number, found {}", number.key(), name_of(number.kind()));
        out[std::string(number.key())] = *value;
    }
    return {};
}

}  // namespace

void grow(Desk& desk, std::uint32_t type) {
    State const& s = desk.state();
    auto const* row = s.types.find(type);
    if (!row || row->removed || row->drained || row->settings.max == 0 || row->settings.make_url.empty()) return;
    if (row->make_again_at > desk.cx().now) return;
    auto const making = being_made(desk, type), there = row->total() + making;
    auto const most = count_of(row->settings.max), least = count_of(row->settings.min);
    if (there >= most) return;
    auto const waiting = count_of(std::max<std::int64_t>(0, std::int64_t(row->waiting) + joined(desk, s.type_names.text(type))));
    auto const lacking = std::max(least > there ? least - there : 0, waiting > making ? waiting - making : 0);
    for (auto n = std::min({lacking, most - there, made_at_once_max}); n > 0; --n) {
        desk.record(Effect<MakeOne>{desk.cx().fresh("e_"), {row->settings.make_url, TypeName(s.type_names.text(type))}});
        ++desk.asked_to_make[type];
    }
}

void destroy(Desk& desk, std::uint32_t resource, Reason const& reason) {
    State const& s = desk.state();
    Resource const& r = *s.resources.find(resource);
    auto const& settings = s.types.find(r.type)->settings;
    Name const name(s.names.text(resource));
    desk.is_gone(resource);
    if (settings.destroy_url.empty() || r.origin == Origin::told) return desk.record(Removed{name, reason});
    desk.record(DestroyBegan{name, reason});
    desk.record(Effect<DestroyOne>{desk.cx().fresh("e_"), {settings.destroy_url, name, TypeName(s.type_names.text(r.type))}});
}

void retire(Desk& desk, std::uint32_t resource) {
    State const& s = desk.state();
    constexpr std::string_view why = "its type is drained";
    if (s.resources.find(resource)->origin == Origin::made) return destroy(desk, resource, why);
    desk.is_gone(resource);
    auto const fence = desk.next_fence();
    desk.record(Moved{Name(s.names.text(resource)), "retired", why, fence});
}

// A lie is an answer: it would not be another one the next time.
MadeOne read_made(std::string_view body) {
    auto made = read_answer<MadeOne>(std::string(body), [](codec::JsonValue root, MadeOne& out) -> std::string {
        out.name = root["name"].text();
        if (out.name.empty() || out.name.size() > Name::max_chars) return "/name: expected text of 1 to 160 bytes";
        if (auto why = read_labels(root["labels"], out.labels); !why.empty()) return why;
        if (auto why = read_numbers(root["numbers"], out.numbers); !why.empty()) return why;
        if (auto const data = root["data"]) data.write(out.data);
        return {};
    });
    return made ? std::move(*made) : MadeOne{.fault = made.error().code + ": " + made.error().detail};
}

Result<MadeOne> make_one(MakeOne const& args, Outside& outside) {
    auto const body = ask_json(outside, "POST", args.url, codec::to_json(AskedToMake{args.type}));
    if (body) return read_made(*body);
    if (body.error().status == 422) return MadeOne{.fault = body.error().code + ": " + body.error().detail};
    return std::unexpected(body.error());
}

std::vector<Event> one_made(State const& s, MakeOne const& args, Result<MadeOne> const& made, Ctx const& cx) {
    auto const type = s.type_number(args.type);
    if (type == 0) return {};
    Desk desk(s, cx);
    std::string trouble = !made ? made.error().code + ": " + made.error().detail : made->fault;
    if (trouble.empty() && s.resource(made->name))
        trouble = fmt::format("hook_answer_invalid: there is a resource \"{}\" already", made->name);
    if (!trouble.empty()) {
        desk.record(MakeFailed{args.type, Reason(trouble.substr(0, 900)), cx.now + make_again});
        return desk.take_events();
    }
    auto const& settings = s.types.find(type)->settings;
    Word const state(settings.verification == Verification::none ? "free" : "dirty");
    auto const fence = desk.next_fence();
    desk.record(Added{Name(made->name), args.type, made->labels, made->numbers, made->data, state, fence, Origin::made});
    if (state == Word("dirty")) ask_cleaning(desk, args.type, settings, {{}, Name(made->name), {}, fence, 0, made->data});
    return desk.take_events();
}

Result<DestroyedOne> destroy_one(DestroyOne const& args, Outside& outside) {
    auto reply = outside.call(json_request("POST", args.url.str(), codec::to_json(AskedToDestroy{args.type, args.resource})));
    if (!reply && reply.error().status != 404 && reply.error().status != 410) return std::unexpected(std::move(reply.error()));
    if (reply && is_html(reply->body)) return fail(answer_invalid("expected nothing or JSON", reply->body));
    return DestroyedOne{};
}

std::vector<Event> one_destroyed(State const& s, DestroyOne const& args, Result<DestroyedOne> const& done, Ctx const&) {
    auto const* r = s.resource(args.resource);
    if (!r || !r->destroying) return {};
    if (!done) return {DestroyFailed{args.resource, Reason(done.error().code + ": " + done.error().detail)}};
    return {Removed{args.resource, "destroyed"}};
}

}  // namespace gantry::pool
