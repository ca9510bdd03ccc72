#include "kernel/auth/address.h"

#include <gtest/gtest.h>

namespace gantry::auth {
namespace {

IpAddress ip(std::string_view text) { return parse_address(text).value(); }

TEST(Address, ReadsAndWrites) {
    struct {
        char const* given;
        char const* written;
    } const rows[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::1", "::1"},
        {"::", "::"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"::ffff:a00:1", "10.0.0.1"},
        {"fe80::1", "fe80::1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    };
    for (auto const& row : rows) {
        auto const address = parse_address(row.given);
        ASSERT_TRUE(address) << row.given;
        EXPECT_EQ(format_address(*address), row.written);
        EXPECT_EQ(parse_address(row.written), address);
    }
}

TEST(Address, RefusesWhatIsNone) {
    for (std::string_view text : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "[::1]",
                                  ":::", "1::2::3", "fe80::1%eth0", "localhost", "12345::", "1.2.3.4\n"})
        EXPECT_FALSE(parse_address(text)) << text;
    EXPECT_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
    EXPECT_FALSE(parse_address(std::string(100, '1')));
}

TEST(Address, KnowsLoopbackAndNetworks) {
    EXPECT_TRUE(ip("127.0.0.1").is_loopback() && ip("127.255.0.9").is_loopback() && ip("::1").is_loopback());
    EXPECT_FALSE(ip("128.0.0.1").is_loopback() || ip("::2").is_loopback() || ip("1::1").is_loopback());
    EXPECT_EQ(network_of(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
    EXPECT_EQ(network_of(ip("192.0.2.7")), ip("192.0.2.7"));
}

TEST(Cidr, HoldsItsFirstAndLastAndNothingBeside) {
    struct {
        char const *block, *first, *last, *before, *behind;
    } const rows[] = {
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"},
        {"192.0.2.4/31", "192.0.2.4", "192.0.2.5", "192.0.2.3", "192.0.2.6"},
        {"192.0.2.4/32", "192.0.2.4", "192.0.2.4", "192.0.2.3", "192.0.2.5"},
        {"192.0.2.4", "192.0.2.4", "192.0.2.4", "192.0.2.3", "192.0.2.5"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff::", "2001:db9::"},
        {"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff::", "2001:db7:ffff::", "2001:db8:8000::"},
        {"::1", "::1", "::1", "::", "::2"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::", "::1:0:0:0"},
        {"::/0", "::", "ffff::", "0.0.0.0", "10.0.0.1"},  // IPv6 alone
        {"::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    };
    for (auto const& row : rows) {
        auto const block = Cidr::parse(row.block);
        ASSERT_TRUE(block) << row.block << block.error().detail;
        EXPECT_TRUE(block->contains(ip(row.first))) << row.block;
        EXPECT_TRUE(block->contains(ip(row.last))) << row.block;
        EXPECT_FALSE(block->contains(ip(row.before))) << row.block;
        EXPECT_FALSE(block->contains(ip(row.behind))) << row.block;
        EXPECT_EQ(Cidr::parse(block->text()).value(), *block);
    }
    EXPECT_EQ(Cidr::parse("::ffff:10.0.0.0/104")->text(), "10.0.0.0/8");
}

TEST(Cidr, SaysWhatIsWrong) {
    struct {
        char const *given, *said;
    } const rows[] = {
        {"10.0.0.1/8", "write 10.0.0.0/8 for the block, or 10.0.0.1 for the one address"},
        {"2001:db8::1/32", "write 2001:db8::/32 for the block, or 2001:db8::1"},
        {"::ffff:10.0.0.1/104", "write 10.0.0.0/8"},
        {"0.0.0.1/0", "write 0.0.0.0/0"},
        {"10.0.0.0/33", "expected a prefix of 0 to 32 bits"},
        {"::/129", "expected a prefix of 0 to 128 bits"},
        {"10.0.0.0/", "expected a prefix"},
        {"10.0.0.0/08", "expected a prefix"},
        {"10.0.0.0/-1", "expected a prefix"},
        {"10.0.0.0/8 ", "expected a prefix"},
        {"10.0.0.0/8/8", "expected a prefix"},
        {"ten/8", "expected an address or a block"},
        {"", "expected an address or a block"},
    };
    for (auto const& row : rows) {
        auto const block = Cidr::parse(row.given);
        ASSERT_FALSE(block) << row.given;
        EXPECT_EQ(block.error().code, "address_invalid");
        EXPECT_NE(block.error().detail.find(row.said), std::string::npos) << block.error().detail;
    }
}

TEST(AddressList, NamesEachWrongOne) {
    std::vector<std::string> const good = {"10.0.0.0/8", "::1"}, bad = {"10.0.0.0/8", "x", "10.0.0.1/8"};
    auto const list = AddressList::parse(good);
    ASSERT_TRUE(list);
    EXPECT_TRUE(list->contains(ip("10.9.9.9")) && list->contains(ip("::1")));
    EXPECT_FALSE(list->contains(ip("11.0.0.0")));
    EXPECT_FALSE(AddressList().contains(ip("::1")));
    auto const wrong = AddressList::parse(bad);
    ASSERT_FALSE(wrong);
    ASSERT_EQ(wrong.error().faults.size(), 2u);
    EXPECT_EQ(wrong.error().faults[0].pointer, "/1");
    EXPECT_EQ(wrong.error().faults[1].pointer, "/2");
}

}  // namespace
}  // namespace gantry::auth
