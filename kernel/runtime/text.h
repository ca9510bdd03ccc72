#pragma once
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernel/runtime/follow.h"
#include "kernel/text/index.h"

// Full-text search of a service: it says what documents its events give, and the runtime keeps an index of them beside the log.
//
//     static text::Schema text_schema() { return {.texts = {{"title"}}}; }
//     static void index(Event const&, At const&, TextChanges&);                 // what an event changes, by itself alone; or
//     static void index(State const&, Event const&, At const&, TextChanges&);   // with what the state says of it by now
//
//     Result<text::Query> find(Asked const&, Ctx const&);                       // pure, and before the state is read; `nothing`: a plain
//     list Result<Page<Note>> found(State const&, Asked const&, text::Found const&, Ctx const&); route<Service>(V1, "GET", "/search",
//     &find, &found, Scope{"notes:read"}, Doc{"…"})
//
// `index` runs behind the writer, once an event is durable, and again for all events whenever the index is made anew: after a crash, when
// the schema is another one, when somebody's personal values were erased. What it puts must follow from its parameters alone. What
// retention has cut from the log gives no documents any more. `found` looks up the hits in the state, which shows what the caller may see;
// hits that aren't there (any more) are left out, so that a page may have fewer items than its limit. The kernel adds the cursor, and says
// when the index is behind (`complete`, `why`).
namespace gantry::runtime {

class TextChanges {
   public:
    void put(text::Document document) { changes_.emplace_back(std::move(document)); }
    void remove(std::uint64_t id) { changes_.emplace_back(id); }
    void remove(std::string_view key) { changes_.emplace_back(std::string(key)); }

    using Change = std::variant<text::Document, std::uint64_t, std::string>;
    std::vector<Change> const& all() const { return changes_; }
    void clear() { changes_.clear(); }

   private:
    std::vector<Change> changes_;
};

inline void takes_event(RouteFn) {}

template <class Service>
void add_text(ServiceDecl& decl) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    auto& text = decl.text.emplace();
    text.schema = Service::text_schema();
    constexpr bool asks_state = requires(State const& s, Event const& e, At const& at, TextChanges& out) { Service::index(s, e, at, out); };
    text.asks_state = asks_state;
    text.changes = [](void const* state, void const* event, At const& at, TextChanges& out) {
        if constexpr (asks_state)
            Service::index(*static_cast<State const*>(state), *static_cast<Event const*>(event), at, out);
        else
            Service::index(*static_cast<Event const*>(event), at, out);
    };
    text.events = {.source = Service::name, .event = &codec::type_of<Event>(), .decode = &decode_followed<Event>};
    if constexpr (requires { Service::renames(); }) text.events.renames = Service::renames();
    text.events.handlers.resize(std::variant_size_v<Event>, {reinterpret_cast<RouteFn>(&takes_event), nullptr});
}

template <class Row>
void complete_page(Page<Row>& page, Searched const& searched) {
    if (!page.next) page.next = searched.found.next;
    if (searched.behind && !page.why) page.why = searched.behind;
    page.complete = page.complete && !page.next && !searched.behind;
}

template <class State, class Input, class Row>
Result<void> run_search(RouteFn function, Call& call) {
    Input input{};
    TRY_VOID(call.bind(codec::type_of<Input>(), &input));
    TRY_ASSIGN(auto const searched, call.search(&input));
    auto read = reinterpret_cast<Result<Page<Row>> (*)(State const&, Input const&, text::Found const&, Ctx const&)>(function);
    TRY_ASSIGN(auto state, call.begin_read());
    auto page = read(*static_cast<State const*>(state), input, searched.found, call.ctx());
    auto const position = call.end_read();
    if (!page) return std::unexpected(std::move(page.error()));
    complete_page(*page, searched);
    page->position = call.position_text(position);
    call.answer(codec::type_of<Page<Row>>(), &*page, 200);
    return {};
}

template <class Input>
Result<text::Query> make_query(RouteFn function, void const* input, Ctx const& cx) {
    return reinterpret_cast<Result<text::Query> (*)(Input const&, Ctx const&)>(function)(*static_cast<Input const*>(input), cx);
}

}  // namespace gantry::runtime

namespace gantry {

using runtime::TextChanges;

// A search: what is asked of the index, and what of the state is answered for what it found.
template <class Service, class Row, class Input, runtime::Access Who, class... Extra>
Route route(Version version, std::string_view verb, std::string_view path, Result<text::Query> (*query)(Input const&, Ctx const&),
            Result<Page<Row>> (*read)(typename Service::State const&, Input const&, text::Found const&, Ctx const&), Who who, Doc doc,
            Extra... extra) {
    static_assert(requires { Service::text_schema(); }, "a search needs documents: static text::Schema text_schema() and index(…)");
    Route r{.version = version,
            .verb = verb,
            .path = path,
            .page = true,
            .doc = doc.text,
            .input = &codec::type_of<Input>(),
            .reply = &codec::type_of<Page<Row>>(),
            .function = reinterpret_cast<runtime::RouteFn>(read),
            .run = &runtime::run_search<typename Service::State, Input, Row>,
            .query = reinterpret_cast<runtime::RouteFn>(query),
            .make_query = &runtime::make_query<Input>};
    runtime::add_access(r, who);
    (runtime::add_extra(r, extra), ...);
    return r;
}

}  // namespace gantry
