#include "kernel/testing/private_values.h"

#include "kernel/testing/walk.h"

namespace gantry::testing {
namespace {

void add_texts(codec::Type const& type, void const* value, std::vector<std::string>& to) {
    walk(type, value, [&](codec::Type const& t, void const* v, std::string_view) {
        if (t.kind != codec::Kind::text && t.kind != codec::Kind::bytes) return;
        auto const text = t.ops.text(v);
        if (text.size() >= PrivateValues::chars_min) to.emplace_back(text);
    });
}

}  // namespace

void PrivateValues::learn(codec::Type const& type, void const* value) {
    walk(type, value, [&](codec::Type const& t, void const* v, std::string_view) {
        if (t.kind == codec::Kind::secret) add_texts(t.element(), t.ops.inner(v), secrets);
        if (t.kind == codec::Kind::personal && t.ops.has(v)) add_texts(t.element(), t.ops.inner(v), personal);
    });
}

}  // namespace gantry::testing
