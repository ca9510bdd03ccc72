#pragma once
#include "kernel/base/random.h"
#include "kernel/codec/type.h"

// Random values of any described type, for property tests.
namespace gantry::codec {

struct RandomValueOptions {
    std::size_t items_max = 4;  // of lists and maps
    // Only values that come back equal from JSON: finite reals, times of years 0 to 9999, durations from 0, personal values without a
    // subject and not erased.
    bool for_json = false;
};
// `out` must be a value of the type. Every value is valid: texts keep their bounds, ids their prefix, enums their names.
void random_value(Type const& type, void* out, Random& random, RandomValueOptions options = {});
template <class T>
T random_of(Random& random, RandomValueOptions options = {}) {
    T value{};
    random_value(type_of<T>(), &value, random, options);
    return value;
}

}  // namespace gantry::codec
