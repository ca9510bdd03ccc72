#include "kernel/runtime/binding.h"

#include <gtest/gtest.h>

#include "kernel/runtime/service.h"

namespace gantry::runtime {
namespace {

struct Strict {
    Str in;
    Text<1, 5> name;
    std::optional<std::int32_t> age;
    std::vector<std::int32_t> sizes;
};
RECORD(Strict, in, name, age, sizes);
struct Lenient {
    static constexpr bool has_defaults = true;
    Str in;
    Text<1, 5> name = "none";
};
RECORD(Lenient, in, name);

// Binds a read at /zoo/v1/{in}. The fault as "pointer: detail", or "".
template <class Input>
std::string read(std::string_view path, std::string_view query, Input& out) {
    RouteDecl route{.version = V1, .verb = "GET", .path = "/{in}", .input = &codec::type_of<Input>()};
    auto const* in = &codec::type_of<Input>().fields[0];
    Target target{nullptr, &route, nullptr, "/zoo/v1/{in}", {"zoo", "v1", "{in}"}, false, {{2, in}}, 1};
    Match match{&target, segments_of(path), {}};
    auto bound = bind_request(match, query, "", false, codec::type_of<Input>(), &out);
    if (bound) return {};
    EXPECT_EQ(bound.error().status, 400);
    EXPECT_EQ(bound.error().code, "request_invalid");
    return bound.error().faults.at(0).pointer + ": " + bound.error().faults.at(0).detail;
}
template <class Input>
std::string fault_of(std::string_view query) {
    Input out{};
    return read("/zoo/v1/x", query, out);
}

TEST(Binding, TakesEachFieldFromItsPlace) {
    Strict out;
    EXPECT_EQ(read("/zoo/v1/a%2Fb+c", "name=x%20y+z&age=7&sizes=1,2", out), "");
    EXPECT_EQ(out.in, Str("a/b+c")) << "'+' is itself in a path";
    EXPECT_EQ(out.name, Str("x y z"));
    EXPECT_EQ(out.age, 7);
    EXPECT_EQ(out.sizes, (std::vector<std::int32_t>{1, 2}));
}

TEST(Binding, WhatHasNoDefaultMustBeGiven) {
    EXPECT_EQ(fault_of<Strict>("age=7"), "?name: this parameter must be given");
    EXPECT_EQ(fault_of<Strict>(""), "?name: this parameter must be given");
    EXPECT_EQ(fault_of<Strict>("name=x"), "") << "neither an optional nor a list";
    Lenient out;
    EXPECT_EQ(read("/zoo/v1/x", "", out), "");
    EXPECT_EQ(out.name, Str("none"));
}

TEST(Binding, AParameterIsGivenOnce) {
    EXPECT_EQ(fault_of<Strict>("name=x&name=x"), "?name: this parameter is given twice");
    EXPECT_EQ(fault_of<Strict>("name=x&sizes=1&sizes=2"), "?sizes: this parameter is given twice") << "a list takes commas";
    EXPECT_EQ(fault_of<Strict>("&name=x&&"), "") << "nothing between two '&' is nothing";
}

TEST(Binding, WhatIsWrongIsNamed) {
    EXPECT_EQ(fault_of<Strict>("nam=x"), "?nam: there is no such parameter; did you mean 'name'?");
    EXPECT_EQ(fault_of<Strict>("name=x&in=y"), "?in: there is no such parameter") << "it is the path's";
    EXPECT_TRUE(fault_of<Strict>("name=123456").starts_with("?name: expected text of 1 to 5 characters"))
        << fault_of<Strict>("name=123456");
    EXPECT_TRUE(fault_of<Strict>("name=x&age=old").starts_with("?age: ")) << fault_of<Strict>("name=x&age=old");
    EXPECT_EQ(fault_of<Strict>("name=%2"), "?name: '%' must be followed by two hexadecimal digits");
    EXPECT_EQ(fault_of<Strict>("n%g1=x"), "?: '%' must be followed by two hexadecimal digits");
    Strict out;
    EXPECT_TRUE(read("/zoo/v1/%", "name=x", out).starts_with("{in}: ")) << read("/zoo/v1/%", "name=x", out);
}

}  // namespace
}  // namespace gantry::runtime
