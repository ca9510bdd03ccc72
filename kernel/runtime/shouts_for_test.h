#pragma once
#include "kernel/service.h"

// A trivial service with full-text search, for the kernel's own tests: shouts that everybody, or their owner alone, may hear.
namespace gantry::shouts {

using ShoutId = Id<"s_">;
struct Shouted {
    ShoutId id;
    Text<1, 300> text;
    Personal<Text<1, 100>> mail;
    UserId owner;
    bool hidden = false;
};
RECORD(Shouted, id, text, mail, owner, hidden);
struct Reworded {
    ShoutId id;
    Text<1, 300> text;
};
RECORD(Reworded, id, text);
struct Hushed {
    ShoutId id;
};
RECORD(Hushed, id);
struct Counted {  // gives no document
    std::uint32_t count = 0;
};
RECORD(Counted, count);
using Event = std::variant<Shouted, Reworded, Hushed, Counted>;

struct Shout {
    ShoutId id;
    Text<1, 300> text;
    Personal<Text<1, 100>> mail;
    UserId owner;
    bool hidden = false;
    Time at{};
};
RECORD(Shout, id, text, mail, owner, hidden, at);
inline bool visible(Shout const& s, Viewer const& v) { return !s.hidden || s.owner == v.id; }

struct State {
    Table<ShoutId, Shout> shouts;
    void apply(Shouted const& e, At const& at) { shouts.put(e.id, Shout{e.id, e.text, e.mail, e.owner, e.hidden, at.time}); }
    void apply(Reworded const& e) {
        shouts.change(e.id, [&](Shout& s) { s.text = e.text; });
    }
    void apply(Hushed const& e) { shouts.erase(e.id); }
    void apply(Counted const&) {}
};
STATE(State, shouts);

struct NewShout {
    Text<1, 300> text;
    Text<1, 100> mail;
    bool hidden = false;
};
RECORD(NewShout, text, mail, hidden);
struct NewWords {
    ShoutId id;
    Text<1, 300> text;
};
RECORD(NewWords, id, text);
struct ById {
    ShoutId id;
};
RECORD(ById, id);
struct Count {
    std::uint32_t count = 0;
};
RECORD(Count, count);
struct Asked {
    static constexpr bool has_defaults = true;
    std::string q;
    bool best_first = false;
    Limit limit = 100;
    std::string after;
};
RECORD(Asked, q, best_first, limit, after);

using Changed = Emit<Shout, Event>;
inline Result<Shout> show(State const& s, ById const& in, Ctx const&) {
    if (auto* found = s.shouts.find(in.id)) return *found;
    return fail(404, "shout_not_found", "there is no shout with this id");
}
inline Result<Changed> shout(State const&, NewShout const& in, Ctx const& cx) {
    Shout s{ShoutId(cx.fresh("s_")), in.text, {in.mail, cx.subject_of(in.mail.view())}, UserId(cx.caller()), in.hidden, cx.now};
    return Changed{{Shouted{s.id, s.text, s.mail, s.owner, s.hidden}}, s};
}
inline Result<Changed> reword(State const& s, NewWords const& in, Ctx const& cx) {
    auto found = show(s, {in.id}, cx);
    if (!found) return std::unexpected(found.error());
    found->text = in.text;
    return Changed{{Reworded{in.id, in.text}}, *found};
}
inline Result<Changed> hush(State const& s, ById const& in, Ctx const& cx) {
    auto found = show(s, in, cx);
    if (!found) return std::unexpected(found.error());
    return Changed{{Hushed{in.id}}, *found};
}
inline Result<Emit<Count, Event>> count(State const&, Count const& in, Ctx const&) { return Emit<Count, Event>{{Counted{in.count}}, in}; }

inline text::Schema text_schema() { return {.texts = {{"text"}, {"mail"}}, .numbers = {}, .exact = {"owner"}}; }
inline Result<text::Query> find(Asked const& in, Ctx const& cx) {
    TRY_ASSIGN(auto match, text::parse(in.q, text_schema(), {.now = cx.now}));
    return text::Query{.match = std::move(match),
                       .order = in.best_first ? text::Order::relevance : text::Order::newest,
                       .limit = std::size_t(std::int64_t(in.limit)),
                       .after = in.after};
}
inline Result<Page<Shout>> found(State const& s, Asked const&, text::Found const& found, Ctx const&) {
    Page<Shout> page;
    for (auto const& hit : found.hits)
        if (auto const* shout = s.shouts.find(ShoutId(hit.key))) page.items.push_back(*shout);
    return page;
}

struct Service {
    using State = shouts::State;
    using Event = shouts::Event;
    static constexpr std::string_view name = "shouts";
    static bool visible(State const& s, Event const& e, Viewer const&) {
        auto const* shouted = std::get_if<Shouted>(&e);
        return shouted && s.shouts.contains(shouted->id);
    }
    static text::Schema text_schema() { return shouts::text_schema(); }
    static void index(State const& s, Event const& e, At const&, TextChanges& out) {
        std::visit(
            [&](auto const& event) {
                if constexpr (requires { event.id; }) {
                    auto const* shout = s.shouts.find(event.id);
                    if (!shout) return out.remove(event.id.view());
                    text::Document document{.key = event.id.str(), .time = shout->at};
                    document.text("text", shout->text.view()).text("mail", shout->mail.value.view()).value("owner", shout->owner.view());
                    out.put(std::move(document));
                }
            },
            e);
    }
    static std::vector<OwnMetric> metrics(State const& s, Time) {
        MetricSample const loud{{{"loud", "y\"es"}}, double(s.shouts.size())}, quiet{{{"loud", "no"}}, 0.5};
        return {{OwnMetricKind::gauge, "gantry_shouts_shouts", "Shouts by loudness.", {loud, quiet}},
                {OwnMetricKind::counter, "gantry_shouts_shouted_total", "Shouts.", {{{}, double(s.shouts.size())}}}};
    }
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/", &shout, Scope{"shouts:write"}, Doc{"Shout."}),
                route<Service>(V1, "GET", "/search", &find, &found, Scope{"shouts:read"}, Doc{"Shouts with these words, newest first."}),
                route<Service>(V1, "GET", "/{id}", &show, Scope{"shouts:read"}, Doc{"Read one."}),
                route<Service>(V1, "PATCH", "/{id}", &reword, Scope{"shouts:write"}, Doc{"Say it otherwise."}),
                route<Service>(V1, "DELETE", "/{id}", &hush, Scope{"shouts:write"}, Doc{"Take it back."}),
                route<Service>(V1, "POST", "/counts", &count, Scope{"shouts:write"}, Doc{"Record what isn't searched."})};
    }
};

}  // namespace gantry::shouts
