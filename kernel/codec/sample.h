#pragma once
#include "kernel/codec/type.h"

// One struct with a member of every kind, for the tests and fuzz targets of this folder.
namespace gantry::codec::sample {

enum class Colour { red = 4, green, blue = 1 };
ENUM(Colour, red, green, blue)
struct Inner {
    Text<1, 10> name;
    std::int8_t small = 0;
};
RECORD(Inner, name, small);
struct Empty {};
EMPTY_RECORD(Empty);
struct Moved {
    std::vector<Inner> to;
    std::optional<Time> at;
};
RECORD(Moved, to, at);
using Step = std::variant<Empty, Inner, Moved>;

struct All {
    bool flag = false;
    std::int8_t i8 = 0;
    std::uint8_t u8 = 0;
    std::int16_t i16 = 0;
    std::uint16_t u16 = 0;
    std::int32_t i32 = 0;
    std::uint32_t u32 = 0;
    std::int64_t i64 = 0;
    std::uint64_t u64 = 0;
    Bounded<-5, 1000> bounded;
    double real = 0;
    std::string string;
    Str str;
    Text<2, 20> text;
    Id<"i_"> id;
    Seq<"r_"> seq;
    Bytes bytes;
    Time time;
    Duration duration;
    Colour colour = Colour::red;
    std::optional<Inner> optional;
    std::vector<Inner> list;
    std::vector<std::string> names;
    std::map<std::string, std::int32_t> map;
    Step step;
    Personal<Text<0, 30>> personal;
    Ref<Str> ref;
    RawJson raw;
};
RECORD(All, flag, i8, u8, i16, u16, i32, u32, i64, u64, bounded, real, string, str, text, id, seq, bytes, time, duration, colour, optional,
       list, names, map, step, personal, ref, raw);

// What may only travel, not be stored.
struct Transient {
    Secret<Text<1, 8>> password;
    Secret<std::optional<std::int32_t>> pin;
    All all;
};
RECORD(Transient, password, pin, all);

// The value of the golden files.
inline All golden_value() {
    return All{true,
               -128,
               255,
               -2,
               65535,
               -3,
               4294967295u,
               INT64_MIN,
               UINT64_MAX,
               7,
               -0.5,
               "string",
               "str",
               "text é",
               "i_1",
               {17},
               {std::string("\0\xff", 2)},
               {1'700'000'000'123'456},
               {5'400'000'000},
               Colour::blue,
               Inner{"in", -1},
               {{"a", 1}, {"b", 2}},
               {"x", ""},
               {{"k", 1}, {"l", -1}},
               Moved{{{"m", 3}}, Time{1}},
               {"Ann", "u_ann"},
               {300},
               {"{\"a\":1}"}};
}

}  // namespace gantry::codec::sample
