#include "kernel/codec/random_value.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace gantry::codec {
namespace {

constexpr std::string_view id_characters = "abcXYZ019_.:-";

std::string random_text(std::uint64_t min, std::uint64_t max, Random& random) {
    constexpr std::string_view pieces[] = {"a",    "Z", "0", " ",    "\"", "\\", "\n", "\t",
                                           "\x01", "/", "~", "\x7f", "é",  "€",  "😀", "plainword"};
    std::uint64_t most = std::min(max, min + (random.chance(0.1) ? 80 : 9));
    std::uint64_t chars = min + random.below(most - min + 1);
    std::string out;
    while (chars > 0) {
        auto piece = pieces[random.below(std::size(pieces))];
        if (piece.size() > 4) {
            if (chars < piece.size()) continue;
            chars -= piece.size();
        } else {
            --chars;
        }
        out += piece;
    }
    return out;
}

std::string random_id(Type const& type, Random& random) {
    std::string out(type.prefix);
    for (auto n = 1 + random.below(std::min<std::uint64_t>(20, type.max - out.size())); n > 0; --n)
        out += id_characters[random.below(id_characters.size())];
    return out;
}

// Small numbers, edges and anything between, in the type's bounds.
std::int64_t random_integer(Type const& type, Random& random) {
    std::uint64_t span = type.max - std::uint64_t(type.min);  // wraps to 2^64 - 1 for a full range
    switch (random.below(4)) {
        case 0: return type.min;
        case 1: return std::int64_t(type.max);
        case 2: return std::int64_t(std::uint64_t(type.min) + std::min<std::uint64_t>(span, random.below(300)));
        default: return std::int64_t(std::uint64_t(type.min) + (span == ~std::uint64_t(0) ? random.next() : random.below(span + 1)));
    }
}

double random_real(Random& random, bool finite) {
    for (;;) {
        double d = random.chance(0.5) ? double(std::int64_t(random.next())) / 1024 : std::bit_cast<double>(random.next());
        if (!finite || std::isfinite(d)) return d;
    }
}

std::int64_t random_time(Random& random, bool for_json) {
    if (!for_json) return std::int64_t(random.next());
    constexpr std::int64_t first = -62'167'219'200, last = 253'402'300'799;  // 0000-01-01 to 9999-12-31
    std::int64_t us = (first + std::int64_t(random.below(std::uint64_t(last - first)))) * 1'000'000;
    std::uint64_t form = random.below(3);
    return us + std::int64_t(form == 0 ? 0 : form == 1 ? random.below(1000) * 1000 : random.below(1'000'000));
}

std::string random_bytes(Random& random) {
    std::string out(random.below(20), '\0');
    for (char& c : out) c = char(random.next());
    return out;
}

void random_personal(Type const& type, void* out, Random& random, RandomValueOptions options) {
    if (!options.for_json && random.chance(0.2))
        type.ops.reset(out);
    else
        random_value(type.element(), type.ops.emplace(out), random, options);
    type.ops.set(out, options.for_json ? std::string() : "u_" + random_text(1, 5, random));
}

}  // namespace

void random_value(Type const& type, void* out, Random& random, RandomValueOptions options) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case Kind::boolean: return ops.set_integer(out, random.chance(0.5));
        case Kind::integer:
        case Kind::sequence: return ops.set_integer(out, random_integer(type, random));
        case Kind::ref: return ops.set_integer(out, std::int64_t(random.next()));
        case Kind::real: *static_cast<double*>(out) = random_real(random, options.for_json); return;
        case Kind::text: return ops.set(out, type.is_id ? random_id(type, random) : random_text(std::uint64_t(type.min), type.max, random));
        case Kind::bytes: return ops.set(out, random_bytes(random));
        case Kind::time: return ops.set_integer(out, random_time(random, options.for_json));
        case Kind::duration: return ops.set_integer(out, std::int64_t(random.next() >> (options.for_json ? 1 + random.below(60) : 0)));
        case Kind::enumeration: return ops.set_integer(out, type.values[random.below(type.values.size())].value);
        case Kind::optional:
            if (random.chance(0.4)) return ops.reset(out);
            return random_value(type.element(), ops.emplace(out), random, options);
        case Kind::list:
            ops.clear(out);
            for (auto n = random.below(options.items_max + 1); n > 0; --n) random_value(type.element(), ops.push(out), random, options);
            return;
        case Kind::map:
            ops.clear(out);
            for (auto n = random.below(options.items_max + 1); n > 0; --n)
                random_value(type.element(), ops.insert(out, random_text(0, 6, random)), random, options);
            return;
        case Kind::record:
            for (auto const& f : type.fields) random_value(f.type(), static_cast<char*>(out) + f.offset, random, options);
            return;
        case Kind::variant: {
            std::size_t i = random.below(type.alternatives.size());
            return random_value(type.alternatives[i].type(), ops.choose(out, i), random, options);
        }
        case Kind::secret: return random_value(type.element(), ops.emplace(out), random, options);
        case Kind::personal: return random_personal(type, out, random, options);
        case Kind::raw_json: {
            constexpr std::string_view values[] = {"null", "{}", "[1,2.5e3]", R"({"a":[true,"x\"y"]})", R"("é")", "-0.0"};
            return ops.set(out, values[random.below(std::size(values))]);
        }
    }
}

}  // namespace gantry::codec
