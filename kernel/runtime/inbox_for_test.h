#pragma once
#include "kernel/runtime/notes_for_test.h"

// A foreign protocol over the notes: a form is posted into a box, answered in plain text.
namespace gantry::notes {

struct Posted {
    Text<1, 100> box, key, title, from;
};
RECORD(Posted, box, key, title, from);

inline Result<Posted> parse_post(ForeignRequest const& request) {
    auto const form = ForeignRequest::parse_form(request.body);
    if (!form || form->empty()) return fail(400, "form_invalid", "a form with a title is expected");
    Posted posted;
    auto const set = [](Text<1, 100>& field, std::string_view text) { field = Str(text.substr(0, 100)); };
    set(posted.box, request.field("box")), set(posted.key, request.header("x-key")), set(posted.title, form->front().second);
    set(posted.from, std::string(request.scheme) + "://" + std::string(request.host) + " " + std::string(request.client));
    return posted;
}

inline Result<Emit<ForeignReply, Event>> take(State const&, Posted const& in, Ctx const& cx) {
    if (in.title == Str("boom")) throw std::runtime_error("a decision that fails");
    if (in.key != Str("k")) return fail(403, "key_wrong", "this box has another key");
    NoteId const id(cx.fresh("n_"));
    ForeignReply reply{201, "text/plain", "made in " + in.box.str() + " by " + cx.caller().str(), {{"X-Note", id.str()}}};
    return Emit<ForeignReply, Event>{{Created{id, Str(in.title.view()), UserId(cx.caller())}}, std::move(reply)};
}

struct Peek {
    Text<0, 100> box;
    bool loud = false;
};
RECORD(Peek, box, loud);
inline Result<Peek> parse_peek(ForeignRequest const& request) {
    return Peek{{Str(request.field("box"))}, request.parameter("as_of").value_or("") == "loud"};
}
inline Result<ForeignReply> peek(State const&, Peek const& in, Ctx const&) {
    if (in.box == Str("none")) return fail(404, "box_unknown", "there is no such box");
    return ForeignReply{in.loud ? 302 : 200, "text/plain", in.loud ? "" : "box " + in.box.str(), {{"Location", "/elsewhere"}}};
}

// The same, with work between a look and the decision.
inline Result<std::string> look(State const&, Posted const& in, Ctx const& cx) {
    if (in.key != Str("k")) return fail(403, "key_wrong", "this box has another key");
    return in.title.str() + " for " + cx.reached_at();
}
inline Result<std::string> work(std::string const& looked, Posted const&) { return "worked on " + looked; }
inline Result<Emit<ForeignReply, Event>> decide(State const&, Posted const& in, std::string const& worked, Ctx const& cx) {
    return Emit<ForeignReply, Event>{{Created{NoteId(cx.fresh("n_")), Str(in.title.view()), UserId(cx.caller())}},
                                     {201, "text/plain", worked, {}}};
}

inline ForeignReply in_short(Problem const& problem) { return {problem.status, "text/plain", "error=" + problem.code, {}}; }

// "/notes/inbox/{box}": of our own callers; "/notes/open/{box}": of pages of any origin.
inline std::vector<Route> inbox_routes() {
    return {foreign<Service>("POST", "/inbox/{box}", &parse_post, &take, Scope{"notes:write"}, Doc{"Take a form."},
                             {.body_bytes_max = 64, .refused = &in_short}),
            foreign<Service>("GET", "/inbox/{box}", &parse_peek, &peek, Scope{"notes:read"}, Doc{"Look into a box."}),
            foreign<Service>("POST", "/open/{box}", &parse_post, &take, open_to_all, Doc{"Take a form from anywhere."},
                             {.cross_origin = true, .exposed_headers = "X-Note", .refused = &in_short}),
            foreign<Service>("POST", "/keyed/{box}", &parse_post, &take, open_to_all, Doc{"Take a form with a key of its own."},
                             {.own_credentials = true}),
            slow_foreign<Service, &look, &work, &decide>("POST", "/slow/{box}", &parse_post, Scope{"notes:write"},
                                                         Doc{"Take a form that is worked on."}, {.refused = &in_short})};
}

}  // namespace gantry::notes
