// What may not change unnoticed: the shape of the facts, and the public surface. UPDATE_GOLDEN=1 rewrites the files; read the difference.
#include "kernel/testing/goldens.h"
#include "services/oops/oops.h"

namespace gantry::oops {
namespace {

TEST(Contract, FactsKeepTheirShape) { EXPECT_TRUE(testing::facts_are<Service>("services/oops/goldens/facts.txt")); }

TEST(Contract, TheSurfaceIsAsItIsDocumented) { EXPECT_TRUE(testing::surface_is<Service>(V1, "services/oops/goldens/openapi_v1.json")); }

}  // namespace
}  // namespace gantry::oops
