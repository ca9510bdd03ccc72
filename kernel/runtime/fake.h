#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/runtime/fake_calls.h"
#include "kernel/runtime/fake_faults.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/service_decl.h"

namespace gantry::runtime {

struct FakeOptions {
    std::optional<Time> clock = {};  // where it stands at the start; absent: the time of now
    std::uint16_t port = 0;          // of 127.0.0.1; 0: any free one
    std::string version = "0";       // for the OpenAPI document
    void const* settings = nullptr;  // outlives the fake; null: the service's defaults
};

// A service alone, for the tests of whoever calls it: the real routes, decisions and answers over HTTP, on a log in memory and a clock that
// stands still until it is told. Under /_fake/ what it received can be read, its clock moved and its calls made to fail:
//
//     runtime::Fake fake(runtime::declare<tracker::Service>());
//     fake.fail_next({.count = 2, .status = 503, .path_prefix = "/tracker/v1/reports"});
//     my_program(fake.url());
//     fake.clock().advance(Duration::hours(1));
//     EXPECT_EQ(fake.calls().size(), 3u);
//
// All methods are safe from any thread but the fake's own.
class Fake {
   public:
    // GANTRY_ASSERTs that the port is free.
    explicit Fake(ServiceDecl decl, FakeOptions options = {});
    // "listen_failed"; what keeps the service from starting.
    static Result<Fake> start(ServiceDecl decl, FakeOptions options = {});
    Fake(Fake&&) noexcept;
    ~Fake();

    std::string const& url() const;

    class Hand {
       public:
        Time now() const;
        // What time alone brings about has been recorded when these return. 409 "clock_back", 400 "clock_ahead" beyond the year 9999.
        Result<void> set(Time now);
        Result<void> advance(Duration by);

       private:
        friend class Fake;
        explicit Hand(Fake& fake) : fake_(fake) {}
        Fake& fake_;
    };
    Hand clock() { return Hand(*this); }

    // Problems of FaultList::add.
    Result<void> fail_next(InjectedFault fault);
    std::vector<InjectedFault> faults() const;
    void clear_faults();
    std::vector<ReceivedCall> calls() const;
    // As at the start: an empty log, its clock, no faults, no calls. Whoever waits or reads is sent away.
    void reset();
    // Until the next reset.
    Host& host();

   private:
    class Impl;
    explicit Fake(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::runtime
