#include "kernel/observe/symbols.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "kernel/base/stack.h"

namespace gantry::observe {
namespace {

bool names(std::vector<StackFrame> const& frames, std::string_view function) {
    return std::ranges::any_of(frames, [&](StackFrame const& f) { return f.function.find(function) != std::string::npos; });
}

TEST(Symbols, AStackIsToldByTheNamesOfItsFunctions) {
    auto const frames = symbolise(stack_here().frames());
    ASSERT_FALSE(frames.empty());
    EXPECT_TRUE(names(frames, "AStackIsToldByTheNamesOfItsFunctions"));
    EXPECT_TRUE(names(frames, "main"));
    auto const own = std::ranges::find_if(frames, [](StackFrame const& f) { return f.function.find("TestBody") != std::string::npos; });
    ASSERT_NE(own, frames.end());
    EXPECT_EQ(own->object, "kernel_observe_test");
    EXPECT_EQ(own->build_id, own_build_id());
    EXPECT_FALSE(own_build_id().empty());
}

TEST(Symbols, AddressesAreToldWithTheMapsOfAProcessThatHasGone) {
    std::ostringstream maps;
    maps << std::ifstream("/proc/self/maps").rdbuf();
    EXPECT_TRUE(names(symbolise(stack_here().frames(), maps.str()), "AddressesAreToldWithTheMaps"));
    EXPECT_FALSE(names(symbolise(stack_here().frames(), "garbage\n"), "AddressesAreToldWithTheMaps"));
}

TEST(Symbols, AnAddressOfNothingIsAFrameWithoutAName) {
    std::vector<void*> const nowhere{reinterpret_cast<void*>(8), nullptr};
    auto const frames = symbolise(nowhere);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].function, "");
    EXPECT_EQ(frames[0].address, 8u);
}

TEST(Symbols, ANameIsMadeReadable) {
    EXPECT_EQ(readable_name("_ZN6gantry5notes6createEv"), "gantry::notes::create()");
    EXPECT_EQ(readable_name("main"), "main");
    EXPECT_EQ(readable_name("St13runtime_error"), "std::runtime_error");
}

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
__attribute__((noinline)) void breaks(int n) {
    if (n > 0) throw std::runtime_error("broken");
}

TEST(Stacks, OfAnExceptionLeadToWhereItWasThrown) {
    try {
        breaks(1);
    } catch (std::exception const& e) {
        auto const* stack = stack_of_throw(dynamic_cast<void const*>(&e));
        ASSERT_NE(stack, nullptr);
        EXPECT_TRUE(names(symbolise(stack->frames()), "breaks"));
        EXPECT_EQ(stack_of_throw(&stack), nullptr) << "of another object";
    }
}

TEST(Stacks, OfWhatTheLibraryThrowsLeadToWhoAskedIt) {
    std::vector<int> const none;
    try {
        (void)none.at(7);
    } catch (std::out_of_range const& e) {
        auto const* stack = stack_of_throw(dynamic_cast<void const*>(&e));
        ASSERT_NE(stack, nullptr);
        EXPECT_TRUE(names(symbolise(stack->frames()), "OfWhatTheLibraryThrows"));
    }
}
#endif

}  // namespace
}  // namespace gantry::observe
