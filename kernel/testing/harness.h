#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/base/slowed_for_test.h"
#include "kernel/testing/bench_of_one.h"
#include "kernel/testing/json_at.h"

// A service on the memory log, with a clock and ids that stand still until told otherwise: its real routes, codec, host and fold.
//
//     Harness<Service> h;
//     h.given(Created{{"n_1"}, {"Plan"}, {"u_ann"}});
//     h.as("u_bob").call("DELETE", "/notes/v1/n_1").fails(404, "note_not_found");   // refused: wrote nothing, always checked
//     h.as("u_ann").call("DELETE", "/notes/v1/n_1").wrote(Archived{{"n_1"}});
//
// When it ends it checks the laws that every service owes (kernel/testing/laws.h).
namespace gantry {

template <class Service>
class Harness : public testing::BenchOfOne {
   public:
    using State = typename Service::State;
    using Event = typename Service::Event;

    Harness() : BenchOfOne(runtime::declare<Service>()) {}
    template <class Settings>
    explicit Harness(Settings const& settings) : BenchOfOne(runtime::declare<Service>(), &settings_) {
        settings_ = settings;
        restart();
    }
    ~Harness() { check_laws(); }

    // What was asked last.
    class Said {
       public:
        Said(Harness& harness, testing::Reply reply) : harness_(harness), reply_(std::move(reply)) {}
        int status() const { return reply_.status; }
        std::string const& body() const { return reply_.body; }
        Said& ok(int status = 200) { return expect_status(status), *this; }
        Said& fails(int status, std::string_view code) {
            expect_status(status);
            EXPECT_EQ(reply_.code, code) << reply_.body;
            return *this;
        }
        Said& has(std::string_view text) {
            EXPECT_NE(reply_.body.find(text), std::string::npos) << text << " is not in " << reply_.body;
            return *this;
        }
        Said& lacks(std::string_view text) {
            EXPECT_EQ(reply_.body.find(text), std::string::npos) << text << " is in " << reply_.body;
            return *this;
        }
        template <class... E>
        Said& wrote(E const&... events) {
            expect_status(reply_.status < 300 ? reply_.status : 200);
            harness_.expect_wrote(reply_, {encoded(events)...});
            return *this;
        }
        Said& wrote_nothing() { return harness_.expect_wrote(reply_, {}), *this; }
        // What stands at a JSON pointer of the body: json_at("/items/0/id").
        std::string json_at(std::string_view pointer) const {
            auto found = testing::json_at(reply_.body, pointer);
            EXPECT_TRUE(found) << "there is no " << pointer << " in " << reply_.body;
            return found.value_or("");
        }
        std::string next() const { return testing::json_at(reply_.body, "/next").value_or(""); }  // the cursor of a page; empty: its end
        // Of a foreign route; empty: it has none of this name.
        std::string header(std::string_view name) const {
            for (auto const& h : reply_.headers)
                if (h.name == name) return h.value;
            return {};
        }
        std::string const& etag() const { return reply_.etag; }          // of a read
        std::string const& position() const { return reply_.position; }  // as Gantry-Position
        bool replayed() const { return reply_.replayed; }                // as Gantry-Replayed
        // The reply as a struct.
        template <class T>
        T as() const {
            auto value = codec::from_json<T>(reply_.body);
            EXPECT_TRUE(value) << reply_.body << (value ? "" : value.error().detail);
            return value ? *value : T{};
        }

       private:
        void expect_status(int status) { EXPECT_EQ(reply_.status, status) << reply_.body; }
        Harness& harness_;
        testing::Reply reply_;
    };

    // Facts, recorded without a decision, one batch for all.
    template <class... E>
    Harness& given(E const&... events) {
        record({encoded(events)...});
        return *this;
    }
    Harness& as(std::string_view caller) {
        caller_ = caller;
        return *this;
    }
    Harness& advance(Duration time) {
        clock().advance(time);
        return *this;
    }
    Harness& at(Time time) {
        clock().set_wall(time);
        return *this;
    }
    // Headers of the next call alone.
    Harness& key(std::string_view idempotency_key) {
        headers_.idempotency_key = idempotency_key;
        return *this;
    }
    Harness& if_match(std::string_view etags) {
        headers_.if_match = etags;
        return *this;
    }
    // For a foreign route.
    Harness& header(std::string_view name, std::string_view value) {
        headers_.others.emplace_back(name, value);
        return *this;
    }
    Said call(std::string_view verb, std::string_view target, std::string_view body = {}) {
        return Said(*this, ask(verb, target, body, std::exchange(headers_, {})));
    }
    // A command that may wait, on the way of a route that says `Waits` (`call` is answered at once): it is decided again by what is called,
    // recorded and done here later. A restart, and `given`, which restarts, leave it without an answer.
    //
    //     auto worker = h.as("u_bob").waits("POST", "/queue/v1/queues/q/reserve", R"({"wait_ms":5000})");
    //     h.as("u_ann").call("POST", "/queue/v1/queues/q/tasks", R"({"payload":1})");
    //     worker.answered().wrote(Leased{…});                   // or worker.still_waits(), or h.advance(Duration::seconds(5)) first
    class Waits {
       public:
        Waits(Harness& harness, std::shared_ptr<testing::Pending> pending) : harness_(harness), pending_(std::move(pending)) {}
        Waits& still_waits() {
            harness_.ask_waiting();
            EXPECT_FALSE(pending_->reply) << "it was answered: " << (pending_->reply ? pending_->reply->body : "");
            return *this;
        }
        Said answered() {
            harness_.ask_waiting();
            EXPECT_TRUE(pending_->reply) << "it waits still";
            return Said(harness_, pending_->reply.value_or(testing::Reply{}));
        }
        int asked() const { return pending_->asked; }  // how often it was decided again
        void leaves() { harness_.leave(*pending_); }   // its client goes

       private:
        Harness& harness_;
        std::shared_ptr<testing::Pending> pending_;
    };
    Waits waits(std::string_view verb, std::string_view target, std::string_view body = {}) {
        return Waits(*this, ask_and_wait(verb, target, body, std::exchange(headers_, {})));
    }
    Said get(std::string_view target) { return call("GET", target); }
    Said post(std::string_view target, std::string_view body) { return call("POST", target, body); }
    State const& state() { return *static_cast<State const*>(host().state_for_tools()); }

    static testing::EncodedEvent encoded(Event const& event) {
        testing::EncodedEvent out{std::uint32_t(event.index()), {}};
        std::visit([&](auto const& e) { codec::put(out.payload, e); }, event);
        return out;
    }

   private:
    template <class S, class = void>
    struct SettingsOf {
        using type = int;
    };
    template <class S>
    struct SettingsOf<S, std::void_t<typename S::Settings>> {
        using type = typename S::Settings;
    };
    typename SettingsOf<Service>::type settings_{};
    testing::Headers headers_;
};

}  // namespace gantry
