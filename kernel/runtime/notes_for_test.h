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
using Event = std::variant<Created, Archived>;

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
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/", &create, Scope{"notes:write"}, Doc{"Create a note owned by the caller."}),
                route<Service>(V1, "GET", "/{id}", &show, Scope{"notes:read"}, Doc{"Read one note."}),
                route<Service>(V1, "DELETE", "/{id}", &archive, Scope{"notes:write"}, Doc{"Archive a note; only its owner may."}),
                route<Service>(V1, "GET", "/", &list, Scope{"notes:read"}, Doc{"The caller's notes by id."})};
    }
};

}  // namespace gantry::notes
