// Any bytes as a request's verb, target and body, as a cursor, as If-Match, Gantry-After, Last-Event-ID and as_of: no crash, and what binds
// is bound to the same again from its own words.
#include "kernel/base/assert.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_check.h"
#include "kernel/http/message.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/cursor.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/if_match.h"
#include "kernel/runtime/kernel_query.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

enum class Colour { red, light_blue };
ENUM(Colour, red, light_blue)

// A read with a parameter of every kind that a query can hold.
struct Query {
    Str in;
    Text<1, 5> name;
    bool flag = false;
    std::optional<std::int32_t> age;
    std::vector<std::int32_t> sizes;
    Bounded<-5, 1000> bounded;
    double real = 0;
    Id<"i_"> id;
    Seq<"r_"> seq;
    Bytes bytes;
    std::optional<Time> time;
    std::optional<Duration> duration;
    Colour colour = Colour::red;
    Secret<std::optional<Str>> secret;
};
RECORD(Query, in, name, flag, age, sizes, bounded, real, id, seq, bytes, time, duration, colour, secret);
struct Lenient {
    static constexpr bool has_defaults = true;
    std::uint64_t in = 0;
    Text<0, 9> name = "none";
    std::uint8_t small = 7;
    std::vector<Id<"i_">> ids;
};
RECORD(Lenient, in, name, small, ids);

struct Key {
    std::int64_t at_us = 0;
    std::uint64_t run = 0;
    Text<0, 20> name;
    std::optional<Id<"i_">> id;
};
RECORD(Key, at_us, run, name, id);

std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (char c : text) out += '%', out += digits[std::uint8_t(c) >> 4], out += digits[std::uint8_t(c) & 15];
    return out;
}

bool is_absent(codec::Type const& type, void const* value) {
    if (type.kind == codec::Kind::secret) return is_absent(type.element(), type.ops.inner(value));
    return type.kind == codec::Kind::optional && !type.ops.has(value);
}

// The target that says a value of a read's input.
std::string said(Target const& target, codec::Type const& type, void const* value, std::string& query) {
    std::string path;
    for (auto segment : target.segments) {
        path += '/';
        bool named = false;
        for (auto const& f : type.fields)
            if (segment == "{" + std::string(f.name) + "}")
                path += escaped(codec::encode_scalar(f.type(), static_cast<char const*>(value) + f.offset)), named = true;
        if (!named) path += segment;
    }
    for (auto const& f : type.fields) {
        auto const* at = static_cast<char const*>(value) + f.offset;
        if (std::ranges::find(target.segments, "{" + std::string(f.name) + "}") != target.segments.end()) continue;
        if (is_absent(f.type(), at)) continue;
        query += (query.empty() ? "" : "&") + escaped(f.name) + "=" + escaped(codec::encode_scalar(f.type(), at));
    }
    return path;
}

// What a request is told of its faults quotes it.
void can_be_told(Problem const& problem, std::string_view request_id) {
    std::string body;
    http::append_problem_json(body, problem, request_id);
    GANTRY_ASSERT(!codec::check_json(body, 32), ("a problem document is JSON: " + body).c_str());
}

void bind(Match const& match, std::string_view query, std::string_view body) {
    auto const& type = *match.target->route->input;
    codec::AnyValue value(type), again(type);
    if (auto bound = bind_request(match, query, body, false, type, value.get()); !bound) return can_be_told(bound.error(), query);
    if (match.target->route->command) return;
    std::string words;
    auto const path = said(*match.target, type, value.get(), words);
    Match const other{match.target, segments_of(path), {}};
    auto bound = bind_request(other, words, {}, false, type, again.get());
    GANTRY_ASSERT(bound, ("what was bound can be said: " + path + "?" + words).c_str());
    GANTRY_ASSERT(codec::equal(type, value.get(), again.get()), "and is bound to the same");
}

template <class Input>
void bind_to(std::string_view path, std::string_view query) {
    static RouteDecl const route{.version = V1, .verb = "GET", .path = "/{in}", .input = &codec::type_of<Input>()};
    static Target const target{nullptr, &route, nullptr, "/zoo/v1/{in}", {"zoo", "v1", "{in}"}, false};
    Match const match{&target, segments_of(path), {}};
    if (match.segments.count == 3) bind(match, query, {});
}

// A service to ask, without a server.
struct Notes {
    ManualClock clock;
    SeededRandom random{1};
    log::MemoryLog log{std::make_shared<log::MemoryStore>(), clock, random, log::Options{},
                       codec::encode_event_schema(codec::type_of<notes::Event>())};
    Host host{declare<notes::Service>(), Host::Parts{log, clock, random}};
    std::array<Host*, 1> hosts{&host};
    std::unique_ptr<RouteTable> table;
    std::unique_ptr<Edge> edge;
    Notes() {
        GANTRY_ASSERT(host.start(), "an empty log is read");
        table = std::make_unique<RouteTable>(hosts);
        edge = std::make_unique<Edge>(std::vector<Host*>{&host});
    }
};

void request(Notes const& notes, std::string_view text) {
    auto word = [&](char end) {
        auto const at = std::min(text.find(end), text.size());
        auto const out = text.substr(0, at);
        text.remove_prefix(std::min(at + 1, text.size()));
        return out;
    };
    auto const verb = word(' '), target = word('\n');
    auto const mark = std::min(target.find('?'), target.size());
    auto const path = target.substr(0, mark), query = target.substr(std::min(mark + 1, target.size()));
    if (auto kernels = split_query(query)) {
        auto rest = split_query(kernels->rest);
        GANTRY_ASSERT(rest && rest->as_of.empty() && rest->live.empty(), "what is the kernel's is taken out");
        if (auto form = live_form(*kernels, text); !form) can_be_told(form.error(), text);
    } else {
        can_be_told(kernels.error(), query);
    }
    auto const match = notes.table->match(verb, path);
    if (match.target) bind(match, query, text);
    bind_to<Query>(path, query);
    bind_to<Lenient>(path, query);
    for (auto plus : {Plus::itself, Plus::blank}) {
        std::string decoded, again;
        if (!percent_decode(target, plus, decoded)) continue;
        GANTRY_ASSERT(percent_decode(escaped(decoded), plus, again) && again == decoded, "escapes say every byte");
    }
}

void cursor(std::string_view text) {
    auto key = read_cursor<Key>(text);
    if (!key) return can_be_told(key.error(), text);
    GANTRY_ASSERT(make_cursor(*key) == text, "only what a page gave is a cursor");
}

void header(Notes const& notes, std::string_view text) {
    log::Position position = 0;
    auto behind = notes.edge->behind(text, position);
    if (!behind) can_be_told(behind.error(), text);
    if (behind && *behind) GANTRY_ASSERT(position > (*behind)->durable(), "only what is not durable yet is waited for");
    if (auto seen = Edge::last_seen(notes.host, text); seen > 0)
        GANTRY_ASSERT(text.starts_with(notes.host.incarnation() + "."), "only an id of this history");
    auto moment = notes.host.moment(text);
    if (!moment) can_be_told(moment.error(), text);
    if (etag_listed(text, "\"0123456789abcdef\""))
        GANTRY_ASSERT(text == "*" || text.find("\"0123456789abcdef\"") != text.npos, "only what is listed");
    GANTRY_ASSERT(!etag_listed(text, ""), "nothing is never listed");
    if (auto id = log::parse_incarnation(text)) GANTRY_ASSERT(log::incarnation_text(*id) == text, "an incarnation has one name");
}

}  // namespace
}  // namespace gantry::runtime

// The first byte says what the others are.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::runtime;
    static Notes const notes;
    if (size == 0) return 0;
    std::string_view const text(reinterpret_cast<char const*>(data) + 1, size - 1);
    switch (data[0]) {
        case 'c': cursor(text); break;
        case 'h': header(notes, text); break;
        default: request(notes, text);
    }
    return 0;
}
