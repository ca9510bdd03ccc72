// What may not change unnoticed: the shape of the facts, and the public surface. UPDATE_GOLDEN=1 rewrites the files; read the difference.
#include "services/tracker/tracker_test.h"

namespace gantry::tracker {
namespace {

TEST(Contract, FactsKeepTheirShape) { EXPECT_TRUE(testing::facts_are<Service>("services/tracker/goldens/facts.txt")); }

TEST(Contract, TheSurfaceIsAsItIsDocumented) { EXPECT_TRUE(testing::surface_is<Service>(V1, "services/tracker/goldens/openapi.json")); }

}  // namespace
}  // namespace gantry::tracker
