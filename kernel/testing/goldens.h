#pragma once
#include "kernel/codec/golden.h"
#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"
#include "kernel/runtime/openapi.h"
#include "kernel/service.h"

// What a service promises to others, held against files beside it: a change of shape is a difference that somebody reads.
namespace gantry::testing {

// The shape of its facts, which are in logs for ever.
template <class Service>
::testing::AssertionResult facts_are(std::string const& path) {
    return expect_golden(path, codec::describe_shape(codec::type_of<typename Service::Event>()));
}
// One version of its public surface, as OpenAPI.
template <class Service>
::testing::AssertionResult surface_is(Version version, std::string const& path) {
    return expect_golden(path, codec::pretty_json(runtime::openapi(runtime::declare<Service>(), version, "1")));
}

}  // namespace gantry::testing
