#pragma once
#include <fmt/format.h>

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/pool/pool.h"

// What the pool's tests share: a pool beside a queue that takes every task, and workers that are told what to do.
namespace gantry::pool {

inline constexpr Time noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z

class Bench : public Harness<Service> {
   public:
    Bench() {
        clock().set_wall(noon);
        outside([this](client::Request request) { return answer(std::move(request)); });
    }

    Bench& as(std::string_view caller) { return Harness::as(caller), *this; }

    // What was asked of the outside, and what it answers: a queue that takes tasks, until a test says otherwise.
    std::vector<client::Request> calls;
    std::function<client::Reply(client::Request const&)> hook;

    Said put_type(std::string const& type, std::string const& settings = "{}") {
        return call("PUT", "/pool/v1/types/" + type, settings).ok(201);
    }
    Said add(std::string const& name, std::string const& type, std::string const& more = "") {
        return post("/pool/v1/resources", fmt::format(R"({{"name":"{}","type":"{}"{}{}}})", name, type, more.empty() ? "" : ",", more));
    }
    void add_many(std::string const& type, int count) {
        for (int i = 1; i <= count; ++i) add(fmt::format("{}-{}", type, i), type).ok(201);
    }
    // `want`: members of the one want beside its type.
    Said acquire(std::string const& ticket, std::string const& type, std::string const& want = "", std::string const& more = "") {
        return post("/pool/v1/acquire", fmt::format(R"({{"ticket":"{}","wants":[{{"type":"{}"{}{}}}]{}{}}})", ticket, type,
                                                    want.empty() ? "" : ",", want, more.empty() ? "" : ",", more));
    }
    LeaseView held(std::string const& ticket, std::string const& type, std::string const& want = "", std::string const& more = "") {
        auto const got = acquire(ticket, type, want, more).ok().as<Acquired>();
        EXPECT_TRUE(got.lease);
        return got.lease.value_or(LeaseView{});
    }
    Said release(LeaseView const& lease, std::string const& body = "{}") {
        return post(fmt::format("/pool/v1/leases/ls_{}/release", lease.lease.n), body);
    }
    Said heartbeat(LeaseView const& lease, std::string const& body = "{}") {
        return post(fmt::format("/pool/v1/leases/ls_{}/heartbeat", lease.lease.n), body);
    }
    Resource const& resource(std::string const& name) { return *state().resource(name); }
    std::string state_of(std::string const& name) { return state().state_name(resource(name).state); }
    Said clean(std::string const& name, std::string const& what, std::string const& more = "") {
        return post("/pool/v1/resources/" + name + "/" + what,
                    fmt::format(R"({{"fence":{}{}{}}})", resource(name).fence, more.empty() ? "" : ",", more));
    }
    void clean_up(std::string const& name) { clean(name, "cleaned", R"("verified":true)").ok(); }
    // Of a ticket: what it holds; empty: nothing.
    std::vector<std::string> given(std::string const& ticket) {
        std::vector<std::string> out;
        auto const* row = state().ticket(ticket);
        if (!row || row->state != TicketState::held) return out;
        for (auto n : state().leases.find(row->lease)->resources) out.emplace_back(state().names.text(n));
        return out;
    }
    // Lets time pass, and what is due happen, as a server would.
    void pass(Duration time) { advance(time).tick(); }

   private:
    client::Reply answer(client::Request request) {
        calls.push_back(request);
        if (hook) {
            auto reply = hook(request);
            if (reply.status >= 400) reply.error = client::Error{"http_" + std::to_string(reply.status), "no"};
            if (reply.status == 0) reply.error = client::Error{"timeout", "no answer"};
            if (request.download && reply.ok() && !request.download(reply.body)) reply.error = client::Error{"aborted", "stopped"};
            return reply;
        }
        return {.status = 200, .headers = {}, .body = R"({"id":"t_1","outcome":"put","state":"ready"})"};
    }
};

}  // namespace gantry::pool
