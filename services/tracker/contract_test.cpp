// What may not change unnoticed: the shape of the facts, and the public surface. UPDATE_GOLDEN=1 rewrites the files; read the difference.
#include "kernel/codec/golden.h"
#include "kernel/runtime/openapi.h"
#include "services/tracker/tracker_test.h"

namespace gantry::tracker {
namespace {

TEST(Contract, FactsKeepTheirShape) {
    EXPECT_TRUE(expect_golden("services/tracker/goldens/facts.txt", codec::describe_shape(codec::type_of<Event>())));
}

TEST(Contract, TheSurfaceIsAsItIsDocumented) {
    auto const text = codec::pretty_json(runtime::openapi(runtime::declare<Service>(), V1, "1"));
    EXPECT_TRUE(expect_golden("services/tracker/goldens/openapi.json", text));
}

}  // namespace
}  // namespace gantry::tracker
