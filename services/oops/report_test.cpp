#include "services/oops/report.h"

#include <gtest/gtest.h>

#include "kernel/testing/harness.h"

namespace gantry::oops {
namespace {

TEST(Report, AnEmptyOneRoundTripsInBothForms) {
    Report const report{.id = "OOPS-0123456789abcdef0123456789abcdef"};
    std::string bytes;
    codec::put(bytes, report);
    Report back;
    ByteReader in(bytes);
    ASSERT_TRUE(codec::get(in, back));
    EXPECT_EQ(back, report);
    auto const json = codec::to_json(report);
    auto const read = codec::from_json<Report>(json);
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(*read, report);
}

}  // namespace
}  // namespace gantry::oops
