#include "app/import/zone.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace gantry::import {
namespace {

bool has_tzdata() { return std::filesystem::exists("/usr/share/zoneinfo/Europe/Berlin"); }

std::string resolved(Zone& zone, std::string_view local, Time& previous) {
    auto time = parse_local_time(local);
    EXPECT_TRUE(time) << local;
    previous = zone.resolve(*time, previous);
    return format_time(previous);
}

TEST(Zone, UtcNeedsNoDatabase) {
    auto zone = Zone::open("UTC");
    ASSERT_TRUE(zone);
    Time previous;
    EXPECT_EQ(resolved(*zone, "2026-07-01 12:00:00", previous), "2026-07-01T12:00:00Z");
}

TEST(Zone, SummerAndWinter) {
    if (!has_tzdata()) GTEST_SKIP() << "no tzdata";
    auto zone = Zone::open("Europe/Berlin");
    ASSERT_TRUE(zone);
    Time previous;
    EXPECT_EQ(resolved(*zone, "2026-01-01 12:00:00", previous), "2026-01-01T11:00:00Z");
    EXPECT_EQ(resolved(*zone, "2026-07-01 12:00:00", previous), "2026-07-01T10:00:00Z");
}

TEST(Zone, TheHourThatComesTwiceStaysInOrder) {
    if (!has_tzdata()) GTEST_SKIP() << "no tzdata";
    auto zone = Zone::open("Europe/Berlin");
    ASSERT_TRUE(zone);
    Time previous;
    EXPECT_EQ(resolved(*zone, "2026-10-25 01:59:59", previous), "2026-10-24T23:59:59Z");
    EXPECT_EQ(resolved(*zone, "2026-10-25 02:30:00", previous), "2026-10-25T00:30:00Z");
    EXPECT_EQ(resolved(*zone, "2026-10-25 02:59:59", previous), "2026-10-25T00:59:59Z");
    EXPECT_EQ(resolved(*zone, "2026-10-25 02:00:00", previous), "2026-10-25T01:00:00Z");
    EXPECT_EQ(resolved(*zone, "2026-10-25 02:30:00", previous), "2026-10-25T01:30:00Z");
    EXPECT_EQ(resolved(*zone, "2026-10-25 03:00:00", previous), "2026-10-25T02:00:00Z");
}

TEST(Zone, TheHourThatNeverComesIsReadWithTheOffsetBefore) {
    if (!has_tzdata()) GTEST_SKIP() << "no tzdata";
    auto zone = Zone::open("Europe/Berlin");
    ASSERT_TRUE(zone);
    Time previous;
    EXPECT_EQ(resolved(*zone, "2026-03-29 01:59:59", previous), "2026-03-29T00:59:59Z");
    EXPECT_EQ(resolved(*zone, "2026-03-29 02:30:00", previous), "2026-03-29T01:30:00Z");
    EXPECT_EQ(resolved(*zone, "2026-03-29 03:00:00", previous), "2026-03-29T01:00:00Z");
}

TEST(Zone, AClockSetBackIsBelieved) {
    auto zone = Zone::open("UTC");
    ASSERT_TRUE(zone);
    Time previous;
    resolved(*zone, "2026-07-01 12:00:00", previous);
    EXPECT_EQ(resolved(*zone, "2026-07-01 11:00:00", previous), "2026-07-01T11:00:00Z");
}

TEST(Zone, AnUnknownNameIsRefused) {
    for (auto name : {"Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe"}) {
        auto zone = Zone::open(name);
        ASSERT_FALSE(zone) << name;
        EXPECT_EQ(zone.error().code, "zone_unknown");
    }
}

TEST(Zone, TheProcessGetsItsZoneBack) {
    ::setenv("TZ", "UTC0", 1);
    if (has_tzdata()) EXPECT_TRUE(Zone::open("Europe/Berlin"));
    EXPECT_STREQ(std::getenv("TZ"), "UTC0");
    ::unsetenv("TZ");
    EXPECT_TRUE(Zone::open("UTC"));
    EXPECT_EQ(std::getenv("TZ"), nullptr);
}

TEST(LocalTimes, OnlyDatesOfTheCalendar) {
    for (auto good : {"2024-02-29 23:59:59", "2026-12-31 00:00:60 and more"}) EXPECT_TRUE(parse_local_time(good)) << good;
    for (auto bad : {"2023-02-29 00:00:00", "2026-13-01 00:00:00", "2026-00-01 00:00:00", "2026-01-32 00:00:00", "2026-01-01 00:60:00",
                     "2026-01-01 00:00:61", "2026-01-01 00:00:0", "2026-1-01 000:00:00", "+026-01-01 00:00:00"})
        EXPECT_FALSE(parse_local_time(bad)) << bad;
}

}  // namespace
}  // namespace gantry::import
