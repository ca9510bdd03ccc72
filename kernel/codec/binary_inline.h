#pragma once
#include "kernel/base/appender.h"
#include "kernel/codec/binary.h"

// The templated half of binary.h: a value is read through bare pointers, so that they stay in registers across its fields.
namespace gantry::codec {
namespace detail {

// Reads a varint of more than one byte; null when it is malformed or ends early.
char const* read_long_varint(char const* at, char const* end, std::uint64_t& v);
char const* read_by_descriptor(Type const& type, char const* at, char const* end, void* value, Sealer const* sealer);
// The wire number of an enum's value, and back.
std::uint64_t enum_index(Type const& type, std::int64_t value);

inline char const* read_varint(char const* at, char const* end, std::uint64_t& v) {
    if (at != end && !(*at & 0x80)) [[likely]]
        return v = std::uint8_t(*at), at + 1;
    return read_long_varint(at, end, v);
}
inline char const* read_string(char const* at, char const* end, std::string_view& s) {
    std::uint64_t n = 0;
    at = read_varint(at, end, n);
    if (!at || n > std::uint64_t(end - at)) [[unlikely]]
        return nullptr;
    return s = {at, std::size_t(n)}, at + n;
}
template <class T>
char const* read_integer(char const* at, char const* end, T& value) {
    std::uint64_t v = 0;
    at = read_varint(at, end, v);
    if constexpr (std::is_signed_v<T>) {
        value = T(unzigzag(v));
        if constexpr (sizeof(T) < 8)
            if (unzigzag(v) != value) return nullptr;
    } else {
        value = T(v);
        if constexpr (sizeof(T) < 8)
            if (v != value) return nullptr;
    }
    return at;
}

template <class T>
inline constexpr bool whole_number = std::is_integral_v<T> && !std::is_same_v<T, bool>;
template <class T>
inline constexpr bool plain_record = Described<T> && std::is_class_v<T> && !StrLike<T> && !SeqLike<T> && !BoundedLike<T>;

template <class T>
void write_value(Appender& out, T const& v, Sealer const* sealer);
template <class T>
char const* read_value(char const* at, char const* end, T& v, Sealer const* sealer);

// One function a record, its cursor a local whose address nobody takes: a lambda over the members would keep it in memory.
template <class T, template <class...> class List, class... Members>
void write_fields(Appender& out, T const& v, Sealer const* sealer, List<Members...>) {
    (write_value(out, v.*Members::pointer, sealer), ...);
}
template <class T, template <class...> class List, class... Members>
char const* read_fields(char const* at, char const* end, T& v, Sealer const* sealer, List<Members...>) {
    return (((at = read_value(at, end, v.*Members::pointer, sealer)) != nullptr) && ...) ? at : nullptr;
}

template <class V, std::size_t I = 0>
char const* read_alternative(std::size_t index, char const* at, char const* end, V& v, Sealer const* sealer) {
    if constexpr (I < std::variant_size_v<V>) {
        if (index != I) return read_alternative<V, I + 1>(index, at, end, v, sealer);
        if (v.index() != I) v.template emplace<I>();
        return read_value(at, end, *std::get_if<I>(&v), sealer);
    } else {
        return nullptr;
    }
}

template <class T>
void write_value(Appender& out, T const& v, Sealer const* sealer) {
    if constexpr (std::is_same_v<T, bool>) {
        out.byte(char(v));
    } else if constexpr (whole_number<T> && std::is_signed_v<T>) {
        out.signed_varint(v);
    } else if constexpr (whole_number<T>) {
        out.varint(v);
    } else if constexpr (std::is_same_v<T, double>) {
        static_assert(std::endian::native == std::endian::little);
        out.bytes({reinterpret_cast<char const*>(&v), sizeof v});
    } else if constexpr (BoundedLike<T>) {
        out.signed_varint(v.value);
    } else if constexpr (StrLike<T>) {
        out.string(v.view());
    } else if constexpr (std::is_same_v<T, std::string>) {
        out.string(v);
    } else if constexpr (std::is_same_v<T, Bytes>) {
        out.string(v.data);
    } else if constexpr (SeqLike<T>) {
        out.varint(v.n);
    } else if constexpr (std::is_same_v<T, Time> || std::is_same_v<T, Duration>) {
        out.signed_varint(v.us);
    } else if constexpr (is_a<T, Ref>) {
        out.varint(v.position);
    } else if constexpr (is_a<T, std::optional>) {
        out.byte(char(v.has_value()));
        if (v) write_value(out, *v, sealer);
    } else if constexpr (is_a<T, std::vector>) {
        out.varint(v.size());
        for (auto const& item : v) write_value(out, item, sealer);
    } else if constexpr (is_a<T, std::map>) {
        out.varint(v.size());
        for (auto const& [key, item] : v) out.string(key), write_value(out, item, sealer);
    } else if constexpr (is_a<T, std::variant>) {
        out.varint(v.index());
        std::visit([&](auto const& chosen) { write_value(out, chosen, sealer); }, v);
    } else if constexpr (plain_record<T>) {
        write_fields(out, v, sealer, gantry::detail::Members<T>{});
    } else {
        out.with_string([&](std::string& s) { encode_binary(type_of<T>(), &v, s, sealer); });
    }
}

template <class T>
char const* read_value(char const* at, char const* end, T& v, Sealer const* sealer) {
    if constexpr (std::is_same_v<T, bool>) {
        if (at == end || std::uint8_t(*at) > 1) return nullptr;
        return v = *at != 0, at + 1;
    } else if constexpr (whole_number<T>) {
        return read_integer(at, end, v);
    } else if constexpr (std::is_same_v<T, double>) {
        if (end - at < std::ptrdiff_t(sizeof v)) return nullptr;
        return std::memcpy(&v, at, sizeof v), at + sizeof v;
    } else if constexpr (BoundedLike<T>) {
        return read_integer(at, end, v.value);
    } else if constexpr (StrLike<T>) {
        std::string_view s;
        at = read_string(at, end, s);
        return v.set_borrowed(s), at;
    } else if constexpr (std::is_same_v<T, std::string>) {
        std::string_view s;
        at = read_string(at, end, s);
        return v.assign(s), at;
    } else if constexpr (std::is_same_v<T, Bytes>) {
        return read_value(at, end, v.data, sealer);
    } else if constexpr (SeqLike<T>) {
        return read_integer(at, end, v.n);
    } else if constexpr (std::is_same_v<T, Time> || std::is_same_v<T, Duration>) {
        return read_integer(at, end, v.us);
    } else if constexpr (is_a<T, Ref>) {
        return read_integer(at, end, v.position);
    } else if constexpr (is_a<T, std::optional>) {
        bool has = false;
        at = read_value(at, end, has, sealer);
        if (!at) return nullptr;
        if (!has) return v.reset(), at;
        return read_value(at, end, v.emplace(), sealer);
    } else if constexpr (is_a<T, std::vector>) {
        std::uint64_t n = 0;
        at = read_varint(at, end, n);
        if (!at || n > std::uint64_t(end - at)) return nullptr;
        v.clear();
        for (; n > 0 && at; --n) at = read_value(at, end, v.emplace_back(), sealer);
        return at;
    } else if constexpr (is_a<T, std::variant>) {
        std::uint64_t index = 0;
        at = read_varint(at, end, index);
        return at ? read_alternative(std::size_t(index), at, end, v, sealer) : nullptr;
    } else if constexpr (plain_record<T>) {
        return read_fields(at, end, v, sealer, gantry::detail::Members<T>{});
    } else {
        return read_by_descriptor(type_of<T>(), at, end, &v, sealer);
    }
}

}  // namespace detail

template <class T>
void put(std::string& out, T const& value, Sealer const* sealer) {
    Appender to(out);
    detail::write_value(to, value, sealer);
}
template <class T>
bool get(ByteReader& in, T& value, Sealer const* sealer) {
    char const* from = in.position();
    char const* at = in.ok() ? detail::read_value(from, from + in.left(), value, sealer) : nullptr;
    if (!at) [[unlikely]]
        return in.give_up(), false;
    in.bytes(std::uint64_t(at - from));
    return true;
}

}  // namespace gantry::codec
