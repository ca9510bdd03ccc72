#include "kernel/auth/origin.h"

#include <gtest/gtest.h>

namespace gantry::auth {
namespace {

using Values = std::vector<std::string_view>;
constexpr char const* proxy = "10.0.0.1";

IpAddress ip(std::string_view text) { return parse_address(text).value(); }

OriginRules rules(std::string header) {
    OriginSettings settings{{"10.0.0.0/8", "fd00::/8"}, std::move(header), "X-Caller"};
    return OriginRules::make(settings).value();
}

struct Row {
    Values values;
    std::string client;  // "400", or the address; "unknown" behind it when the proxy hides it
};
std::string seen(OriginRules const& by, std::string_view peer, Values const& values, Values const& callers = {}) {
    auto const origin = by.of(ip(peer), values, callers);
    if (!origin) return std::to_string(origin.error().status) + " " + origin.error().code;
    return format_address(origin->client) + (origin->known ? "" : " unknown");
}
constexpr char const* invalid = "400 forwarding_invalid";

TEST(Origin, RightmostUntrustedOfXForwardedFor) {
    Row const rows[] = {
        {{}, "10.0.0.1"},
        {{"192.0.2.1"}, "192.0.2.1"},
        {{"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
        {{"203.0.113.9, 192.0.2.1, 10.2.3.4"}, "192.0.2.1"},
        {{"203.0.113.9", "192.0.2.1", "10.2.3.4, 10.0.0.9"}, "192.0.2.1"},
        {{"10.2.3.4, 10.0.0.9"}, "10.2.3.4"},
        {{"garbage, 192.0.2.1"}, "192.0.2.1"},  // the client's own words
        {{"192.0.2.1, garbage"}, invalid},
        {{"192.0.2.1,"}, invalid},
        {{""}, invalid},
        {{"192.0.2.1:1234"}, "192.0.2.1"},
        {{"2001:db8::1"}, "2001:db8::1"},
        {{"[2001:db8::1]"}, "2001:db8::1"},
        {{"[2001:db8::1]:443"}, "2001:db8::1"},
        {{"[2001:db8::1]:"}, invalid},
        {{"[2001:db8::1]x"}, invalid},
        {{"[2001:db8::1"}, invalid},
        {{"[192.0.2.1]"}, invalid},
        {{"192.0.2.1:"}, invalid},
        {{"192.0.2.1:123456"}, invalid},
        {{"192.0.2.1:http"}, invalid},
        {{"192.0.2.1:_port"}, "192.0.2.1"},
        {{"unknown"}, "10.0.0.1 unknown"},
        {{"192.0.2.1, unknown"}, "10.0.0.1 unknown"},
        {{"192.0.2.1, Unknown, 10.7.7.7"}, "10.7.7.7 unknown"},
        {{"_hidden"}, "10.0.0.1 unknown"},
        {{"_"}, invalid},
        {{"_a b"}, invalid},
        {{" \t192.0.2.1\t "}, "192.0.2.1"},
        {{"192.0.2.1 10.0.0.1"}, invalid},
        {{"::ffff:192.0.2.1"}, "192.0.2.1"},
    };
    auto const by = rules("x-forwarded-for");
    for (auto const& row : rows) EXPECT_EQ(seen(by, proxy, row.values), row.client) << (row.values.empty() ? "" : row.values[0]);
}

TEST(Origin, RightmostUntrustedOfForwarded) {
    Row const rows[] = {
        {{}, "10.0.0.1"},
        {{"for=192.0.2.1"}, "192.0.2.1"},
        {{"For=\"[2001:db8:cafe::17]:4711\""}, "2001:db8:cafe::17"},
        {{"for=192.0.2.60;proto=http;by=203.0.113.43"}, "192.0.2.60"},
        {{"by=203.0.113.43 ; for=192.0.2.60"}, "192.0.2.60"},
        {{"for=203.0.113.9, for=192.0.2.1, for=10.2.3.4"}, "192.0.2.1"},
        {{"for=203.0.113.9", "for=192.0.2.1,for=10.2.3.4"}, "192.0.2.1"},
        {{"for=unknown"}, "10.0.0.1 unknown"},
        {{"for=\"_gazonk\""}, "10.0.0.1 unknown"},
        {{"for=_SEVKISEK;by=10.0.0.1"}, "10.0.0.1 unknown"},
        {{"for=\"192.0.2.1:80\";host=\"a,b;c\""}, "192.0.2.1"},
        {{"for=\"19\\2.0.2.1\""}, "192.0.2.1"},
        {{"for=[2001:db8::1]"}, invalid},  // needs quotes
        {{"for=192.0.2.1;for=192.0.2.2"}, invalid},
        {{"proto=http"}, invalid},
        {{"for="}, invalid},
        {{"for"}, invalid},
        {{"for=\"192.0.2.1"}, invalid},
        {{"for=\"192.0.2.1\\"}, invalid},
        {{"for=192.0.2.1,"}, invalid},
        {{"for=192.0.2.1;"}, invalid},
        {{"for = 192.0.2.1"}, invalid},
        {{"for=\"evil", "for=192.0.2.1"}, "192.0.2.1"},  // another field is the client's own
    };
    auto const by = rules("Forwarded");
    for (auto const& row : rows) EXPECT_EQ(seen(by, proxy, row.values), row.client) << (row.values.empty() ? "" : row.values[0]);
}

TEST(Origin, OneAddress) {
    auto const by = rules("X-Real-IP");
    EXPECT_EQ(seen(by, proxy, {"192.0.2.1"}), "192.0.2.1");
    EXPECT_EQ(seen(by, proxy, {"10.3.3.3"}), "10.3.3.3");
    EXPECT_EQ(seen(by, proxy, {"192.0.2.1, 192.0.2.2"}), invalid);
    EXPECT_EQ(seen(by, proxy, {"192.0.2.1", "192.0.2.2"}), invalid);
    EXPECT_EQ(seen(by, proxy, {}), "10.0.0.1");
}

TEST(Origin, OnlyTrustedProxiesSpeakForOthers) {
    auto const by = rules("X-Forwarded-For");
    EXPECT_EQ(seen(by, "192.0.2.1", {}), "192.0.2.1");
    EXPECT_EQ(seen(by, "192.0.2.1", {"10.0.0.1"}), "403 proxy_untrusted");
    EXPECT_EQ(seen(by, "192.0.2.1", {}, {"ann"}), "403 proxy_untrusted");
    Values const one = {"x"};
    auto const refused = by.of(ip("192.0.2.1"), {}, one);
    EXPECT_NE(refused.error().detail.find("X-Caller came from 192.0.2.1"), std::string::npos) << refused.error().detail;
}

TEST(Origin, TheProxyNamesTheCaller) {
    auto const by = rules("X-Forwarded-For");
    Values const ann = {" ann "};
    auto const origin = by.of(ip(proxy), {}, ann);
    ASSERT_TRUE(origin);
    EXPECT_EQ(origin->caller_name, "ann");
    EXPECT_TRUE(origin->by_proxy);
    EXPECT_EQ(by.of(ip(proxy), {}, {})->caller_name, "");
    std::string const longest(62, 'a'), too_long(63, 'a');
    EXPECT_EQ(seen(by, proxy, {}, {longest}), "10.0.0.1");
    for (Values const& callers : {Values{""}, Values{"a b"}, Values{"a:b"}, Values{too_long}, Values{"ann", "bob"}, Values{"_x"}})
        EXPECT_EQ(seen(by, proxy, {}, callers), invalid) << callers[0];
}

TEST(Origin, HasLimits) {
    auto const by = rules("X-Forwarded-For");
    auto hops = [](std::size_t n) {
        std::string out = "192.0.2.1";
        for (std::size_t i = 1; i < n; ++i) out += ",10.0.0.2";
        return out;
    };
    EXPECT_EQ(seen(by, proxy, {hops(OriginRules::hops_max)}), "192.0.2.1");
    EXPECT_EQ(seen(by, proxy, {hops(OriginRules::hops_max + 1)}), invalid);
    std::string const most = std::string(OriginRules::bytes_max - 10, 'x') + ",192.0.2.1";
    ASSERT_EQ(most.size(), OriginRules::bytes_max);
    EXPECT_EQ(seen(by, proxy, {most}), "192.0.2.1");
    EXPECT_EQ(seen(by, proxy, {"x" + most}), invalid);
    EXPECT_EQ(seen(by, proxy, {"x", most}), invalid);
}

TEST(Origin, SettingsAreChecked) {
    struct {
        OriginSettings settings;
        char const* pointer;
    } const rows[] = {
        {{{"10.0.0.1/8"}, "Forwarded", ""}, "/trusted_proxies/0"},
        {{{}, "X Y", ""}, "/address_header"},
        {{{}, "", "a:b"}, "/caller_header"},
        {{{}, "Forwarded", "forwarded"}, "/caller_header"},
    };
    for (auto const& row : rows) {
        auto const made = OriginRules::make(row.settings);
        ASSERT_FALSE(made) << row.pointer;
        EXPECT_EQ(made.error().code, "origin_settings_invalid");
        EXPECT_EQ(made.error().faults.at(0).pointer, row.pointer);
    }
    EXPECT_TRUE(OriginRules::make({}));
    EXPECT_TRUE(OriginRules::make({{}, "", ""}));
}

}  // namespace
}  // namespace gantry::auth
