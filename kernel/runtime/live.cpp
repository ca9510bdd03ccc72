#include "kernel/runtime/live.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/base/hash.h"
#include "kernel/codec/merge_patch.h"
#include "kernel/http/message.h"
#include "kernel/runtime/edge_asked.h"
#include "kernel/runtime/edge_lane.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {
namespace {

bool same_answer(RouteDecl const& route, std::string_view a, std::string_view b) {
    return without_position(route, a) == without_position(route, b);
}

}  // namespace

Edge::Live::Query* Edge::Live::find(std::uint64_t number) {
    auto found = queries_.find(number);
    return found == queries_.end() ? nullptr : found->second.get();
}

Edge::Live::Query& Edge::Live::query_of(Asked const& asked) {
    auto name = fmt::format("{}?{}\n{}", asked.head.path, asked.query, asked.caller->view);
    if (auto found = by_name_.find(name); found != by_name_.end()) return *queries_.at(found->second);
    auto query = std::make_unique<Query>();
    query->number = ++last_number_, query->name = name, query->path = asked.head.path, query->query = asked.query;
    query->host = asked.match.target->host, query->route = asked.match.target->route, query->viewer = asked.caller->viewer;
    by_name_.emplace(std::move(name), query->number);
    return *queries_.emplace(query->number, std::move(query)).first->second;
}

void Edge::Live::open(Asked const& asked, LiveForm form, Position last_seen, http::Deferred deferred) {
    Query& query = query_of(asked);
    query.openings.push_back({form, last_seen, asked.request_id, asked.caller, std::move(deferred)});
    if (query.status != 200 || query.evaluating || outdated(query)) return evaluate(query);
    Opening opening = std::move(query.openings.back());
    query.openings.pop_back();
    start(query, std::move(opening), nullptr);
}

void Edge::Live::wake(std::vector<std::uint64_t> const& queries) {
    for (auto number : queries)
        if (Query* query = find(number)) evaluate(*query);
}

void Edge::Live::evaluate(Query& query) {
    if (query.evaluating) return void(query.again = true);
    query.evaluating = true, query.again = false;
    ++evaluations_;
    auto const match = edge_.table_.match("GET", query.path);
    auto bind = [&](codec::Type const& type, void* out) { return bind_request(match, query.query, {}, false, type, out); };
    Seen seen;
    Request request{.route = *query.route, .viewer = query.viewer, .bind = bind};
    request.seen = &seen, request.lane = io_thread_;
    auto const number = query.number;
    auto answer = query.host->call(request, [&]() -> Done {
        return [alive = edge_.alive_, this, number](Result<Answer> told) {
            if (*alive) settle(number, std::move(told));
        };
    });
    follow(query, seen);
    if (answer) settle(number, std::move(*answer));
}

// Watches the keys that the newest evaluation looked up.
void Edge::Live::follow(Query& query, Seen const& seen) {
    query.applied = seen.applied, query.rebuilds = seen.rebuilds, query.broad = seen.broad;
    std::span<state::KeyHash const> const keys(seen.keys.data(), seen.broad ? 0 : seen.count);
    bool const wide = seen.broad || seen.wide;
    if (query.watched && query.wide == wide && std::ranges::equal(query.keys, keys)) return;
    unfollow(query);
    query.wide = wide, query.watched = true;
    query.keys.assign(keys.begin(), keys.end());
    if (wide)
        look_at_wide_ones_later();
    else
        query.host->watch().add({io_thread_, query.number}, query.keys);
}

void Edge::Live::unfollow(Query& query) {
    if (query.watched && !query.wide) query.host->watch().remove({io_thread_, query.number}, query.keys);
    query.watched = false;
}

// Whether the answer may have changed since it was evaluated.
bool Edge::Live::outdated(Query const& query) const {
    Seen seen;
    seen.applied = query.applied, seen.rebuilds = query.rebuilds, seen.broad = query.broad;
    seen.count = std::uint32_t(query.keys.size());
    std::ranges::copy(query.keys, seen.keys.begin());
    return !query.host->unchanged(seen);
}

void Edge::Live::settle(std::uint64_t number, Result<Answer> answer) {
    Query* query = find(number);
    if (!query) return;
    std::string body;
    int const status = answer ? 200 : answer.error().status;
    if (answer)
        body = std::move(answer->body);
    else
        http::append_problem_json(body, answer.error(), {}, {});
    bool const changed = query->status != status || !same_answer(*query->route, query->body, body);
    if (changed) {
        std::string patch;
        bool const patched = std::ranges::any_of(query->readers, [](Reader const& r) { return r.form == LiveForm::patch; });
        if (patched && status == 200 && query->status == 200)
            if (auto made = codec::merge_patch(query->body, body)) patch = std::move(*made);
        query->status = status, query->body = std::move(body), ++query->version;
        query->body.shrink_to_fit();  // it is kept for as long as somebody reads
        query->position = answer ? answer->position : query->host->durable();
        tell_all(*query, patch);
    }
    for (auto& opening : std::exchange(query->openings, {})) start(*query, std::move(opening), answer ? nullptr : &answer.error());
    query->evaluating = false;  // only now may it go
    // What was touched while this was evaluated, before its keys were watched.
    query->host->applied_by_all();
    if (!query->wide && (query->again || outdated(*query))) evaluate_later(number);
    drop_if_unread(number);
}

void Edge::Live::start(Query& query, Opening opening, Problem const* problem) {
    auto response = opening.deferred.response();
    auto const position = query.host->position_text(query.position);
    if (problem) return write_problem(response, *problem, opening.request_id, {}, position);
    response.begin(200).header("Content-Type", "text/event-stream").header("Cache-Control", "no-store");
    response.header("Gantry-Position", position).header("X-Accel-Buffering", "no");
    Reader reader{++last_number_, opening.form, false, query.version, opening.caller, response.stream()};
    reader.out.heartbeat_every(heartbeat);
    if (opening.last_seen > query.host->refolded_at() && query.position <= opening.last_seen)
        reader.out.write(": unchanged\n\n");
    else
        reader.behind = !reader.out.event({}, position, query.body);
    auto const number = query.number, reader_number = reader.number;
    reader.out.on_drained([this, number, reader_number] { drained(number, reader_number); });
    query.readers.push_back(std::move(reader));
    ++readers_;
    // Last: it may be called at once.
    query.readers.back().out.on_cancel([this, number, reader_number] { left(number, reader_number); });
}

void Edge::Live::tell_all(Query& query, std::string_view patch) {
    for (auto& reader : query.readers)
        if (!reader.behind) tell(query, reader, patch);
}

void Edge::Live::tell(Query const& query, Reader& reader, std::string_view patch) {
    auto const position = query.host->position_text(query.position);
    bool const can_patch = reader.form == LiveForm::patch && !patch.empty() && reader.version + 1 == query.version;
    bool room;
    if (query.status != 200)
        room = reader.out.event("problem", position, query.body);
    else if (can_patch)
        room = reader.out.event("patch", position, patch);
    else
        room = reader.out.event({}, position, query.body);
    reader.version = query.version, reader.behind = !room;
}

std::size_t Edge::Live::behind() const {
    std::size_t count = 0;
    for (auto const& [number, query] : queries_) count += std::size_t(std::ranges::count(query->readers, true, &Reader::behind));
    return count;
}

void Edge::Live::drained(std::uint64_t number, std::uint64_t reader_number) {
    Query* query = find(number);
    if (!query) return;
    auto reader = std::ranges::find(query->readers, reader_number, &Reader::number);
    if (reader == query->readers.end()) return;
    reader->behind = false;
    if (reader->version != query->version) tell(*query, *reader, {});
}

void Edge::Live::left(std::uint64_t number, std::uint64_t reader_number) {
    Query* query = find(number);
    if (!query) return;
    readers_ -= std::erase_if(query->readers, [&](Reader const& r) { return r.number == reader_number; });
    drop_if_unread(number);
}

void Edge::Live::drop_if_unread(std::uint64_t number) {
    Query* query = find(number);
    if (!query || query->evaluating || !query->readers.empty() || !query->openings.empty()) return;
    unfollow(*query);
    by_name_.erase(query->name);
    queries_.erase(number);
}

void Edge::Live::evaluate_later(std::uint64_t number) {
    auto task = [alive = edge_.alive_, this, number] {
        Query* query = *alive ? find(number) : nullptr;
        if (query) evaluate(*query);
    };
    if (edge_.options_.threads) edge_.options_.threads->post(io_thread_, std::move(task));
}

void Edge::Live::look_at_wide_ones_later() {
    if (timer_set_ || !edge_.options_.threads) return;
    timer_set_ = true;
    edge_.options_.threads->after(io_thread_, wide_period, [alive = edge_.alive_, this] {
        if (*alive) look_at_wide_ones();
    });
}

void Edge::Live::look_at_wide_ones() {
    timer_set_ = false;
    std::vector<std::uint64_t> wide;
    for (auto const& [number, query] : queries_)
        if (query->watched && query->wide) wide.push_back(number);
    if (!wide.empty()) look_at_wide_ones_later();
    for (auto number : wide)
        if (Query* query = find(number); query && outdated(*query)) evaluate(*query);
}

void Edge::Live::drop_ended() {
    std::vector<std::uint64_t> numbers;
    for (auto const& [number, query] : queries_) numbers.push_back(number);
    std::string told;
    http::append_problem_json(told, caller_ended(), {}, {});
    for (auto number : numbers) {
        auto& query = *queries_.at(number);
        for (auto& reader : query.readers) {
            if (!reader.caller->is_ended()) continue;
            reader.out.event("problem", {}, told);
            reader.out.on_cancel(nullptr), reader.out.on_drained(nullptr);
            reader.out.end();
        }
        readers_ -= std::erase_if(query.readers, [](Reader const& r) { return r.caller->is_ended(); });
        for (auto& opening : query.openings)
            if (opening.caller->is_ended()) write_problem(opening.deferred.response(), caller_ended(), opening.request_id, {});
        std::erase_if(query.openings, [](Opening const& o) { return o.caller->is_ended(); });
        drop_if_unread(number);
    }
}

void Edge::Live::move_all() {
    for (auto& [number, query] : std::exchange(queries_, {})) {
        unfollow(*query);
        for (auto& reader : query->readers) {
            auto const wait_ms = edge_.options_.random->next() % move_within_ms;
            reader.out.write(fmt::format("retry: {0}\nevent: moved\ndata: {{\"retry_ms\":{0}}}\n\n", wait_ms));
            reader.out.on_cancel(nullptr), reader.out.on_drained(nullptr);
            reader.out.end();
        }
        for (auto& opening : query->openings)
            write_problem(opening.deferred.response(), {503, "stopping", "the server is being stopped: try again", {}, {}, 1},
                          opening.request_id, {});
    }
    by_name_.clear();
    readers_ = 0;
}

}  // namespace gantry::runtime
