#include "kernel/runtime/line_talk.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t connection_id_bytes = request_id_bytes;

// "POST /": a page in a browser can send lines to any port of this machine, and would speak through its reader's connection.
bool is_request_line(std::string_view line) {
    auto const blank = line.find(' ');
    return blank != line.npos && blank > 0 && blank + 1 < line.size() && (line[blank + 1] == '/' || line[blank + 1] == '*') &&
           std::ranges::all_of(line.substr(0, blank), [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::string_view without_end(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

Problem internal(std::string cause) {
    Problem problem{500, "internal_error", "the command failed on its way to the service"};
    problem.cause = std::move(cause);
    return problem;
}

}  // namespace

LineTalk::LineTalk(std::shared_ptr<LineServer::Impl> of, std::shared_ptr<net::Stream> stream)
    : of_(std::move(of)), parts_(of_->parts), decl_(parts_.decl), stream_(std::move(stream)) {
    peer_.id.resize(connection_id_bytes);
    write_request_id(peer_.id.data(), parts_.clock.wall().us, parts_.random);
    peer_.id[0] = 'c';
    peer_.address = stream_->peer_address();
    address_ = auth::parse_address(peer_.address).value_or(auth::IpAddress{});
    talk_ = decl_.make_talk(peer_);
    // From here nothing is let in, so nothing is said either.
    if (auto known = parts_.caller ? parts_.caller(stream_->io_thread(), address_) : Result<EdgeCallerRef>(local_caller());
        !known && known.error().code == "address_refused")
        closing_ = true, stream_->close();
}

// --- what comes ---

std::size_t LineTalk::receive(std::string_view bytes, bool last) {
    last_ = last, receiving_ = true;
    std::size_t used = 0;
    while (may_go_on()) {
        auto const n = step(bytes.substr(used));
        if (n == 0) break;
        used += n;
    }
    receiving_ = false;
    if (last_) hurry();
    if (asked_.empty() && (stopping_ || (last_ && !stream_->is_full()))) stream_->close();
    return used;
}

bool LineTalk::may_go_on() const {
    return !closing_ && !stopping_ && !gone_ && barrier_ == 0 && asked_.size() < decl_.options.overlapping_max && !stream_->is_full();
}

// How much of it is done with; 0: more must come first.
std::size_t LineTalk::step(std::string_view bytes) {
    if (bytes.empty()) return 0;
    if (skip_line_ || skip_bytes_ > 0) return skip(bytes);
    return line_bytes_ > 0 ? read_body(bytes) : read_line(bytes);
}

std::size_t LineTalk::skip(std::string_view bytes) {
    std::size_t used = 0;
    if (skip_line_) {
        auto const end = bytes.find('\n');
        if (end == bytes.npos) return bytes.size();
        skip_line_ = false, used = end + 1;
    } else {
        used = std::size_t(std::min<std::uint64_t>(skip_bytes_, bytes.size()));
        skip_bytes_ -= used;
        if (skip_bytes_ > 0) return used;
    }
    answer(std::exchange(skipped_reply_, {}));
    return used;
}

std::size_t LineTalk::read_line(std::string_view bytes) {
    auto const window = bytes.substr(0, decl_.options.line_bytes_max);
    auto const end = window.find('\n');
    if (end == window.npos && bytes.size() < decl_.options.line_bytes_max) return 0;
    if (!std::exchange(greeted_, true) && is_request_line(window)) {
        answer(refusal({}, {400, "not_http", "this port speaks another protocol than HTTP"}), true);
        return bytes.size();
    }
    if (end == window.npos) {
        skip_line_ = true, skipped_reply_ = decl_.options.line_too_long;
        return skip(bytes);
    }
    auto said = parse({without_end(window.substr(0, end))});
    if (said.kind() != LineSaid::Kind::body) return take(std::move(said), end + 1);
    if (said.bytes() > decl_.options.body_bytes_max) {
        skip_bytes_ = said.bytes();
        skipped_reply_ = refusal({}, {413, "body_too_large", fmt::format("a body has at most {} bytes", decl_.options.body_bytes_max)});
        return end + 1;
    }
    line_bytes_ = end + 1, body_bytes_ = said.bytes();
    return read_body(bytes);
}

std::size_t LineTalk::read_body(std::string_view bytes) {
    auto const all = line_bytes_ + std::size_t(body_bytes_);
    if (bytes.size() < all) return 0;
    auto said = parse({without_end(bytes.substr(0, line_bytes_ - 1)), bytes.substr(line_bytes_, std::size_t(body_bytes_))});
    line_bytes_ = 0;
    GANTRY_ASSERT(said.kind() != LineSaid::Kind::body, "a line asks for its body once");
    return take(std::move(said), all);
}

std::size_t LineTalk::take(LineSaid said, std::size_t used) {
    switch (said.kind()) {
        case LineSaid::Kind::call: start(std::move(said)); break;
        case LineSaid::Kind::swallow:
            skip_bytes_ = said.bytes(), skipped_reply_ = said.text();
            if (skip_bytes_ == 0) answer(std::exchange(skipped_reply_, {}));
            break;
        default: answer(said.text(), said.kind() == LineSaid::Kind::close);
    }
    return used;
}

LineSaid LineTalk::parse(LineIn const& in) {
    try {
        return decl_.parse(decl_.parse_function, talk_.get(), in);
    } catch (...) {
        broken("parse");
        return LineSaid::close(refusal({}, internal({})));
    }
}

// Within a handler of what was thrown.
void LineTalk::broken(std::string_view what) {
    auto const thrown = thrown_now();
    auto const problem = internal(thrown->message);
    parts_.host.report("request", fmt::format("{} {}", decl_.name, what), problem, thrown.get(), peer_.id);
}

// --- commands ---

LineCommandDecl const& LineTalk::command_of(LineSaid const& said) const {
    auto const found = std::ranges::find(decl_.commands, said.text(), [](auto const& c) { return c.route.verb; });
    GANTRY_ASSERT(found != decl_.commands.end(), "what parse calls is a command of the protocol");
    GANTRY_ASSERT(found->route.input == said.input_type(), "a command gets its own input");
    return *found;
}

void LineTalk::start(LineSaid said) {
    auto const& command = command_of(said);
    auto const number = first_ + asked_.size();
    auto& asked = asked_.emplace_back();
    asked.command = &command, asked.said = std::move(said);
    asked.arrived = parts_.clock.wall(), asked.began_ns = system_clock().steady_ns();
    write_request_id(asked.id.data(), asked.arrived.us, parts_.random);
    if (parts_.keep_trace) {
        asked.trace = std::make_unique<observe::RequestTrace>();
        asked.trace->begin("command", observe::SpanKind::server, {}, asked.arrived, asked.began_ns, parts_.random);
    }
    if (!command.overlaps) barrier_ = number + 1;
    auto admitted = admit(asked);
    auto outcome = admitted ? decide(asked, number) : std::optional<Result<Answer>>(std::unexpected(std::move(admitted.error())));
    if (outcome) settle(number, std::move(*outcome));
}

// As the gate and the edge do with a request.
Result<void> LineTalk::admit(Asked& asked) {
    if (parts_.caller) {
        TRY_ASSIGN(asked.caller, parts_.caller(stream_->io_thread(), address_));
    } else {
        asked.caller = local_caller();
    }
    auto const& route = asked.command->route;
    if (asked.caller->caller) {
        auto& limiter = asked.caller->caller->limiter();
        if (limiter.limits_rate())
            if (auto rate = limiter.take(system_clock().steady_ns()); !rate.allowed)
                return std::unexpected(auth::rate_exceeded(limiter, rate));
        if (limiter.limits().concurrent > 0) {
            if (!limiter.enter()) return std::unexpected(auth::concurrency_exceeded(limiter));
            asked.inside = &limiter;
        }
    }
    if (!asked.caller->allows(route.scope)) return std::unexpected(may_not(*asked.caller, route.scope));
    if (!parts_.host.ready()) return fail(Problem{503, "service_starting", "the service is reading its log", {}, {}, 1});
    if (parts_.admits && !parts_.admits(stream_->io_thread()))
        return fail(Problem{503, "overloaded", "this server has more to do than it can: try again, each time later", {}, {}, 1});
    return {};
}

std::optional<Result<Answer>> LineTalk::decide(Asked& asked, std::uint64_t number) {
    auto bind = [&](codec::Type const&, void* out) -> Result<void> { return asked.said->copy_input(out), Result<void>(); };
    auto const began_ns = system_clock().steady_ns();
    Request request{.route = asked.command->route, .viewer = asked.caller->viewer, .bind = bind, .request_id = asked.request_id()};
    std::array<char, 16> trace_id{};
    if (asked.trace) trace_id = asked.trace->id().bytes(), request.trace_id = {trace_id.data(), trace_id.size()};
    request.lane = stream_->io_thread();
    RequestFacts facts{.caller = asked.caller.get(), .trace = asked.trace.get(), .request_id = asked.request_id()};
    facts.oops_id = &asked.oops_id;
    request.facts = &facts;
    Waiter waiter{.number = asked.waiter, .may_wait = !last_ && !stopping_};
    if (request.route.waits) {
        request.waiter = &waiter;
        if (asked.waiter == 0)
            waiter.ask = [weak = weak_from_this(), number] {
                if (auto const self = weak.lock()) self->decide_again(number);
            };
    }
    // What becomes durable in just that moment is told within the call: then it is the outcome, and `asked` is still looked at.
    auto const outer = std::exchange(deciding_, number);
    auto outcome = parts_.host.call(request, [&]() -> Done {
        asked.decided_ns = system_clock().steady_ns();
        return [self = shared_from_this(), number](Result<Answer> answer) mutable {
            auto const thread = self->stream_->io_thread();
            auto& threads = self->parts_.threads;
            if (threads.current() == thread && self->deciding_ == number) return void(self->at_once_ = std::move(answer));
            if (threads.current() == thread) return self->settle(number, std::move(answer));
            threads.post(thread, [self = std::move(self), number, answer = std::move(answer)]() mutable {
                self->settle(number, std::move(answer));
            });
        };
    });
    deciding_ = outer;
    if (at_once_) outcome = std::move(*std::exchange(at_once_, std::nullopt));
    if (asked.trace) asked.trace->add("decide", began_ns, asked.decided_ns ? asked.decided_ns : system_clock().steady_ns());
    if (asked.waiter != 0 && !waiter.parked) parts_.host.leave(asked.waiter);
    asked.waiter = waiter.parked ? waiter.number : 0;
    return outcome;
}

// A key that it waits for was touched, or it is to answer now.
void LineTalk::decide_again(std::uint64_t number) {
    if (gone_ || number < first_ || number - first_ >= asked_.size()) return;
    auto& asked = asked_[std::size_t(number - first_)];
    if (asked.waiter == 0 || asked.outcome) return;
    if (asked.caller->is_ended()) {
        parts_.host.leave(std::exchange(asked.waiter, 0));
        return settle(number, std::unexpected(caller_ended()));
    }
    if (auto outcome = decide(asked, number)) settle(number, std::move(*outcome));
}

void LineTalk::hurry() {
    for (auto const& asked : asked_)
        if (asked.waiter != 0) parts_.host.hurry(asked.waiter);
}

// --- what goes ---

void LineTalk::answer(std::string bytes, bool closes) {
    closing_ |= closes;
    if (!asked_.empty()) {
        auto& asked = asked_.emplace_back();
        asked.bytes = std::move(bytes), asked.closes = closes;
        return;
    }
    stream_->write(bytes);
    if (closes) stream_->close();
}

void LineTalk::settle(std::uint64_t number, Result<Answer> outcome) {
    auto& asked = asked_[std::size_t(number - first_)];
    if (asked.trace && asked.decided_ns) asked.trace->add("durable", asked.decided_ns, system_clock().steady_ns());
    asked.outcome = std::move(outcome);
    tell_ready();
}

void LineTalk::tell_ready() {
    while (!asked_.empty() && asked_.front().ready()) {
        auto asked = std::move(asked_.front());
        asked_.pop_front();
        ++first_;
        if (barrier_ == first_) barrier_ = 0;
        auto const bytes = told(asked);
        stream_->write(bytes);
        if (asked.closes) closing_ = true, stream_->close();
        if (asked.command) finish(asked, bytes.size());
    }
    go_on();
}

void LineTalk::go_on() {
    if (gone_) return asked_.empty() ? say_closing() : void();
    if (receiving_) return;
    if (stopping_ && asked_.empty()) return stream_->close();
    if (may_go_on()) stream_->resume();
}

std::string LineTalk::told(Asked& asked) {
    if (!asked.command) return std::move(asked.bytes);
    auto const name = asked.command->route.verb;
    if (!*asked.outcome) return refusal(name, asked.outcome->error());
    try {
        return asked.command->tell(asked.command->told, talk_.get(), (*asked.outcome)->body);
    } catch (...) {
        broken(name);
        asked.closes = true;  // nobody knows what its Talk remembers now
        return refusal(name, internal({}));
    }
}

std::string LineTalk::refusal(std::string_view command, Problem const& problem) {
    try {
        return decl_.refused(decl_.refused_function, talk_.get(), command, problem);
    } catch (...) {
        broken("refused");
        return {};
    }
}

void LineTalk::finish(Asked& asked, std::uint64_t bytes) {
    if (asked.inside) asked.inside->leave();
    auto const ended_ns = system_clock().steady_ns();
    auto const& outcome = *asked.outcome;
    LineBook::Ended ended{.command = asked.command, .status = outcome ? outcome->status : outcome.error().status};
    ended.arrived = asked.arrived, ended.duration_us = (ended_ns - asked.began_ns) / 1000, ended.bytes = bytes;
    ended.client = peer_.address, ended.caller = asked.caller ? asked.caller->viewer.id.view() : std::string_view();
    ended.request_id = asked.request_id(), ended.refused = outcome ? std::string_view() : outcome.error().code;
    std::array<char, 32> trace_id;
    if (asked.trace) trace_id = observe::hex_of(asked.trace->id()), ended.trace_id = {trace_id.data(), trace_id.size()};
    if (parts_.book) parts_.book->ended(stream_->io_thread(), parts_.protocol, ended);
    if (!asked.trace) return;
    auto const route = fmt::format("{} {}", decl_.name, asked.command->route.verb);
    asked.trace->rename(observe::RequestTrace::Handle::root, asked.trace->keep(route));
    asked.trace->end(ended_ns, ended.status >= 500 ? observe::SpanStatus::error : observe::SpanStatus::unset);
    parts_.keep_trace(*asked.trace,
                      {ended.status, asked.request_id(), parts_.site, parts_.host.decl().name, asked.command->route.verb, decl_.name});
}

// --- the end ---

void LineTalk::stop() {
    stopping_ = true;
    hurry();
    if (asked_.empty()) stream_->close();
}

void LineTalk::ended() {
    gone_ = true;
    for (auto& asked : asked_) {
        if (asked.waiter == 0) continue;
        parts_.host.leave(std::exchange(asked.waiter, 0));
        asked.outcome = std::unexpected(Problem{499, "client_gone", "The client has closed the connection."});
    }
    tell_ready();
}

// What this connection holds is let go. Nobody hears the answer, and whether the caller may is no question: it is the end of what was
// allowed.
void LineTalk::say_closing() {
    if (!decl_.closing || !parts_.host.ready()) return;
    std::optional<LineSaid> said;
    try {
        said = decl_.closing(decl_.closing_function, talk_.get());
    } catch (...) {
        broken("closing");
    }
    if (!said || said->kind() != LineSaid::Kind::call) return;
    auto const& command = command_of(*said);
    auto known = parts_.caller ? parts_.caller(stream_->io_thread(), address_) : Result<EdgeCallerRef>(local_caller());
    if (!known) return;
    auto bind = [&](codec::Type const&, void* out) -> Result<void> { return said->copy_input(out), Result<void>(); };
    Request request{.route = command.route, .viewer = (*known)->viewer, .bind = bind, .request_id = peer_.id};
    request.lane = stream_->io_thread();
    auto const complain = [this](Result<Answer> const& answer) {
        if (answer) return;
        observe::log_line(observe::Level::warning, "line", "what a connection held was not let go when it closed",
                          {{"protocol", decl_.name}, {"connection", peer_.id}, {"code", answer.error().code}});
    };
    auto outcome = parts_.host.call(
        request, [&]() -> Done { return [self = shared_from_this(), complain](Result<Answer> answer) { complain(answer); }; });
    if (outcome) complain(*outcome);
}

}  // namespace gantry::runtime
