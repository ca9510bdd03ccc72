#include "kernel/observe/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace gantry::observe {
namespace {

template <std::size_t n>
std::string_view text(std::array<char, n> const& a) {
    return {a.data(), n};
}

constexpr std::string_view trace_hex = "0af7651916cd43dd8448eb211c80319c", span_hex = "b7ad6b7169203331";
constexpr TraceId trace{0x0af7651916cd43dd, 0x8448eb211c80319c};
constexpr SpanId span{0xb7ad6b7169203331};

std::string parent(std::string_view version, std::string_view flags, std::string_view more = "") {
    return std::string(version).append("-").append(trace_hex).append("-").append(span_hex).append("-").append(flags).append(more);
}

TEST(Traceparent, WellFormed) {
    struct Row {
        std::string value;
        bool sampled, random;
    };
    for (auto const& row :
         {Row{parent("00", "00"), false, false}, Row{parent("00", "01"), true, false}, Row{parent("00", "02"), false, true},
          Row{parent("00", "03"), true, true}, Row{parent("00", "ff"), true, true}, Row{parent("01", "01"), true, false},
          Row{parent("cc", "01", "-what-the-future-will-be-like"), true, false}, Row{parent("fe", "01", "-"), true, false}}) {
        auto const parsed = parse_traceparent(row.value);
        ASSERT_TRUE(parsed) << row.value;
        EXPECT_EQ(*parsed, (TraceContext{trace, span, row.sampled, row.random})) << row.value;
        auto const written = format_traceparent(*parsed);
        EXPECT_EQ(parse_traceparent(text(written)), parsed);
        EXPECT_EQ(text(written).substr(0, 3), "00-");
    }
    EXPECT_EQ(text(format_traceparent({trace, span, true, false})), parent("00", "01"));
}

TEST(Traceparent, MalformedIsAbsent) {
    auto const right = parent("00", "01");
    for (std::size_t n = 0; n < right.size(); ++n) EXPECT_FALSE(parse_traceparent(right.substr(0, n))) << n;
    for (std::size_t i = 0; i < right.size(); ++i)
        for (char c : {'G', 'A', ' ', '\0', '_', '\xff'}) {
            auto wrong = right;
            wrong[i] = c;
            EXPECT_FALSE(parse_traceparent(wrong)) << wrong;
        }
    std::string const zeros32(32, '0'), zeros16(16, '0');
    for (auto const& wrong :
         {parent("ff", "01"), parent("00", "01", "-"), parent("00", "01", "-00"), parent("00", "01", " "), parent("01", "01", "x"),
          parent("0", "01"), parent("000", "01"), parent("00", "1"), "00-" + zeros32 + "-" + std::string(span_hex) + "-01",
          "00-" + std::string(trace_hex) + "-" + zeros16 + "-01", std::string(55, '-')})
        EXPECT_FALSE(parse_traceparent(wrong)) << wrong;
}

TEST(SentryTrace, IsAccepted) {
    auto const base = std::string(trace_hex).append("-").append(span_hex);
    EXPECT_EQ(parse_sentry_trace(base), (TraceContext{trace, span, false, false}));
    EXPECT_EQ(parse_sentry_trace(" " + base + "-1 "), (TraceContext{trace, span, true, false}));
    EXPECT_EQ(parse_sentry_trace(base + "-0"), (TraceContext{trace, span, false, false}));
    for (auto const& wrong : {std::string(), std::string("-"), base + "-", base + "-2", base + "-11", base + "x1", base.substr(1),
                              std::string(32, '0') + "-" + std::string(span_hex)})
        EXPECT_FALSE(parse_sentry_trace(wrong)) << wrong;
}

TEST(TraceIds, AreNeverZero) {
    struct Zeros final : Random {
        int zeros = 3;
        std::uint64_t next() override { return zeros-- > 0 ? 0 : 7; }
    } random;
    EXPECT_EQ(fresh_span_id(random), SpanId{7});
    random.zeros = 2;
    EXPECT_EQ(fresh_trace_id(random), (TraceId{7, 7}));
    EXPECT_EQ(text(hex_of(trace)), trace_hex);
    EXPECT_EQ(parse_span_id(text(hex_of(SpanId{1}))), SpanId{1});
    EXPECT_FALSE(parse_span_id("0000000000000000"));
    EXPECT_FALSE(parse_trace_id(span_hex));
}

std::string members(std::size_t count, std::size_t value_size = 1) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i)
        out.append(i ? "," : "").append("k").append(std::to_string(i)).append("=").append(std::string(value_size, 'v'));
    return out;
}

TEST(TraceState, MembersThatAreRight) {
    struct Row {
        std::string value;
        std::size_t count;
    };
    for (auto const& row : {Row{"", 0}, Row{"a=1", 1}, Row{"a=1,b=2", 2}, Row{" a=1 \t,\t b=2 ", 2}, Row{",,a=1,, ,b=2,", 2},
                            Row{"a= 1", 1}, Row{"0x@y=z", 1}, Row{"t61rcwkgmze-*/_@v=~!", 1}, Row{members(32), 32},
                            Row{std::string(256, 'k') + "=v", 1}, Row{"k=" + std::string(256, 'v'), 1}})
        EXPECT_EQ(TraceState::parse(row.value).size(), row.count) << row.value;
    EXPECT_EQ(TraceState::parse("a=1, b=2").value_of("b"), "2");
}

TEST(TraceState, OneBadMemberDropsAll) {
    for (auto const& bad :
         {std::string("b"), std::string("b="), std::string("=1"), std::string("B=1"), std::string("_b=1"), std::string("b c=1"),
          std::string("b=1=2"), std::string("b=\x7f"), std::string("b=\xc3\xa9"), std::string("b=1\n"), std::string("b\0=1", 4),
          std::string("a=2"), std::string(257, 'k') + "=v", "k=" + std::string(257, 'v'), members(32)})
        EXPECT_EQ(TraceState::parse("a=1," + bad).size(), 0u) << bad;
}

TEST(TraceState, OursComesFirst) {
    std::array<char, TraceState::size_max> out;
    EXPECT_EQ(TraceState::parse("a=1, gantry=old ,b=2").format("gantry", "new", out), "gantry=new,a=1,b=2");
    EXPECT_EQ(TraceState().format("gantry", "new", out), "gantry=new");
    EXPECT_EQ(TraceState().format("Gantry", "new", out), "");
    EXPECT_EQ(TraceState().format("gantry", "a,b", out), "");
    EXPECT_EQ(TraceState().format(std::string(256, 'k'), std::string(256, 'v'), out), "");  // 513
    EXPECT_EQ(TraceState().format(std::string(256, 'k'), std::string(255, 'v'), out).size(), 512u);
    auto const full = members(32);
    auto const again = TraceState::parse(TraceState::parse(full).format("gantry", "1", out));
    EXPECT_EQ(again.size(), 32u);
    EXPECT_EQ(again.value_of("k30"), "v");
    EXPECT_EQ(again.value_of("k31"), "");  // the last one made room
}

TEST(TraceState, IsCutToItsLimitFromTheLongAndFromTheEnd) {
    std::array<char, TraceState::size_max> out;
    auto member = [](char key, std::size_t size) { return std::string(1, key) + "=" + std::string(size - 2, 'v'); };
    // With "g=1," 512 fit exactly, 513 don't.
    auto const exact = member('a', 128) + "," + member('b', 128) + "," + member('c', 128) + "," + member('d', 121);
    EXPECT_EQ(TraceState::parse(exact).format("g", "1", out), "g=1," + exact);
    EXPECT_EQ(TraceState::parse(exact + "v").format("g", "1", out), "g=1," + exact.substr(0, 386));
    auto const with_long = member('a', 129) + "," + member('b', 128) + "," + member('c', 128) + "," + member('d', 128);
    EXPECT_EQ(TraceState::parse(with_long).format("g", "1", out), "g=1," + with_long.substr(130));
    auto const two_long = member('a', 200) + "," + member('b', 200) + "," + member('c', 128);
    EXPECT_EQ(TraceState::parse(two_long).format("g", "1", out), "g=1," + member('a', 200) + "," + member('c', 128));
}

}  // namespace
}  // namespace gantry::observe
