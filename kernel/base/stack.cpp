#include "kernel/base/stack.h"

#include <dlfcn.h>
#include <execinfo.h>

#include <typeinfo>

namespace gantry {
namespace {

struct Thrown {
    Stack stack;
    void const* object = nullptr;
};
thread_local Thrown thrown;

void capture(Stack& to) {
    int const count = ::backtrace(to.at.data(), int(to.at.size()));
    to.size = count > 0 ? std::size_t(count) : 0;
}

}  // namespace

Stack stack_here() {
    Stack out;
    capture(out);
    return out;
}

Stack const* stack_of_throw(void const* object) { return object && thrown.object == object ? &thrown.stack : nullptr; }
Stack const* stack_of_last_throw() { return thrown.object ? &thrown.stack : nullptr; }

void warm_stacks() { (void)stack_here(); }

}  // namespace gantry

// Stands before the one of the C++ library, for what that library throws itself, too. The sanitizers have one of their own there.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
extern "C" {
[[noreturn]] __attribute__((visibility("default"))) void __cxa_throw(void* object, std::type_info* type, void (*destroy)(void*));

void __cxa_throw(void* object, std::type_info* type, void (*destroy)(void*)) {
    using Throw = void (*)(void*, std::type_info*, void (*)(void*));
    static auto const next = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
    gantry::capture(gantry::thrown.stack);
    gantry::thrown.object = object;
    next(object, type, destroy);
    __builtin_unreachable();
}
}
#endif
