// The first release knew no note, and called a reason by that name. What it wrote is read for ever.
#include <gtest/gtest.h>

#include "examples/reminders/reminders.h"

namespace gantry::reminders {
namespace {

namespace first {
struct Made {
    ReminderId id;
    Title title;
    UserId owner;
    std::optional<Time> at;
    std::optional<Package> package;
};
RECORD(Made, id, title, owner, at, package);
struct Rang {
    ReminderId id;
    Reason reason;
};
RECORD(Rang, id, reason);
using Event = std::variant<Made, Rang>;
}  // namespace first

TEST(Upgrade, WhatTheFirstReleaseWroteIsReadToday) {
    auto const written = codec::encode_event_schema(codec::type_of<first::Event>());  // stands in each segment of its log
    auto const reader = codec::make_event_reader(written, codec::type_of<Event>(), Service::renames());
    ASSERT_TRUE(reader) << reader.error().detail;
    auto read = [&](auto const& old, std::uint32_t number) {
        std::string payload;
        codec::put(payload, old);
        Event event;
        auto const decoded = (*reader)->decode(number, payload, &event, nullptr);
        EXPECT_TRUE(decoded) << decoded.error().detail;
        return event;
    };
    auto const made = std::get<Made>(read(first::Made{ReminderId("rm_1"), "Upload", UserId("u_ann"), {}, "hello"}, 0));
    EXPECT_EQ(made.package, Package("hello"));
    EXPECT_EQ(made.note, std::nullopt) << "an added field has its default";
    auto const rang = std::get<Rang>(read(first::Rang{ReminderId("rm_1"), "it is time"}, 1));
    EXPECT_EQ(rang.because, Reason("it is time")) << "a renamed one its value";
}

}  // namespace
}  // namespace gantry::reminders
