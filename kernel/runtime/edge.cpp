#include "kernel/runtime/edge.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/http/message.h"
#include "kernel/observe/log_line.h"
#include "kernel/observe/trace_context.h"
#include "kernel/runtime/bulk.h"
#include "kernel/runtime/deadline.h"
#include "kernel/runtime/edge_asked.h"
#include "kernel/runtime/edge_lane.h"
#include "kernel/runtime/feed.h"
#include "kernel/runtime/if_match.h"
#include "kernel/runtime/openapi.h"
#include "kernel/runtime/reply.h"
#include "kernel/runtime/text_indexer.h"

namespace gantry::runtime {
namespace {

constexpr int lanes_max = 256;  // IO threads of a process
constexpr std::string_view openapi_file = "openapi.json";
constexpr std::uint64_t large_body_bytes = 1 << 20;
constexpr std::uint64_t preflight_s = 86'400;  // that a browser may keep the answer

// Which position of a host a Gantry-After names, that was looked at before; 0: none.
Position after_of(Host const& host, std::string_view after) {
    Position position = 0;
    for (std::size_t at = 0; (at = after.find(host.decl().name, at)) != after.npos; at += host.decl().name.size()) {
        auto const rest = after.substr(at + host.decl().name.size());
        bool const begins = at == 0 || after[at - 1] == ',' || after[at - 1] == ' ';
        auto const dot = rest.find('.');
        if (!begins || !rest.starts_with('=') || dot == rest.npos) continue;
        std::from_chars(rest.data() + dot + 1, rest.data() + rest.size(), position);
    }
    return position;
}

bool is_ndjson(http::RequestHead const& head) {
    auto type = head.header("Content-Type");
    return http::equals_ignoring_case(type.substr(0, std::min(type.find(';'), type.size())), "application/x-ndjson");
}

}  // namespace

Edge::Edge(std::vector<Host*> hosts, EdgeOptions options)
    : hosts_(std::move(hosts)), table_(hosts_), options_(std::move(options)), lanes_(lanes_max) {
    for (Host* host : hosts_)
        host->on_wake([this, alive = alive_](int thread, std::vector<std::uint64_t> const& queries) {
            if (*alive) lane(thread).wake(queries);
        });
    for (Host* host : hosts_) {
        std::vector<Version> versions;
        for (auto const& route : host->decl().routes)
            if (std::ranges::find(versions, route.version) == versions.end()) versions.push_back(route.version);
        for (auto version : versions) {
            auto body = openapi(host->decl(), version, options_.version);
            auto etag = etag_of(body);
            documents_.push_back(
                {fmt::format("/{}/v{}/{}", host->decl().name, int(version), openapi_file), std::move(body), std::move(etag)});
        }
    }
}
Edge::~Edge() {
    *alive_ = false;
    for (Host* host : hosts_) host->watch().on_wake({});
    // What was posted to the lanes before has run when this returns.
    on_lanes([](Lane& lane) {
        lane.move_all(), lane.feeds.clear();
        lane.parked.end_all({503, "stopping", "the server is being stopped: try again", {}, {}, 1});
    });
}

void Edge::on_lanes(std::function<void(Lane&)> act) {
    for (int thread = 0; options_.threads && thread < options_.threads->count(); ++thread)
        options_.threads->run(thread, [&, thread] {
            if (auto& slot = lanes_[std::size_t(thread)]) act(*slot);
        });
}

void Edge::announce_stop() {
    stop_announced_ = true;
    for (Host* host : hosts_) host->hurry_all();
    on_lanes([](Lane& lane) { lane.move_all(); });
}

void Edge::drop_ended() {
    on_lanes([](Lane& lane) { lane.drop_ended(); });
}

Edge::LiveCounts Edge::live_counts() {
    LiveCounts counts;
    on_lanes([&](Lane& lane) {
        if (!lane.live) return;
        counts.evaluations += lane.live->evaluations(), counts.readers += lane.live->readers();
        counts.behind += lane.live->behind();
    });
    return counts;
}

Edge::Lane& Edge::lane(int io_thread) {
    auto& slot = lanes_[std::size_t(io_thread)];
    if (!slot) slot = std::make_unique<Lane>();
    return *slot;
}

http::BodyPlan Edge::plan(http::RequestHead const& head) {
    if (head.method == http::Method::Get || head.method == http::Method::Head) return http::BodyPlan::none();
    if (options_.admin && Admin::is_mine(head.path)) return Admin::plan();
    return plan(head, table_.match(http::method_name(head.method), head.path));
}

http::BodyPlan Edge::plan(http::RequestHead const& head, Match const& found) const {
    if (!found.target || !found.target->takes_body) return http::BodyPlan::none();
    if (found.target->route->bulk && is_ndjson(head)) return http::BodyPlan::stream(options_.bulk_bytes_max);
    auto const& foreign = found.target->route->foreign;
    return http::BodyPlan::whole(foreign ? foreign->options.body_bytes_max : options_.body_bytes_max);
}

http::BodyPlan Edge::arrive(http::Arrival& arrival) {
    auto const* ticket = static_cast<Ticket*>(arrival.ticket());
    auto const& head = arrival.head();
    if (!ticket || head.method == http::Method::Get || head.method == http::Method::Head) return plan(head);
    if (Admin::is_mine(head.path)) return plan(head);
    auto const found = table_.match(http::method_name(head.method), head.path);
    return found.target && !ticket->caller->allows(found.target->route->scope) ? http::BodyPlan::none() : plan(head, found);
}

Edge::Load Edge::load_of(http::RequestHead const& head) const {
    if (options_.admin && Admin::is_mine(head.path)) return {};
    auto const found = table_.match(http::method_name(head.method), head.path);
    if (!found.target) return {};
    auto const& route = *found.target->route;
    bool const large = head.content_length.value_or(head.has_body() ? large_body_bytes : 0) >= large_body_bytes;
    if (large || (route.command && route.bulk && is_ndjson(head))) return {found.target->host, LoadClass::bulk};
    if (route.command) return {found.target->host, LoadClass::command};
    auto const query = split_query(head.query);
    auto const live = query ? live_form(*query, head.header("Accept")) : LiveForm::none;
    return {found.target->host, live && *live != LiveForm::none ? LoadClass::stream : LoadClass::read};
}

bool Edge::answer_kept(http::Exchange& exchange) {
    EdgeCallerRef room;
    auto const caller = caller_of(exchange, room);
    return caller && answer_from_cache(exchange, ***caller, ticket_of(exchange));
}

Result<EdgeCallerRef const*> Edge::caller_of(http::Exchange const& exchange, EdgeCallerRef& room) const {
    auto const* ticket = ticket_of(exchange);
    if (ticket && !options_.viewer) return &ticket->caller;
    if (!options_.viewer) return room = local_caller(), &room;
    TRY_ASSIGN(auto viewer, options_.viewer(exchange.head()));
    return room = std::make_shared<EdgeCaller const>(seen_by(std::move(viewer))), &room;
}

std::string Edge::id_of(http::Exchange const& exchange) {
    if (auto const* ticket = ticket_of(exchange)) return std::string(ticket->request_id());
    auto const given = exchange.head().header("X-Request-Id");
    return is_plain_id(given) ? std::string(given) : fresh_id("q_", options_.clock->wall().us, lane(exchange.io_thread()).random);
}
// What came along with a traceparent, to be passed on as it is.
std::string Edge::trace_state_of(Asked const& asked) {
    if (asked.trace_id().empty() || !observe::parse_traceparent(asked.head.header("traceparent"))) return {};
    std::string state;
    for (auto const& header : asked.head.headers)
        if (http::equals_ignoring_case(header.name, "tracestate"))
            state.append(state.empty() ? "" : ",").append(header.value.substr(0, observe::TraceState::size_max + 1));
    bool const passes = state.size() <= observe::TraceState::size_max && observe::TraceState::parse(state).size() > 0;
    return passes ? state : std::string();
}

std::string Edge::id_of(Asked const& asked) {
    if (!asked.request_id.empty()) return asked.request_id;
    if (asked.ticket) return std::string(asked.ticket->request_id());
    auto const given = asked.head.header("X-Request-Id");
    return is_plain_id(given) ? std::string(given) : fresh_id("q_", options_.clock->wall().us, lane(asked.io_thread).random);
}

void Edge::handle(http::Exchange& exchange) {
    try {
        answer(exchange);
    } catch (...) {
        auto const thrown = thrown_now();
        Problem problem{500, "internal_error", "the request failed on its way to a service"};
        problem.cause = thrown->message;
        auto const request_id = id_of(exchange);
        RequestFacts const facts{.head = &exchange.head(), .tls = exchange.tls()};
        Failure const failure{.request_id = request_id, .problem = &problem, .thrown = thrown.get(), .request = &facts};
        if (options_.reports) exchange.add_header("X-Oops-Id", options_.reports->add(failure));
        throw;
    }
}

void Edge::answer(http::Exchange& exchange) {
    auto const& head = exchange.head();
    if (!exchange.ticket())
        if (auto open = http::check_loopback(head); !open) return write_problem(exchange.response(), open.error(), {}, {});
    EdgeCallerRef room;
    auto const caller = caller_of(exchange, room);
    if (caller && answer_from_cache(exchange, ***caller, ticket_of(exchange))) return;
    exchange.send_waiting();
    if (options_.admin && Admin::is_mine(head.path))
        return caller ? options_.admin->handle(exchange, ***caller)
                      : write_problem(exchange.response(), caller.error(), id_of(exchange), {});
    // Where a service has a route /{id}, too.
    if (head.path.ends_with(openapi_file) && answer_document(exchange)) return;
    auto const found = table_.match(http::method_name(head.method), head.path);
    if (found.target && found.target->route->foreign) open_to_origins(exchange, *found.target->route->foreign);
    if (found.target && !caller) return write_problem(exchange.response(), caller.error(), id_of(exchange), {});
    if (found.target) return answer_route(exchange, found, **caller);
    if (answer_file(exchange) || answer_document(exchange) || answer_health(exchange)) return;
    answer_unknown(exchange, found);
}

void Edge::open_to_origins(http::Exchange& exchange, ForeignDecl const& foreign) {
    if (!foreign.options.cross_origin) return;
    exchange.add_header("Access-Control-Allow-Origin", "*");
    if (!foreign.options.exposed_headers.empty()) exchange.add_header("Access-Control-Expose-Headers", foreign.options.exposed_headers);
}

// Of our own routes it is said without looking for them.
bool Edge::is_foreign(http::RequestHead const& head) const {
    if (!table_.may_be_foreign(head.path)) return false;
    auto const found = table_.match(http::method_name(head.method), head.path);
    return found.target && found.target->route->foreign;
}
bool Edge::is_cross_origin(http::RequestHead const& head) const {
    return table_.may_be_foreign(head.path) && table_.is_cross_origin(http::method_name(head.method), head.path);
}
bool Edge::is_anonymous(http::RequestHead const& head) const {
    if (!table_.may_be_foreign(head.path)) return false;
    if (is_cross_origin(head)) return true;
    auto const found = table_.match(http::method_name(head.method), head.path);
    return found.target && found.target->route->foreign && found.target->route->foreign->is_anonymous();
}
Edge::Signed Edge::signed_for(http::RequestHead const& head) const {
    if (!table_.may_be_foreign(head.path)) return {};
    auto const found = table_.match(http::method_name(head.method), head.path);
    if (!found.target || !found.target->route->foreign) return {};
    return {found.target->host, found.target->route->foreign->options.signed_for};
}
void Edge::refuse(http::Exchange& exchange, Problem const& problem, std::string_view request_id) const {
    auto const& head = exchange.head();
    auto const found = table_.may_be_foreign(head.path) ? table_.match(http::method_name(head.method), head.path) : Match{};
    if (!found.target || !found.target->route->foreign || !found.target->route->foreign->options.refused_as)
        return write_problem(exchange.response(), problem, request_id, {});
    write_refusal(exchange.response(), *found.target->route, problem, request_id, {}, {}, head.header("Content-Type"));
}

bool Edge::answer_from_cache(http::Exchange& exchange, EdgeCaller const& caller, Ticket* ticket) {
    auto const& head = exchange.head();
    if (head.method != http::Method::Get) return false;
    if (head.find("Gantry-After") || head.header("Accept").starts_with("text/event-stream")) return false;
    auto const if_none_match = head.header("If-None-Match");
    auto const now_ns = options_.clock == &system_clock() ? exchange.now_us() * 1000 : options_.clock->steady_ns();
    auto const* entry = lane(exchange.io_thread()).cache.find(caller.view, head.target, now_ns);
    if (!entry || !caller.allows(entry->route->scope)) return false;
    if (ticket) ticket->host = entry->host, ticket->route = entry->route;
    bool const packed = entry->body.size() >= http::compress_from_bytes && http::accepts_gzip(head.header("Accept-Encoding"));
    if (if_none_match.empty() && !packed && !entry->prepared.empty())
        exchange.response().prepared(entry->prepared);
    else
        write_read(exchange.response(), *entry->route, entry->body, entry->etag, entry->position, if_none_match);
    return true;
}

bool Edge::answer_file(http::Exchange& exchange) {
    auto const& head = exchange.head();
    auto const& files = options_.files;
    auto found = std::ranges::lower_bound(files, head.path, {}, &StaticFile::path);
    if (found == files.end() || found->path != head.path) return false;
    auto response = exchange.response();
    if (head.method != http::Method::Get && head.method != http::Method::Head) {
        write_problem(response, {405, "method_not_allowed", "a file is read with GET"}, {}, {});
        return true;
    }
    bool const same = none_match_names(head.header("If-None-Match"), found->etag);
    bool const zipped = !found->gzip_body.empty() && http::accepts_gzip(head.header("Accept-Encoding"));
    response.begin(same ? 304 : 200).header("ETag", found->etag).header("Cache-Control", "no-cache").no_compression();
    response.header("Content-Security-Policy", options_.files_security_policy).header("X-Content-Type-Options", "nosniff");
    response.header("Referrer-Policy", "no-referrer").header("Vary", "Accept-Encoding");
    if (same) return response.empty(), true;
    if (zipped) response.header("Content-Encoding", "gzip");
    response.header("Content-Type", found->content_type).body(zipped ? found->gzip_body : found->body);
    return true;
}

bool Edge::answer_document(http::Exchange& exchange) {
    auto const& head = exchange.head();
    auto found = std::ranges::find(documents_, head.path, &Document::path);
    if (found == documents_.end() || (head.method != http::Method::Get && head.method != http::Method::Head)) return false;
    auto response = exchange.response();
    bool const same = none_match_names(head.header("If-None-Match"), found->etag);
    response.begin(same ? 304 : 200).header("ETag", found->etag).header("Cache-Control", "no-cache");
    if (same) return response.empty(), true;
    response.header("Content-Type", "application/json").body(found->body);
    return true;
}

bool Edge::answer_health(http::Exchange& exchange) {
    auto const& head = exchange.head();
    bool const asks = head.path == "/health/live" || head.path == "/health/ready" || head.path == "/health/writer";
    if (!asks || (head.method != http::Method::Get && head.method != http::Method::Head)) return false;
    bool const live = head.path == "/health/live";
    bool const started = std::ranges::all_of(hosts_, [](Host* host) { return host->ready(); });
    bool const draining = options_.draining_since && *options_.draining_since != 0, ready = started && !draining;
    auto response = exchange.response();
    response.begin(live || ready ? 200 : 503).header("Content-Type", "application/json").header("Cache-Control", "no-store");
    response.body_with([&](std::string& out) {
        fmt::format_to(std::back_inserter(out), R"({{"status":"{}","services":[)",
                       ready      ? "ready"
                       : live     ? "live"
                       : draining ? "draining"
                                  : "starting");
        for (Host* host : hosts_)
            fmt::format_to(std::back_inserter(out), R"({}{{"name":"{}","ready":{},"events":{},"of":{}}})",
                           host == hosts_.front() ? "" : ",", host->decl().name, host->ready(),
                           host->ready() ? host->durable() : host->replayed(), host->log().status().durable);
        out += "]}";
    });
    return true;
}

void Edge::answer_unknown(http::Exchange& exchange, Match const& match) {
    auto const& head = exchange.head();
    auto const id = id_of(exchange);
    if (match.allowed.empty())
        return write_problem(exchange.response(),
                             {404, "route_not_found", "there is nothing at this path; /<service>/v1/openapi.json lists what is"}, id, {});
    auto response = exchange.response();
    auto const allowed = match.allowed + ", OPTIONS";
    if (head.method == http::Method::Options) {
        response.begin(204).header("Allow", allowed);
        if (is_cross_origin(head)) {
            response.header("Access-Control-Allow-Origin", "*").header("Access-Control-Allow-Methods", allowed);
            response.header("Access-Control-Allow-Headers", "*, Authorization").header("Access-Control-Max-Age", preflight_s);
        }
        return response.empty();
    }
    Problem const problem{405, "method_not_allowed", "this path takes " + allowed};
    response.begin(405).header("Allow", allowed).header("Content-Type", "application/problem+json").header("X-Request-Id", id);
    response.body_with([&](std::string& out) { http::append_problem_json(out, problem, id); });
}

void Edge::answer_route(http::Exchange& exchange, Match const& match, EdgeCallerRef const& caller) {
    auto const& head = exchange.head();
    Target const& target = *match.target;
    auto* const ticket = ticket_of(exchange);
    if (ticket) ticket->host = target.host, ticket->route = target.route;
    Asked asked{.match = match,
                .head = head,
                .caller = caller,
                .body = exchange.body(),
                .io_thread = exchange.io_thread(),
                .ticket = ticket,
                .query = head.query,
                .now_us = exchange.now_us()};
    if (ticket) asked.deadline_us = ticket->deadline_us;
    if (ticket && ticket->trace) asked.trace = ticket->trace->id().bytes();
    asked.tls = exchange.tls();
    if (target.route->foreign) asked.client = ticket ? std::string(ticket->client()) : exchange.peer().address;
    // A read says its id only with a problem.
    if (target.route->command) {
        if (!ticket) asked.request_id = id_of(asked);
        asked.trace_state = trace_state_of(asked);
    }
    auto refuse = [&](Problem const& problem) {
        write_failure(exchange.response(), *target.host, *target.route, problem, id_of(asked), head.header("Content-Type"));
    };
    if (auto const scope = scope_of(asked); !caller->allows(scope)) {
        if (ticket) ticket->refused = caller->anonymous ? "credentials_missing" : "scope_missing";
        if (target.route->foreign && target.route->foreign->options.refused_as) return refuse(may_not(*caller, scope));
        return refuse_caller(exchange, *caller, scope, id_of(asked));
    }
    if (!target.host->ready()) {
        auto const done = target.host->replayed(), of = target.host->log().status().durable;
        return refuse({503, "service_starting", fmt::format("the service is reading its log: {} of {} events", done, of), {}, {}, 1});
    }
    if (asked.key().size() > 255) return refuse({400, "request_invalid", "Idempotency-Key: expected at most 255 characters"});
    if (target.route->bulk && target.route->command) {
        bool const lines = is_ndjson(head);
        if (lines || is_array(asked.body)) return start_bulk(exchange, asked, lines ? BulkForm::lines : BulkForm::array);
    }
    KernelQuery query;
    if (!target.route->command && !target.route->foreign && may_have_kernel_parameters(head.query)) {
        auto split = split_query(head.query);
        if (!split) return refuse(split.error());
        query = std::move(*split);
        asked.query = query.rest, asked.as_of = query.as_of;
    }
    if (head.method == http::Method::Get && !target.route->command && !target.route->foreign) {
        auto live = live_form(query, head.header("Accept"));
        if (!live) return refuse(live.error());
        asked.live = *live;
    }
    Position position = 0;
    auto behind_host = behind(head.header("Gantry-After"), position);
    if (!behind_host) return refuse(behind_host.error());
    if (asked.live != LiveForm::none && !*behind_host) {
        position = last_seen(*target.host, head.header("Last-Event-ID"));
        if (position > target.host->durable()) *behind_host = target.host;
    }
    if (*behind_host) return run_after(**behind_host, position, std::make_shared<AskedLater>(asked), exchange.defer());
    if (is_for_worker(asked)) return run_slow(std::make_shared<AskedLater>(asked), exchange.defer());
    run(asked, [&] { return exchange.defer(); }, [&] { return exchange.response(); });
}

Result<Host*> Edge::behind(std::string_view after, Position& position) const {
    while (!after.empty()) {
        auto const end = std::min(after.find(','), after.size());
        auto one = after.substr(0, end);
        after.remove_prefix(std::min(end + 1, after.size()));
        while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
        auto const equals = std::min(one.find('='), one.size()), dot = std::min(one.find('.'), one.size());
        auto host = std::ranges::find_if(hosts_, [&](Host* h) { return h->decl().name == one.substr(0, equals); });
        auto const* digits = one.data() + std::min(dot + 1, one.size());
        auto [last, error] = std::from_chars(digits, one.data() + one.size(), position);
        if (host == hosts_.end() || dot <= equals || error != std::errc() || last != one.data() + one.size())
            return fail(400, "position_invalid",
                        fmt::format("Gantry-After: expected service=position as in Gantry-Position, found \"{}\"", one));
        if (one.substr(equals + 1, dot - equals - 1) != (*host)->incarnation())
            return fail(410, "position_gone", "Gantry-After speaks of another history of this log: read again without it");
        if (position > (*host)->durable()) return *host;
    }
    return nullptr;
}

template <class Defer, class Respond>
void Edge::run(Asked const& asked, Defer&& defer, Respond&& respond) {
    Target const& target = *asked.match.target;
    Host& host = *target.host;
    if (is_past(asked.deadline_us)) return write_failure(respond(), host, *target.route, deadline_exceeded(), id_of(asked));
    auto bind = [&](codec::Type const& type, void* out) {
        return target.route->foreign ? bind_foreign(asked, out) : bind_request(asked.match, asked.query, asked.body, true, type, out);
    };
    auto bind_read_fn = [&](codec::Type const&, void* out) { return bind_path(*target.read, asked.match.segments, out); };
    Bind const bind_read(bind_read_fn);
    if (target.route->feed) {
        auto feed = Feed::make(*this, asked);
        if (feed) return (*feed)->open(defer());
        return write_failure(respond(), host, *target.route, feed.error(), id_of(asked));
    }
    if (target.route->kernel && asked.live != LiveForm::none)
        return write_problem(respond(), {400, "request_invalid", "this is told once, and not live: ask again for what changed"},
                             id_of(asked), {});
    bool const searches = target.route->make_query && !asks_nothing(host, asked, bind);
    if (searches && (asked.live != LiveForm::none || !asked.as_of.empty()))
        return write_problem(respond(), {400, "request_invalid", "a search is of now alone, and told once: leave as_of and live out"},
                             id_of(asked), {});
    if (!asked.as_of.empty()) return run_past(asked, defer, respond);
    if (asked.live != LiveForm::none) return open_live(asked, defer());
    Seen seen;
    Request request{
        .route = *target.route, .viewer = asked.caller->viewer, .bind = bind, .request_id = asked.said_id(), .trace_id = asked.trace_id()};
    request.trace_state = asked.trace_state;
    request.scheme = asked.tls ? "https" : "http", request.host = asked.head.host;
    request.lane = options_.threads ? asked.io_thread : -1;
    if (target.route->command) {
        request.idempotency_key = asked.key(), request.target = asked.head.target, request.body = asked.body;
        request.if_match = asked.head.header("If-Match");
        if (target.read) request.same_path_read = target.read->route, request.bind_read = &bind_read;
    } else {
        request.seen = &seen;
    }
    request.searched = asked.searched;
    if (searches && !asked.searched && options_.threads) return search_first(asked, request, defer());
    Waiter waiter{.number = asked.parked ? asked.parked->number : 0, .may_wait = !stop_announced_};
    std::uint64_t place = 0;
    if (target.route->waits && options_.threads) {
        request.waiter = &waiter;
        if (!asked.parked)
            waiter.ask = [this, alive = alive_, thread = asked.io_thread, place = place = lane(asked.io_thread).parked.next()] {
                if (*alive) decide_again(thread, place);
            };
    }
    ReplyTo to{&host,
               target.route,
               asked.request_id,
               std::string(target.route->command ? std::string_view() : asked.head.header("If-None-Match")),
               {}};
    if (target.route->foreign) to.content_type = asked.head.header("Content-Type");
    auto* const trace = asked.ticket ? asked.ticket->trace : nullptr;
    auto const began_ns = !trace ? 0 : asked.now_us != 0 ? asked.now_us * 1000 : system_clock().steady_ns();
    std::int64_t decided_ns = 0;
    auto const facts = asked.facts(to.oops_id);
    request.facts = &facts;
    auto outcome = host.call(request, [&]() -> Done {
        bool const direct = request.lane >= 0, timely = asked.deadline_us != 0 && direct;
        if (trace && !timely) decided_ns = asked.ticket->decided_ns = system_clock().steady_ns();
        // On the thread of the connection the ticket is there to ask.
        if (!direct || timely) to.request_id = asked.said_id();
        if (timely) return answer_timely(asked, to, defer());
        return [to = std::move(to), direct, decided_ns, deferred = defer()](Result<Answer> answer) mutable {
            auto* const ticket = direct ? static_cast<Ticket*>(deferred.ticket()) : nullptr;
            if (ticket && ticket->trace && decided_ns) ticket->trace->add("durable", decided_ns, deferred.turn_us() * 1000);
            if (direct) return write_outcome(deferred.response(), to, answer, ticket ? ticket->request_id() : to.request_id);
            std::move(deferred).complete(
                [to, answer = std::move(answer)](http::Response& response) { write_outcome(response, to, answer); });
        };
    });
    if (trace) trace->add(target.route->command ? "decide" : "read", began_ns, decided_ns ? decided_ns : system_clock().steady_ns());
    if (asked.parked) asked.parked->waits = waiter.parked;
    if (waiter.parked && !asked.parked) {
        lane(asked.io_thread).parked.add(*this, place, asked, waiter.number, defer());
        if (stop_announced_) host.hurry(waiter.number);  // it was announced while this was decided
    }
    if (!outcome) return;
    if (!*outcome && to.request_id.empty()) to.request_id = id_of(asked);
    if (!*outcome || target.route->command || target.route->foreign)
        return write_outcome(respond(), to, *outcome, to.request_id.empty() ? asked.said_id() : to.request_id);
    auto etag = etag_of(*target.route, (*outcome)->body);
    auto position = host.position_text((*outcome)->position);
    EdgeCallerRef const caller = asked.caller;  // once it is answered, the ticket that holds it is another's
    write_read(respond(), *target.route, (*outcome)->body, etag, position, to.if_none_match);
    if (host.decl().hides) seen.broad = true;  // the position of an answer follows the log, whatever was touched
    if (asked.head.method == http::Method::Get && !target.route->kernel && !searches)
        lane(asked.io_thread)
            .cache.keep(caller->view, asked.head.target, host, *target.route, seen, std::move((*outcome)->body), std::move(etag),
                        std::move(position), options_.clock->steady_ns());
}

void Edge::decide_again(int io_thread, std::uint64_t place) {
    auto& lane = this->lane(io_thread);
    auto const parked = lane.parked.find(place);
    if (!parked) return;
    if (parked->deferred.cancelled()) return lane.parked.remove(place);
    parked->deferred.on_cancel(nullptr);
    if (auto* ticket = static_cast<Ticket*>(parked->deferred.ticket()); ticket && ticket->trace)
        ticket->trace->add("wait", std::exchange(parked->since_ns, system_clock().steady_ns()), system_clock().steady_ns());
    auto asked = parked->asked->view();
    asked.parked = parked.get(), parked->waits = false;
    run(asked, [&] { return std::move(parked->deferred); }, [&] { return parked->deferred.response(); });
    if (parked->waits) return lane.parked.watch_client(place, *parked);
    lane.parked.remove(place);
}

namespace {

using ForeignHeaders = std::vector<std::pair<std::string_view, std::string_view>>;
ForeignHeaders headers_of(http::RequestHead const& head) {
    ForeignHeaders headers;
    headers.reserve(head.headers.size());
    for (auto const& h : head.headers) headers.emplace_back(h.name, h.value);
    return headers;
}
// Without its fields.
ForeignRequest foreign_request(http::RequestHead const& head, ForeignHeaders const& headers, std::string_view body, bool tls,
                               std::string_view client) {
    return {.verb = http::method_name(head.method),
            .path = head.path.substr(head.mount.size()),
            .query = head.query,
            .body = body,
            .scheme = tls ? "https" : "http",
            .host = head.host,
            .client = client,
            .headers = headers,
            .fields = {}};
}

}  // namespace

Result<void> Edge::bind_foreign(Asked const& asked, void* out) {
    auto const headers = headers_of(asked.head);
    return runtime::bind_foreign(asked.match, foreign_request(asked.head, headers, asked.body, asked.tls, asked.client), out);
}

std::string_view Edge::scope_of(Asked const& asked) {
    auto const& route = *asked.match.target->route;
    if (!route.foreign || !route.foreign->options.scope_of) return route.scope;
    auto const headers = headers_of(asked.head);
    return route.foreign->options.scope_of(foreign_request(asked.head, headers, asked.body, asked.tls, asked.client));
}

// A state of the past and a live answer have ways of their own.
bool Edge::is_for_worker(Asked const& asked) const {
    return asked.match.target->route->slow && options_.slow && asked.live == LiveForm::none && asked.as_of.empty();
}

// On a worker; its answer goes to the connection's thread.
void Edge::run_slow(std::shared_ptr<AskedLater> asked, http::Deferred deferred) {
    auto held = std::make_shared<http::Deferred>(std::move(deferred));
    bool const taken = options_.slow([asked, held] {
        auto const& view = asked->view();
        auto const& target = *view.match.target;
        ReplyTo to{target.host, target.route, view.request_id, {}, {}};
        auto complete = [held](ReplyTo to_whom, Result<Answer> answer) {
            std::move(*held).complete([to_whom = std::move(to_whom), answer = std::move(answer)](http::Response& response) {
                write_outcome(response, to_whom, answer);
            });
        };
        if (is_past(view.deadline_us)) return complete(to, std::unexpected(deadline_exceeded()));
        auto bind = [&](codec::Type const& type, void* out) {
            return target.route->foreign ? bind_foreign(view, out) : bind_request(view.match, view.query, view.body, true, type, out);
        };
        auto bind_read_fn = [&](codec::Type const&, void* out) { return bind_path(*target.read, view.match.segments, out); };
        Bind const bind_read(bind_read_fn);
        Request request{.route = *target.route, .viewer = view.caller->viewer, .bind = bind, .request_id = view.request_id};
        request.scheme = view.tls ? "https" : "http", request.host = view.head.host;
        request.trace_id = view.trace_id(), request.trace_state = view.trace_state, request.idempotency_key = view.key();
        request.target = view.head.target, request.body = view.body, request.if_match = view.head.header("If-Match");
        if (target.read) request.same_path_read = target.read->route, request.bind_read = &bind_read;
        auto later = [&]() -> Done { return [complete, to](Result<Answer> answer) { complete(to, std::move(answer)); }; };
        auto const facts = view.facts(to.oops_id);
        request.facts = &facts;
        if (auto outcome = target.host->call(request, later)) complete(to, std::move(*outcome));
    });
    if (taken) return;
    Problem problem{503, "overloaded", "too much of this kind waits already: try again", {}, {}, 1};
    std::move(*held).complete([problem = std::move(problem), asked](http::Response& response) {
        auto const& target = *asked->view().match.target;
        write_failure(response, *target.host, *target.route, problem, asked->view().request_id);
    });
}

// Of a call that is decided and waits to be durable.
Done Edge::answer_timely(Asked const& asked, ReplyTo to, http::Deferred deferred) {
    auto problem = asked.match.target->route->command ? outcome_unknown() : deadline_exceeded();
    auto late = [problem = std::move(problem), id = id_of(asked), target = asked.match.target](http::Response response) {
        write_failure(response, *target->host, *target->route, problem, id);
    };
    auto held = TimelyAnswer::make(*options_.threads, asked.deadline_us, std::move(deferred), std::move(late));
    return [to = std::move(to), held = std::move(held)](Result<Answer> answer) {
        if (auto mine = held->take()) write_outcome(mine->response(), to, answer);
    };
}

Position Edge::last_seen(Host const& host, std::string_view last_event_id) {
    auto const position = position_of(last_event_id);
    return position && last_event_id.starts_with(host.incarnation()) ? *position : 0;
}

void Edge::open_live(Asked const& asked, http::Deferred deferred) {
    auto& live = lane(asked.io_thread).live;
    if (!live) live = std::make_unique<Live>(*this, asked.io_thread);
    live->open(asked, asked.live, last_seen(*asked.match.target->host, asked.head.header("Last-Event-ID")), std::move(deferred));
}

// What was read of the past, and what must be durable before it is told.
struct Edge::ToldPast {
    ReplyTo to;
    Result<Answer> answer;
    Position rights_at = 0;
    void write(http::Response response) const { write_outcome(response, to, answer); }
};

template <class Defer, class Respond>
void Edge::run_past(Asked const& asked, Defer&& defer, Respond&& respond) {
    Host& host = *asked.match.target->host;
    auto const rebuilds = host.rebuilds();  // first: what is erased from here on outdates the answer
    auto moment = host.moment(asked.as_of);
    auto past = moment ? host.history().kept(*moment) : nullptr;
    auto tell_when_durable = [&host](ToldPast told, http::Deferred held) {
        auto const at = told.rights_at;
        host.when_durable(at, -1, [told = std::move(told), held = std::move(held)](Result<Answer>) mutable {
            std::move(held).complete([told = std::move(told)](http::Response& response) { told.write(response); });
        });
    };
    if (moment && !past) {
        auto later = std::make_shared<AskedLater>(asked);
        if (asked.deadline_us != 0 && options_.threads) {
            auto late = [id = id_of(asked), target = asked.match.target](http::Response response) {
                write_failure(response, *target->host, *target->route, deadline_exceeded(), id);
            };
            auto timely = TimelyAnswer::make(*options_.threads, asked.deadline_us, defer(), std::move(late));
            return host.history().fetch(*moment, asked.io_thread, [this, later, tell_when_durable, timely](Result<PastState> found) {
                if (auto mine = timely->take()) tell_when_durable(read_past(later->view(), found), std::move(*mine));
            });
        }
        return host.history().fetch(*moment, asked.io_thread,
                                    [this, later, tell_when_durable, held = defer()](Result<PastState> found) mutable {
                                        tell_when_durable(read_past(later->view(), found), std::move(held));
                                    });
    }
    auto told = read_past(asked, moment ? Result<PastState>(past) : std::unexpected(moment.error()));
    if (told.rights_at > host.durable()) return tell_when_durable(std::move(told), defer());
    EdgeCallerRef const caller = asked.caller;  // once it is answered, the ticket that holds it is another's
    told.write(respond());
    if (moment && std::holds_alternative<Position>(*moment)) keep_past(asked, caller->view, std::move(told), rebuilds);
}

// Nothing changes the past after a position but an erasure, and rights where some of it is hidden.
void Edge::keep_past(Asked const& asked, std::string const& view, ToldPast told, std::uint64_t rebuilds) {
    Host& host = *asked.match.target->host;
    if (!told.answer || host.decl().hides || asked.head.method != http::Method::Get) return;
    Seen seen;
    seen.rebuilds = rebuilds, seen.broad = false, seen.wide = false;
    auto& body = told.answer->body;
    auto etag = etag_of(*told.to.route, body);
    lane(asked.io_thread)
        .cache.keep(view, asked.head.target, host, *told.to.route, seen, std::move(body), std::move(etag),
                    host.position_text(told.answer->position), options_.clock->steady_ns());
}

Edge::ToldPast Edge::read_past(Asked const& asked, Result<PastState> const& past) {
    Host& host = *asked.match.target->host;
    ToldPast told{{&host, asked.match.target->route, asked.request_id, std::string(asked.head.header("If-None-Match")), {}}, Answer{}};
    auto bind = [&](codec::Type const& type, void* out) { return bind_request(asked.match, asked.query, asked.body, true, type, out); };
    if (past) {
        Request request{.route = *told.to.route, .viewer = asked.caller->viewer, .bind = bind, .request_id = asked.request_id};
        auto const facts = asked.facts(told.to.oops_id);
        request.facts = &facts;
        told.answer = host.read_past(**past, request, &told.rights_at);
    } else {
        told.answer = std::unexpected(past.error());
    }
    if (!told.answer && told.to.request_id.empty()) told.to.request_id = id_of(asked);
    return told;
}

// A search that looks for nothing is a read like any other. What is wrong with it is told later.
bool Edge::asks_nothing(Host& host, Asked const& asked, Bind const& bind) {
    Request const request{.route = *asked.match.target->route, .viewer = asked.caller->viewer, .bind = bind};
    auto const query = host.text_query(request);
    return query && query->nothing;
}

void Edge::search_first(Asked const& asked, Request const& request, http::Deferred deferred) {
    Host& host = *asked.match.target->host;
    auto refuse = [&](Problem const& problem) {
        write_failure(deferred.response(), host, *asked.match.target->route, problem, id_of(asked));
    };
    auto query = host.text_query(request);
    if (!query) return refuse(query.error());
    auto* desk = host.text_desk();
    if (!desk) return refuse({503, "text_unavailable", "the full-text index isn't open yet: try again", {}, {}, 1});
    auto wait = options_.after_wait_max;
    if (asked.deadline_us != 0) wait = std::min(wait, Duration::micros(asked.deadline_us - steady_now_us()));
    auto later = std::make_shared<AskedLater>(asked);
    auto* threads = options_.threads;
    auto run_found = [this, later](http::Deferred held, Searched const* found, Problem const* problem) {
        auto view = later->view();
        view.searched = found;
        if (problem) return write_failure(held.response(), *view.match.target->host, *view.match.target->route, *problem, id_of(view));
        run(view, [&] { return std::move(held); }, [&] { return held.response(); });
    };
    desk->find_later(std::move(*query), after_of(host, asked.head.header("Gantry-After")), wait,
                     [threads, later, alive = alive_, run_found, held = std::move(deferred)](Result<Searched> searched) mutable {
                         threads->post(
                             later->io_thread(), [alive, run_found, held = std::move(held), searched = std::move(searched)]() mutable {
                                 if (*alive)
                                     run_found(std::move(held), searched ? &*searched : nullptr, searched ? nullptr : &searched.error());
                             });
                     });
}

void Edge::run_after(Host& host, Position position, std::shared_ptr<AskedLater> asked, http::Deferred deferred) {
    auto const thread = asked->io_thread();
    auto const& view = asked->view();
    auto const after_wait_us = steady_now_us() + options_.after_wait_max.us;
    bool const hurried = view.deadline_us != 0 && view.deadline_us < after_wait_us;
    auto late = [asked, hurried](http::Response response) {
        Problem problem{504,
                        "position_not_reached",
                        "the position of Gantry-After was not reached in time: it is not of this server, or far ahead",
                        {},
                        {},
                        1};
        if (hurried) problem = deadline_exceeded();
        auto const& target = *asked->view().match.target;
        write_failure(response, *target.host, *target.route, problem, asked->view().request_id);
    };
    if (!options_.threads) return late(deferred.response());
    if (is_for_worker(view)) {
        return host.when_durable(position, thread,
                                 [this, asked, held = std::move(deferred)](Result<Answer>) mutable { run_slow(asked, std::move(held)); });
    }
    auto held = TimelyAnswer::make(*options_.threads, hurried ? view.deadline_us : after_wait_us, std::move(deferred), std::move(late));
    host.when_durable(position, thread, [this, held, asked](Result<Answer>) {
        auto mine = held->take();
        if (mine) run(asked->view(), [&] { return std::move(*mine); }, [&] { return mine->response(); });
    });
}

}  // namespace gantry::runtime
