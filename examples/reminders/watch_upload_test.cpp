#include "examples/reminders/watch_upload.h"

#include <gtest/gtest.h>

#include "examples/reminders/reminders.h"
#include "kernel/runtime/fake.h"

namespace gantry::example {
namespace {

class WatchUpload : public ::testing::Test {
   protected:
    runtime::Fake fake{runtime::declare<reminders::Service>()};
};

TEST_F(WatchUpload, AsksOnceHoweverOftenItMustTry) {
    ASSERT_TRUE(fake.fail_next({.count = 2, .status = 503, .retry_after_s = 0}));
    EXPECT_EQ(watch_upload(fake.url(), "hello", "2.10-3"), "");
    EXPECT_EQ(watch_upload(fake.url(), "hello", "2.10-3"), "");
    auto const calls = fake.calls();
    ASSERT_EQ(calls.size(), 4u);
    EXPECT_EQ(calls[0].status, 503);
    EXPECT_EQ(calls[3].status, 201);
    EXPECT_EQ(fake.host().applied(), 1u) << "one reminder";
}

TEST_F(WatchUpload, SaysWhatWasRefused) { EXPECT_EQ(watch_upload(fake.url(), "", "1").substr(0, 12), "body_invalid"); }

}  // namespace
}  // namespace gantry::example
