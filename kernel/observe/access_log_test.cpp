#include "kernel/observe/access_log.h"

#include <gtest/gtest.h>

#include <thread>

#include "kernel/observe/log_format.h"

namespace gantry::observe {
namespace {

AccessRecord full_record() {
    return {.at = Time{1'700'000'000'000'007},
            .client = "192.0.2.1",
            .caller = "ann",
            .method = "GET",
            .target = "/tracker/v1/x?a=1",
            .request_id = "r_1",
            .trace_id = "4bf9",
            .service = "tracker",
            .route = "GET /x",
            .site = "main",
            .user_agent = "curl/7.88",
            .refused = "rate_limited",
            .status = 429,
            .tls = true,
            .sent_bytes = 512,
            .duration_us = 41};
}

std::string line_of(AccessRecord const& record, AccessFormat format) {
    AccessRing ring(0);
    EXPECT_TRUE(ring.add(record));
    std::string out, scratch;
    Stamps stamps;
    EXPECT_EQ(ring.read([&](AccessRecord const& r) { append_access_line(out, r, format, stamps, scratch); }), 1u);
    return out;
}

TEST(AccessLog, EachForm) {
    EXPECT_EQ(line_of(full_record(), AccessFormat::json),
              R"({"time":"2023-11-14T22:13:20.000007Z","level":"info","module":"access","message":"request","client":"192.0.2.1",)"
              R"("caller":"ann","method":"GET","target":"/tracker/v1/x?a=1","status":429,"sent_bytes":512,"duration_us":41,)"
              R"("request_id":"r_1","trace_id":"4bf9","service":"tracker","route":"GET /x","site":"main","user_agent":"curl/7.88",)"
              R"("refused":"rate_limited","tls":true})"
              "\n");
    EXPECT_EQ(line_of(full_record(), AccessFormat::logfmt),
              "2023-11-14T22:13:20.000007Z info access: GET /tracker/v1/x?a=1 429 client=192.0.2.1 caller=ann sent_bytes=512 "
              "duration_us=41 request_id=r_1 trace_id=4bf9 service=tracker route=\"GET /x\" site=main user_agent=curl/7.88 "
              "refused=rate_limited tls=true\n");
    EXPECT_EQ(line_of(full_record(), AccessFormat::combined),
              "192.0.2.1 - ann [14/Nov/2023:22:13:20 +0000] \"GET /tracker/v1/x?a=1 HTTP/1.1\" 429 512 \"-\" \"curl/7.88\"\n");
}

TEST(AccessLog, WhatIsEmptyIsLeftOut) {
    AccessRecord const bare{.at = Time{0}, .http_minor = 0};
    EXPECT_EQ(line_of(bare, AccessFormat::json),
              R"({"time":"1970-01-01T00:00:00.000000Z","level":"info","module":"access","message":"request",)"
              R"("status":0,"sent_bytes":0,"duration_us":0})"
              "\n");
    EXPECT_EQ(line_of(bare, AccessFormat::combined), "- - - [01/Jan/1970:00:00:00 +0000] \"- - HTTP/1.0\" 0 0 \"-\" \"-\"\n");
}

TEST(AccessLog, HostileBytesStayInsideTheirColumn) {
    auto record = full_record();
    record.target = "/a\"\\\n\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9";
    record.caller = "ann smith\"";
    record.user_agent = "x\"y\\z\r\nGET";
    auto const json = line_of(record, AccessFormat::json), logfmt = line_of(record, AccessFormat::logfmt),
               combined = line_of(record, AccessFormat::combined);
    EXPECT_NE(json.find("\"target\":\"/a\\\"\\\\\\n\\u001b[2J\\u007f\\u009b?\xc3\xa9\""), json.npos) << json;
    EXPECT_NE(json.find("\"user_agent\":\"x\\\"y\\\\z\\r\\nGET\""), json.npos) << json;
    EXPECT_NE(logfmt.find("access: GET /a\"\\  [2J  ?\xc3\xa9 429 client"), logfmt.npos) << logfmt;
    EXPECT_NE(logfmt.find("user_agent=\"x\\\"y\\\\z\\r\\nGET\""), logfmt.npos) << logfmt;
    EXPECT_EQ(combined,
              "192.0.2.1 - ann\\x20smith\\x22 [14/Nov/2023:22:13:20 +0000] \"GET /a\\\"\\\\\\x0a\\x1b[2J\\x7f\\xc2\\x9b\\xff\\xc3\\xa9 "
              "HTTP/1.1\" 429 512 \"-\" \"x\\\"y\\\\z\\x0d\\x0aGET\"\n");
}

// All 256 bytes at each place of a word: what is written is one line without control characters.
TEST(AccessLog, NoByteMakesALineIntoTwo) {
    for (int c = 0; c < 256; ++c)
        for (std::size_t place = 0; place < 9; ++place) {
            std::string target = "/345678901";
            target[place] = char(c);
            auto record = full_record();
            record.target = target;
            for (auto format : {AccessFormat::json, AccessFormat::logfmt, AccessFormat::combined}) {
                auto line = line_of(record, format);
                ASSERT_EQ(line.back(), '\n');
                line.pop_back();
                for (unsigned char out : line) ASSERT_TRUE(out >= ' ' && out < 0x7f) << c << " at " << place << ": " << line;
            }
        }
}

TEST(AccessLog, TextsAreCutAtTheirBoundsAndTheTargetSaysSo) {
    auto record = full_record();
    std::string const target = "/" + std::string(AccessRing::limits.target, 'x'), agent(AccessRing::limits.user_agent + 1, 'u'),
                      route(AccessRing::limits.other + 1, 'r');
    auto const to = [](std::string_view text, std::size_t n) { return std::string(text.substr(0, n)); };
    record.target = std::string_view(target).substr(0, AccessRing::limits.target);
    EXPECT_NE(line_of(record, AccessFormat::json).find("\"" + to(target, AccessRing::limits.target) + "\""), std::string::npos);
    record.target = target, record.user_agent = agent, record.route = route;
    auto const line = line_of(record, AccessFormat::json);
    EXPECT_NE(line.find("\"" + to(target, AccessRing::limits.target) + "…\""), line.npos);
    EXPECT_NE(line.find("\"" + to(agent, AccessRing::limits.user_agent) + "\""), line.npos);
    EXPECT_NE(line.find("\"" + to(route, AccessRing::limits.other) + "\""), line.npos);
}

TEST(AccessLog, ValuesThatSpeakOfSecretsAreMasked) {
    auto const masked = [](std::string_view target) {
        std::string out;
        append_masked(out, target);
        return out;
    };
    EXPECT_EQ(masked("/x?access_token=abc&n=1"), "/x?access_token=***&n=1");
    EXPECT_EQ(masked("/x?n=1;PASSWORD=a=b;m=2"), "/x?n=1;PASSWORD=***;m=2");
    EXPECT_EQ(
        masked("/x?X-Amz-Signature=1&X-Amz-Credential=2&AWSAccessKeyId=3&api-key=4&sig=5&auth=6&Authorization=7&client_secret=8"),
        "/x?X-Amz-Signature=***&X-Amz-Credential=***&AWSAccessKeyId=***&api-key=***&sig=***&auth=***&Authorization=***&client_secret=***");
    EXPECT_EQ(masked("/x?%74oke%6E=abc"), "/x?%74oke%6E=***");
    EXPECT_EQ(masked("/x?" + std::string(128, 'n') + "=abc"), "/x?" + std::string(128, 'n') + "=***");
    for (auto const* same :
         {"/token=abc", "/x?token", "/x?token=", "/x?keyword=1&signed=2&author=3&a=token", "/x?", "/x?&&=&;", "/x?%7=1&%zz=2", ""})
        EXPECT_EQ(masked(same), same);
    auto record = full_record();
    record.target = "/x?token=abc";
    for (auto format : {AccessFormat::json, AccessFormat::logfmt, AccessFormat::combined})
        EXPECT_EQ(line_of(record, format).find("abc"), std::string::npos);
}

TEST(AccessRing, AFullRingDropsAndCountsAndGoesOn) {
    AccessRing ring(16 << 10);
    auto const record = full_record();
    int kept = 0;
    while (ring.add(record)) ++kept;
    EXPECT_GT(kept, 50);
    EXPECT_EQ(ring.dropped(), 1u);
    int read = 0;
    ring.read([&](AccessRecord const& r) { read += r.target == record.target; });
    EXPECT_EQ(read, kept);
    EXPECT_TRUE(ring.add(record));
    ring.set_on(false);
    EXPECT_TRUE(ring.add(record));
    EXPECT_EQ(ring.read([](AccessRecord const&) {}), 1u);
}

// Records of every length around the end of the ring, while another thread reads.
TEST(AccessRing, RecordsComeThroughInOrderWhileTheyAreRead) {
    AccessRing ring(16 << 10);
    constexpr std::uint64_t count = 50'000;
    std::string const text(1024, 't');
    auto const wanted = [&](std::uint64_t n) { return std::string_view(text).substr(0, n * 7 % 1025); };
    std::jthread producer([&] {
        for (std::uint64_t n = 0; n < count;)
            if (ring.add({.at = {}, .method = "GET", .target = wanted(n), .sent_bytes = n}))
                ++n;
            else
                std::this_thread::yield();
    });
    std::uint64_t next = 0;
    bool whole = true;
    while (next < count)
        ring.read([&](AccessRecord const& r) {
            whole &= r.sent_bytes == next && r.target == wanted(next) && r.method == "GET";
            ++next;
        });
    EXPECT_TRUE(whole);
}

TEST(Stamps, AreRightAroundASecondAndBeforeTheEpoch) {
    Stamps stamps;
    for (auto us :
         std::initializer_list<std::int64_t>{1'700'000'000'999'999, 1'700'000'001'000'000, 0, -1, 999'999, -1'000'000, -1'000'001}) {
        auto whole = format_time(Time{us});
        auto const stamp = std::string(stamps.of(Time{us}));
        EXPECT_EQ(stamp.size(), 27u);
        EXPECT_EQ(parse_time(stamp)->us, us) << stamp << " " << whole;
    }
}

}  // namespace
}  // namespace gantry::observe
