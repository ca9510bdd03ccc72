#include "kernel/runtime/fake.h"

#include <fmt/format.h>

#include <array>
#include <set>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/http/kept.h"
#include "kernel/observe/log_line.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/cursor.h"
#include "kernel/runtime/fake_clock.h"
#include "kernel/runtime/fake_world.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {

struct NewFakeTime {
    std::optional<Time> now;
    std::optional<Duration> advance;
};
RECORD(NewFakeTime, now, advance);
struct FakeTime {
    Time now{};
};
RECORD(FakeTime, now);
struct FaultsLeft {
    std::vector<InjectedFault> items;
};
RECORD(FaultsLeft, items);
struct CallCursor {
    std::uint64_t number = 0;
};
RECORD(CallCursor, number);
struct CallsAsked {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<Str> cursor;
};
RECORD(CallsAsked, limit, cursor);
struct CallsTold {
    std::vector<ReceivedCall> items;
    std::optional<std::string> next;
    bool complete = true;
    std::uint64_t dropped = 0;
};
RECORD(CallsTold, items, next, complete, dropped);
struct NoInput {};
EMPTY_RECORD(NoInput);

namespace {

constexpr std::string_view control_root = "/_fake";
constexpr std::uint64_t control_body_bytes_max = 64 << 10, delayed_upload_bytes_max = 8 << 20;
constexpr Duration stop_limit = Duration::seconds(2);

bool is_control(std::string_view path) { return path == control_root || path.starts_with("/_fake/"); }

// The query of GET /_fake/calls, bound as a service's own would be.
Result<CallsAsked> calls_asked(std::string_view query) {
    static RouteDecl const route{.verb = "GET", .path = "/", .input = &codec::type_of<CallsAsked>()};
    static Target const target{.route = &route};
    CallsAsked asked;
    Match const match{&target, {}, {}};
    TRY_VOID(bind_request(match, query, {}, false, codec::type_of<CallsAsked>(), &asked));
    return CallsAsked(asked);  // a copy owns
}

void cut_off(http::Deferred deferred) {
    deferred.response().begin(500);  // an answer that was begun and is given up breaks the connection
}

}  // namespace

class Fake::Impl final : public http::Handler {
   public:
    Impl(ServiceDecl decl, FakeOptions options)
        : decl_(std::move(decl)),
          options_(std::move(options)),
          clock_(options_.clock.value_or(system_clock().wall())),
          begin_(clock_.wall()) {}
    ~Impl() override {
        if (!server_) return;
        drop_pending();
        // The worker is who changes the world: what it did is seen here, and it begins no other one after this.
        worker_.run(0, [this] { stopping_ = true, world_->edge().announce_stop(); });
        server_->stop(stop_limit);
        worker_.stop();
        drop_pending();
        server_.reset(), world_.reset();
    }

    Result<void> start() {
        TRY_ASSIGN(world_, make_world());
        edge_ = &world_->edge();
        server_.emplace(threads_, *this);
        TRY_ASSIGN(auto port, server_->listen({"127.0.0.1", options_.port, false}));
        url_ = fmt::format("http://127.0.0.1:{}", port);
        return {};
    }

    http::BodyPlan plan(http::RequestHead const& head) override {
        return is_control(head.path) ? http::BodyPlan::whole(control_body_bytes_max) : edge_.load()->plan(head);
    }
    void handle(http::Exchange& exchange) override {
        auto const& head = exchange.head();
        if (is_control(head.path)) return answer_control(exchange);
        auto const fault = faults_.take(http::method_name(head.method), head.path);
        auto witness = calls_.add(exchange, clock_.wall(), fault.has_value());
        // Nothing is answered to a call that is cut off.
        if (!fault || !fault->disconnect) exchange.watch(witness);
        if (!fault) return edge_.load()->handle(exchange);
        if (fault->delay) return delay(exchange, *fault);
        if (fault->disconnect) return cut_off(exchange.defer());
        write_problem(exchange.response(), problem_of(*fault), head.header("X-Request-Id"), {});
    }

    std::string const& url() const { return url_; }
    FaultList& faults() { return faults_; }
    CallLog& calls() { return calls_; }
    Host& host() { return world_->host(); }
    Time now() const { return clock_.wall(); }

    // From outside: what changes the world happens on the worker, one after another.
    Result<void> set_clock(std::optional<Time> now, std::optional<Duration> by) {
        Result<void> done;
        worker_.run(0, [&] { done = move_clock(now, by); });
        return done;
    }
    void reset() {
        worker_.run(0, [&] { begin_anew(); });
    }

   private:
    // A call that waits for its delay.
    struct Pending {
        Pending(http::Exchange& exchange, InjectedFault f) : kept(exchange), fault(std::move(f)) {}
        http::KeptExchange kept;
        InjectedFault fault;
    };
    // Takes a body that is streamed, in whole, for later.
    class Upload final : public http::BodySink {
       public:
        Upload(Impl& impl, std::shared_ptr<Pending> pending) : impl_(impl), pending_(std::move(pending)) {}
        http::Flow on_data(std::string_view bytes) override {
            if (!pending_) return http::Flow::Continue;
            if (pending_->kept.body_bytes() + bytes.size() <= delayed_upload_bytes_max)
                pending_->kept.append(bytes);
            else
                answer({413, "body_too_large", "an upload that a fault delays has at most 8 MiB"});
            return http::Flow::Continue;
        }
        void on_end() override {
            if (pending_) impl_.wait(std::move(pending_));
        }
        void on_abort(Problem const& why) override { answer(why); }

       private:
        void answer(Problem const& problem) {
            if (!pending_) return;
            auto deferred = std::exchange(pending_, nullptr)->kept.release();
            write_problem(deferred.response(), problem, {}, {});
        }
        Impl& impl_;
        std::shared_ptr<Pending> pending_;
    };

    Result<std::unique_ptr<FakeWorld>> make_world() {
        EdgeOptions edge;
        edge.version = options_.version, edge.reports = &reports_, edge.threads = &threads_, edge.clock = &clock_;
        return FakeWorld::make({decl_, clock_, random_, options_.settings, edge,
                                [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); }});
    }

    // --- faults ---
    void delay(http::Exchange& exchange, InjectedFault const& fault) {
        bool const streamed = edge_.load()->plan(exchange.head()).kind == http::BodyPlan::Kind::Stream;
        auto pending = std::make_shared<Pending>(exchange, fault);
        if (streamed && !fault.status && !fault.disconnect) return exchange.receive(std::make_shared<Upload>(*this, std::move(pending)));
        wait(std::move(pending));
    }
    void wait(std::shared_ptr<Pending> pending) {
        threads_.after(pending->kept.io_thread(), *pending->fault.delay, [this, weak = std::weak_ptr(pending)] {
            if (auto held = weak.lock()) go_on(held);
        });
        std::lock_guard lock(pending_mutex_);
        pending_.insert(std::move(pending));
    }
    void go_on(std::shared_ptr<Pending> const& pending) {
        {
            std::lock_guard lock(pending_mutex_);
            if (pending_.erase(pending) == 0) return;  // sent away meanwhile
        }
        if (pending->fault.disconnect) return cut_off(pending->kept.release());
        if (!pending->fault.status) return pending->kept.handle(*edge_.load());
        auto deferred = pending->kept.release();
        write_problem(deferred.response(), problem_of(pending->fault), {}, {});
    }
    void drop_pending() {
        std::set<std::shared_ptr<Pending>> dropped;
        {
            std::lock_guard lock(pending_mutex_);
            dropped.swap(pending_);
        }
        for (auto const& pending : dropped)
            pending->kept.release().complete(
                [](http::Response& response) { write_problem(response, {503, "stopping", "the fake was reset: try again"}, {}, {}); });
    }

    // --- on the worker ---
    Result<void> move_clock(std::optional<Time> now, std::optional<Duration> by) {
        auto const from = clock_.wall();
        std::int64_t to_us = 0;
        if (__builtin_add_overflow(from.us, by.value_or(Duration{}).us, &to_us)) to_us = INT64_MAX;
        auto const to = now.value_or(Time{to_us});
        if (to < from)
            return fail(409, "clock_back",
                        fmt::format("the clock stands at {} and doesn't go back: POST /_fake/reset begins anew", format_time(from)));
        if (to > FakeClock::last) return fail(400, "clock_ahead", "the clock goes up to the end of the year 9999");
        clock_.set(to);
        return world_->host().keep_house();
    }
    void begin_anew() {
        if (stopping_) return;
        faults_.clear();
        drop_pending();
        clock_.set(begin_);
        auto world = make_world();
        GANTRY_ASSERT(world.has_value(), "a service that started on an empty log does so again");
        edge_ = &(*world)->edge();
        // Whoever had seen the old edge has left it when each thread has come by.
        for (int thread = 0; thread < threads_.count(); ++thread) threads_.run(thread, [] {});
        std::swap(world_, *world);
        world->reset();
        faults_.clear();
        calls_.clear();
    }

    // --- /_fake/ ---
    struct Control {
        std::string method, path, query, body;
    };
    struct Told {
        int status = 200;
        std::string body;
    };
    void answer_control(http::Exchange& exchange) {
        auto const& head = exchange.head();
        if (auto open = http::check_loopback(head); !open) return write_problem(exchange.response(), open.error(), {}, {});
        auto const method = head.method == http::Method::Head ? http::Method::Get : head.method;
        Control control{std::string(http::method_name(method)), std::string(head.path), std::string(head.query),
                        std::string(exchange.body())};
        worker_.post(0, [this, control = std::move(control), deferred = exchange.defer()]() mutable {
            auto told = control_of(control);
            std::move(deferred).complete([told = std::move(told)](http::Response& response) {
                if (!told) return write_problem(response, told.error(), {}, {});
                response.begin(told->status).header("Cache-Control", "no-store");
                if (told->body.empty()) return response.empty();
                response.header("Content-Type", "application/json").body(told->body);
            });
        });
    }
    Result<Told> control_of(Control const& c) {
        struct Route {
            std::string_view method, path;
            Result<Told> (Impl::*answer)(Control const&);
        };
        static constexpr std::array<Route, 7> routes{{{"GET", "/_fake/clock", &Impl::tell_clock},
                                                      {"PUT", "/_fake/clock", &Impl::put_clock},
                                                      {"GET", "/_fake/faults", &Impl::tell_faults},
                                                      {"POST", "/_fake/faults", &Impl::add_fault},
                                                      {"DELETE", "/_fake/faults", &Impl::forget_faults},
                                                      {"POST", "/_fake/reset", &Impl::do_reset},
                                                      {"GET", "/_fake/calls", &Impl::tell_calls}}};
        std::string allowed, known;
        for (auto const& route : routes) {
            if (route.path == c.path && route.method == c.method) return (this->*route.answer)(c);
            if (route.path == c.path) allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
            known += fmt::format("{}{} {}", known.empty() ? "" : ", ", route.method, route.path);
        }
        if (!allowed.empty()) return fail(405, "method_not_allowed", "this path takes " + allowed);
        return fail(404, "route_not_found", "there is nothing at this path; a fake has " + known);
    }
    Result<Told> tell_clock(Control const&) { return Told{200, codec::to_json(FakeTime{clock_.wall()})}; }
    Result<Told> put_clock(Control const& c) {
        TRY_ASSIGN(auto wanted, codec::from_json<NewFakeTime>(c.body));
        if (wanted.now.has_value() == wanted.advance.has_value())
            return fail(400, "body_invalid", "expected either now, a time, or advance, a duration");
        TRY_VOID(move_clock(wanted.now, wanted.advance));
        return tell_clock(c);
    }
    Result<Told> tell_faults(Control const&) { return Told{200, codec::to_json(FaultsLeft{faults_.list()})}; }
    Result<Told> add_fault(Control const& c) {
        TRY_ASSIGN(auto fault, codec::from_json<InjectedFault>(c.body));
        TRY_VOID(faults_.add(std::move(fault)));
        return tell_faults(c);
    }
    Result<Told> forget_faults(Control const&) {
        faults_.clear();
        return Told{204, {}};
    }
    Result<Told> do_reset(Control const& c) {
        if (!c.body.empty()) TRY_VOID(codec::from_json<NoInput>(c.body));
        begin_anew();
        return Told{204, {}};
    }
    Result<Told> tell_calls(Control const& c) {
        TRY_ASSIGN(auto asked, calls_asked(c.query));
        CallCursor after;
        if (asked.cursor) {
            TRY_ASSIGN(after, read_cursor<CallCursor>(asked.cursor->view()));
        }
        auto part = calls_.list(after.number, std::size_t(asked.limit));
        CallsTold told{std::move(part.calls), {}, !part.more, part.dropped};
        if (part.more) told.next = make_cursor(CallCursor{told.items.back().number});
        return Told{200, codec::to_json(told)};
    }

    // What is below is destroyed before what is above: the world before the threads that serve it.
    ServiceDecl const decl_;
    FakeOptions options_;
    FakeClock clock_;
    Time const begin_;
    Random& random_ = system_random();
    FaultList faults_;
    CallLog calls_;
    std::mutex pending_mutex_;
    std::set<std::shared_ptr<Pending>> pending_;
    std::string url_;
    net::IoThreads threads_{2}, worker_{1};
    Reports reports_{{log::system_disk(), "", clock_, random_, options_.version,
                      [this](std::move_only_function<void()> task) { worker_.post(0, std::move(task)); }}};
    std::unique_ptr<FakeWorld> world_;
    std::atomic<Edge*> edge_ = nullptr;
    bool stopping_ = false;  // the worker's
    std::optional<http::Server> server_;
};

Fake::Fake(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Fake::Fake(Fake&&) noexcept = default;
Fake::~Fake() = default;

Fake::Fake(ServiceDecl decl, FakeOptions options) : impl_(std::make_unique<Impl>(std::move(decl), std::move(options))) {
    GANTRY_ASSERT(impl_->start().has_value(), "a fake that can't listen: Fake::start tells why");
}
Result<Fake> Fake::start(ServiceDecl decl, FakeOptions options) {
    auto impl = std::make_unique<Impl>(std::move(decl), std::move(options));
    TRY_VOID(impl->start());
    return Fake(std::move(impl));
}

std::string const& Fake::url() const { return impl_->url(); }
Time Fake::Hand::now() const { return fake_.impl_->now(); }
Result<void> Fake::Hand::set(Time now) { return fake_.impl_->set_clock(now, {}); }
Result<void> Fake::Hand::advance(Duration by) { return fake_.impl_->set_clock({}, by); }
Result<void> Fake::fail_next(InjectedFault fault) { return impl_->faults().add(std::move(fault)); }
std::vector<InjectedFault> Fake::faults() const { return impl_->faults().list(); }
void Fake::clear_faults() { impl_->faults().clear(); }
std::vector<ReceivedCall> Fake::calls() const { return impl_->calls().list(0, CallLog::calls_max).calls; }
void Fake::reset() { impl_->reset(); }
Host& Fake::host() { return impl_->host(); }

}  // namespace gantry::runtime
