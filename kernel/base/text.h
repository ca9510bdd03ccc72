#pragma once
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace gantry {

// Immutable text of 16 bytes. It owns its bytes, or borrows them from a buffer that outlives it (only decoding borrows, from the
// log's or the request's buffer). **A copy always owns**, so what a fold copies into its rows can't dangle.
class Str {
   public:
    constexpr Str() = default;
    Str(std::string_view s) { own(s); }
    Str(char const* s) : Str(std::string_view(s)) {}
    Str(std::string const& s) : Str(std::string_view(s)) {}
    Str(Str const& o) { own(o.view()); }
    Str(Str&& o) noexcept : data_(o.data_), size_(o.size_), owned_(o.owned_) { o.forget(); }
    Str& operator=(Str const& o) {
        if (this != &o) drop(), own(o.view());
        return *this;
    }
    Str& operator=(Str&& o) noexcept {
        if (this != &o) drop(), data_ = o.data_, size_ = o.size_, owned_ = o.owned_, o.forget();
        return *this;
    }
    ~Str() { drop(); }
    static Str borrow(std::string_view s) {
        Str b;
        b.data_ = s.data(), b.size_ = std::uint32_t(s.size());
        return b;
    }
    void set_borrowed(std::string_view s) { drop(), data_ = s.data(), size_ = std::uint32_t(s.size()), owned_ = 0; }
    std::string_view view() const { return {data_, size_}; }
    operator std::string_view() const { return view(); }
    std::string str() const { return std::string(view()); }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    friend bool operator==(Str const& a, Str const& b) { return a.view() == b.view(); }
    friend auto operator<=>(Str const& a, Str const& b) { return a.view() <=> b.view(); }

   private:
    void own(std::string_view s) {
        size_ = std::uint32_t(s.size());
        if (s.empty()) return void(data_ = nullptr);
        char* p = new char[s.size()];
        std::memcpy(p, s.data(), s.size());
        data_ = p, owned_ = 1;
    }
    void drop() {
        if (owned_) delete[] data_;
    }
    void forget() { data_ = nullptr, size_ = 0, owned_ = 0; }
    char const* data_ = nullptr;
    std::uint32_t size_ = 0;
    std::uint32_t owned_ = 0;
};

// Text of Min to Max Unicode characters, without NUL. Checked where it enters (JSON, query, path), trusted inside.
template <std::size_t Min, std::size_t Max>
struct Text : Str {
    using Str::Str;
    Text() = default;
    Text(Str s) : Str(std::move(s)) {}
    static constexpr std::size_t min_chars = Min, max_chars = Max;
};

template <std::size_t N>
struct FixedString {
    char text[N]{};
    constexpr FixedString(char const (&s)[N]) {
        for (std::size_t i = 0; i < N; ++i) text[i] = s[i];
    }
    constexpr std::string_view view() const { return {text, N - 1}; }
};

// An identifier that starts with its prefix, of 1 to 64 characters [A-Za-z0-9_.:-] in all.
template <FixedString Prefix>
struct Id : Str {
    using Str::Str;
    Id() = default;
    Id(Str s) : Str(std::move(s)) {}
    static constexpr std::string_view prefix = Prefix.view();
};
using UserId = Id<"u_">;

// A dense number that a service gives out itself (1, 2, 3 …); on the wire prefix + decimal: "r_17".
template <FixedString Prefix>
struct Seq {
    std::uint64_t n = 0;
    static constexpr std::string_view prefix = Prefix.view();
    constexpr auto operator<=>(Seq const&) const = default;
    constexpr explicit operator bool() const { return n != 0; }
};

// Raw bytes; base64 in JSON.
struct Bytes {
    std::string data;
    auto operator<=>(Bytes const&) const = default;
};

// An integer with bounds that the edge checks.
template <std::int64_t Min, std::int64_t Max>
struct Bounded {
    std::int64_t value = Min > 0 ? Min : 0;
    constexpr Bounded() = default;
    constexpr Bounded(std::int64_t v) : value(v) {}
    constexpr operator std::int64_t() const { return value; }
    static constexpr std::int64_t min = Min, max = Max;
};

// A value that may pass through a request or a reply but never be stored: it is no member of an event, a row or a snapshot (that
// does not compile), and prints as "[secret]".
template <class T>
struct Secret {
    T value{};
    bool operator==(Secret const&) const = default;
};

// A value about a person. In a request it is plain; in an event it is stored sealed under its subject's key, so that erasing the
// key erases the value everywhere (docs/log-format.md, "Sealed values"). `subject` names whose it is.
template <class T>
struct Personal {
    T value{};
    Str subject{};
    bool erased = false;
    bool operator==(Personal const&) const = default;
};

// Names one field of one event in the service's own log; the runtime fetches it after the read lock is released.
template <class T>
struct Ref {
    std::uint64_t position = 0;  // 0: none
    bool operator==(Ref const&) const = default;
    explicit operator bool() const { return position != 0; }
};

}  // namespace gantry
