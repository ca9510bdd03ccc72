#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>

// Counts a thread's allocations: those of operator new, and of aligned_alloc, which Asio uses for its handlers. For the one source file of
// a test program, for it replaces both.
static constinit thread_local std::size_t allocations = 0;

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
// A sanitizer's allocator can't be replaced, and tells of each allocation.
#include <sanitizer/allocator_interface.h>
[[maybe_unused]] static int const allocations_are_told =
    __sanitizer_install_malloc_and_free_hooks([](void const volatile*, std::size_t) { ++allocations; }, [](void const volatile*) {});
#else
void* operator new(std::size_t n) {
    ++allocations;
    if (void* p = std::malloc(n ? n : 1)) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t n, std::nothrow_t const&) noexcept { return ++allocations, std::malloc(n ? n : 1); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
extern "C" void* __libc_memalign(std::size_t, std::size_t);
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t n) {
    ++allocations;
    return __libc_memalign(alignment, n);
}
#endif
