#pragma once
#include <stdexcept>

#include "kernel/service.h"

// A trivial service for the kernel's own tests: notes that one user owns and may archive.
namespace gantry::notes {

using NoteId = Id<"n_">;
struct Created {
    NoteId id;
    Text<1, 120> title;
    UserId owner;
};
RECORD(Created, id, title, owner);
struct Archived {
    NoteId id;
};
RECORD(Archived, id);
struct Renamed {
    NoteId id;
    Text<1, 120> title;
};
RECORD(Renamed, id, title);
using Event = std::variant<Created, Archived, Renamed>;

struct Note {
    NoteId id;
    Text<1, 120> title;
    UserId owner;
    bool archived = false;
};
RECORD(Note, id, title, owner, archived);
inline bool visible(Note const& n, Viewer const& v) { return n.owner == v.id; }

struct State {
    Table<NoteId, Note> notes;
    void apply(Created const& e) {
        if (e.title == Str("poison")) throw std::runtime_error("a fold that breaks its promise");
        notes.put(e.id, Note{e.id, e.title, e.owner});
    }
    void apply(Archived const& e) {
        notes.change(e.id, [](Note& n) { n.archived = true; });
    }
    void apply(Renamed const& e) {
        notes.change(e.id, [&](Note& n) { n.title = e.title; });
    }
};
STATE(State, notes);

struct NewNote {
    Text<1, 120> title;
};
RECORD(NewNote, title);
struct ById {
    NoteId id;
};
RECORD(ById, id);
struct NewTitle {
    NoteId id;
    Text<1, 120> title;
};
RECORD(NewTitle, id, title);
struct NewKey {
    Text<1, 120> title;
};
RECORD(NewKey, title);
struct Key {
    NoteId id;
    Secret<Str> secret;
};
RECORD(Key, id, secret);
struct Listing {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
};
RECORD(Listing, limit);
using Changed = Emit<Note, Event>;

inline Result<Note> show(State const& s, ById const& in, Ctx const&) {
    if (auto* n = s.notes.find(in.id)) return *n;
    return fail(404, "note_not_found", "there is no note with this id");
}
inline Result<Changed> create(State const&, NewNote const& in, Ctx const& cx) {
    if (in.title == Str("boom")) throw std::runtime_error("a decision that fails");
    Note n{NoteId(cx.fresh("n_")), in.title, UserId(cx.caller())};
    return Changed{{Created{n.id, n.title, n.owner}}, n};
}
inline Result<Changed> archive(State const& s, ById const& in, Ctx const& cx) {
    auto n = show(s, in, cx);
    if (!n) return std::unexpected(n.error());
    if (n->archived) return Changed{{}, *n};
    n->archived = true;
    return Changed{{Archived{in.id}}, *n};
}
inline Result<Changed> rename(State const& s, NewTitle const& in, Ctx const& cx) {
    auto n = show(s, ById{in.id}, cx);
    if (!n) return std::unexpected(n.error());
    n->title = in.title;
    return Changed{{Renamed{in.id, in.title}}, *n};
}
inline Result<Emit<Key, Event>> make_key(State const&, NewKey const& in, Ctx const& cx) {
    NoteId id(cx.fresh("n_"));
    return Emit<Key, Event>{{Created{id, in.title, UserId(cx.caller())}}, Key{id, {Str("told once")}}};
}
inline Result<Page<Note>> list(State const& s, Listing const& in, Ctx const&) {
    Page<Note> page;
    s.notes.walk(nullptr,
                 [&](NoteId const&, Note const& n) { return page.items.push_back(n), std::int64_t(page.items.size()) < in.limit; });
    return page;
}

struct Service {
    using State = notes::State;
    using Event = notes::Event;
    static constexpr std::string_view name = "notes";
    static bool visible(State const& s, Event const& e, Viewer const&) {
        return std::visit([&](auto const& event) { return s.notes.contains(event.id); }, e);
    }
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/", &create, Scope{"notes:write"}, Doc{"Create a note owned by the caller."}, Bulk{}),
                route<Service>(V1, "GET", "/{id}", &show, Scope{"notes:read"}, Doc{"Read one note."}),
                route<Service>(V1, "DELETE", "/{id}", &archive, Scope{"notes:write"}, Doc{"Archive a note; only its owner may."}),
                route<Service>(V1, "GET", "/", &list, Scope{"notes:read"}, Doc{"The caller's notes by id."}),
                route<Service>(V1, "PATCH", "/{id}", &rename, Scope{"notes:write"}, Doc{"Give a note another title."}),
                route<Service>(V1, "POST", "/keys", &make_key, Scope{"notes:write"}, Doc{"Create a note with a secret."}),
                route<Service>(V2, "GET", "/{id}", &show, Scope{"notes:read"}, Doc{"Read one note."}),
                route<Service>(V1, "GET", "/{id}/old", &show, Scope{"notes:read"}, Doc{"As it was read before."},
                               Deprecated{"2026-01-01", "2027-01-01"})};
    }
};

}  // namespace gantry::notes

// Instantiated once, in notes_for_test.cpp: each test of the kernel needs it.
extern template gantry::runtime::ServiceDecl gantry::runtime::declare<gantry::notes::Service>();
