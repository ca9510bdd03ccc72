#pragma once
#include <algorithm>

#include "kernel/service.h"

// A service of which almost nothing is for everyone: papers that their owner and one team may see. Each `Leak` is a mistake that a service
// can make, for tests that must find it.
namespace gantry::vault {

enum class Leak { none, count, feed, error, next };

using PaperId = Id<"p_">;
struct Filed {
    PaperId id;
    Text<1, 120> text;
    UserId owner;
    Str team;
};
RECORD(Filed, id, text, owner, team);
struct Rewritten {
    PaperId id;
    Text<1, 120> text;
};
RECORD(Rewritten, id, text);
struct Given {
    PaperId id;
    Str team;
};
RECORD(Given, id, team);
struct Burnt {
    PaperId id;
};
RECORD(Burnt, id);
using Event = std::variant<Filed, Rewritten, Given, Burnt>;

struct Paper {
    PaperId id;
    Text<1, 120> text;
    UserId owner;
    Str team;
};
RECORD(Paper, id, text, owner, team);
inline bool visible(Paper const& p, Viewer const& v) { return p.owner == v.id || std::ranges::find(v.teams, p.team) != v.teams.end(); }

struct State {
    Table<PaperId, Paper> papers;
    Table<PaperId, Burnt> known;  // every id, for everyone: what the leaks look at
    void apply(Filed const& e) { papers.put(e.id, Paper{e.id, e.text, e.owner, e.team}), known.put(e.id, Burnt{e.id}); }
    void apply(Rewritten const& e) {
        papers.change(e.id, [&](Paper& p) { p.text = e.text; });
    }
    void apply(Given const& e) {
        papers.change(e.id, [&](Paper& p) { p.team = e.team; });
    }
    void apply(Burnt const& e) { papers.erase(e.id); }
};
STATE(State, papers, known);

struct NewPaper {
    Text<1, 120> text;
    Str team;
};
RECORD(NewPaper, text, team);
struct ById {
    PaperId id;
};
RECORD(ById, id);
struct NewText {
    PaperId id;
    Text<1, 120> text;
};
RECORD(NewText, id, text);
struct NewTeam {
    PaperId id;
    Str team;
};
RECORD(NewTeam, id, team);
struct Listing {
    static constexpr bool has_defaults = true;
    std::optional<std::string> text;  // what a paper begins with
    std::optional<std::string> cursor;
    Limit limit = 100;
};
RECORD(Listing, text, cursor, limit);
struct Nothing {
    static constexpr bool has_defaults = true;
    std::optional<Str> unused;
};
RECORD(Nothing, unused);
struct Summary {
    std::int64_t papers = 0, letters = 0;
};
RECORD(Summary, papers, letters);
using Changed = Emit<Paper, Event>;

template <Leak leak>
struct Service {
    using State = vault::State;
    using Event = vault::Event;
    static constexpr std::string_view name = "vault";
    static bool visible(State const& s, Event const& e, Viewer const&) {
        return leak == Leak::feed || std::visit([&](auto const& event) { return s.papers.contains(event.id); }, e);
    }

    static Result<Paper> show(State const& s, ById const& in, Ctx const&) {
        if (auto* p = s.papers.find(in.id)) return *p;
        if (leak == Leak::error && s.known.contains(in.id)) return fail(404, "paper_not_found", "there is no paper for you with this id");
        return fail(404, "paper_not_found", "there is no paper with this id");
    }
    static Result<Changed> file(State const&, NewPaper const& in, Ctx const& cx) {
        Paper p{PaperId(cx.fresh("p_")), in.text, UserId(cx.caller()), in.team};
        return Changed{{Filed{p.id, p.text, p.owner, p.team}}, p};
    }
    static Result<Changed> rewrite(State const& s, NewText const& in, Ctx const& cx) {
        TRY_ASSIGN(auto p, show(s, {in.id}, cx));
        p.text = in.text;
        return Changed{{Rewritten{in.id, in.text}}, p};
    }
    static Result<Changed> give(State const& s, NewTeam const& in, Ctx const& cx) {
        TRY_ASSIGN(auto p, show(s, {in.id}, cx));
        p.team = in.team;
        return Changed{{Given{in.id, in.team}}, p};
    }
    static Result<Changed> burn(State const& s, ById const& in, Ctx const& cx) {
        TRY_ASSIGN(auto p, show(s, in, cx));
        return Changed{{Burnt{in.id}}, p};
    }
    static Result<Page<Paper>> list(State const& s, Listing const& in, Ctx const&) {
        std::optional<PaperId> after;
        if (in.cursor) {
            TRY_ASSIGN(after, read_cursor<PaperId>(*in.cursor));
        }
        Page<Paper> page;
        s.papers.walk(after ? &*after : nullptr, [&](PaperId const&, Paper const& p) {
            if (in.text && !p.text.view().starts_with(*in.text)) return true;
            page.complete = std::int64_t(page.items.size()) < in.limit;
            if (page.complete) page.items.push_back(p);
            return page.complete;
        });
        if (leak == Leak::next && !page.items.empty())
            s.known.walk(&page.items.back().id, [&](PaperId const&, Burnt const&) { return page.complete = false; });
        if (!page.complete) page.next = make_cursor(page.items.back().id);
        return page;
    }
    static Result<Summary> sum(State const& s, Nothing const&, Ctx const&) {
        Summary out;
        s.papers.walk(nullptr,
                      [&](PaperId const&, Paper const& p) { return ++out.papers, out.letters += std::int64_t(p.text.size()), true; });
        if (leak == Leak::count) out.papers = std::int64_t(s.papers.size());
        return out;
    }

    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/", &file, Scope{"vault:write"}, Doc{"File a paper."}, Bulk{}),
                route<Service>(V1, "GET", "/{id}", &show, Scope{"vault:read"}, Doc{"Read a paper."}),
                route<Service>(V1, "PATCH", "/{id}", &rewrite, Scope{"vault:write"}, Doc{"Rewrite a paper."}),
                route<Service>(V1, "DELETE", "/{id}", &burn, Scope{"vault:write"}, Doc{"Burn a paper."}),
                route<Service>(V1, "POST", "/{id}/team", &give, Scope{"vault:write"}, Doc{"Give a paper to a team."}),
                route<Service>(V1, "GET", "/", &list, Scope{"vault:read"}, Doc{"The papers that the caller may see."}),
                route<Service>(V1, "GET", "/sum", &sum, Scope{"vault:read"}, Doc{"How many they are."})};
    }
};

}  // namespace gantry::vault
