#pragma once
#include <boost/describe.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <cstddef>

// RECORD(Type, member, …) describes a plain struct once, right after it: its JSON, its binary form, its schema and its OpenAPI
// follow from that. A forgotten member does not compile. At most 52 members; no bit-fields, no references, no base classes.
#define RECORD(Type, ...)                                                                          \
    BOOST_DESCRIBE_STRUCT(Type, (), (__VA_ARGS__))                                                 \
    static_assert(::gantry::detail::described_members<Type>() == ::boost::pfr::tuple_size_v<Type>, \
                  "RECORD(" #Type ", …) must name every member of " #Type ", in order")

// EMPTY_RECORD(Type): a struct without members (a request that takes nothing).
#define EMPTY_RECORD(Type) BOOST_DESCRIBE_STRUCT(Type, (), ())

// ENUM(Type, value, …) describes an enum: on the wire its values go by name ('_' stays: in_flight).
#define ENUM(Type, ...) BOOST_DESCRIBE_ENUM(Type, __VA_ARGS__)

// STATE(Type, table, …) describes a service's folded state: what is digested, snapshotted and counted. Every member must be named.
#define STATE(Type, ...)                                                    \
    BOOST_DESCRIBE_STRUCT(Type, (), (__VA_ARGS__))                          \
    static_assert(::gantry::detail::described_size<Type>() == sizeof(Type), \
                  "STATE(" #Type ", …) must name every member of " #Type ", in order")

namespace gantry::detail {
template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public>;

template <class T>
consteval std::size_t described_members() {
    return boost::mp11::mp_size<Members<T>>::value;
}
template <class T, class M>
M member_type(M T::*);
// The size that a struct of the described members, in that order, has: another size means that one was left out.
template <class T>
consteval std::size_t described_size() {
    std::size_t size = 0;
    boost::mp11::mp_for_each<Members<T>>([&](auto d) {
        using M = decltype(member_type(d.pointer));
        size = (size + alignof(M) - 1) / alignof(M) * alignof(M) + sizeof(M);
    });
    return (size + alignof(T) - 1) / alignof(T) * alignof(T);
}
}  // namespace gantry::detail
