#include <gtest/gtest.h>

#include <array>

#include "kernel/http/allocations_for_test.h"
#include "kernel/http/test_server.h"

// A keep-alive GET answered from a fixed buffer allocates nothing once the connection is warm.

namespace gantry::http {
namespace {

constexpr std::size_t warm = 100, counted = 1000;

void expect_none(std::function<void(Exchange&)> answer, std::string const& request) {
    TestServer s({}, 1);
    std::array<std::size_t, warm + counted> at{};
    std::size_t calls = 0;
    s.handler.on_handle = [&](Exchange& ex) {
        at[calls++] = allocations;
        answer(ex);
    };
    RawClient c(s.port);
    for (std::size_t i = 0; i < at.size(); ++i) ASSERT_EQ(status_of(c.exchange(request)), 200);
    std::size_t allocating = 0;
    for (std::size_t i = warm; i + 1 < at.size(); ++i) allocating += at[i + 1] != at[i];
    EXPECT_LE(allocating, counted / 100);  // the server's clock ticks a few times a second beside the requests, and allocates
    EXPECT_GT(at[warm], 0u);               // the counter counts
}

TEST(Allocations, AGetFromAFixedBufferAllocatesNothing) {
    expect_none([](Exchange& ex) { ex.response().begin(200).header("Content-Type", "application/json").body(R"({"a":1})"); },
                get("/a/b?c=d", "Accept: */*\r\nUser-Agent: test\r\nAccept-Encoding: gzip\r\n"));
}

TEST(Allocations, AnEncodedAnswerAllocatesNothing) {
    expect_none(
        [](Exchange& ex) {
            ex.response().begin(200).header("Content-Type", "application/json").body_with([](std::string& out) { out.append(500, 'x'); });
        },
        get("/"));
}

TEST(Allocations, ASmallPostAllocatesNothing) {
    expect_none([](Exchange& ex) { ex.response().begin(200).header("Content-Type", "application/json").body(ex.body()); },
                post("/", R"({"a":1})", "Content-Type: application/json\r\n"));
}

TEST(Allocations, ADeferredAnswerOnTheIoThreadAllocatesNothing) {
    expect_none(
        [](Exchange& ex) {
            auto d = ex.defer();
            d.response().begin(200).body("x");
        },
        get("/"));
}

}  // namespace
}  // namespace gantry::http
