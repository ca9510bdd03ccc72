#include "kernel/codec/binary.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/golden.h"
#include "kernel/codec/json.h"
#include "kernel/codec/random_value.h"
#include "kernel/codec/sample.h"

namespace gantry::codec {
namespace {
using sample::All;

template <class T>
std::string by_descriptor(T const& v, Sealer const* sealer = nullptr) {
    std::string out;
    encode_binary(type_of<T>(), &v, out, sealer);
    return out;
}
template <class T>
std::string by_template(T const& v) {
    std::string out;
    put(out, v);
    return out;
}
template <class T>
bool accepts(std::string_view bytes) {
    T a{}, b{};
    ByteReader in(bytes), in2(bytes);
    bool ok = get(in, a) && in.done();
    EXPECT_EQ(ok, decode_binary(type_of<T>(), &b, in2) && in2.done()) << "both forms agree on what is malformed";
    return ok;
}

TEST(Binary, GoldenBytesOfEveryKind) {
    All value = sample::golden_value();
    std::string text;
    for (auto const& f : type_of<All>().fields) {
        std::string bytes;
        encode_binary(f.type(), reinterpret_cast<char const*>(&value) + f.offset, bytes);
        text += fmt::format("{}:", f.name);
        for (char c : bytes) text += fmt::format(" {:02x}", std::uint8_t(c));
        text += '\n';
    }
    EXPECT_TRUE(expect_golden("kernel/codec/golden/binary.txt", text));
}

TEST(Binary, RandomValuesRoundTripAndBothFormsAgree) {
    SeededRandom random(1);
    for (int i = 0; i < 2000; ++i) {
        All value = random_of<All>(random);
        std::string bytes = by_descriptor(value);
        ASSERT_EQ(bytes, by_template(value));
        All a, b = random_of<All>(random);  // b: decoding over an old value leaves nothing of it
        ByteReader in(bytes), in2(bytes);
        ASSERT_TRUE(get(in, b) && in.done());
        ASSERT_TRUE(decode_binary(type_of<All>(), &a, in2) && in2.done());
        ASSERT_TRUE(equal(type_of<All>(), &value, &a));
        ASSERT_TRUE(equal(type_of<All>(), &value, &b));
    }
}

TEST(Binary, EqualSeesEveryField) {
    SeededRandom random(9);
    All value = sample::golden_value();
    for (auto const& f : type_of<All>().fields) {
        All other = value;
        void* member = reinterpret_cast<char*>(&other) + f.offset;
        while (equal(f.type(), reinterpret_cast<char const*>(&value) + f.offset, member)) random_value(f.type(), member, random);
        EXPECT_FALSE(equal(type_of<All>(), &value, &other)) << f.name;
    }
    EXPECT_TRUE(equal(type_of<All>(), &value, &value));
}

TEST(Binary, CutAnywhereIsRefusedWithoutReadingOn) {
    SeededRandom random(2);
    for (int i = 0; i < 30; ++i) {
        std::string bytes = by_template(random_of<All>(random));
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            std::unique_ptr<char[]> exact(new char[n]);  // ASan sees a byte read too many
            std::copy_n(bytes.data(), n, exact.get());
            ASSERT_FALSE(accepts<All>({exact.get(), n})) << n;
        }
    }
}

TEST(Binary, ChangedBytesNeverHarm) {
    SeededRandom random(3);
    std::size_t accepted = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string bytes = by_template(random_of<All>(random));
        for (auto n = 1 + random.below(4); n > 0; --n) bytes[random.below(bytes.size())] = char(random.next());
        All value;
        ByteReader in(bytes);
        if (!get(in, value) || !in.done()) continue;
        ++accepted;
        std::string again = by_descriptor(value);
        ASSERT_EQ(again, by_template(value));
        (void)to_json(value);
    }
    EXPECT_GT(accepted, 0u);
    EXPECT_LT(accepted, 20000u);
}

TEST(Binary, LimitsFromBothSides) {
    using namespace std::string_literals;
    EXPECT_TRUE(accepts<bool>("\x01"));
    EXPECT_FALSE(accepts<bool>("\x02"));
    EXPECT_TRUE(accepts<std::uint8_t>("\xff\x01"));
    EXPECT_FALSE(accepts<std::uint8_t>("\x80\x02"));
    EXPECT_TRUE(accepts<std::int8_t>("\xff\x01"));   // -128
    EXPECT_FALSE(accepts<std::int8_t>("\x80\x02"));  // 128
    EXPECT_TRUE(accepts<std::uint64_t>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    EXPECT_FALSE(accepts<std::uint64_t>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    EXPECT_FALSE(accepts<std::uint64_t>("\x80\x00"s)) << "one number, one encoding";
    EXPECT_TRUE(accepts<sample::Colour>("\x02"));
    EXPECT_FALSE(accepts<sample::Colour>("\x03"));
    EXPECT_TRUE(accepts<std::optional<bool>>("\x01\x01"));
    EXPECT_FALSE(accepts<std::optional<bool>>("\x02\x01"));
    EXPECT_TRUE(accepts<std::vector<std::uint8_t>>("\x02\x01\x01"));
    EXPECT_FALSE(accepts<std::vector<std::uint8_t>>("\x03\x01\x01"));
    EXPECT_FALSE(accepts<std::vector<std::uint8_t>>("\xff\xff\xff\xff\xff\xff\xff\xff\x7f")) << "counted before it is allocated";
    EXPECT_TRUE(
        (accepts<std::map<std::string, bool>>("\x02\x01"
                                              "a\x01\x01"
                                              "b\x01")));
    EXPECT_FALSE(
        (accepts<std::map<std::string, bool>>("\x02\x01"
                                              "b\x01\x01"
                                              "a\x01")))
        << "sorted";
    EXPECT_FALSE(
        (accepts<std::map<std::string, bool>>("\x02\x01"
                                              "a\x01\x01"
                                              "a\x01")))
        << "unique";
    EXPECT_TRUE(accepts<sample::Step>(std::string("\0", 1)));
    EXPECT_FALSE(accepts<sample::Step>("\x03"));
    EXPECT_TRUE(
        accepts<Str>("\x01"
                     "a"));
    EXPECT_FALSE(
        accepts<Str>("\x02"
                     "a"));
    EXPECT_TRUE(accepts<double>("12345678"));
    EXPECT_FALSE(accepts<double>("1234567"));
}

TEST(Binary, VarintsOfEveryLengthWithAndWithoutBytesBehind) {
    SeededRandom random(10);
    for (int bits = 0; bits <= 64; ++bits) {
        for (int i = 0; i < 50; ++i) {
            std::uint64_t v = bits == 0 ? 0 : random.next() >> (64 - bits);
            std::string bytes;
            put_varint(bytes, v);
            std::string overlong = bytes;
            overlong.back() = char(overlong.back() | 0x80), overlong.push_back('\0');
            for (std::size_t behind : {0u, 1u, 7u, 12u}) {
                std::uint64_t back = ~v;
                ByteReader in(bytes.append(behind, char(random.next())));
                ASSERT_TRUE(get(in, back));
                ASSERT_EQ(back, v);
                ASSERT_EQ(in.left(), behind);
                bytes.resize(bytes.size() - behind);
                std::string refused = overlong + std::string(behind, '\x01');
                ByteReader again(refused);
                ASSERT_FALSE(get(again, back)) << bits;
            }
        }
    }
}

TEST(Binary, BorrowedTextPointsIntoTheBytes) {
    std::string bytes = by_template(sample::Inner{"abc", 1});
    auto inside = [&](Str const& s) { return s.view().data() >= bytes.data() && s.view().data() < bytes.data() + bytes.size(); };
    sample::Inner a, b, c;
    ByteReader in(bytes), in2(bytes), in3(bytes);
    ASSERT_TRUE(get(in, a));
    ASSERT_TRUE(decode_binary(type_of<sample::Inner>(), &b, in2, nullptr, true));
    ASSERT_TRUE(decode_binary(type_of<sample::Inner>(), &c, in3));
    EXPECT_TRUE(inside(a.name) && inside(b.name));
    EXPECT_FALSE(inside(c.name));
    EXPECT_FALSE(inside(sample::Inner(a).name)) << "a copy owns";
}

TEST(Json, RandomValuesRoundTrip) {
    SeededRandom random(4);
    for (int i = 0; i < 2000; ++i) {
        auto value = random_of<sample::Transient>(random, {.for_json = true});
        std::string json = to_json(value);
        auto back = from_json<sample::Transient>(json);
        ASSERT_TRUE(back) << back.error().detail << "\n" << json;
        ASSERT_TRUE(equal(type_of<sample::Transient>(), &value, &*back)) << json;
        ASSERT_EQ(to_json(*from_json<sample::Transient>(pretty_json(json))), json);
    }
}

TEST(Json, CutAnywhereIsNoJson) {
    SeededRandom random(5);
    for (int i = 0; i < 10; ++i) {
        std::string json = to_json(random_of<All>(random, {.for_json = true}));
        for (std::size_t n = 0; n < json.size(); ++n) {
            auto r = from_json<All>(json.substr(0, n));
            ASSERT_FALSE(r);
            ASSERT_EQ(r.error().code, "body_not_json") << json.substr(0, n);
        }
    }
}

TEST(Json, ChangedBytesNeverHarmAndWhatIsAcceptedIsStable) {
    SeededRandom random(6);
    constexpr std::string_view likely = "{}[]\",:\\0e-. tn\xff\x80";
    for (int i = 0; i < 20000; ++i) {
        std::string json = to_json(random_of<All>(random, {.for_json = true}));
        for (auto n = 1 + random.below(3); n > 0; --n) {
            auto at = random.below(json.size());
            if (random.chance(0.3))
                json.erase(at, 1 + random.below(3));
            else
                json[at] = likely[random.below(likely.size())];
        }
        auto r = from_json<All>(json);
        if (!r) {
            ASSERT_FALSE(r.error().detail.empty());
            continue;
        }
        std::string again = to_json(*r);
        ASSERT_EQ(to_json(*from_json<All>(again)), again) << json;
    }
}

}  // namespace
}  // namespace gantry::codec
