#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/auth/address.h"
#include "kernel/auth/limiter.h"
#include "kernel/auth/origin.h"
#include "kernel/auth/scopes.h"
#include "kernel/base/time.h"

namespace gantry::auth {

// What is fixed about a caller.
struct CallerTraits {
    std::string name;
    Scopes scopes;
    std::vector<std::string> teams;
    AddressList addresses;  // from which it may come; empty: any
    RateLimits limits;
    bool sees_all = false;  // rows that a service hides from others
    bool operator==(CallerTraits const&) const = default;
};

// Someone who calls, as connections, streams and requests hold it. Its traits never change: a change makes a new one and ends this one,
// and who holds it asks is_ended() before each request and while it streams. Safe from any thread.
class Caller {
   public:
    // `limiter`: of a caller that this one follows, so that a change of scopes gives nobody a fresh burst.
    explicit Caller(CallerTraits traits, std::shared_ptr<CallerLimiter> limiter = {});

    std::string const& name() const { return traits_.name; }
    std::string const& id() const { return id_; }  // "u_" and the name
    Scopes const& scopes() const { return traits_.scopes; }
    std::vector<std::string> const& teams() const { return traits_.teams; }
    bool sees_all() const { return traits_.sees_all; }
    CallerTraits const& traits() const { return traits_; }
    CallerLimiter& limiter() const { return *limiter_; }
    std::shared_ptr<CallerLimiter> const& shared_limiter() const { return limiter_; }

    // 403 "address_refused" when it may not come from there, or nobody knows from where it comes.
    Result<void> check_origin(Origin const& origin) const;

    bool is_ended() const { return ended_.load(std::memory_order_acquire); }
    void end() const { ended_.store(true, std::memory_order_release); }

   private:
    CallerTraits traits_;
    std::string id_;
    std::shared_ptr<CallerLimiter> limiter_;
    mutable std::atomic<bool> ended_ = false;
};

inline constexpr Time never{INT64_MAX};

// Who was recognised, by which credential, and until when that holds without asking again.
struct Identity {
    std::shared_ptr<Caller const> caller;
    std::string credential;  // its id; empty where a proxy spoke for the caller
    Time valid_until = never;
    bool holds(Time now) const { return now < valid_until && !caller->is_ended(); }
};

}  // namespace gantry::auth
