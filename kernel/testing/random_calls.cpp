#include "kernel/testing/random_calls.h"

#include <algorithm>

#include "kernel/base/varint.h"
#include "kernel/codec/random_value.h"
#include "kernel/testing/json_at.h"
#include "kernel/testing/walk.h"

namespace gantry::testing {
namespace {

using codec::Kind;

// Empty for what isn't worth knowing.
std::string name_of(codec::Type const& type, std::string_view field) {
    if (type.kind == Kind::sequence || (type.kind == Kind::text && type.is_id)) return "id " + std::string(type.prefix);
    return type.kind == Kind::text ? std::string(field) : std::string();
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (char c : text) {
        bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (plain)
            out += c;
        else
            out += '%', out += digits[std::uint8_t(c) >> 4], out += digits[std::uint8_t(c) & 15];
    }
    return out;
}

bool is_absent(codec::Type const& type, void const* value) { return type.kind == Kind::optional && !type.ops.has(value); }

}  // namespace

void Known::learn(codec::Type const& type, void const* value) {
    Texts texts;
    walk(type, value, [&](codec::Type const& t, void const* v, std::string_view field) {
        if (auto name = name_of(t, field); !name.empty()) texts.emplace(std::move(name), codec::encode_scalar(t, v));
    });
    if (facts_.size() < facts_max && !texts.empty()) facts_.push_back(std::move(texts));
}

void Known::learn(std::string name, std::string text) {
    if (facts_.size() < facts_max) facts_.push_back({{std::move(name), std::move(text)}});
}

std::string const* Known::one_of(Texts const& texts, std::string_view name, Random& random) {
    auto [from, to] = texts.equal_range(name);
    if (from == to) return nullptr;
    return &std::next(from, std::int64_t(random.below(std::uint64_t(std::distance(from, to)))))->second;
}

void Known::mix_into(codec::Type const& type, void* value, Random& random) const {
    if (facts_.empty()) return;
    auto any_fact = [&]() -> Texts const& { return facts_[random.below(facts_.size())]; };
    Texts const& chosen = any_fact();
    walk(type, value, [&](codec::Type const& t, void* v, std::string_view field) {
        auto const name = name_of(t, field);
        if (name.empty() || random.chance(0.15)) return;
        auto const* text = one_of(random.chance(0.9) ? chosen : any_fact(), name, random);
        for (int tries = 0; !text && tries < 5; ++tries) text = one_of(any_fact(), name, random);
        codec::AnyValue known(t);
        if (text && codec::decode_scalar(t, known.get(), *text)) t.ops.assign(v, known.get());
    });
}

std::uint64_t ByteRandom::next() {
    if (bytes_.empty()) return 0;
    auto const byte = std::uint64_t(std::uint8_t(bytes_.front()));
    bytes_.remove_prefix(1);
    return byte << 56 | byte;
}

RandomCalls::RandomCalls(BenchOfOne& bench, Random& random, std::string origin)
    : bench_(bench), random_(random), origin_(std::move(origin)) {
    auto const targets = bench_.routes_->targets();
    for (std::size_t i = 0; i < targets.size(); ++i)
        if (!targets[i].route->feed && !targets[i].route->foreign) (targets[i].route->command ? commands_ : reads_).push_back(i);
}

void RandomCalls::make(int count) {
    for (int const end = number_ + count; number_ < end && !::testing::Test::HasFatalFailure(); ++number_) {
        bool const reads = commands_.empty() || (!reads_.empty() && random_.chance(0.2));
        auto const& places = reads ? reads_ : commands_;
        if (places.empty()) return;
        send(bench_.routes_->targets()[places[random_.below(places.size())]]);
        if (random_.chance(0.05)) bench_.tick();
        if (random_.chance(0.02)) bench_.restart();
        bench_.clock_.advance(Duration::seconds(std::int64_t(random_.below(100))));
    }
}

// The request that binds to a random input; nothing when the input has no place in a path.
std::optional<RandomCalls::Call> RandomCalls::call_of(runtime::Target const& target) {
    auto const& type = *target.route->input;
    codec::AnyValue input(type);
    codec::random_value(type, input.get(), random_, {.items_max = 4, .for_json = true});
    known_.mix_into(type, input.get(), random_);
    auto place_of = [&](codec::Field const& f) { return static_cast<char*>(input.get()) + f.offset; };
    Call out;
    for (auto segment : target.segments) {
        out.target += '/';
        auto const field = std::ranges::find_if(type.fields, [&](auto const& f) { return segment == "{" + std::string(f.name) + "}"; });
        auto const text = field == type.fields.end() ? std::string(segment) : codec::encode_scalar(field->type(), place_of(*field));
        if (text.empty()) return {};
        out.target += percent_encoded(text);
    }
    std::string query;
    for (auto const& field : type.fields) {
        if (std::ranges::find(target.segments, "{" + std::string(field.name) + "}") != target.segments.end()) continue;
        auto const* value = place_of(field);
        if (is_absent(field.type(), value)) continue;
        if (target.route->command) {
            out.body += (out.body.empty() ? "{\"" : ",\"") + std::string(field.name) + "\":";
            codec::encode_json(field.type(), value, out.body);
        } else if (!random_.chance(field.type().kind == Kind::optional ? 0.6 : 0.0)) {  // few filters: most of them find nothing
            query +=
                (query.empty() ? "?" : "&") + std::string(field.name) + "=" + percent_encoded(codec::encode_scalar(field.type(), value));
        }
    }
    if (target.takes_body) out.body += out.body.empty() ? "{}" : "}";
    out.target += query;
    return out;
}

void RandomCalls::send(runtime::Target const& target) {
    auto const call = call_of(target);
    if (!call) return;
    constexpr std::string_view callers[] = {"u_ann", "u_bob", "u_cat"};
    std::string const before = bench_.caller_;
    bench_.caller_ = callers[random_.below(std::size(callers))];
    Headers headers;
    if (random_.chance(0.1)) headers.idempotency_key = "k" + std::to_string(random_.below(20));
    auto const verb = target.route->verb;  // a restart may come before the failure is shown
    auto const reply = bench_.ask(verb, call->target, call->body, headers);
    EXPECT_LT(reply.status, 500) << verb << ' ' << call->target << ' ' << call->body << '\n'
                                 << reply.body << ' ' << reply.cause << "\n"
                                 << origin_ << ", request " << number_;
    learn_from(reply);
    bench_.caller_ = before;
}

void RandomCalls::learn_from(Reply const& reply) {
    for (auto const& event : reply.wrote) {
        auto const& type = bench_.decl_.event->alternatives[event.type].type();
        codec::AnyValue value(type);
        ByteReader in(event.payload);
        if (codec::decode_binary(type, value.get(), in)) known_.learn(type, value.get());
    }
    if (auto next = json_at(reply.body, "/next")) known_.learn("cursor", std::move(*next));
}

}  // namespace gantry::testing
