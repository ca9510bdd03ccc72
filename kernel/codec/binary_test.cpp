#include <gtest/gtest.h>

#include "kernel/codec/binary.h"
#include "kernel/codec/json.h"

namespace gantry::codec {
enum class Colour { red = 4, green, blue = 1 };
ENUM(Colour, red, green, blue)
struct Inner {
    Text<1, 10> name;
    std::int8_t small = 0;
};
RECORD(Inner, name, small);
struct Outer {
    bool flag = false;
    std::uint64_t big = 0;
    double real = 0;
    Colour colour = Colour::red;
    std::optional<Inner> maybe;
    std::vector<Inner> list;
    std::map<std::string, std::int32_t> map;
    Time at;
    Duration span;
    Personal<Str> who;
    Ref<Str> ref;
    Seq<"r_"> run;
    Bytes bytes;
};
RECORD(Outer, flag, big, real, colour, maybe, list, map, at, span, who, ref, run, bytes);

TEST(Binary, BothFormsAgree) {
    Outer o{true, ~0ull, 1.5, Colour::blue, Inner{"a\"b", -1}, {Inner{"x", 3}}, {{"k", 7}}, {1}, {60'000'000}, {"Ann", "u_1"}, {5}, {17}, {"ab"}};
    std::string a, b;
    encode_binary(type_of<Outer>(), &o, a);
    put(b, o);
    EXPECT_EQ(a, b);
    Outer back;
    ByteReader in(b);
    ASSERT_TRUE(get(in, back));
    EXPECT_TRUE(in.done());
    EXPECT_TRUE(equal(type_of<Outer>(), &o, &back));
    EXPECT_EQ(to_json(back),
              R"({"flag":true,"big":18446744073709551615,"real":1.5,"colour":"blue","maybe":{"name":"a\"b","small":-1},)"
              R"("list":[{"name":"x","small":3}],"map":{"k":7},"at":"1970-01-01T00:00:00.000001Z","span":"1m","who":"Ann",)"
              R"("ref":5,"run":"r_17","bytes":"YWI="})");
}
}  // namespace gantry::codec
