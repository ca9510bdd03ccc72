#include "kernel/testing/bench_of_one.h"

#include <algorithm>
#include <bit>

#include "kernel/base/varint.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/schema.h"
#include "kernel/runtime/here.h"
#include "kernel/runtime/kernel_query.h"
#include "kernel/testing/laws.h"
#include "kernel/testing/mirror.h"
#include "kernel/testing/random_calls.h"

namespace gantry::testing {

BenchOfOne::BenchOfOne(runtime::ServiceDecl decl, void const* settings) : decl_(std::move(decl)), settings_(settings) {
    if (!settings_ && decl_.settings) settings_ = default_settings_.emplace(*decl_.settings).get();
    mirrored_ = Mirror::wanted();
    start();
}
BenchOfOne::~BenchOfOne() = default;

void BenchOfOne::start() {
    routes_.reset(), effects_.reset(), text_.reset(), host_.reset(), to_ask_.clear();
    log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{}, codec::encode_event_schema(*decl_.event));
    runtime::Host::Parts parts{*log_, clock_, random_};
    parts.settings = settings_, parts.snapshots = &snapshots_, parts.hash_key = hash_key_;
    host_ = std::make_unique<runtime::Host>(decl_, std::move(parts));
    auto started = host_->start();
    ASSERT_TRUE(started) << started.error().detail << started.error().cause;
    if (decl_.text) text_ = std::make_unique<runtime::TextAtOnce>(*host_, clock_);
    std::array<runtime::Host*, 1> hosts{host_.get()};
    routes_ = std::make_unique<runtime::RouteTable>(hosts);
    auto send = [this](client::Request request) {
        if (outside_) return outside_(std::move(request));
        client::Reply unanswered;
        unanswered.error = client::Error{"connect_failed", "the test has no outside"};
        return unanswered;
    };
    auto mail = [this](std::string_view, std::string_view to, std::string_view subject, std::string_view text) -> Result<void> {
        if (!mails_) return fail(503, "mail_nowhere", "the test takes no mail");
        return mails_(to, subject, text), Result<void>{};
    };
    effects_ = std::make_unique<runtime::EffectRunner>(
        runtime::EffectRunner::Parts{.host = *host_,
                                     .clock = clock_,
                                     .send = send,
                                     .run = [](std::move_only_function<void()> task) { return task(), true; },
                                     .mail = mail});
}

void BenchOfOne::run_effects() {
    for (auto before = ~log::Position{0}; before != host_->applied();) before = host_->applied(), effects_->poll(), ask_waiting();
}

client::Reply BenchOfOne::answer(client::Request request) {
    return runtime::Here({host_.get()}).send(request, [] { return true; });
}

void BenchOfOne::restart() {
    snapshots_.offer({});
    start();
    if (mirror_) mirror_->restart();
}

// A mirror's time goes on by itself, so that of the host does, too, while there is one.
void BenchOfOne::follow_clock() {
    if (!mirrored_) return;
    if (!mirror_) mirror_ = Mirror::make(decl_, settings_, mirror_now_ = clock_.wall());
    if (clock_.wall() != mirror_now_) tick();
}

// Of the first commands each, then more and more seldom: law 3 starts from every one of them.
void BenchOfOne::keep_snapshot() {
    if (++writes_ > 8 && !std::has_single_bit(writes_)) return;
    auto saved = host_->save_snapshot();
    EXPECT_TRUE(saved) << saved.error().detail;
}

Reply BenchOfOne::ask(std::string_view verb, std::string_view target, std::string_view body, Headers const& headers) {
    follow_clock();
    auto reply = ask_here(verb, target, body, headers);
    if (mirror_ && !is_foreign(verb, target)) mirror_->expect_same(*host_, verb, target, body, headers, reply);
    ask_waiting();
    return reply;
}

// A mirror has nobody who waits.
std::shared_ptr<Pending> BenchOfOne::ask_and_wait(std::string_view verb, std::string_view target, std::string_view body,
                                                  Headers const& headers) {
    mirror_.reset(), mirrored_ = false;
    auto pending = std::make_shared<Pending>(caller_, std::string(verb), std::string(target), std::string(body), headers);
    decide(pending);
    ask_waiting();
    return pending;
}

void BenchOfOne::decide(std::shared_ptr<Pending> const& pending) {
    runtime::Waiter waiter{.number = pending->number, .ask = [this, weak = std::weak_ptr(pending)] { to_ask_.push_back(weak); }};
    auto const caller = std::exchange(caller_, pending->caller);
    auto reply = ask_here(pending->verb, pending->target, pending->body, pending->headers, &waiter);
    caller_ = caller;
    pending->number = waiter.number;
    if (!waiter.parked) pending->reply = std::move(reply);
}

void BenchOfOne::leave(Pending& pending) {
    if (!pending.reply) host_->leave(pending.number);
    ask_waiting();
}

void BenchOfOne::ask_waiting() {
    auto expired = host_->fire_due(0);
    EXPECT_TRUE(expired) << expired.error().detail;
    while (!to_ask_.empty()) {
        auto const pending = to_ask_.front().lock();
        to_ask_.pop_front();
        if (!pending || pending->reply) continue;
        ++pending->asked;
        decide(pending);
    }
}

bool BenchOfOne::is_foreign(std::string_view verb, std::string_view target) const {
    auto const match = routes_->match(verb, target.substr(0, target.find('?')));
    return match.target && match.target->route->foreign;
}

Reply BenchOfOne::ask_here(std::string_view verb, std::string_view target, std::string_view body, Headers const& headers,
                           runtime::Waiter* waiter) {
    auto const cut = std::min(target.find('?'), target.size());
    auto const path = target.substr(0, cut), query = target.substr(std::min(cut + 1, target.size()));
    auto match = routes_->match(verb, path);
    Reply reply;
    if (!match.target)
        return reply.status = match.allowed.empty() ? 404 : 405,
               reply.code = match.allowed.empty() ? "route_not_found" : "method_not_allowed", reply;
    bool const command = match.target->route->command, is_foreign = match.target->route->foreign.has_value();
    auto const before = host_->applied();
    runtime::KernelQuery kernel_query{.rest = std::string(query), .as_of = {}, .live = {}};
    if (!command && !is_foreign) {
        auto split = runtime::split_query(query);
        if (!split) return ADD_FAILURE() << split.error().faults.front().detail, reply;
        kernel_query = std::move(*split);
    }
    auto bind = [&](codec::Type const& type, void* out) -> Result<void> {
        if (is_foreign) {
            std::vector<std::pair<std::string_view, std::string_view>> shown(headers.others.begin(), headers.others.end());
            TRY_VOID(runtime::bind_foreign(match, {verb, path, query, body, "http", "localhost", "127.0.0.1", shown, {}}, out));
        } else {
            TRY_VOID(runtime::bind_request(match, kernel_query.rest, body, false, type, out));
        }
        if (!values_are_random_) private_values_.learn(type, out);
        return {};
    };
    auto bind_read_fn = [&](codec::Type const&, void* out) { return runtime::bind_path(*match.target->read, match.segments, out); };
    runtime::Bind const bind_read(bind_read_fn);
    Viewer const viewer{Str(mirror_ ? "u_local" : caller_)};
    runtime::Request request{.route = *match.target->route, .viewer = viewer, .bind = bind};
    if (command) {
        request.idempotency_key = headers.idempotency_key, request.target = target, request.body = body,
        request.if_match = headers.if_match;
        if (match.target->read) request.same_path_read = match.target->read->route, request.bind_read = &bind_read;
        request.waiter = waiter;
    }
    std::optional<Result<runtime::Answer>> told;
    if (!kernel_query.as_of.empty())
        told = of_the_past(kernel_query.as_of, request);
    else if (auto at_once =
                 host_->call(request, [&]() -> runtime::Done { return [&](Result<runtime::Answer> answer) { told = std::move(answer); }; }))
        told = std::move(*at_once);
    if (waiter && waiter->parked) return reply;
    if (!told) return ADD_FAILURE() << verb << ' ' << target << " was not answered", reply;
    reply = reply_of(std::move(*told), *match.target->route);
    bool const refused = !reply.code.empty();
    if (is_foreign) show_foreign(reply, *match.target->route->foreign, headers);
    reply.wrote = written_after(before);
    // A foreign protocol may say no and record why.
    if (refused || (reply.status >= 400 && !is_foreign) || !command)
        EXPECT_TRUE(reply.wrote.empty()) << verb << ' ' << target << " was refused or reads, and wrote";
    if (!reply.wrote.empty()) keep_snapshot();
    Asked asked{caller_, std::string(target)};
    if (!command && !is_foreign && !match.target->route->kernel && kernel_query.as_of.empty() &&
        std::ranges::find(reads_, asked) == reads_.end())
        reads_.push_back(std::move(asked));
    return reply;
}

void BenchOfOne::show_foreign(Reply& reply, runtime::ForeignDecl const& foreign, Headers const& headers) {
    ForeignReply told;
    if (reply.code.empty()) {
        auto read = codec::from_json<ForeignReply>(reply.body);
        if (!read) return ADD_FAILURE() << read.error().detail, void();
        told = std::move(*read);
    } else if (foreign.options.refused_as) {
        auto const type = std::ranges::find(headers.others, "Content-Type", [](auto const& h) { return std::string_view(h.first); });
        told = foreign.options.refused_as(Problem{reply.status, reply.code, reply.body},
                                          type == headers.others.end() ? std::string_view() : std::string_view(type->second));
    } else if (foreign.options.refused) {
        told = foreign.options.refused(Problem{reply.status, reply.code, reply.body});
    } else {
        return;
    }
    reply.status = told.status, reply.body = std::move(told.body), reply.headers = std::move(told.headers);
}

Reply BenchOfOne::reply_of(Result<runtime::Answer> told, runtime::RouteDecl const& route) const {
    Reply reply;
    if (told) {
        reply.status = told->status, reply.body = std::move(told->body), reply.replayed = told->replayed;
        reply.position = host_->position_text(told->position);
        if (!route.command) reply.etag = runtime::etag_of(route, reply.body);
    } else {
        auto const& problem = told.error();
        reply.status = problem.status, reply.code = problem.code, reply.body = problem.detail, reply.cause = problem.cause;
        for (auto const& fault : problem.faults) reply.body += "\n" + fault.pointer + ": " + fault.detail;
    }
    return reply;
}

Reply BenchOfOne::read_of(runtime::Folded const& state, std::string_view target) const {
    auto const cut = std::min(target.find('?'), target.size());
    auto const match = routes_->match("GET", target.substr(0, cut));
    auto const query = target.substr(std::min(cut + 1, target.size()));
    auto bind = [&](codec::Type const& type, void* out) { return runtime::bind_request(match, query, {}, false, type, out); };
    Viewer const viewer{Str(caller_)};
    return reply_of(host_->read_past(state, {.route = *match.target->route, .viewer = viewer, .bind = bind}), *match.target->route);
}

Result<runtime::Answer> BenchOfOne::of_the_past(std::string_view as_of, runtime::Request const& request) {
    TRY_ASSIGN(auto moment, host_->moment(as_of));
    Result<runtime::PastState> past = fail(500, "not_told");
    host_->history().fetch(moment, -1, [&](Result<runtime::PastState> found) { past = std::move(found); });
    if (!past) return std::unexpected(past.error());
    return host_->read_past(**past, request);
}

std::vector<EncodedEvent> BenchOfOne::written_after(log::Position position) const {
    std::vector<EncodedEvent> out;
    auto scanned = log_->scan(position, [&](log::BatchView const& batch) {
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            auto const type = std::uint32_t(in.varint());
            auto const payload = in.string();
            if (batch.first + i > position) out.push_back({type, std::string(payload)});
        }
        return true;
    });
    EXPECT_TRUE(scanned);
    return out;
}

void BenchOfOne::record(std::vector<EncodedEvent> const& events) {
    if (mirrored_) FAIL() << "GANTRY_ASK: a server takes no facts that nobody decided";
    std::string bytes;
    for (auto const& e : events) put_varint(bytes, e.type), put_string(bytes, e.payload);
    log::BatchView batch;
    batch.count = std::uint32_t(events.size()), batch.events = bytes, batch.caller = caller_;
    batch.time = std::max(clock_.wall(), log_->status().last_time);
    ASSERT_TRUE(log_->append(batch));
    restart();
    keep_snapshot();
}

void BenchOfOne::tick() {
    auto ticked = host_->tick();
    EXPECT_TRUE(ticked) << ticked.error().detail;
    ask_waiting();
    if (mirror_) mirror_->set_clock(mirror_now_ = clock_.wall());
}

std::string BenchOfOne::shown(std::vector<EncodedEvent> const& events) const {
    std::string out;
    for (auto const& e : events) {
        auto const& alternative = decl_.event->alternatives[e.type];
        codec::AnyValue value(alternative.type());
        ByteReader in(e.payload);
        out += "  " + std::string(alternative.name) + " ";
        if (codec::decode_binary(alternative.type(), value.get(), in)) codec::encode_json(alternative.type(), value.get(), out);
        out += '\n';
    }
    return out.empty() ? "  nothing\n" : out;
}

void BenchOfOne::expect_wrote(Reply const& reply, std::vector<EncodedEvent> const& expected) {
    EXPECT_TRUE(reply.wrote == expected) << "wrote\n" << shown(reply.wrote) << "instead of\n" << shown(expected);
}

void BenchOfOne::random_commands(std::uint64_t seed, int count) {
    values_are_random_ = true;
    SeededRandom random(seed);
    RandomCalls(*this, random, "seed " + std::to_string(seed)).make(count);
    values_are_random_ = false;
}

void BenchOfOne::commands_from(std::string_view bytes) {
    values_are_random_ = true;
    ByteRandom random(bytes);
    RandomCalls calls(*this, random, "from bytes");
    while (!random.used_up()) calls.make(1);
    values_are_random_ = false;
}

void BenchOfOne::check_laws() {
    mirror_.reset(), mirrored_ = false;
    Laws(*this).check();
}

}  // namespace gantry::testing
