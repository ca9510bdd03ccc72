#include "kernel/testing/walk.h"

namespace gantry::testing {

using codec::Kind;

void walk(codec::Type const& type, void* value, Visit const& visit, std::string_view field) {
    auto const& ops = type.ops;
    // The descriptor's looks are const; the value itself is the caller's own.
    auto inside = [&](codec::Type const& t, void const* v) { walk(t, const_cast<void*>(v), visit, field); };
    visit(type, value, field);
    switch (type.kind) {
        case Kind::optional:
        case Kind::personal:
            if (ops.has(value)) inside(type.element(), ops.inner(value));
            return;
        case Kind::secret: return inside(type.element(), ops.inner(value));
        case Kind::variant: return inside(type.alternatives[ops.index(value)].type(), ops.inner(value));
        case Kind::list:
            for (std::size_t i = 0; i < ops.size(value); ++i) inside(type.element(), ops.at(value, i));
            return;
        case Kind::map:
            struct Context {
                decltype(inside)& each;
                codec::Type const& element;
            };
            {
                Context context{inside, type.element()};
                ops.each(value, &context, [](void* c, std::string_view, void const* item) {
                    auto& to = *static_cast<Context*>(c);
                    to.each(to.element, item);
                });
            }
            return;
        case Kind::record:
            for (auto const& f : type.fields) walk(f.type(), static_cast<char*>(value) + f.offset, visit, f.name);
            return;
        default: return;
    }
}

void walk(codec::Type const& type, void const* value, Look const& look, std::string_view field) {
    walk(type, const_cast<void*>(value), Visit([&](codec::Type const& t, void* v, std::string_view f) { look(t, v, f); }), field);
}

}  // namespace gantry::testing
