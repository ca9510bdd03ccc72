// What may not change unnoticed: the shape of the facts, and the public surface. UPDATE_GOLDEN=1 rewrites the files; read the difference.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

TEST(Contract, FactsKeepTheirShape) { EXPECT_TRUE(testing::facts_are<Service>("services/pool/goldens/facts.txt")); }

TEST(Contract, TheSurfaceIsAsItIsDocumented) { EXPECT_TRUE(testing::surface_is<Service>(V1, "services/pool/goldens/openapi.json")); }

}  // namespace
}  // namespace gantry::pool
