#include "kernel/runtime/masking.h"

#include <algorithm>
#include <array>

#include "kernel/codec/json.h"

namespace gantry::runtime {
namespace {

void mask_into(codec::Type const& type, void* value, std::string const& pointer, Masked& out);

// Of protocols that aren't ours, whose inputs are plain texts.
bool names_a_secret(std::string_view name) {
    constexpr std::array<std::string_view, 6> parts = {"password", "secret", "token", "credential", "authorization", "cookie"};
    return name == "key" || std::ranges::any_of(parts, [&](std::string_view part) { return name.find(part) != name.npos; });
}

// A text, an optional one or a list of them; of anything else what is inside.
void hide(codec::Type const& type, void* value, std::string const& pointer, Masked& out) {
    if (type.kind == codec::Kind::optional && type.ops.has(value))
        return hide(type.element(), const_cast<void*>(type.ops.inner(value)), pointer, out);
    if (type.kind == codec::Kind::list) {
        for (std::size_t i = 0; i < type.ops.size(value); ++i)
            hide(type.element(), const_cast<void*>(type.ops.at(value, i)), pointer + '/' + std::to_string(i), out);
        return;
    }
    if (type.kind != codec::Kind::text) return mask_into(type, value, pointer, out);
    auto text = codec::encode_scalar(type, value);
    if (text.empty()) return;
    out.texts.push_back(std::move(text)), out.pointers.push_back(pointer);
    type.ops.destroy(value), type.ops.construct(value);
}

void mask_into(codec::Type const& type, void* value, std::string const& pointer, Masked& out) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case codec::Kind::secret:
        case codec::Kind::personal:
            out.texts.push_back(codec::encode_scalar(type.element(), ops.inner(value)));
            ops.destroy(value), ops.construct(value);
            return out.pointers.push_back(pointer);
        case codec::Kind::optional:
            if (ops.has(value)) mask_into(type.element(), const_cast<void*>(ops.inner(value)), pointer, out);
            return;
        case codec::Kind::list:
            for (std::size_t i = 0; i < ops.size(value); ++i)
                mask_into(type.element(), const_cast<void*>(ops.at(value, i)), pointer + '/' + std::to_string(i), out);
            return;
        case codec::Kind::map: {
            struct Context {
                codec::Type const& element;
                std::string const& pointer;
                Masked& out;
            } context{type.element(), pointer, out};
            return ops.each(value, &context, [](void* p, std::string_view key, void const* item) {
                auto& c = *static_cast<Context*>(p);
                mask_into(c.element, const_cast<void*>(item), c.pointer + '/' + std::string(key), c.out);
            });
        }
        case codec::Kind::record:
            for (auto const& field : type.fields) {
                auto* const inner = static_cast<char*>(value) + field.offset;
                auto const place = pointer + '/' + std::string(field.name);
                names_a_secret(field.name) ? hide(field.type(), inner, place, out) : mask_into(field.type(), inner, place, out);
            }
            return;
        case codec::Kind::variant:
            return mask_into(type.alternatives[ops.index(value)].type(), const_cast<void*>(ops.inner(value)), pointer, out);
        default: return;
    }
}

}  // namespace

Masked mask(codec::Type const& type, void* value) {
    Masked out;
    mask_into(type, value, "", out);
    return out;
}

void remove_texts(std::string& from, std::vector<std::string> const& texts) {
    constexpr std::string_view instead = "[masked]";
    for (auto const& text : texts)
        for (auto at = from.find(text); text.size() >= 3 && at != from.npos; at = from.find(text, at + instead.size()))
            from.replace(at, text.size(), instead);
}

}  // namespace gantry::runtime
