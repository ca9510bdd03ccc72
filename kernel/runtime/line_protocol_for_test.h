#pragma once
#include <charconv>

#include "kernel/runtime/line.h"
#include "kernel/runtime/notes_for_test.h"

// A line protocol over the notes:
//
//     put <bytes>\r\n<title>\r\n   PUT <id>         overlaps
//     hold <title>                 HELD <id>        the connection holds it; what it holds is archived when it closes
//     drop                         DROPPED <id>     of the one held last; NOTHING
//     show <id>                    NOTE <title> <archived?>
//     name <word>                  NAMED            at once; put says it in front of the title
//     boom, quit
namespace gantry::notes::desk {

struct Talk {
    std::string name;
    std::vector<NoteId> held;
};

struct Hold {
    Text<1, 120> title;
};
RECORD(Hold, title);
struct Held {
    NoteId id;
};
RECORD(Held, id);
struct Drop {
    std::vector<NoteId> ids;
};
RECORD(Drop, ids);
struct Boom {
    bool in_fold = false;
};
RECORD(Boom, in_fold);

inline constexpr std::uint64_t title_bytes_max = 120, body_bytes_max = 200;

inline std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t n = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    return error == std::errc() && !text.empty() && end == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

inline LineSaid parse_put(Talk const& talk, std::string_view rest, std::optional<std::string_view> body) {
    auto const size = number_of(rest);
    if (!size || *size > 1'000'000'000) return LineSaid::reply("BAD\r\n");
    if (!body && *size > title_bytes_max) return LineSaid::swallow(*size + 2, "TOO_BIG\r\n");
    if (!body) return LineSaid::body(*size + 2);
    if (!body->ends_with("\r\n")) return LineSaid::reply("NO_END\r\n");
    std::string title = talk.name + std::string(body->substr(0, std::size_t(*size)));
    if (title.empty() || title.size() > title_bytes_max || !codec::scan_utf8(title).valid()) return LineSaid::reply("BAD\r\n");
    return LineSaid::call("put", NewNote{Str(title)});
}

inline LineSaid parse(Talk& talk, LineIn const& in) {
    auto const blank = std::min(in.line.find(' '), in.line.size());
    auto const word = in.line.substr(0, blank), rest = in.line.substr(std::min(blank + 1, in.line.size()));
    if (word == "put") return parse_put(talk, rest, in.body);
    if (word == "huge") return LineSaid::body(body_bytes_max + 1);  // asks for more than the options allow
    if (word == "name") return talk.name = rest, LineSaid::reply("NAMED\r\n");
    if (word == "hold" && !rest.empty() && rest.size() <= title_bytes_max && codec::scan_utf8(rest).valid())
        return LineSaid::call("hold", Hold{Str(rest)});
    if (word == "drop" && talk.held.empty()) return LineSaid::reply("NOTHING\r\n");
    if (word == "drop") return LineSaid::call("drop", Drop{{talk.held.back()}});
    if (word == "show" && rest.starts_with("n_") && rest.size() < 40) return LineSaid::call("show", ById{NoteId(std::string(rest))});
    if (word == "boom") return LineSaid::call("boom", Boom{});
    if (word == "throw") throw std::runtime_error("a parse that fails");
    if (word == "quit") return LineSaid::close("BYE\r\n");
    return LineSaid::reply("UNKNOWN\r\n");
}

inline Result<Emit<Held, Event>> hold(State const&, Hold const& in, Ctx const& cx) {
    NoteId const id(cx.fresh("n_"));
    return Emit<Held, Event>{{Created{id, in.title, UserId(cx.caller())}}, Held{id}};
}
inline Result<Emit<Drop, Event>> drop(State const& s, Drop const& in, Ctx const&) {
    Emit<Drop, Event> out{{}, in};
    for (auto const& id : in.ids)
        if (s.notes.contains(id)) out.events.push_back(Archived{id});
    return out;
}
inline Result<Emit<Held, Event>> boom(State const&, Boom const&, Ctx const&) { throw std::runtime_error("a decision that fails"); }

inline std::string told_note(Talk&, Note const& n) { return "NOTE " + n.title.str() + (n.archived ? " archived\r\n" : "\r\n"); }
inline std::string told_put(Talk&, Note const& n) { return "PUT " + n.id.str() + "\r\n"; }
inline std::string told_held(Talk& talk, Held const& held) { return talk.held.push_back(held.id), "HELD " + held.id.str() + "\r\n"; }
inline std::string told_drop(Talk& talk, Drop const& dropped) {
    for (auto const& id : dropped.ids) std::erase(talk.held, id);
    return "DROPPED " + dropped.ids.back().str() + "\r\n";
}
inline std::string refused(Talk&, std::string_view command, Problem const& problem) {
    return "ERR " + std::string(command) + " " + problem.code + "\r\n";
}
inline std::optional<LineSaid> closing(Talk& talk) {
    if (talk.held.empty()) return {};
    return LineSaid::call("drop", Drop{talk.held});
}

inline LineProtocol protocol(LineOptions options = {}) {
    Scope const write{"notes:write"}, read{"notes:read"};
    options.line_bytes_max = 224, options.body_bytes_max = body_bytes_max, options.line_too_long = "TOO_LONG\r\n";
    if (options.full.empty()) options.full = "FULL\r\n";
    return line_protocol<Talk>(
        "desk", {.parse = &parse, .refused = &refused, .closing = &closing},
        {line_command<Talk>(route<Service>(V1, "put", "desk", &create, write, Doc{"Make a note."}), &told_put, Overlaps{}),
         line_command<Talk>(route<Service>(V1, "hold", "desk", &hold, write, Doc{"Make a note and hold it."}), &told_held),
         line_command<Talk>(route<Service>(V1, "drop", "desk", &drop, write, Doc{"Archive notes."}), &told_drop),
         line_command<Talk>(route<Service>(V1, "show", "desk", &show, read, Doc{"Read one."}), &told_note),
         line_command<Talk>(route<Service>(V1, "boom", "desk", &boom, write, Doc{"Fail."}), &told_held)},
        std::move(options), Doc{"Notes, line by line."});
}

}  // namespace gantry::notes::desk
