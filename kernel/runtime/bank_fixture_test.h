#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/bank_for_test.h"
#include "kernel/runtime/follower.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// A service on the memory log.
template <class Service>
struct OnMemory {
    OnMemory(Clock& clock, Random& random, log::Snapshots* snapshots = nullptr) : clock_(clock), random_(random), snapshots_(snapshots) {
        start();
    }
    // As after a crash: what was durable is all that there is.
    void start() {
        host.reset(), log.reset();
        log = std::make_unique<log::MemoryLog>(store, clock_, random_, log::Options{},
                                               codec::encode_event_schema(codec::type_of<typename Service::Event>()));
        auto decl = declare<Service>();
        if (retention.us > 0) keep = retention, decl.retention = [](void const*) -> std::optional<Duration> { return keep; };
        Host::Parts parts{*log, clock_, random_};
        parts.snapshots = snapshots_, parts.reports = reports;
        host = std::make_unique<Host>(std::move(decl), std::move(parts));
        auto started = host->start();
        ASSERT_TRUE(started) << started.error().detail << started.error().cause;
    }
    Result<Answer> call(std::string_view path, std::string_view body, std::string_view verb = "POST", std::string_view who = "u_ann") {
        for (auto const& route : host->decl().routes) {
            if (route.path != path || route.verb != verb) continue;
            auto out = std::make_shared<Result<Answer>>(fail(500, "unanswered"));  // while the log is held it is told later
            Viewer const viewer{Str(who)};
            auto bind = [&](codec::Type const& type, void* p) { return codec::decode_json(type, p, body); };
            host->call(route, viewer, bind, [out](Result<Answer> a) { *out = std::move(a); });
            return std::move(*out);
        }
        return fail(404, "route_not_found", path);
    }
    typename Service::State const& state() { return *static_cast<typename Service::State const*>(host->state_for_tools()); }

    Duration retention = {};
    Reports* reports = nullptr;  // at the next start
    static inline Duration keep = {};
    std::shared_ptr<log::MemoryStore> store = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::MemoryLog> log;
    std::unique_ptr<Host> host;

   private:
    Clock& clock_;
    Random& random_;
    log::Snapshots* snapshots_;
};

// The bank and the ledger in one process, with a follower that runs when it is told to.
class BankTest : public ::testing::Test {
   protected:
    BankTest() { follow(); }
    void follow() {
        follower_.reset();
        auto const& decl = ledger_.host->decl().followers.front();
        follower_ =
            std::make_unique<Follower>(*ledger_.host, decl, follow_log(*bank_.host, decl, [this] { ++woken_; }, fork_), clock_, random_);
        desk_.follower = follower_.get();
        ledger_.host->set_follower_desk(&desk_);
    }
    void restart_ledger() { follower_.reset(), ledger_.start(), follow(); }
    // Until it waits; nothing: for being woken.
    std::optional<Duration> pump() {
        for (;;) {
            auto const next = follower_->step();
            if (!next || next->us > 0) return next;
        }
    }
    Position open(std::string_view id, std::string_view owner) {
        auto done = bank_.call("/accounts", fmt::format(R"({{"id":"{}","owner":"{}"}})", id, owner));
        EXPECT_TRUE(done) << done.error().detail;
        return bank_.host->applied();
    }
    Position move(std::string_view id, std::int64_t cents) {
        auto done = bank_.call("/accounts/{id}/moves", fmt::format(R"({{"id":"{}","cents":{}}})", id, cents));
        EXPECT_TRUE(done) << done.error().detail;
        return bank_.host->applied();
    }
    ledger::Line const* line(std::string_view id) { return ledger_.state().lines.find(bank::AccountId(id)); }
    // "id cents/moves …" of those that were asked for.
    std::string lines(std::initializer_list<std::string_view> ids) {
        std::string out;
        for (auto id : ids)
            if (auto const* l = line(id)) out += fmt::format("{}{} {}/{}", out.empty() ? "" : ", ", id, l->cents, l->moves);
        return out;
    }
    Followed cursor() { return ledger_.host->followed("bank"); }
    std::size_t letters() { return cursor().letters().size(); }
    std::string letter(Position at) {
        auto const followed = cursor();
        auto const found = followed.letters().find(at);
        if (found == followed.letters().end()) return "none";
        static constexpr std::string_view states[] = {"failed", "behind", "retry"};
        return fmt::format("{} {} {}", states[int(found->second.state)], found->second.subject, found->second.code);
    }
    Result<Answer> ask(std::string_view what, std::string_view body) {
        return ledger_.call(fmt::format("/followers/{{source}}/{}", what), body);
    }

    struct Desk final : FollowerDesk {
        Follower* follower = nullptr;
        Follower* find(std::string_view) override { return follower; }
        void wake(std::string_view) override { follower->try_now(); }
    };
    ManualClock clock_;
    SeededRandom random_{42};
    OnMemory<bank::Service> bank_{clock_, random_};
    OnMemory<ledger::Service> ledger_{clock_, random_};
    ForkOf fork_;
    Desk desk_;
    int woken_ = 0;
    std::unique_ptr<Follower> follower_;
};

}  // namespace gantry::runtime
