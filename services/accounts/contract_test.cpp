// What may not change unnoticed: the shape of the facts, and the public surface. UPDATE_GOLDEN=1 rewrites the files; read the difference.
#include "services/accounts/accounts_test.h"

namespace gantry::accounts {
namespace {

TEST(Contract, FactsKeepTheirShape) { EXPECT_TRUE(testing::facts_are<Service>("services/accounts/goldens/facts.txt")); }

TEST(Contract, TheSurfaceIsAsItIsDocumented) {
    EXPECT_TRUE(testing::surface_is<Service>(V1, "services/accounts/goldens/openapi_v1.json"));
    EXPECT_TRUE(testing::surface_is<Service>(V2, "services/accounts/goldens/openapi_v2.json"));
}

}  // namespace
}  // namespace gantry::accounts
