#include "kernel/runtime/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "kernel/auth/aws_signature.h"
#include "kernel/auth/base64url.h"
#include "kernel/auth/cookies.h"
#include "kernel/auth/passkey.h"
#include "kernel/codec/json.h"
#include "kernel/http/message.h"
#include "kernel/runtime/deadline.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {
namespace {

constexpr int lanes_max = 256;                // IO threads of a process
constexpr int verifying_max = 64;             // passwords that wait or are verified; each keeps a connection waiting
constexpr std::size_t callers_a_lane = 4096;  // whose views are kept ready
constexpr std::size_t values_max = 16;        // headers of one name that a proxy may have added to
constexpr std::size_t target_bytes_max = 1024, agent_bytes_max = 256;  // that are logged
constexpr std::size_t timing_bytes_max = 512;
constexpr std::int64_t wall_asked_every_us = 100'000;  // it may be set meanwhile
constexpr Duration timeout_max = Duration::hours(24);
constexpr std::uint64_t retry_after_s_max = 3;
constexpr std::string_view session_path = "/_gantry/v1/session", sessions_path = "/_gantry/v1/sessions",
                           session_prefix = "/_gantry/v1/sessions/";

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// What everyone may ask: whether the server is well. Draining it is an operator's.
bool is_health(http::RequestHead const& head) {
    return head.path.starts_with("/health/") && (head.method == http::Method::Get || head.method == http::Method::Head);
}

// In constant time.
bool same_secret(std::string_view a, std::string_view b) {
    unsigned differ = a.size() != b.size();
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) differ |= unsigned(a[i] ^ b[i]);
    return differ == 0;
}

// Every browser keeps a cookie that is marked Secure where it came by TLS. Of http://localhost and http://127.0.0.1 Chromium and Firefox
// do, WebKit doesn't (bug 281149).
auth::CookieOver cookie_over(bool tls) { return tls ? auth::CookieOver::secure : auth::CookieOver::plain; }

std::vector<LoadControl::Service> services_of(std::span<GateSite const> sites) {
    std::vector<LoadControl::Service> services;
    for (auto const& site : sites)
        for (Host const* host : site.edge->hosts()) services.push_back({site.name, host, host->decl().name});
    return services;
}

std::unexpected<Problem> unauthorized(std::string_view code, std::string_view detail) { return fail(401, code, std::string(detail)); }

Result<void> check_address(GateRules const& rules, auth::IpAddress const& client, bool known = true) {
    if (rules.addresses.empty() || (known && rules.addresses.contains(client))) return {};
    return fail(403, "address_refused", "requests from this address are not let in: [auth] allow lists those that are");
}

}  // namespace

bool is_plain_id(std::string_view given) {
    return !given.empty() && given.size() <= given_id_bytes_max &&
           std::ranges::all_of(given, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == ':'; });
}

void write_request_id(char* to, std::int64_t now_us, Random& random) {
    static constexpr char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    auto const ms = std::uint64_t(now_us / 1000), tail = random.next();
    *to++ = 'q', *to++ = '_';
    for (int shift = 45; shift >= 0; shift -= 5) *to++ = alphabet[ms >> shift & 31];
    for (int shift = 45; shift >= 0; shift -= 5) *to++ = alphabet[tail >> shift & 31];
}

void add_challenges(http::Exchange& exchange, std::string_view error) {
    exchange.add_header("WWW-Authenticate", auth::bearer_challenge("gantry", error));
    if (exchange.head().header("Sec-Fetch-Dest") != "empty") exchange.add_header("WWW-Authenticate", auth::basic_challenge("gantry"));
}

// What one look over the headers found. Views of the head.
struct Gate::Shown {
    std::string_view authorization, cookies, request_id, timeout, timing, agent, traceparent, sentry_trace, code;
    bool authorized_twice = false;

    explicit Shown(http::RequestHead const& head) {
        for (auto const& h : head.headers) {
            auto const is = [&](std::string_view name) { return http::equals_ignoring_case(h.name, name); };
            switch (h.name.size()) {
                case 6:
                    if (is("Cookie")) cookies = h.value;
                    break;
                case 10:
                    if (is("User-Agent")) agent = h.value;
                    break;
                case 11:
                    if (is("traceparent")) traceparent = h.value;
                    if (is("Gantry-Code")) code = h.value;
                    break;
                case 12:
                    if (is("X-Request-Id")) request_id = h.value;
                    if (is("sentry-trace")) sentry_trace = h.value;
                    break;
                case 13:
                    if (is("Gantry-Timing")) timing = h.value;
                    if (is("Authorization")) authorized_twice |= !authorization.empty(), authorization = h.value;
                    break;
                case 14:
                    if (is("Gantry-Timeout")) timeout = h.value;
                    break;
                default: break;
            }
        }
    }
};

// From where it comes, by the headers of proxies that may have added to them.
Result<auth::Origin> Gate::origin_of(http::RequestHead const& head, auth::OriginRules const& rules, auth::IpAddress const& peer) {
    std::string_view const address_header = rules.address_header(), caller_header = rules.caller_header();
    if (address_header.empty() && caller_header.empty()) return rules.of(peer, {}, {});
    std::array<std::string_view, values_max> addresses, callers;
    std::size_t address_count = 0, caller_count = 0;
    for (auto const& h : head.headers) {
        auto const is = [&](std::string_view name) { return !name.empty() && http::equals_ignoring_case(h.name, name); };
        if (is(address_header)) addresses[std::min(address_count++, values_max - 1)] = h.value;
        if (is(caller_header)) callers[std::min(caller_count++, values_max - 1)] = h.value;
    }
    if (std::max(address_count, caller_count) > values_max)
        return fail(400, "forwarding_invalid", fmt::format("more than {} headers of one name", values_max));
    return rules.of(peer, std::span(addresses).first(address_count), std::span(callers).first(caller_count));
}

// A password that is being verified, and what came of it. Written before its connection goes on.
struct Gate::Verdict {
    std::string shown;
    std::optional<Result<auth::Identity>> outcome;
    http::HeldArrival held;  // whoever sets `resumed` resumes it: the one who verified, or the deadline
    std::atomic<bool> resumed = false;
    net::Timer deadline;
    void resume() {
        if (!resumed.exchange(true)) held.resume();
    }
};

// What is kept with a connection: what it showed last is most likely what it shows next.
struct Gate::Seat {
    auth::IpAddress peer;
    std::optional<Shown> shown;  // by the last request, whose head may be gone
    std::uint64_t shown_by = 0;  // its RequestHead::headers_id
    std::shared_ptr<GateRules const> origin_by;
    auth::Origin origin;  // of what was shown, by these rules
    GateSite const* site = nullptr;
    std::string authorization;  // of `identity`
    auth::Identity identity;
    EdgeCallerRef caller;
    std::shared_ptr<Verdict> verdict;
};

// A ticket, in the pool of its lane while no request has it.
class Gate::Pass final : public Ticket {
   public:
    explicit Pass(Lane& lane) : lane_(lane) {}
    void finished(http::Ended const& ended) override;
    void answering(int status, std::string& headers) override;
    void streaming() override;
    Lane& lane() { return lane_; }

    GateSite const* site = nullptr;
    auth::IpAddress client;
    std::unique_ptr<Problem> refusal;       // null: none
    auth::CallerLimiter* inside = nullptr;  // of `caller`; to be left
    bool held = false;                      // it waits for a verdict
    bool tells_rate = false, tells_timing = false;
    auth::CallerLimiter::Rate rate;
    std::int64_t arrived_us = 0;                // when its head was read
    std::int64_t waited_us = -1;                // in its socket, as far as one can know; -1: not asked yet
    bool overloaded = false;                    // to be refused, unless its answer is kept
    std::unique_ptr<auth::AwsShown> signature;  // that is still to be proved, by whoever `caller` says; null: none

   private:
    Lane& lane_;
};

struct Gate::Lane {
    Lane(Gate& of, int at) : gate(of), io_thread(at), rules(of.options_.rules) {}
    Pass& take() {
        if (free.empty()) return *passes.emplace_back(std::make_unique<Pass>(*this));
        auto* pass = free.back();
        free.pop_back();
        return *pass;
    }
    // One view of a caller for all its connections here.
    EdgeCallerRef view_of(std::shared_ptr<auth::Caller const> const& caller) {
        if (callers.size() >= callers_a_lane) std::erase_if(callers, [](auto const& known) { return known.second.use_count() == 1; });
        auto& known = callers[caller.get()];
        if (known && known->caller == caller) return known;
        Viewer viewer{Str(caller->id()), caller->sees_all()};
        for (auto const& team : caller->teams()) viewer.teams.emplace_back(team);
        auto made = seen_by(std::move(viewer));
        made.caller = caller;
        return known = std::make_shared<EdgeCaller const>(std::move(made));
    }

    // The wall time at a moment of the steady clock that is now.
    Time wall_at(std::int64_t now_us) {
        auto const& clock = *gate.options_.clock;
        if (&clock != &system_clock()) return clock.wall();
        if (now_us - wall_asked_us >= wall_asked_every_us)
            wall_asked_us = now_us, wall_offset_us = clock.wall().us - system_clock().steady_ns() / 1000;
        return {now_us + wall_offset_us};
    }

    observe::RequestTrace* take_trace() {
        if (free_traces.empty()) return traces.emplace_back(std::make_unique<observe::RequestTrace>()).get();
        auto* trace = free_traces.back();
        free_traces.pop_back();
        return trace;
    }

    Gate& gate;
    int const io_thread;
    std::shared_ptr<GateRules const> rules;
    SeededRandom random{system_random().next()};  // of request ids: unlikely to meet is enough
    std::vector<std::unique_ptr<Pass>> passes;
    std::vector<Pass*> free;
    std::vector<std::unique_ptr<observe::RequestTrace>> traces;
    std::vector<observe::RequestTrace*> free_traces;
    std::unordered_map<auth::Caller const*, EdgeCallerRef> callers;
    std::int64_t wall_asked_us = INT64_MIN / 2, wall_offset_us = 0;
    Host const* finished_for = nullptr;  // of the last one that ended
    std::int64_t finished_us = 0;        // and when
};

void Gate::Pass::answering(int, std::string& headers) {
    if (tells_rate) {
        headers.append("RateLimit-Policy: ").append(auth::rate_limit_policy(caller->caller->limiter().limits())).append("\r\n");
        headers.append("RateLimit: ").append(auth::rate_limit(rate)).append("\r\n");
    }
    if (tells_timing && trace) {
        std::array<char, timing_bytes_max> room;
        headers.append("Server-Timing: ").append(observe::server_timing(*trace, system_clock().steady_ns(), room)).append("\r\n");
    }
}

// There may be many, for hours: no room is held for what is told at once.
void Gate::Pass::streaming() {
    if (trace) lane_.free_traces.push_back(std::exchange(trace, nullptr));
}

void Gate::Pass::finished(http::Ended const& ended) {
    if (inside) inside->leave();
    auto& gate = lane_.gate;
    lane_.finished_for = host, lane_.finished_us = ended.ended_us;
    if (gate.options_.book) gate.options_.book->ended(lane_.io_thread, site ? std::size_t(site - gate.sites_.data()) : 0, *this, ended);
    if (trace) lane_.free_traces.push_back(std::exchange(trace, nullptr));
    inside = nullptr, site = nullptr, host = nullptr, route = nullptr;
    caller.reset(), refusal.reset(), unrecognised.reset(), signature.reset(), refused.clear();
    held = tells_rate = tells_timing = overloaded = false;
    waited_us = -1;
    lane_.free.push_back(this);
}

Gate::Gate(std::vector<GateSite> sites, GateOptions options)
    : sites_(std::move(sites)),
      options_(std::move(options)),
      failed_(*options_.random),
      load_(services_of(sites_), options_.threads, options_.load),
      lanes_(lanes_max) {
    for (std::size_t i = 0; i < sites_.size(); ++i) verified_.push_back(std::make_unique<auth::VerifiedPasswords>(*options_.random));
    auth::CallerTraits traits{.name = "operator"};
    traits.scopes = *auth::Scopes::parse(std::vector<std::string>{"*"});
    operator_.caller = std::make_shared<auth::Caller const>(std::move(traits));
    EdgeCaller self = seen_by(Viewer{Str(operator_.caller->id())});
    self.caller = operator_.caller, self.operates = true;
    operator_view_ = std::make_shared<EdgeCaller const>(std::move(self));
    nobody_here_.anonymous = true;
    nobody_ = EdgeCallerRef(EdgeCallerRef(), &nobody_here_);
}
Gate::~Gate() = default;

Gate::Lane& Gate::lane(int io_thread) {
    auto& slot = lanes_[std::size_t(io_thread)];
    if (!slot) slot = std::make_unique<Lane>(*this, io_thread);
    return *slot;
}

void Gate::refused(http::Peer const& peer, int status, std::string_view code, int io_thread) {
    if (options_.book) options_.book->refused(io_thread, peer, status, code);
}

void Gate::set_rules(std::shared_ptr<GateRules const> rules) {
    // By the first lane that is made from here on, and by those that are there.
    for (int thread = 0; thread < options_.threads->count(); ++thread) options_.threads->run(thread, [&] { lane(thread).rules = rules; });
}

Result<EdgeCallerRef> Gate::caller_of_line(int io_thread, std::size_t at, std::string_view name, auth::IpAddress const& peer) {
    auto& here = lane(io_thread);
    auto const& site = sites_[at];
    TRY_VOID(check_address(*here.rules, peer));
    if (site.is_open()) {
        if (peer.is_loopback()) return local_caller();
        return fail(403, "not_loopback", "This server runs open on loopback and answers only to localhost, 127.0.0.0/8 and [::1].");
    }
    if (name.empty()) return nobody_;
    if (!site.callers) return unauthorized("caller_unknown", "nobody here has the name that the protocol calls by");
    TRY_ASSIGN(auto const identity, site.callers->by_name(name, options_.clock->wall()));
    TRY_VOID(identity.caller->check_origin({.client = peer}));
    return here.view_of(identity.caller);
}

bool Gate::admits_line(int io_thread, Host const* host) {
    auto const now_us = steady_now_us();
    if (!load_.is_congested(io_thread, now_us) || load_.admits(io_thread, now_us, host, LoadClass::command)) return true;
    load_.refused(io_thread, host);
    return false;
}

void Gate::drop_ended() {
    for (auto const& site : sites_) site.edge->drop_ended();
}

bool Gate::operates(Pass const& pass) const { return pass.caller->operates || pass.site == &sites_.front(); }

void Gate::answer_metrics(http::Exchange& exchange, Pass& pass) {
    exchange.send_waiting();
    if (!pass.caller->allows("gantry:metrics")) return refuse_caller(exchange, *pass.caller, "gantry:metrics", pass.request_id());
    if (!operates(pass)) return write_problem(exchange.response(), of_another_site(), pass.request_id(), {});
    options_.metrics(exchange);
}

void Gate::answer_drain(http::Exchange& exchange, Pass& pass) {
    if (!pass.quiet && !pass.caller->allows("gantry:admin"))
        return refuse_caller(exchange, *pass.caller, "gantry:admin", pass.request_id());
    if (!pass.quiet && !operates(pass)) return write_problem(exchange.response(), of_another_site(), pass.request_id(), {});
    options_.drain(exchange);
}

http::BodyPlan Gate::plan(http::RequestHead const& head) {
    auto const* site = site_of(head.host);
    return site ? site->edge->plan(head) : http::BodyPlan::none();
}

http::BodyPlan Gate::arrive(http::Arrival& arrival) {
    auto& here = lane(arrival.io_thread());
    auto& seat = seat_of(arrival);
    if (auto const id = arrival.head().headers_id; !seat.shown || id == 0 || id != seat.shown_by)
        seat.shown.emplace(arrival.head()), seat.shown_by = id, seat.origin_by = nullptr;
    Shown const& shown = *seat.shown;
    auto* pass = static_cast<Pass*>(arrival.ticket());
    if (!pass) {
        pass = &here.take();
        pass->caller = nobody_;
        arrival.attach(*pass);
        if (options_.book) options_.book->began(arrival.io_thread());
        note(arrival, *pass, shown);
    }
    pass->held = false;
    if (auto admitted = admit(arrival, *pass, shown); !admitted) {
        if (pass->held) return http::BodyPlan::later();
        pass->refusal = std::make_unique<Problem>(std::move(admitted.error()));
        return http::BodyPlan::none();
    }
    return pass->site->edge->arrive(arrival);
}

void Gate::handle(http::Exchange& exchange) {
    auto& pass = static_cast<Pass&>(*exchange.ticket());
    if (!pass.refusal && is_past(pass.deadline_us)) pass.refusal = std::make_unique<Problem>(deadline_exceeded());
    if (!pass.refusal && pass.overloaded) {
        if (pass.site->edge->answer_kept(exchange)) return;
        refuse_for_load(pass);
    }
    if (!pass.refusal && pass.signature)
        if (auto proved = prove(exchange, pass); !proved) pass.refusal = std::make_unique<Problem>(std::move(proved.error()));
    if (!pass.refusal) {
        auto const path = exchange.head().path;
        if (path == "/health/drain" && options_.drain) return answer_drain(exchange, pass);
        if (path == "/metrics" && options_.metrics) return answer_metrics(exchange, pass);
        if (path == session_path) return answer_session(exchange, pass);
        if (path == sessions_path || path.starts_with(session_prefix)) return answer_sessions(exchange, pass);
        return serve(exchange, pass);
    }
    pass.refused = pass.refusal->code;
    if (pass.refusal->status == 401) add_challenges(exchange, "invalid_token");
    if (pass.site) return pass.site->edge->refuse(exchange, *pass.refusal, pass.request_id());
    write_problem(exchange.response(), *pass.refusal, pass.request_id(), {});
}

void Gate::serve(http::Exchange& exchange, Pass& pass) {
    auto& here = lane(exchange.io_thread());
    auto const waited_us = pass.waited_us, began_us = exchange.now_us();
    here.finished_for = nullptr, here.finished_us = 0, pass.decided_ns = 0;
    pass.site->edge->handle(exchange);
    // It may have ended, and its ticket be another one's.
    auto const* const host = here.finished_us != 0 ? here.finished_for : pass.host;
    auto const ended_us = here.finished_us != 0 ? here.finished_us : pass.decided_ns != 0 ? pass.decided_ns / 1000 : steady_now_us();
    load_.served(exchange.io_thread(), began_us, ended_us, host, waited_us);
}

// From the head alone. What waited in its socket waited for its answer, too.
Result<void> Gate::check_load(http::Arrival& arrival, Pass& pass) {
    auto const thread = arrival.io_thread();
    auto const now_us = pass.arrived_us = arrival.arrived_us();
    bool const first = pass.waited_us < 0;
    if (first) pass.waited_us = load_.arrived(thread, now_us);
    if (pass.deadline_us != 0) pass.deadline_us -= pass.waited_us;
    if (is_past(pass.deadline_us)) {
        static_cast<Seat*>(arrival.seat().get())->verdict.reset();  // its outcome may be being written
        return std::unexpected(deadline_exceeded());
    }
    if (!first || !load_.is_congested(thread, now_us)) return {};
    auto const asked = pass.site->edge->load_of(arrival.head());
    if (!asked.host || load_.admits(thread, now_us, asked.host, asked.load)) return {};
    pass.host = asked.host, pass.overloaded = true;
    if (asked.load == LoadClass::read) return {};  // an answer that is kept costs less than its refusal
    refuse_for_load(pass);
    return std::unexpected(*pass.refusal);
}

// Whoever is refused comes again at a moment of its own.
void Gate::refuse_for_load(Pass& pass) {
    auto& here = pass.lane();
    load_.refused(here.io_thread, pass.host);
    Problem problem{503, "overloaded", "this server has more to do than it can: try again, each time later"};
    problem.retry_after_s = 1 + int(here.random.next() % retry_after_s_max);
    pass.refusal = std::make_unique<Problem>(std::move(problem));
    // There may be thousands a second, all alike.
    if (pass.trace) here.free_traces.push_back(std::exchange(pass.trace, nullptr));
}

// What is told of the request later, whatever becomes of it.
void Gate::note(http::Arrival& arrival, Pass& pass, Shown const& shown) {
    auto& here = lane(arrival.io_thread());
    auto const& head = arrival.head();
    pass.arrived = here.wall_at(arrival.arrived_us());
    pass.method = head.method, pass.http_minor = std::uint8_t(head.version_minor), pass.tls = arrival.tls();
    auto const target = head.target.substr(0, target_bytes_max), agent = shown.agent.substr(0, agent_bytes_max);
    pass.text.assign(target).append(agent).append(arrival.peer().address);
    pass.target_size = target.size(), pass.agent_size = agent.size();
    if (is_plain_id(shown.request_id)) {
        std::ranges::copy(shown.request_id, pass.id.begin());
        pass.id_size = std::uint8_t(shown.request_id.size());
    } else {
        write_request_id(pass.id.data(), pass.arrived.us, here.random);
        pass.id_size = request_id_bytes;
    }
    pass.quiet = is_health(head);
    pass.tells_timing = !shown.timing.empty();
    auto caller = observe::parse_traceparent(shown.traceparent);
    if (!caller) caller = observe::parse_sentry_trace(shown.sentry_trace);
    pass.trace = here.take_trace();
    pass.trace->begin("request", observe::SpanKind::server, caller, pass.arrived, arrival.arrived_us() * 1000, here.random);
}

Gate::Seat& Gate::seat_of(http::Arrival& arrival) {
    auto& seat = arrival.seat();
    if (!seat) {
        auto made = std::make_shared<Seat>();
        made->peer = auth::parse_address(arrival.peer().address).value_or(auth::IpAddress{});
        seat = std::move(made);
    }
    return *static_cast<Seat*>(seat.get());
}

Result<void> Gate::admit(http::Arrival& arrival, Pass& pass, Shown const& shown) {
    auto const& rules = lane(arrival.io_thread()).rules;
    pass.deadline_us = 0;
    if (!shown.timeout.empty()) {
        std::int64_t ms = 0;
        auto const [end, error] = std::from_chars(shown.timeout.data(), shown.timeout.data() + shown.timeout.size(), ms);
        if (error != std::errc() || end != shown.timeout.data() + shown.timeout.size() || ms < 1 || ms > timeout_max.us / 1000)
            return fail(400, "request_invalid", "Gantry-Timeout: expected milliseconds from 1 to 86400000");
        pass.deadline_us = arrival.arrived_us() + ms * 1000;
    }
    TRY_ASSIGN(pass.site, choose_site(arrival.head()));
    if (pass.quiet) return {};
    TRY_VOID(check_load(arrival, pass));
    auto& seat = seat_of(arrival);
    if (seat.origin_by != rules) {
        TRY_ASSIGN(seat.origin, origin_of(arrival.head(), rules->origin, seat.peer));
        seat.origin_by = rules;
    }
    auto const& origin = seat.origin;
    if (origin.by_proxy) {
        pass.text.resize(pass.target_size + pass.agent_size);
        pass.text += auth::format_address(origin.client);
    }
    TRY_VOID(check_address(*rules, origin.client, origin.known));
    TRY_ASSIGN(pass.caller, identify(arrival, pass, shown, origin));
    if (!pass.caller->caller) return {};
    TRY_VOID(pass.caller->caller->check_origin(origin));
    return pass.signature ? Result<void>() : limit(pass);
}

// A host without a label, an address too, is the first site; so is every one when there is no other.
GateSite const* Gate::site_of(std::string_view authority) const {
    auto const label = http::site_label(authority);
    if (label.empty() || sites_.size() == 1) return &sites_.front();
    auto const found = std::ranges::find_if(sites_, [&](GateSite const& s) { return http::equals_ignoring_case(s.name, label); });
    return found == sites_.end() ? nullptr : &*found;
}

Result<GateSite const*> Gate::choose_site(http::RequestHead const& head) const {
    auto const* site = site_of(head.host);
    if (!site) {
        bool const open = std::ranges::all_of(sites_, &GateSite::is_open);
        // A name that is none of ours at all is told as a single site would tell it.
        if (open) TRY_VOID(http::check_loopback(head));
        return fail(421, "site_unknown", "no site of this name is served here: the first label of the host names one");
    }
    auto const origin = head.header("Origin");
    if (auto const scheme = origin.find("://");
        scheme != origin.npos && site_of(origin.substr(scheme + 3)) != site && !site->edge->is_cross_origin(head))
        return fail(403, "cross_site", "This is a page of another site: each site answers only to its own.");
    return site;
}

// A foreign protocol has content types of its own.
Result<void> Gate::check_open(GateSite const& site, http::RequestHead const& head) {
    if (site.edge->is_cross_origin(head)) return http::check_loopback_host(head);
    auto const checked = http::check_loopback(head);
    bool const type_alone = !checked && checked.error().code == "json_required";
    return type_alone && site.edge->is_foreign(head) ? Result<void>() : checked;
}

Result<EdgeCallerRef> Gate::identify(http::Arrival& arrival, Pass& pass, Shown const& shown, auth::Origin const& origin) {
    if (pass.site->is_open()) {
        TRY_VOID(check_open(*pass.site, arrival.head()));
        return local_caller();
    }
    if (pass.site->edge->is_anonymous(arrival.head())) return nobody_;
    if (shown.authorized_twice) return unauthorized("authorization_malformed", "there are two Authorization headers: send one");
    auto& seat = *static_cast<Seat*>(arrival.seat().get());
    // What counts once is not kept.
    bool const kept = !shown.authorization.empty() && seat.authorization == shown.authorization && shown.code.empty();
    if (kept && seat.caller && seat.site == pass.site && seat.identity.holds(pass.arrived)) return seat.caller;
    bool const counts_once = !shown.code.empty() || auth::passkey_authorization(shown.authorization);
    pass.signature.reset();
    TRY_ASSIGN(auto identity, recognise(arrival, pass, shown, origin));
    if (!identity.caller) return nobody_;
    auto view = identity.caller == operator_.caller ? operator_view_ : lane(arrival.io_thread()).view_of(identity.caller);
    if (!shown.authorization.empty() && !counts_once && !pass.signature)
        seat.site = pass.site, seat.authorization = shown.authorization, seat.identity = std::move(identity), seat.caller = view;
    return view;
}

Result<auth::Identity> Gate::recognise(http::Arrival& arrival, Pass& pass, Shown const& shown, auth::Origin const& origin) {
    pass.client = origin.client;
    if (!shown.authorization.empty()) return by_authorization(arrival, pass, shown.authorization, shown.code);
    // A browser shows the rest by itself, whatever page asks.
    auto const ours = [&] { return http::check_same_origin(arrival.head()); };
    auto const* callers = pass.site->callers;
    if (auto const names = arrival.peer().certificate_names; !names.empty() && callers) {
        TRY_VOID(ours());
        std::vector<std::string_view> const views(names.begin(), names.end());
        return callers->by_certificate(views, pass.arrived);
    }
    if (!origin.caller_name.empty() && callers) {
        TRY_VOID(ours());
        return callers->by_name(origin.caller_name, pass.arrived);
    }
    if (shown.cookies.empty() || !pass.site->sessions) return auth::Identity{};
    TRY_VOID(ours());
    return by_session(arrival, pass, shown.cookies);
}

// One that is over makes nobody of its reader, who can still see the page to sign in.
Result<auth::Identity> Gate::by_session(http::Arrival& arrival, Pass& pass, std::string_view cookies) {
    auto const id = auth::session_of_cookies(cookie_over(arrival.tls()), cookies);
    if (!id) return auth::Identity{};
    auto found = pass.site->sessions->find(*id, pass.client, pass.arrived);
    if (found) return found;
    pass.unrecognised = std::make_unique<Problem>(std::move(found.error()));
    return auth::Identity{};
}

Result<auth::Identity> Gate::by_authorization(http::Arrival& arrival, Pass& pass, std::string_view value, std::string_view code) {
    if (auto const passkey = auth::passkey_authorization(value)) {
        TRY_VOID(http::check_same_origin(arrival.head()));
        return by_passkey(arrival, pass, value, *passkey);
    }
    if (value.starts_with(auth::aws_signature_scheme))
        if (auto const route = pass.site->edge->signed_for(arrival.head()); !route.service.empty())
            return by_signature(arrival, pass, route);
    TRY_ASSIGN(auto shown, auth::parse_authorization(value));
    if (auto const* bearer = std::get_if<auth::Bearer>(&shown)) return by_bearer(pass, *bearer);
    TRY_VOID(http::check_same_origin(arrival.head()));  // a browser repeats a password by itself
    return by_password(arrival, pass, value, std::get<auth::Basic>(std::move(shown)), code);
}

Result<auth::Identity> Gate::by_bearer(Pass& pass, auth::Bearer const& shown) {
    if (!options_.operator_token.empty() && same_secret(shown.token, options_.operator_token)) return operator_;
    auto const now_ns = options_.clock->steady_ns();
    TRY_VOID(failed_.check(pass.client, {}, now_ns));
    auto const* site = pass.site;
    if (shown.is_jwt() && site->jwt) {
        auto identity = site->jwt->by_jwt(shown.token, pass.arrived);
        if (site->jwt->wants_keys(now_ns) && options_.fetch_keys) options_.fetch_keys(*site->jwt);
        return identity;
    }
    if (!site->callers) return unauthorized("token_unknown", "nobody has this token");
    auto identity = site->callers->by_token(shown.token, pass.arrived);
    if (!identity) failed_.failed(pass.client, {}, now_ns);
    return identity;
}

namespace {

using HeaderPairs = std::vector<std::pair<std::string_view, std::string_view>>;
HeaderPairs pairs_of(http::RequestHead const& head) {
    HeaderPairs out;
    for (auto const& h : head.headers) out.emplace_back(h.name, h.value);
    return out;
}
auth::AwsRequest aws_request(http::RequestHead const& head, HeaderPairs const& headers, std::string_view body) {
    return {http::method_name(head.method), head.path.substr(head.mount.size()), head.query, headers, body};
}

}  // namespace

// A key that nobody has looks like a wrong secret.
Result<auth::Identity> Gate::by_signature(http::Arrival& arrival, Pass& pass, Edge::Signed const& route) {
    auto const headers = pairs_of(arrival.head());
    TRY_ASSIGN(auto shown, auth::shown_aws_signature(aws_request(arrival.head(), headers, {})));
    auto const now_ns = options_.clock->steady_ns();
    TRY_VOID(failed_.check(pass.client, shown.access_key, now_ns));
    auto const* callers = pass.site->callers;
    auto identity = callers ? callers->by_name(shown.access_key, pass.arrived) : unauthorized("caller_unknown", "nobody is known here");
    if (!identity) return failed_.failed(pass.client, shown.access_key, now_ns), std::unexpected(auth::aws_signature_wrong(route.service));
    pass.signature = std::make_unique<auth::AwsShown>(std::move(shown));
    return identity;
}

// Until then it is anyone's word: it takes nothing of the caller's rate.
Result<void> Gate::prove(http::Exchange& exchange, Pass& pass) {
    auto const shown = std::exchange(pass.signature, nullptr);
    auto const route = pass.site->edge->signed_for(exchange.head());
    auto const headers = pairs_of(exchange.head());
    auto const secret = codec::proof_of(route.host->hash_key(), route.service, shown->access_key);
    auto proved = auth::check_aws_signature(*shown, aws_request(exchange.head(), headers, exchange.body()), secret,
                                            {.service = route.service}, options_.clock->wall());
    if (proved) return failed_.succeeded(shown->access_key), limit(pass);
    pass.caller = nobody_;
    failed_.failed(pass.client, shown->access_key, options_.clock->steady_ns());
    return proved;
}

Result<auth::Identity> Gate::by_password(http::Arrival& arrival, Pass& pass, std::string_view value, auth::Basic shown,
                                         std::string_view code) {
    auto const* callers = pass.site->callers;
    if (!callers) return unauthorized("password_wrong", "the name or the password is wrong");
    if (auto verdict = take_verdict(arrival, value)) return std::move(*verdict);
    auto const generation = callers->generation();
    auto& verified = this->verified(*pass.site);
    if (code.empty())
        if (auto known = verified.find(value, generation, pass.arrived)) return std::move(*known);
    auto verify = [this, callers, &verified, generation, value = std::string(value), shown, code = std::string(code)](Time now) {
        if (!code.empty()) return callers->by_password_and_code(shown.name, shown.password, code, now);
        auto identity = callers->by_password(shown.name, shown.password, now);
        if (identity) verified.keep(value, *identity, generation, options_.clock->wall());
        return identity;
    };
    return verify_later(arrival, pass, value, std::move(shown.name), std::move(verify));
}

// It opens no other path: whoever could repeat it there would be in without a session.
Result<auth::Identity> Gate::by_passkey(http::Arrival& arrival, Pass& pass, std::string_view value, std::string_view shown) {
    auto const& head = arrival.head();
    if (head.path != session_path || head.method != http::Method::Post)
        return unauthorized("authorization_unsupported", "A passkey signs in by POST /_gantry/v1/session, and nowhere else.");
    if (auto verdict = take_verdict(arrival, value)) return std::move(*verdict);
    auto const* callers = pass.site->callers;
    if (!callers) return unauthorized("passkey_unknown", "No account here has this passkey: there are no accounts.");
    auto said = value.size() <= auth::authorization_bytes_max ? auth::decode_base64url(shown) : std::nullopt;
    if (!said) return unauthorized("authorization_malformed", "Passkey: expected base64url of JSON behind the scheme");
    return verify_later(arrival, pass, value, {}, [callers, said = std::move(*said)](Time now) { return callers->by_passkey(said, now); });
}

std::optional<Result<auth::Identity>> Gate::take_verdict(http::Arrival& arrival, std::string_view value) {
    auto& seat = *static_cast<Seat*>(arrival.seat().get());
    auto const verdict = std::exchange(seat.verdict, nullptr);
    if (verdict && verdict->outcome && verdict->shown == value) return std::move(verdict->outcome);
    return {};
}

Result<auth::Identity> Gate::verify_later(http::Arrival& arrival, Pass& pass, std::string_view value, std::string name, Verify verify) {
    auto& seat = *static_cast<Seat*>(arrival.seat().get());
    TRY_VOID(failed_.check(pass.client, name, options_.clock->steady_ns()));
    if (!options_.verifiers || verifying_.fetch_add(1) >= verifying_max) {
        if (options_.verifiers) --verifying_;
        return fail(Problem{503, "overloaded", "too many passwords are being verified: try again", {}, {}, 1});
    }
    auto const verdict = seat.verdict = std::make_shared<Verdict>();
    verdict->shown = value, verdict->held = arrival.hold();
    if (pass.deadline_us != 0 && options_.threads)
        verdict->deadline =
            options_.threads->after(arrival.io_thread(), until_deadline(pass.deadline_us, timeout_max), [weak = std::weak_ptr(verdict)] {
                if (auto const waiting = weak.lock()) waiting->resume();
            });
    pass.held = true;
    options_.verifiers->post(0, [this, verdict, client = pass.client, name = std::move(name), verify = std::move(verify)]() mutable {
        auto identity = verify(options_.clock->wall());
        if (identity && !name.empty())
            failed_.succeeded(name);
        else if (!identity && identity.error().status == 401 && identity.error().code != "code_missing")
            failed_.failed(client, name, options_.clock->steady_ns());
        verdict->outcome.emplace(std::move(identity));
        --verifying_;
        verdict->deadline.cancel();
        verdict->resume();
    });
    return unauthorized("password_unverified", "the password is being verified");
}

Result<void> Gate::limit(Pass& pass) {
    auto& limiter = pass.caller->caller->limiter();
    if (limiter.limits_rate()) {
        pass.rate = limiter.take(options_.clock->steady_ns()), pass.tells_rate = true;
        if (!pass.rate.allowed) return std::unexpected(auth::rate_exceeded(limiter, pass.rate));
    }
    if (limiter.limits().concurrent == 0) return {};
    if (!limiter.enter()) return std::unexpected(auth::concurrency_exceeded(limiter));
    pass.inside = &limiter;
    return {};
}

namespace {

struct SessionTold {
    std::string caller;
    bool open = false;       // everyone may do everything: there is nothing to sign in to
    bool anonymous = false;  // nobody was recognised
    std::vector<std::string> scopes;
};
RECORD(SessionTold, caller, open, anonymous, scopes);

struct SessionsTold {
    struct Item {
        std::string handle;
        Time started_at, seen_at, ends_at;
        std::string address, device;
        bool current = false;
    };
    std::vector<Item> items;
    bool complete = true;
};
RECORD(SessionsTold::Item, handle, started_at, seen_at, ends_at, address, device, current);
RECORD(SessionsTold, items, complete);

void tell(http::Exchange& exchange, int status, std::string const& json) {
    exchange.response().begin(status).header("Content-Type", "application/json").header("Cache-Control", "no-store").body(json);
}

}  // namespace

void Gate::answer_session(http::Exchange& exchange, Pass& pass) {
    auto const& head = exchange.head();
    auto const refuse = [&](Problem const& problem) { write_problem(exchange.response(), problem, pass.request_id(), {}); };
    auto const over = cookie_over(exchange.tls());
    SessionTold told{std::string(pass.caller->viewer.id.view()), pass.site->is_open(), pass.caller->anonymous, {}};
    if (pass.caller->caller) told.scopes = pass.caller->caller->scopes().patterns();
    if (head.method == http::Method::Get || head.method == http::Method::Head) return tell(exchange, 200, codec::to_json(told));
    auto const id = auth::session_of_cookies(over, head.header("Cookie"));
    if (head.method == http::Method::Delete) {
        exchange.add_header("Set-Cookie", auth::session_cookie(over, {}, {}));
        auto gone = [](http::Response& response) { response.begin(204).header("Cache-Control", "no-store").empty(); };
        auto response = exchange.response();
        if (!id || !pass.site->sessions) return gone(response);
        auto end = [book = pass.site->sessions, id = std::string(*id), now = pass.arrived] { return book->end(id, now); };
        return change_sessions(exchange, pass, std::move(end), std::move(gone));
    }
    if (head.method != http::Method::Post) return refuse({405, "method_not_allowed", "this path takes GET, POST, DELETE"});
    if (!pass.site->sessions || !pass.caller->caller || head.header("Authorization").empty())
        return refuse_caller(exchange, *nobody_, "gantry:session", pass.request_id());
    auto cookie = std::make_shared<std::string>();
    auto start = [book = pass.site->sessions, caller = pass.caller->caller, client = pass.client,
                  device = std::string(head.header("User-Agent")), now = pass.arrived, over, cookie]() -> Result<void> {
        TRY_ASSIGN(auto const made, book->start(caller, client, device, now));
        return *cookie = auth::session_cookie(over, made, book->lifetime()), Result<void>();
    };
    change_sessions(exchange, pass, std::move(start), [cookie, json = codec::to_json(told)](http::Response& response) {
        response.begin(200).header("Set-Cookie", *cookie).header("Content-Type", "application/json").header("Cache-Control", "no-store");
        response.body(json);
    });
}

void Gate::change_sessions(http::Exchange& exchange, Pass& pass, std::move_only_function<Result<void>()> act,
                           std::move_only_function<void(http::Response&)> answer) {
    auto respond = [id = std::string(pass.request_id()), answer = std::move(answer)](http::Response& response,
                                                                                     Result<void> const& done) mutable {
        return done ? answer(response) : write_problem(response, done.error(), id, {});
    };
    if (!options_.verifiers) {
        auto response = exchange.response();
        return respond(response, act());
    }
    options_.verifiers->post(0, [act = std::move(act), respond = std::move(respond), held = exchange.defer()]() mutable {
        std::move(held).complete(
            [done = act(), respond = std::move(respond)](http::Response& response) mutable { respond(response, done); });
    });
}

void Gate::answer_sessions(http::Exchange& exchange, Pass& pass) {
    auto const& head = exchange.head();
    auto const refuse = [&](Problem const& problem) { write_problem(exchange.response(), problem, pass.request_id(), {}); };
    if (!pass.site->sessions || !pass.caller->caller) return refuse_caller(exchange, *pass.caller, "gantry:session", pass.request_id());
    auto const current = auth::session_of_cookies(cookie_over(exchange.tls()), head.header("Cookie")).value_or("");
    auto const& name = pass.caller->caller->name();
    bool const one = head.path.starts_with(session_prefix);
    if (head.method == http::Method::Delete) {
        auto end = [book = pass.site->sessions, name, one, handle = std::string(one ? head.path.substr(session_prefix.size()) : ""),
                    current = std::string(current),
                    now = pass.arrived] { return one ? book->end_one(name, handle, now) : book->end_all(name, now, current); };
        return change_sessions(exchange, pass, std::move(end), [](http::Response& response) { response.begin(204).empty(); });
    }
    if (one || head.method != http::Method::Get)
        return refuse({405, "method_not_allowed", one ? "this path takes DELETE" : "this path takes GET, DELETE"});
    SessionsTold told;
    for (auto const& s : pass.site->sessions->list(name, current, pass.arrived))
        told.items.push_back({s.handle, s.started_at, s.seen_at, s.ends_at, auth::format_address(s.address), s.device, s.current});
    tell(exchange, 200, codec::to_json(told));
}

}  // namespace gantry::runtime
