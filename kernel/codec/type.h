#pragma once
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"

// The descriptor of a type: a table that one interpreter (json.cpp, binary.cpp, schema.cpp) walks, so that a service's own file
// instantiates almost nothing. `type_of<T>()` builds it on first use from RECORD and ENUM.
namespace gantry::codec {

// The numbers are written into event schemas: new kinds go to the end.
enum class Kind : std::uint8_t {
    boolean,   // bool
    integer,   // every built-in integer and Bounded<Min, Max>
    real,      // double; JSON refuses NaN and infinities
    text,      // std::string, Str, Text<Min, Max>, Id<"p_">
    sequence,  // Seq<"p_">: an unsigned number, "p_17" in JSON
    bytes,     // Bytes: base64 (RFC 4648 §4) in JSON
    time,      // Time: RFC 3339
    duration,  // Duration: "90d"
    enumeration,
    optional,  // std::optional: absent or null in JSON
    list,      // std::vector
    map,       // std::map<std::string, V>: an object in JSON, sorted by key
    record,
    variant,   // std::variant of records: {"type": "snake_case_name", …fields}
    secret,    // Secret<T>: like T in requests and replies; refused where events, rows and snapshots are described
    personal,  // Personal<T>: like T in JSON, sealed in the binary form
    ref,       // Ref<T>: a position
    raw_json,  // RawJson: any JSON value, kept as text
};

// A JSON value that is passed on as it came: valid JSON, without insignificant white space.
struct RawJson {
    std::string text = "null";
    auto operator<=>(RawJson const&) const = default;
};

struct Type;
// A type that is looked up at its first use, for a type may hold itself. Interpreters ask for each value, so the answer is kept.
class TypeRef {
   public:
    using Look = Type const& (*)();
    TypeRef() = default;
    TypeRef(Look look) : look_(look) {}
    TypeRef(TypeRef const& other) : look_(other.look_) {}
    TypeRef& operator=(TypeRef const& other) { return look_ = other.look_, found_ = nullptr, *this; }
    ~TypeRef() = default;
    Type const& operator()() const {
        auto const* found = found_.load(std::memory_order_acquire);
        return found ? *found : look();
    }

   private:
    Type const& look() const {
        Type const& found = look_();
        found_.store(&found, std::memory_order_release);
        return found;
    }
    Look look_ = nullptr;
    mutable std::atomic<Type const*> found_ = nullptr;
};

// Of a record: a bit for each field, by its index (RECORD takes at most 52). Found at the first use, and kept.
class FieldBits {
   public:
    FieldBits() = default;
    FieldBits(FieldBits const&) {}
    FieldBits& operator=(FieldBits const&) { return bits_ = unknown, *this; }
    ~FieldBits() = default;
    template <class Find>
    std::uint64_t get(Find&& find) const {
        auto bits = bits_.load(std::memory_order_acquire);
        if (bits == unknown) bits_.store(bits = find(), std::memory_order_release);
        return bits;
    }

   private:
    static constexpr std::uint64_t unknown = ~std::uint64_t(0);
    mutable std::atomic<std::uint64_t> bits_ = unknown;
};

struct Field {
    std::string_view name;
    std::size_t offset;
    TypeRef type;
    std::string json_key;  // ,"name":
};
Field make_field(std::string_view name, std::size_t offset, TypeRef type);
struct EnumValue {
    std::string_view name;
    std::int64_t value;
};
struct Alternative {
    std::string_view name;  // of the record, in snake_case: the value of "type"
    TypeRef type;
    bool ignorable = false;  // the record says `static constexpr bool ignorable = true;`: as an event, older releases may skip it
};

// Operations that need the static type. Unused ones are null. `self` always points at an object of the described type.
struct Ops {
    void (*construct)(void* at) = nullptr;  // default-construct in raw memory
    void (*destroy)(void* self) = nullptr;
    void (*assign)(void* self, void const* from) = nullptr;
    // text, bytes, raw_json. `set` copies; `borrow` may keep pointing at the bytes (Str kinds only, else it copies).
    std::string_view (*text)(void const* self) = nullptr;
    void (*set)(void* self, std::string_view) = nullptr;
    void (*borrow)(void* self, std::string_view) = nullptr;
    // integer, sequence, time, duration, ref, enumeration (as its underlying number)
    std::int64_t (*get_integer)(void const* self) = nullptr;  // bit pattern for u64
    void (*set_integer)(void* self, std::int64_t) = nullptr;
    // optional, secret, personal: the value inside. variant: the chosen alternative.
    bool (*has)(void const* self) = nullptr;
    void* (*emplace)(void* self) = nullptr;  // makes a default one and returns it
    void (*reset)(void* self) = nullptr;
    void const* (*inner)(void const* self) = nullptr;
    // list: `at` by index, `push` appends a default element and returns it
    std::size_t (*size)(void const* self) = nullptr;
    void (*clear)(void* self) = nullptr;
    void* (*push)(void* self) = nullptr;
    void const* (*at)(void const* self, std::size_t i) = nullptr;
    // map: visits in key order; `insert` makes or finds
    void* (*insert)(void* self, std::string_view key) = nullptr;
    void (*each)(void const* self, void* context, void (*visit)(void* context, std::string_view key, void const* value)) = nullptr;
    // variant
    std::size_t (*index)(void const* self) = nullptr;
    void* (*choose)(void* self, std::size_t index) = nullptr;
};

struct Type {
    Kind kind{};
    std::string_view name;  // of a record, enum or variant: its C++ name without namespaces
    std::size_t size = 0, align = 1;
    // integer: bounds and signedness. text: bounds in characters; `prefix` of Id and Seq.
    bool is_signed = true;
    std::int64_t min = 0;
    std::uint64_t max = 0;
    std::string_view prefix;
    bool is_id = false;
    TypeRef element;  // optional, list, map, secret, personal, ref
    std::span<Field const> fields = {};
    std::span<EnumValue const> values = {};
    std::span<Alternative const> alternatives = {};
    Ops ops;
    FieldBits never_absent;     // record: fields that JSON must have, or whose initialiser isn't none or empty
    bool has_defaults = false;  // record: a field absent from JSON keeps its member initialiser (below)
    bool has_secret = false;    // itself or anything inside is a Secret: no member of an event (checked by `Storable`)
};

template <class T>
Type const& type_of();

// In JSON every member must be present unless it is an optional, a list or a map (absent: none, empty) — a bool too. A record that says
//     static constexpr bool has_defaults = true;
// takes any member as absent and keeps the member's initialiser: for query parameters and configuration.
template <class T>
concept HasDefaults = requires { requires T::has_defaults; };
template <class T>
concept Ignorable = requires { requires T::ignorable; };

// "CreatedAt" → "created_at": how a variant's alternatives and the event types go by name.
std::string snake_case(std::string_view pascal);
// The unqualified name of a type, from the compiler's own spelling. A template may be `named_after` another type: Effect<SendMail> goes by
// "SendMail".
template <class T>
consteval std::string_view type_name() {
    if constexpr (requires { typename T::named_after; }) return type_name<typename T::named_after>();
    std::string_view f = __PRETTY_FUNCTION__;
    auto from = f.find("T = ") + 4, to = f.find_last_of(']');
    f = f.substr(from, to - from);
    if (auto angle = f.find('<'); angle != f.npos) f = f.substr(0, angle);
    if (auto colon = f.rfind("::"); colon != f.npos) f = f.substr(colon + 2);
    return f;
}

// What an event of this type goes by.
template <class T>
std::string_view event_name() {
    static std::string const name = snake_case(type_name<T>());
    return name;
}

namespace detail {

template <class T, template <class...> class X>
inline constexpr bool is_a = false;
template <template <class...> class X, class... A>
inline constexpr bool is_a<X<A...>, X> = true;

template <class T>
concept StrLike = std::derived_from<T, Str>;
template <class T>
concept SeqLike = requires(T t) {
    t.n;
    { T::prefix } -> std::convertible_to<std::string_view>;
} && !StrLike<T>;
template <class T>
concept BoundedLike = requires {
    T::min;
    T::max;
} && requires(T t) {
    { t.value } -> std::convertible_to<std::int64_t>;
};
template <class T>
concept Described = boost::describe::has_describe_members<T>::value;
template <class T>
concept DescribedEnum = boost::describe::has_describe_enumerators<T>::value;

template <class T>
constexpr bool secret_inside() {
    if constexpr (is_a<T, Secret>) {
        return true;
    } else if constexpr (is_a<T, std::optional> || is_a<T, std::vector>) {
        return secret_inside<typename T::value_type>();
    } else if constexpr (is_a<T, std::map>) {
        return secret_inside<typename T::mapped_type>();
    } else if constexpr (is_a<T, std::variant>) {
        return []<class... A>(std::variant<A...>*) { return (secret_inside<A>() || ...); }(static_cast<T*>(nullptr));
    } else if constexpr (Described<T> && std::is_class_v<T> && !StrLike<T>) {
        bool found = false;
        boost::mp11::mp_for_each<gantry::detail::Members<T>>([&](auto d) {
            using M = decltype(gantry::detail::member_type(d.pointer));
            if constexpr (!std::is_same_v<M, T>) found = found || secret_inside<M>();
        });
        return found;
    } else {
        return false;
    }
}

template <class T>
void base_ops(Type& t) {
    t.size = sizeof(T), t.align = alignof(T);
    t.ops.construct = [](void* at) { new (at) T(); };
    t.ops.destroy = [](void* self) { static_cast<T*>(self)->~T(); };
    t.ops.assign = [](void* self, void const* from) { *static_cast<T*>(self) = *static_cast<T const*>(from); };
}
template <class T, auto Get, auto Set>
void integer_ops(Type& t) {
    t.ops.get_integer = [](void const* self) { return std::int64_t(Get(*static_cast<T const*>(self))); };
    t.ops.set_integer = [](void* self, std::int64_t v) { Set(*static_cast<T*>(self), v); };
}
template <class T>
T& as(void* p) {
    return *static_cast<T*>(p);
}
template <class T>
T const& as(void const* p) {
    return *static_cast<T const*>(p);
}
template <class T>
std::span<Field const> fields_of() {
    static std::vector<Field> const fields = [] {
        std::vector<Field> out;
        boost::mp11::mp_for_each<gantry::detail::Members<T>>([&](auto d) {
            using M = decltype(gantry::detail::member_type(d.pointer));
            auto pointer = d.pointer;
            std::ptrdiff_t offset;
            static_assert(sizeof offset == sizeof pointer, "a pointer to a data member is its offset (Itanium ABI)");
            __builtin_memcpy(&offset, &pointer, sizeof offset);
            out.push_back(make_field(d.name, std::size_t(offset), &type_of<M>));
        });
        return out;
    }();
    return fields;
}
template <class T>
std::span<EnumValue const> values_of() {
    static std::vector<EnumValue> const values = [] {
        std::vector<EnumValue> out;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) { out.push_back({d.name, std::int64_t(d.value)}); });
        return out;
    }();
    return values;
}
template <class... A>
std::span<Alternative const> alternatives_of(std::variant<A...>*) {
    static std::vector<std::string> const names = {snake_case(type_name<A>())...};
    static std::vector<Alternative> const list = [] {
        std::vector<Alternative> out;
        std::size_t i = 0;
        (out.push_back({names[i++], &type_of<A>, Ignorable<A>}), ...);
        return out;
    }();
    return list;
}
template <class V, std::size_t I = 0>
void* choose(V& v, std::size_t index) {
    if constexpr (I < std::variant_size_v<V>) {
        if (index == I) {
            if (v.index() == I) return std::get_if<I>(&v);  // kept: decoding again into the same alternative reuses it
            return &v.template emplace<I>();
        }
        return choose<V, I + 1>(v, index);
    } else {
        return nullptr;
    }
}

template <class T>
Type make_type() {
    Type t;
    base_ops<T>(t);
    t.has_secret = secret_inside<T>();
    if constexpr (std::is_same_v<T, bool>) {
        t.kind = Kind::boolean;
        integer_ops<T, [](T const& v) { return v; }, [](T& v, std::int64_t n) { v = n != 0; }>(t);
    } else if constexpr (std::is_integral_v<T>) {
        t.kind = Kind::integer, t.is_signed = std::is_signed_v<T>;
        t.min = std::int64_t(std::numeric_limits<T>::min()), t.max = std::uint64_t(std::numeric_limits<T>::max());
        integer_ops<T, [](T const& v) { return v; }, [](T& v, std::int64_t n) { v = T(n); }>(t);
    } else if constexpr (std::is_same_v<T, double>) {
        t.kind = Kind::real;
    } else if constexpr (BoundedLike<T>) {
        t.kind = Kind::integer, t.min = T::min, t.max = std::uint64_t(T::max);
        integer_ops<T, [](T const& v) { return v.value; }, [](T& v, std::int64_t n) { v.value = n; }>(t);
    } else if constexpr (StrLike<T>) {
        t.kind = Kind::text, t.max = ~std::uint64_t(0);
        if constexpr (requires { T::max_chars; }) t.min = std::int64_t(T::min_chars), t.max = T::max_chars;
        if constexpr (requires { T::prefix; }) t.prefix = T::prefix, t.is_id = true, t.min = std::int64_t(T::prefix.size()) + 1, t.max = 64;
        t.ops.text = [](void const* self) { return as<Str>(self).view(); };
        t.ops.set = [](void* self, std::string_view s) { as<Str>(self) = Str(s); };
        t.ops.borrow = [](void* self, std::string_view s) { as<Str>(self).set_borrowed(s); };
    } else if constexpr (std::is_same_v<T, std::string>) {
        t.kind = Kind::text, t.max = ~std::uint64_t(0);
        t.ops.text = [](void const* self) { return std::string_view(as<T>(self)); };
        t.ops.set = t.ops.borrow = [](void* self, std::string_view s) { as<T>(self).assign(s); };
    } else if constexpr (SeqLike<T>) {
        t.kind = Kind::sequence, t.is_signed = false, t.prefix = T::prefix, t.max = ~std::uint64_t(0) >> 1;
        integer_ops<T, [](T const& v) { return v.n; }, [](T& v, std::int64_t n) { v.n = std::uint64_t(n); }>(t);
    } else if constexpr (std::is_same_v<T, Bytes>) {
        t.kind = Kind::bytes;
        t.ops.text = [](void const* self) { return std::string_view(as<T>(self).data); };
        t.ops.set = t.ops.borrow = [](void* self, std::string_view s) { as<T>(self).data.assign(s); };
    } else if constexpr (std::is_same_v<T, RawJson>) {
        t.kind = Kind::raw_json;
        t.ops.text = [](void const* self) { return std::string_view(as<T>(self).text); };
        t.ops.set = t.ops.borrow = [](void* self, std::string_view s) { as<T>(self).text.assign(s); };
    } else if constexpr (std::is_same_v<T, Time>) {
        t.kind = Kind::time;
        integer_ops<T, [](T const& v) { return v.us; }, [](T& v, std::int64_t n) { v.us = n; }>(t);
    } else if constexpr (std::is_same_v<T, Duration>) {
        t.kind = Kind::duration;
        integer_ops<T, [](T const& v) { return v.us; }, [](T& v, std::int64_t n) { v.us = n; }>(t);
    } else if constexpr (std::is_enum_v<T>) {
        static_assert(DescribedEnum<T>, "this enum needs ENUM(Type, values…)");
        t.kind = Kind::enumeration, t.name = type_name<T>(), t.values = values_of<T>();
        integer_ops<T, [](T const& v) { return std::int64_t(v); }, [](T& v, std::int64_t n) { v = T(n); }>(t);
    } else if constexpr (is_a<T, std::optional>) {
        t.kind = Kind::optional, t.element = &type_of<typename T::value_type>;
        t.ops.has = [](void const* self) { return as<T>(self).has_value(); };
        t.ops.emplace = [](void* self) -> void* { return &as<T>(self).emplace(); };
        t.ops.reset = [](void* self) { as<T>(self).reset(); };
        t.ops.inner = [](void const* self) -> void const* { return &*as<T>(self); };
    } else if constexpr (is_a<T, std::vector>) {
        static_assert(!std::is_same_v<typename T::value_type, bool>, "std::vector<bool> has no elements to point at");
        if constexpr (Described<typename T::value_type>)
            static_assert(boost::mp11::mp_size<gantry::detail::Members<typename T::value_type>>::value > 0,
                          "a list of empty records has no bytes to count by");
        t.kind = Kind::list, t.element = &type_of<typename T::value_type>;
        t.ops.size = [](void const* self) { return as<T>(self).size(); };
        t.ops.clear = [](void* self) { as<T>(self).clear(); };
        t.ops.push = [](void* self) -> void* { return &as<T>(self).emplace_back(); };
        t.ops.at = [](void const* self, std::size_t i) -> void const* { return &as<T>(self)[i]; };
    } else if constexpr (is_a<T, std::map>) {
        static_assert(std::is_same_v<typename T::key_type, std::string>, "a map's key is std::string");
        t.kind = Kind::map, t.element = &type_of<typename T::mapped_type>;
        t.ops.size = [](void const* self) { return as<T>(self).size(); };
        t.ops.clear = [](void* self) { as<T>(self).clear(); };
        t.ops.insert = [](void* self, std::string_view key) -> void* { return &as<T>(self)[std::string(key)]; };
        t.ops.each = [](void const* self, void* context, void (*visit)(void*, std::string_view, void const*)) {
            for (auto const& [key, value] : as<T>(self)) visit(context, key, &value);
        };
    } else if constexpr (is_a<T, std::variant>) {
        t.kind = Kind::variant, t.alternatives = alternatives_of(static_cast<T*>(nullptr));
        t.ops.index = [](void const* self) { return as<T>(self).index(); };
        t.ops.choose = [](void* self, std::size_t i) { return choose(as<T>(self), i); };
        t.ops.inner = [](void const* self) -> void const* {
            return std::visit([](auto const& v) -> void const* { return &v; }, as<T>(self));
        };
    } else if constexpr (is_a<T, Secret>) {
        t.kind = Kind::secret, t.element = &type_of<decltype(T::value)>;
        t.ops.inner = [](void const* self) -> void const* { return &as<T>(self).value; };
        t.ops.emplace = [](void* self) -> void* { return &as<T>(self).value; };
    } else if constexpr (is_a<T, Personal>) {
        t.kind = Kind::personal, t.element = &type_of<decltype(T::value)>;
        t.ops.inner = [](void const* self) -> void const* { return &as<T>(self).value; };
        t.ops.emplace = [](void* self) -> void* { return as<T>(self).erased = false, &as<T>(self).value; };
        t.ops.has = [](void const* self) { return !as<T>(self).erased; };
        t.ops.reset = [](void* self) { as<T>(self) = T{}, as<T>(self).erased = true; };
        t.ops.text = [](void const* self) { return as<T>(self).subject.view(); };  // the subject
        t.ops.set = [](void* self, std::string_view s) { as<T>(self).subject = Str(s); };
    } else if constexpr (is_a<T, Ref>) {
        t.kind = Kind::ref, t.is_signed = false, t.max = ~std::uint64_t(0);
        integer_ops<T, [](T const& v) { return v.position; }, [](T& v, std::int64_t n) { v.position = std::uint64_t(n); }>(t);
    } else {
        static_assert(Described<T>, "this struct needs RECORD(Type, members…)");
        t.kind = Kind::record, t.name = type_name<T>(), t.fields = fields_of<T>(), t.has_defaults = HasDefaults<T>;
    }
    return t;
}

}  // namespace detail

template <class T>
Type const& type_of() {
    static Type const type = detail::make_type<T>();
    return type;
}

// What may be written into a log or a snapshot: anything without a Secret inside.
template <class T>
concept Storable = !detail::secret_inside<T>();

}  // namespace gantry::codec
