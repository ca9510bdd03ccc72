#include <fmt/format.h>
#include <simdjson.h>

#include <bit>

#include "kernel/base/assert.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_check.h"
#include "kernel/codec/scalar.h"
#include "kernel/codec/utf8.h"

namespace gantry::codec {
namespace {
namespace od = simdjson::ondemand;

constexpr std::size_t faults_max = 20;
constexpr std::size_t kept_capacity_bytes = 1 << 20;  // a thread that once read something larger gives the memory back

// Where a value stands, as a chain on the stack: the text of a pointer is made only when there is a fault.
struct Path {
    Path const* up = nullptr;
    std::string_view name = {};
    std::size_t index = 0;
    bool is_index = false;
};
void append_pointer(Path const& path, std::string& out) {
    if (!path.up) return;
    append_pointer(*path.up, out);
    out += '/';
    if (path.is_index) return void(out += fmt::format("{}", path.index));
    for (char c : path.name) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
std::string_view trimmed(std::string_view s) {
    while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
    while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
    return s;
}

// Sets a value to what an absent field means; false when the field must be present.
bool set_absent(Type const& type, void* out) {
    switch (type.kind) {
        case Kind::optional: return type.ops.reset(out), true;
        case Kind::list:
        case Kind::map: return type.ops.clear(out), true;
        case Kind::secret:
        case Kind::personal: return set_absent(type.element(), type.ops.emplace(out));
        default: return false;
    }
}

// Where it says nothing, a field that is absent is as its record was made: none, or empty.
std::uint64_t find_never_absent(Type const& record) {
    AnyValue const made(record);
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < record.fields.size(); ++i) {
        Type const& type = record.fields[i].type();
        auto const* value = static_cast<char const*>(made.get()) + record.fields[i].offset;
        bool const empty = type.kind == Kind::optional                         ? !type.ops.has(value)
                           : type.kind == Kind::list || type.kind == Kind::map ? type.ops.size(value) == 0
                                                                               : false;
        if (!empty) bits |= std::uint64_t(1) << i;
    }
    return bits;
}

std::size_t field_index(Type const& record, std::string_view name, std::size_t hint) {
    std::size_t n = record.fields.size();
    if (hint < n && record.fields[hint].name == name) return hint;
    for (std::size_t i = 0; i < n; ++i)
        if (record.fields[i].name == name) return i;
    return n;
}

class Decoder {
   public:
    explicit Decoder(JsonLimits limits, std::uint64_t bound = 0) : limits_(limits), bound_(bound) {}

    void value(Type const& type, void* out, od::value v, Path const& path, std::size_t depth) {
        switch (type.kind) {
            case Kind::boolean: return boolean(type, out, v, path);
            case Kind::integer:
            case Kind::real:
            case Kind::ref: return number(type, out, v, path);
            case Kind::text:
            case Kind::sequence:
            case Kind::bytes:
            case Kind::time:
            case Kind::duration:
            case Kind::enumeration: return string(type, out, v, path);
            case Kind::optional: {
                bool null = false;
                if (v.is_null().get(null)) return broken();
                if (null) return type.ops.reset(out);
                return value(type.element(), type.ops.emplace(out), v, path, depth);
            }
            case Kind::list: return list(type, out, v, path, depth);
            case Kind::map:
            case Kind::record:
            case Kind::variant: return object(type, out, v, path, depth);
            case Kind::secret:
            case Kind::personal: {
                bool before = std::exchange(quiet_, true);
                value(type.element(), type.ops.emplace(out), v, path, depth);
                quiet_ = before;
                return;
            }
            case Kind::raw_json: return raw(type, out, v, depth);
        }
    }

    void fault(Path const& path, std::string detail) {
        std::string pointer;
        append_pointer(path, pointer);
        faults_.push_back({std::move(pointer), std::move(detail)});
        if (faults_.size() == faults_max) stop_ = true;
    }
    void broken() { broken_ = stop_ = true; }
    bool is_broken() const { return broken_; }
    bool too_deep() const { return too_deep_; }
    std::vector<Fault>& faults() { return faults_; }

   private:
    void boolean(Type const& type, void* out, od::value v, Path const& path) {
        bool b = false;
        if (v.get_bool().get(b)) return wrong(type, v, path);
        type.ops.set_integer(out, b);
    }

    void number(Type const& type, void* out, od::value v, Path const& path) {
        std::string_view token = trimmed(v.raw_json_token());
        if (token.empty() || (token[0] != '-' && (token[0] < '0' || token[0] > '9'))) return wrong(type, v, path);
        if (auto why = detail::set_from_number(type, out, token, quiet_); !why.empty()) fault(path, std::move(why));
    }

    void string(Type const& type, void* out, od::value v, Path const& path) {
        std::string_view token = v.raw_json_token();
        if (token.empty() || token[0] != '"') return wrong(type, v, path);
        std::string_view s;
        if (v.get_string().get(s)) return broken();
        if (auto why = detail::set_from_text(type, out, s, {.borrow = true, .quiet = quiet_}); !why.empty()) fault(path, std::move(why));
    }

    void list(Type const& type, void* out, od::value v, Path const& path, std::size_t depth) {
        od::array items;
        if (!starts_with(v, '[')) return wrong(type, v, path);
        if (!may_open(depth) || v.get_array().get(items)) return broken();
        type.ops.clear(out);
        Type const& element = type.element();
        std::size_t n = 0;
        for (auto item : items) {
            od::value inner;
            if (item.get(inner)) return broken();
            if (n == limits_.items_max) return too_many(path);
            Path at{&path, {}, n++, true};
            value(element, type.ops.push(out), inner, at, depth + 1);
            if (stop_) return;
        }
    }

    void object(Type const& type, void* out, od::value v, Path const& path, std::size_t depth) {
        od::object fields;
        if (!starts_with(v, '{')) return wrong(type, v, path);
        if (!may_open(depth) || v.get_object().get(fields)) return broken();
        if (type.kind == Kind::map) return map(type, out, fields, path, depth);
        if (type.kind == Kind::record) return record(type, out, fields, path, depth, false);
        variant(type, out, fields, path, depth);
    }

    void record(Type const& type, void* out, od::object& fields, Path const& path, std::size_t depth, bool in_variant) {
        std::uint64_t const bound = depth == 0 ? bound_ : 0;
        std::uint64_t seen = bound;  // RECORD takes at most 52 members
        bool type_seen = false;
        std::size_t next = 0;
        for (auto f : fields) {
            od::field field;
            std::string_view name;
            if (std::move(f).get(field) || !read_key(field, name)) return broken();
            Path at{&path, name};
            if (in_variant && name == "type") {
                if (std::exchange(type_seen, true))
                    fault(at, "field \"type\" is given twice");
                else if (!pass_string(field.value()))
                    return broken();
            } else if (std::size_t i = field_index(type, name, next); i == type.fields.size()) {
                if (limits_.lenient)
                    skip(field.value(), depth + 1);
                else
                    unknown_field(type, name, at, in_variant);
            } else if (next = i + 1; seen >> i & 1) {
                fault(at, fmt::format("field {} is given {}", detail::quoted(name), bound >> i & 1 ? "by the path already" : "twice"));
            } else {
                seen |= std::uint64_t(1) << i;
                value(type.fields[i].type(), member(out, type.fields[i]), field.value(), at, depth + 1);
            }
            if (stop_) return;
        }
        absent_fields(type, out, seen, path);
    }

    void absent_fields(Type const& type, void* out, std::uint64_t seen, Path const& path) {
        if (type.has_defaults || limits_.lenient) return;
        auto const wanted = type.never_absent.get([&] { return find_never_absent(type); });
        for (auto left = wanted & ~seen; left != 0 && !stop_; left &= left - 1) {
            Field const& f = type.fields[std::size_t(std::countr_zero(left))];
            if (set_absent(f.type(), member(out, f))) continue;
            fault(Path{&path, f.name}, fmt::format("expected {}, found nothing", detail::expectation(f.type())));
        }
    }

    void skip(od::value v, std::size_t depth) {
        RawJson passed;
        raw(type_of<RawJson>(), &passed, v, depth);
    }

    void unknown_field(Type const& type, std::string_view name, Path const& at, bool in_variant) {
        std::vector<std::string_view> known;
        if (in_variant) known.push_back("type");
        for (auto const& f : type.fields) known.push_back(f.name);
        fault(at, fmt::format("unknown field {}{}", detail::quoted(name), detail::suggestion(name, known)));
    }

    // The alternative is found first, by a look at raw keys alone: nothing that the second pass reads again is unescaped here, for
    // simdjson's string buffer has room for each string once.
    void variant(Type const& type, void* out, od::object& fields, Path const& path, std::size_t depth) {
        std::string chosen;
        bool found = false;
        for (auto f : fields) {
            od::field field;
            if (std::move(f).get(field)) return broken();
            if (!field.key().unsafe_is_equal("type")) continue;
            std::string_view token = trimmed(field.value().raw_json_token());
            if (token.size() >= 2 && token[0] == '"') chosen = token.substr(1, token.size() - 2);
            found = true;
            break;
        }
        bool rewound = false;
        if (fields.reset().get(rewound)) return broken();
        for (std::size_t i = 0; i < type.alternatives.size(); ++i)
            if (type.alternatives[i].name == chosen)
                return record(type.alternatives[i].type(), type.ops.choose(out, i), fields, path, depth, true);
        wrong_alternative(type, found, chosen, path);
    }

    void wrong_alternative(Type const& type, bool found, std::string_view chosen, Path const& path) {
        std::vector<std::string_view> known;
        std::string list;
        for (auto const& a : type.alternatives) known.push_back(a.name), list.append(list.empty() ? "" : ", ").append(a.name);
        std::string near(found ? nearest(chosen, known) : std::string_view{});
        fault(Path{&path, "type"}, fmt::format("expected one of {}, found {}{}", list, found ? detail::quoted(chosen) : "nothing",
                                               near.empty() ? near : fmt::format(", did you mean \"{}\"?", near)));
    }

    void map(Type const& type, void* out, od::object& fields, Path const& path, std::size_t depth) {
        type.ops.clear(out);
        std::size_t n = 0;
        for (auto f : fields) {
            od::field field;
            std::string_view key;
            if (std::move(f).get(field) || !read_key(field, key)) return broken();
            if (n++ == limits_.items_max) return too_many(path);
            Path at{&path, key};
            Utf8Scan scan = scan_utf8(key);
            if (!scan.valid()) return broken();
            if (scan.has_nul) {
                fault(path, "a key has a NUL character inside");
            } else {
                std::size_t before = type.ops.size(out);
                void* slot = type.ops.insert(out, key);
                if (type.ops.size(out) == before)
                    fault(at, fmt::format("key {} is given twice", detail::quoted(key)));
                else
                    value(type.element(), slot, field.value(), at, depth + 1);
            }
            if (stop_) return;
        }
    }

    void raw(Type const& type, void* out, od::value v, std::size_t depth) {
        std::string_view text = trimmed(v.raw_json_token());
        if (text.starts_with('{')) {
            od::object o;
            if (v.get_object().get(o) || o.raw_json().get(text)) return broken();
        } else if (text.starts_with('[')) {
            od::array a;
            if (v.get_array().get(a) || a.raw_json().get(text)) return broken();
        } else if (text.starts_with('"') && !pass_string(v)) {
            return broken();
        }
        bool compact = false;
        if (auto error = check_json(text, limits_.depth_max - std::min(depth, limits_.depth_max), &compact))
            return too_deep_ |= error->too_deep, broken();
        compact ? type.ops.set(out, text) : type.ops.set(out, minify_json(text));
    }

    // A name without escapes is used where it stands; one with escapes goes through simdjson's string buffer.
    static bool read_key(od::field& field, std::string_view& name) {
        char const* from = field.key().raw();
        char const* at = from;
        while (*at != '"' && *at != '\\') ++at;
        if (*at == '"') return name = {from, std::size_t(at - from)}, true;
        return !field.unescaped_key().get(name) && scan_utf8(name).valid();
    }

    // simdjson takes a string that nobody read for a key, and skips a ':' behind it.
    static bool pass_string(od::value v) {
        od::raw_json_string passed;
        return !v.get_raw_json_string().get(passed);
    }

    static bool starts_with(od::value v, char c) {
        std::string_view token = v.raw_json_token();
        return !token.empty() && token[0] == c;
    }
    static void* member(void* record, Field const& f) { return static_cast<char*>(record) + f.offset; }

    bool may_open(std::size_t depth) {
        if (depth < limits_.depth_max) return true;
        return too_deep_ = true, false;
    }
    void too_many(Path const& path) {
        fault(path, fmt::format("expected at most {} items", limits_.items_max));
        stop_ = true;
    }
    void wrong(Type const& type, od::value v, Path const& path) {
        std::string_view token = trimmed(v.raw_json_token());
        char c = token.empty() ? ' ' : token[0];
        if (c == '{') return fault(path, detail::mismatch(type, "an object", false));
        if (c == '[') return fault(path, detail::mismatch(type, "a list", false));
        std::string shown(token.substr(0, 42));
        if (c == '"') {
            auto closing = token.size() > 42 ? std::string("…\"") : std::string();
            while (!closing.empty() && !scan_utf8(shown).valid()) shown.pop_back();
            shown += closing;
        }
        fault(path, detail::mismatch(type, shown, quiet_));
    }

    JsonLimits limits_;
    std::uint64_t bound_;
    std::vector<Fault> faults_;
    bool quiet_ = false, stop_ = false, broken_ = false, too_deep_ = false;
};

struct ThreadState {
    std::unique_ptr<od::parser> parser;
    std::string buffer;
};
ThreadState& thread_state(std::size_t size) {
    static thread_local ThreadState state;
    if (!state.parser || (state.parser->capacity() > kept_capacity_bytes && size < kept_capacity_bytes)) {
        state.parser = std::make_unique<od::parser>();
        state.buffer = {};
    }
    if (state.parser->capacity() < size) {
        auto error = state.parser->allocate(std::max<std::size_t>(4096, std::bit_ceil(size)));
        GANTRY_ASSERT(!error, "no memory to read JSON");
    }
    return state;
}

// simdjson reads the first byte behind the document when brackets don't match up: that byte must not look like JSON.
bool padding_is_harmless(std::string_view json) {
    char next = json.data()[json.size()];
    return next != ']' && next != '}' && next != ',' && next != ':' && next != '"';
}

std::unexpected<Problem> not_json(std::string_view json, JsonLimits limits) {
    auto error = check_json(json, limits.depth_max);
    if (!error) error = JsonSyntaxError{0, "it can't be read"};
    if (error->too_deep) {
        std::string why = fmt::format("too deep at byte {}: {}", error->offset, error->what);
        return fail(Problem{400, "body_too_deep", why, {{"", why}}});
    }
    std::string why = fmt::format("{} at byte {}: {}", error->not_utf8 ? "not UTF-8" : "not JSON", error->offset, error->what);
    return fail(Problem{400, "body_not_json", why, {{"", why}}});
}

Result<void> verdict(Decoder& decoder, std::string_view json, JsonLimits limits) {
    if (!decoder.is_broken() && !decoder.too_deep() && decoder.faults().empty()) return {};
    // Faults are told of JSON only: a wrong field in front of a syntax error may be its consequence.
    if (decoder.is_broken() || check_json(json, limits.depth_max)) return not_json(json, limits);
    auto& faults = decoder.faults();
    std::string detail = fmt::format("{}: {}", faults[0].pointer.empty() ? "the body" : faults[0].pointer, faults[0].detail);
    if (faults.size() > 1) detail += fmt::format(" (and {} more)", faults.size() - 1);
    return fail(Problem{400, "body_invalid", std::move(detail), std::move(faults)});
}

// A lone scalar is read as the only item of a list: simdjson treats scalar documents as a case of their own.
void decode_wrapped(Decoder& decoder, ThreadState& state, Type const& type, void* out, std::string_view wrapped) {
    od::document document;
    od::array items;
    if (state.parser->iterate(wrapped.data(), wrapped.size(), wrapped.size() + simdjson::SIMDJSON_PADDING).get(document))
        return decoder.broken();
    if (document.get_array().get(items)) return decoder.broken();
    std::size_t n = 0;
    for (auto item : items) {
        od::value v;
        if (item.get(v) || n++ > 0) return decoder.broken();
        decoder.value(type, out, v, Path{}, 0);
        if (decoder.is_broken()) return;
    }
    if (n != 1 || document.current_location().error() != simdjson::OUT_OF_BOUNDS) decoder.broken();  // "4]" closes the list itself
}

void decode_container(Decoder& decoder, ThreadState& state, Type const& type, void* out, std::string_view padded) {
    od::document document;
    od::value root;
    if (state.parser->iterate(padded.data(), padded.size(), padded.size() + simdjson::SIMDJSON_PADDING).get(document))
        return decoder.broken();
    if (document.get_value().get(root)) return decoder.broken();
    decoder.value(type, out, root, Path{}, 0);
    if (!decoder.is_broken() && decoder.faults().empty() && document.current_location().error() != simdjson::OUT_OF_BOUNDS)
        decoder.broken();
}

}  // namespace

Result<void> decode_json(Type const& type, void* out, std::string_view json, bool padded, JsonLimits limits, std::uint64_t bound) {
    std::string_view text = trimmed(json);
    if (text.empty()) return not_json(json, limits);
    Decoder decoder(limits, bound);
    ThreadState& state = thread_state(text.size() + 2);
    bool container = text[0] == '{' || text[0] == '[';
    if (!container || !padded || !padding_is_harmless(text)) {
        state.buffer.clear();
        state.buffer.reserve(text.size() + 2 + simdjson::SIMDJSON_PADDING);
        if (!container) state.buffer += '[';
        state.buffer += text;
        if (!container) state.buffer += ']';
        state.buffer.append(simdjson::SIMDJSON_PADDING, '\0');
        text = {state.buffer.data(), state.buffer.size() - simdjson::SIMDJSON_PADDING};
    }
    if (container)
        decode_container(decoder, state, type, out, text);
    else
        decode_wrapped(decoder, state, type, out, text);
    return verdict(decoder, json, limits);
}

}  // namespace gantry::codec
