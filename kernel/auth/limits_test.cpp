// Scopes, rates, remembered passwords and failed logins.
#include <gtest/gtest.h>

#include <thread>

#include "kernel/auth/caller.h"
#include "kernel/auth/failed_logins.h"
#include "kernel/auth/verified_passwords.h"

namespace gantry::auth {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr Time noon{1'772'359'200'000'000};
using Texts = std::vector<std::string>;

IpAddress ip(std::string_view text) { return parse_address(text).value(); }
std::shared_ptr<Caller const> caller(std::string name) {
    CallerTraits traits;
    traits.name = std::move(name);
    return std::make_shared<Caller const>(std::move(traits));
}

TEST(Scopes, Allow) {
    struct {
        Texts patterns;
        char const* scope;
        bool allowed;
    } const rows[] = {
        {{}, "tracker:read", false},
        {{"*"}, "tracker:read", true},
        {{"*"}, "odd", true},
        {{"*:*"}, "tracker:read", true},
        {{"tracker:*"}, "tracker:read", true},
        {{"tracker:*"}, "trackers:read", false},
        {{"tracker:*"}, "track:read", false},
        {{"tracker:*"}, "tracker", false},
        {{"*:read"}, "queue:read", true},
        {{"*:read"}, "queue:write", false},
        {{"*:read"}, "queue:reads", false},
        {{"tracker:write"}, "tracker:write", true},
        {{"tracker:write"}, "tracker:read", false},
        {{"tracker:write"}, "queue:write", false},
        {{"queue:read", "tracker:write"}, "tracker:write", true},
        {{"tracker:write"}, "", false},
        {{"tracker:write"}, "tracker:*", false},
    };
    for (auto const& row : rows) EXPECT_EQ(Scopes::parse(row.patterns)->allow(row.scope), row.allowed) << row.scope;
    EXPECT_FALSE(Scopes().allow("tracker:read"));
}

TEST(Scopes, BothAllowWhatEachDoes) {
    auto of = [](std::vector<std::string> patterns) { return *Scopes::parse(patterns); };
    struct {
        std::vector<std::string> a, b, both;
    } const rows[] = {
        {{"*"}, {"tracker:read"}, {"tracker:read"}},
        {{"tracker:*"}, {"*:read"}, {"tracker:read"}},
        {{"tracker:read", "queue:*"}, {"*:write", "tracker:*"}, {"tracker:read", "queue:write"}},
        {{"tracker:read"}, {"tracker:write"}, {}},
        {{}, {"*"}, {}},
        {{"tracker:*", "*:read"}, {"tracker:read"}, {"tracker:read"}},
    };
    for (auto const& row : rows) {
        EXPECT_EQ(Scopes::both(of(row.a), of(row.b)).patterns(), row.both);
        for (auto const* scope : {"tracker:read", "tracker:write", "queue:write", "queue:read"})
            EXPECT_EQ(Scopes::both(of(row.b), of(row.a)).allow(scope), of(row.a).allow(scope) && of(row.b).allow(scope)) << scope;
    }
}

TEST(Scopes, PatternsAreChecked) {
    for (auto const* good : {"*", "*:*", "a:b", "gantry:admin", "a-b:c_d.e", "*:read"}) EXPECT_TRUE(Scopes::is_pattern(good)) << good;
    for (auto const* bad : {"", "a", ":", "a:", ":b", "a:b:c", "a*:b", "a b:c", "**", "a:b "}) EXPECT_FALSE(Scopes::is_pattern(bad)) << bad;
    EXPECT_TRUE(Scopes::is_pattern("a:" + std::string(Scopes::pattern_bytes_max - 2, 'b')));
    EXPECT_FALSE(Scopes::is_pattern("a:" + std::string(Scopes::pattern_bytes_max - 1, 'b')));
    EXPECT_TRUE(Scopes::parse(Texts(Scopes::patterns_max, "a:b")));
    EXPECT_FALSE(Scopes::parse(Texts(Scopes::patterns_max + 1, "a:b")));
    EXPECT_EQ(Scopes::parse(Texts{"a:b", "c"}).error().faults.at(0).pointer, "/1");
}

TEST(CallerLimiter, TakesTheBurstThenTheRate) {
    CallerLimiter limiter({.per_s = 10, .burst = 5});
    std::int64_t now = 77 * second_ns;
    for (int left = 4; left >= 0; --left) {
        auto const rate = limiter.take(now);
        EXPECT_TRUE(rate.allowed);
        EXPECT_EQ(rate.remaining, left);
    }
    auto refused = limiter.take(now);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.wait_ns, second_ns / 10);
    EXPECT_EQ(refused.reset_ns, second_ns / 2);
    EXPECT_FALSE(limiter.take(now + refused.wait_ns - 1).allowed);
    EXPECT_TRUE(limiter.take(now + refused.wait_ns).allowed);
    EXPECT_FALSE(limiter.take(now + refused.wait_ns).allowed);
    now += 100 * second_ns;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.take(now).allowed);
    EXPECT_FALSE(limiter.take(now).allowed);
    EXPECT_FALSE(limiter.take(now - second_ns).allowed) << "a clock of another thread may be a little behind";
}

TEST(CallerLimiter, LookTakesNothing) {
    CallerLimiter limiter({.per_s = 1, .burst = 1});
    EXPECT_TRUE(limiter.look(0).allowed);
    EXPECT_TRUE(limiter.look(0).allowed);
    EXPECT_TRUE(limiter.take(0).allowed);
    EXPECT_FALSE(limiter.look(0).allowed);
    EXPECT_TRUE(limiter.look(second_ns).allowed);
}

TEST(CallerLimiter, WithoutARateAllIsAllowed) {
    CallerLimiter limiter({});
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limiter.take(0).allowed);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limiter.enter());
    EXPECT_EQ(rate_limit_policy(limiter.limits()), "");
}

TEST(CallerLimiter, ExtremesFit) {
    CallerLimiter slow({.per_s = RateLimits::per_s_min, .burst = RateLimits::burst_max});
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(slow.take(INT64_MAX / 4).allowed);
    CallerLimiter fast({.per_s = RateLimits::per_s_max, .burst = 1});
    EXPECT_TRUE(fast.take(5).allowed);
    EXPECT_EQ(fast.take(5).wait_ns, 1000);
}

TEST(CallerLimiter, SoManyAtOnce) {
    CallerLimiter limiter({.concurrent = 2});
    EXPECT_TRUE(limiter.enter() && limiter.enter());
    EXPECT_FALSE(limiter.enter());
    EXPECT_EQ(limiter.inside(), 2);
    limiter.leave();
    EXPECT_TRUE(limiter.enter());
    EXPECT_EQ(concurrency_exceeded(limiter).status, 429);
}

TEST(CallerLimiter, ThreadsNeverGetMoreThanTheBurst) {
    CallerLimiter limiter({.per_s = 1, .burst = 1000, .concurrent = 3});
    std::atomic<int> taken = 0, most = 0;
    auto work = [&] {
        for (int i = 0; i < 1000; ++i) {
            taken += limiter.take(0).allowed;
            if (!limiter.enter()) continue;
            int const inside = int(limiter.inside());
            for (int seen = most; inside > seen && !most.compare_exchange_weak(seen, inside);) {
            }
            limiter.leave();
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(work);
    for (auto& t : threads) t.join();
    EXPECT_EQ(taken, 1000);
    EXPECT_LE(most, 3);
    EXPECT_EQ(limiter.inside(), 0);
}

TEST(CallerLimiter, Headers) {
    EXPECT_EQ(rate_limit_policy({.per_s = 5, .burst = 100}), "\"caller\";q=100;w=20");
    EXPECT_EQ(rate_limit_policy({.per_s = 30, .burst = 1}), "\"caller\";q=1;w=1");
    EXPECT_EQ(rate_limit({true, 0, 42, 2 * second_ns + 1}), "\"caller\";r=42;t=3");
    EXPECT_EQ(retry_after_s(0), 1);
    EXPECT_EQ(retry_after_s(second_ns), 1);
    EXPECT_EQ(retry_after_s(second_ns + 1), 2);
    CallerLimiter limiter({.per_s = 0.5, .burst = 1});
    EXPECT_TRUE(limiter.take(0).allowed);
    auto const problem = rate_exceeded(limiter, limiter.take(0));
    EXPECT_EQ(problem.status, 429);
    EXPECT_EQ(problem.retry_after_s, 2);
}

TEST(Caller, ComesFromAllowedAddressesAlone) {
    CallerTraits traits;
    traits.name = "ann", traits.addresses = AddressList::parse(Texts{"10.0.0.0/8"}).value();
    Caller const bound(traits);
    EXPECT_EQ(bound.id(), "u_ann");
    EXPECT_TRUE(bound.check_origin({ip("10.1.1.1")}));
    EXPECT_EQ(bound.check_origin({ip("11.1.1.1")}).error().code, "address_refused");
    EXPECT_EQ(bound.check_origin({ip("10.1.1.1"), false}).error().code, "address_refused");
    EXPECT_TRUE(caller("bob")->check_origin({ip("11.1.1.1"), false}));
}

TEST(VerifiedPasswords, AreRememberedForAWhile) {
    SeededRandom random(1);
    VerifiedPasswords verified(random);
    auto const ann = caller("ann");
    EXPECT_FALSE(verified.find("Basic x", 1, noon));
    verified.keep("Basic x", {ann, "c1"}, 1, noon);
    EXPECT_EQ(verified.find("Basic x", 1, noon)->caller, ann);
    EXPECT_FALSE(verified.find("Basic y", 1, noon));
    EXPECT_FALSE(verified.find("Basic x", 2, noon)) << "the directory changed";
    EXPECT_TRUE(verified.find("Basic x", 1, noon + Duration::micros(599'999'999)));
    EXPECT_FALSE(verified.find("Basic x", 1, noon + Duration::seconds(600)));
    verified.keep("Basic z", {ann, "c1", noon + Duration::seconds(5)}, 1, noon);
    EXPECT_TRUE(verified.find("Basic z", 1, noon + Duration::micros(4'999'999)));
    EXPECT_FALSE(verified.find("Basic z", 1, noon + Duration::seconds(5)));
    ann->end();
    EXPECT_FALSE(verified.find("Basic x", 1, noon));
}

TEST(VerifiedPasswords, AreBounded) {
    SeededRandom random(1);
    VerifiedPasswords verified(random, {.entries_max = 3});
    for (int i = 0; i < 100; ++i) {
        verified.keep("again", {caller("ann"), ""}, 1, noon);
        verified.keep(std::to_string(i), {caller("ann"), ""}, 1, noon);
        EXPECT_LE(verified.size(), 3u);
    }
    EXPECT_TRUE(verified.find("99", 1, noon));
    EXPECT_TRUE(verified.find("again", 1, noon));
    EXPECT_FALSE(verified.find("90", 1, noon));
}

TEST(FailedLogins, WaitDoubles) {
    SeededRandom random(1);
    FailedLogins logins(random, {.free_failures = 2});
    auto const a = ip("192.0.2.1");
    std::int64_t now = 1000 * second_ns;  // of a machine that has been up for a while
    for (int i = 0; i < 2; ++i) {
        logins.failed(a, "", now);
        EXPECT_TRUE(logins.check(a, "", now)) << i;
    }
    for (int wait_s : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900}) {
        logins.failed(a, "", now);
        auto const refused = logins.check(a, "", now);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().status, 429);
        EXPECT_EQ(refused.error().code, "too_many_failures");
        EXPECT_EQ(refused.error().retry_after_s, wait_s);
        EXPECT_FALSE(logins.check(a, "", now + wait_s * second_ns - 1));
        now += wait_s * second_ns;
        EXPECT_TRUE(logins.check(a, "", now));
    }
    EXPECT_TRUE(logins.check(ip("192.0.2.2"), "", 0));
    now += 3601 * second_ns;
    logins.failed(a, "", now);
    EXPECT_TRUE(logins.check(a, "", now)) << "forgotten after an hour";
}

TEST(FailedLogins, TheFirstOnesAreFreeWhateverTheClockSays) {
    SeededRandom random(1);
    FailedLogins logins(random);
    for (std::int64_t const now : {std::int64_t(1), 3600 * second_ns, INT64_MAX / 2}) {
        logins.failed(ip("192.0.2.1"), "ann", now);
        EXPECT_TRUE(logins.check(ip("192.0.2.1"), "ann", now)) << now;
    }
}

TEST(FailedLogins, CountForTheNameFromEverywhere) {
    SeededRandom random(1);
    FailedLogins logins(random, {.free_failures = 2});
    for (int i = 0; i < 40; ++i) logins.failed(ip("192.0.2." + std::to_string(i)), "ann", 0);
    EXPECT_EQ(logins.check(ip("198.51.100.1"), "ann", 0).error().retry_after_s, 30) << "short: anyone can fail in her name";
    EXPECT_TRUE(logins.check(ip("198.51.100.1"), "bob", 0));
    EXPECT_TRUE(logins.check(ip("198.51.100.1"), "", 0));
    logins.succeeded("ann");
    EXPECT_TRUE(logins.check(ip("198.51.100.1"), "ann", 0));
}

TEST(FailedLogins, AnAddressOfIpv6IsItsNetwork) {
    SeededRandom random(1);
    FailedLogins logins(random, {.free_failures = 0});
    logins.failed(ip("2001:db8::1"), "", 0);
    EXPECT_FALSE(logins.check(ip("2001:db8::ffff"), "", 0));
    EXPECT_TRUE(logins.check(ip("2001:db8:0:1::1"), "", 0));
}

TEST(FailedLogins, AreBounded) {
    SeededRandom random(1);
    FailedLogins logins(random, {.free_failures = 0, .entries_max = 10});
    for (int i = 0; i < 1000; ++i) {
        logins.failed(ip("2001:db8:0:" + std::to_string(i) + "::1"), "", i);
        EXPECT_LE(logins.size(), 10u);
    }
    EXPECT_FALSE(logins.check(ip("2001:db8:0:999::1"), "", 999));
}

}  // namespace
}  // namespace gantry::auth
