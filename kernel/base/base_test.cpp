#include <gtest/gtest.h>

#include <stdexcept>

#include "kernel/base/appender.h"
#include "kernel/base/crc32c.h"
#include "kernel/base/random.h"
#include "kernel/base/record.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/base/varint.h"

namespace gantry {
namespace {

TEST(Crc32c, KnownValuesAndContinuation) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720 B.4
    std::string text;
    SeededRandom random(7);
    for (int i = 0; i < 5000; ++i) text += char(random.next());
    for (std::size_t cut : {0u, 1u, 255u, 767u, 768u, 769u, 1536u, 4999u, 5000u})
        EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), crc32c(text)) << cut;
    std::uint32_t bitwise = ~0u;  // the definition, one bit at a time
    for (char c : text) {
        bitwise ^= std::uint8_t(c);
        for (int i = 0; i < 8; ++i) bitwise = bitwise >> 1 ^ (bitwise & 1 ? 0x82f63b78u : 0);
    }
    EXPECT_EQ(~bitwise, crc32c(text));
}

TEST(Varint, RoundTripAndRefusals) {
    for (std::uint64_t v : {0ull, 1ull, 127ull, 128ull, 16383ull, 16384ull, ~0ull >> 1, ~0ull}) {
        std::string s;
        put_varint(s, v);
        ByteReader r(s);
        EXPECT_EQ(r.varint(), v);
        EXPECT_TRUE(r.ok() && r.done());
        ByteReader cut(std::string_view(s).substr(0, s.size() - 1));
        cut.varint();
        EXPECT_FALSE(cut.ok());
    }
    ByteReader padded(std::string_view("\x80\x00", 2));
    padded.varint();
    EXPECT_FALSE(padded.ok()) << "one number has one encoding";
    ByteReader too_long("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    too_long.varint();
    EXPECT_FALSE(too_long.ok());
    EXPECT_EQ(unzigzag(zigzag(INT64_MIN)), INT64_MIN);
}

TEST(Appender, WritesAsPutDoesWhateverRoomThereIs) {
    for (std::size_t before : {0, 5, 15, 16, 40})
        for (std::size_t length : {0, 1, 14, 127, 128, 5000}) {
            std::string const text(length, 'x');
            std::string want(before, '.'), got(before, '.');
            {
                Appender out(got);
                for (int round = 0; round < 3; ++round) {
                    out.byte('a'), out.bytes(text), out.varint(length), out.string(text), out.signed_varint(-std::int64_t(length));
                    want += 'a', want += text, put_varint(want, length), put_string(want, text), put_signed(want, -std::int64_t(length));
                    out.with_string([&](std::string& s) {
                        EXPECT_EQ(s, want) << "it is whole meanwhile";
                        s += text;
                    });
                    want += text;
                }
            }
            EXPECT_EQ(got, want);
            EXPECT_EQ(got.c_str()[got.size()], 0);
        }
}

TEST(Appender, IsWholeWhenWhatAppendsThrows) {
    std::string got = "before ";
    EXPECT_THROW(
        {
            Appender out(got);
            out.bytes("written ");
            out.with_string([](std::string& s) {
                s.append(1000, 'x');
                throw std::runtime_error("no more");
            });
        },
        std::runtime_error);
    EXPECT_EQ(got, "before written " + std::string(1000, 'x'));
}

TEST(Time, FormatsAndParses) {
    for (auto text : {"1970-01-01T00:00:00Z", "2026-11-21T13:14:15Z", "2026-11-21T13:14:15.250Z", "2026-11-21T13:14:15.000001Z",
                      "9999-12-31T23:59:59Z"}) {
        auto t = parse_time(text);
        ASSERT_TRUE(t) << text;
        EXPECT_EQ(format_time(*t), text);
    }
    EXPECT_EQ(parse_time("2026-11-21T15:00:00+02:00")->us, parse_time("2026-11-21T13:00:00Z")->us);
    EXPECT_NE(parse_time("2026-11-21T15:00:00").error().detail.find("zone is missing"), std::string::npos);
    for (auto bad :
         {"", "yesterday", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z", "2026-01-01"})
        EXPECT_FALSE(parse_time(bad)) << bad;
    EXPECT_EQ(parse_duration("1h30m")->us, 5400'000'000);
    EXPECT_EQ(parse_duration("90d"), Duration::days(90));
    for (auto bad : {"", "5", "d", "5x", "99999999999999w", "-1s"}) EXPECT_FALSE(parse_duration(bad)) << bad;
    EXPECT_EQ(format_duration(*parse_duration("36h5ms")), "1d12h5ms");
}

TEST(Str, CopiesOwnAndMovesKeep) {
    std::string buffer = "borrowed";
    Str b = Str::borrow(buffer);
    Str copy = b;
    buffer[0] = 'X';
    EXPECT_EQ(b.view(), "Xorrowed");
    EXPECT_EQ(copy.view(), "borrowed");
    Str moved = std::move(copy);
    EXPECT_EQ(moved.view(), "borrowed");
    Str const& same = moved;
    moved = same;
    EXPECT_EQ(moved, Str("borrowed"));
}

struct Sample {
    int a = 0;
    std::uint64_t b = 0;
};
RECORD(Sample, a, b);
static_assert(detail::described_size<Sample>() == sizeof(Sample));

TEST(FreshId, SortsByTimeAndDiffers) {
    SeededRandom random(1);
    auto a = fresh_id("n_", 1'000'000, random), b = fresh_id("n_", 1'000'000, random), c = fresh_id("n_", 99'000'000, random);
    EXPECT_NE(a, b);
    EXPECT_LT(a.substr(0, 12), c.substr(0, 12));
    EXPECT_EQ(a.size(), 22u);
}

}  // namespace
}  // namespace gantry
