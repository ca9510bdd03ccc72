#pragma once
#include <array>
#include <memory>
#include <string>
#include <variant>

#include "kernel/codec/binary.h"
#include "kernel/runtime/service_decl.h"
#include "kernel/state/tracking.h"

// The code that a State and its Event bring along: folding, replay, snapshots, digests; member by member, as STATE names them.
namespace gantry::runtime {

template <class State, class Visit>
void each_member(State& state, Visit&& visit) {
    boost::mp11::mp_for_each<gantry::detail::Members<std::remove_const_t<State>>>([&](auto d) { visit(d.name, state.*d.pointer); });
}

template <class T>
inline constexpr bool is_effect = false;
template <class Args>
inline constexpr bool is_effect<Effect<Args>> = true;
template <class E>
inline constexpr bool is_kernel_event = is_effect<E> || std::is_same_v<E, EffectOutcome>;
template <class Event>
inline constexpr bool has_effects = false;
template <class... E>
inline constexpr bool has_effects<std::variant<E...>> = (is_effect<E> || ...);

// The member of a State that is the Outbox.
template <class State>
auto& outbox_of(State& state) {
    std::remove_reference_t<decltype(std::declval<std::conditional_t<std::is_const_v<State>, Outbox const&, Outbox&>>())>* found = nullptr;
    each_member(state, [&](auto, auto& member) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, Outbox>) found = &member;
    });
    return *found;
}
template <class State>
constexpr bool has_outbox() {
    bool found = false;
    boost::mp11::mp_for_each<gantry::detail::Members<State>>(
        [&](auto d) { found = found || std::is_same_v<decltype(gantry::detail::member_type(d.pointer)), Outbox>; });
    return found;
}

// Effects and what becomes of them are the kernel's to fold (effects.h); the service may, too.
template <class State, class Args>
void fold_kernel_event(State& state, Effect<Args> const& effect, At const& at) {
    outbox_of(state).requested(effect.id, codec::event_name<Args>(), at.position, at.time);
}
template <class State>
void fold_kernel_event(State& state, EffectOutcome const& outcome, At const& at) {
    outbox_of(state).apply(outcome, at.time);
}

template <class State, class Event>
void apply_event(State& state, Event const& event, At const& at) {
    std::visit(
        [&](auto const& e) {
            constexpr bool is_kernels = is_kernel_event<std::remove_cvref_t<decltype(e)>>;
            if constexpr (is_kernels) fold_kernel_event(state, e, at);
            if constexpr (requires { state.apply(e, at); })
                state.apply(e, at);
            else if constexpr (!is_kernels || requires { state.apply(e); })
                state.apply(e);
        },
        event);
}

template <class State>
StateOps state_ops() {
    StateOps ops{};
    ops.create = [] {
        auto* state = new State();
        std::uint64_t salt = 0;
        each_member(*state, [&](auto, auto& member) {
            ++salt;
            if constexpr (requires { member.set_salt(salt); }) member.set_salt(salt);
        });
        return std::unique_ptr<void, void (*)(void*)>(state, [](void* p) { delete static_cast<State*>(p); });
    };
    ops.view = [](void const* p) {
        return std::unique_ptr<void, void (*)(void*)>(new State(*static_cast<State const*>(p)),
                                                      [](void* q) { delete static_cast<State*>(q); });
    };
    ops.save = [](void const* p, state::Out& out) {
        each_member(*static_cast<State const*>(p), [&](auto, auto const& member) { member.save(out); });
    };
    ops.load = [](void* p, state::In& in) {
        bool ok = true;
        each_member(*static_cast<State*>(p), [&](auto, auto& member) { ok = ok && member.load(in); });
        return ok;
    };
    ops.save_portable = [](void const* p, state::Out& out) {
        out.number(std::uint32_t(boost::mp11::mp_size<gantry::detail::Members<State>>::value));
        each_member(*static_cast<State const*>(p), [&](std::string_view name, auto const& member) {
            out.text(name);
            state::PartOut part(out);
            member.save(part);
            part.finish();
        });
    };
    ops.load_portable = [](void* p, state::In& in) {
        std::uint32_t count;
        if (!in.number(count)) return false;
        for (std::string name; count > 0; --count) {
            if (!in.text(name)) return false;
            for (auto const& r : in.renames)
                if (r.record == "state" && r.from == name) name = r.to;
            state::PartIn part(in);
            bool ok = true;
            each_member(*static_cast<State*>(p), [&](std::string_view known, auto& member) {
                if (known == name) ok = member.load(part) && part.at_end();
            });
            if (!ok || !part.skip()) return in.why = "member " + name + ": " + (part.why.empty() ? "damaged" : part.why), false;
        }
        return true;
    };
    ops.digest = [](void const* p) {
        state::Digest digest;
        each_member(*static_cast<State const*>(p), [&](auto, auto const& member) { member.save(digest); });
        return digest.value();
    };
    ops.memory_bytes = [](void const* p) {
        std::vector<std::pair<std::string, std::uint64_t>> out;
        each_member(*static_cast<State const*>(p), [&](auto name, auto const& member) { out.emplace_back(name, member.memory_bytes()); });
        return out;
    };
    std::string shape;
    boost::mp11::mp_for_each<gantry::detail::Members<State>>([&](auto d) {
        using M = decltype(gantry::detail::member_type(d.pointer));
        shape += d.name;
        shape += ' ';
        shape += __PRETTY_FUNCTION__;  // the member's full type, template arguments included
        if constexpr (requires { typename M::row_type; }) shape += codec::describe_shape(codec::type_of<typename M::row_type>());
        shape += std::to_string(sizeof(M)) + '\n';
    });
    ops.fingerprint = hash64(shape);
    return ops;
}

// Decodes ahead by a window of events, so that the rows which they will touch are on their way from memory before each is folded.
template <class State, class Event>
Result<void> replay_batches(void* p, std::span<log::BatchView const> batches, codec::EventReader const& reader, codec::Sealer const* sealer,
                            Position from, Position upto) {
    constexpr std::size_t window = 32;
    struct Slot {
        Event event;
        At at;
    };
    static thread_local auto slots = std::make_unique<std::array<Slot, window>>();
    auto& state = *static_cast<State*>(p);
    std::size_t filled = 0;
    auto flush = [&] {
        for (std::size_t i = 0; i < filled; ++i) apply_event(state, (*slots)[i].event, (*slots)[i].at);
        filled = 0;
    };
    for (auto const& batch : batches) {
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            auto number = std::uint32_t(in.varint());
            auto payload = in.string();
            if (batch.first + i <= from) continue;
            if (batch.first + i > upto) break;
            Slot& slot = (*slots)[filled];
            slot.at = {batch.first + i, batch.time, batch.caller};
            bool ok;
            if (reader.identical(number)) [[likely]] {
                if (!codec::detail::choose(slot.event, reader.today(number)))
                    return fail(500, "event_unreadable", "an event type has no place in this binary");
                ByteReader bytes(payload);
                ok = std::visit([&](auto& e) { return codec::get(bytes, e, sealer); }, slot.event) && bytes.done();
            } else {
                if (reader.ignorable(number) && reader.today(number) == codec::EventReader::none) continue;
                TRY_VOID(reader.decode(number, payload, &slot.event, sealer));
                ok = true;
            }
            if (!in.ok() || !ok) {
                flush();
                return fail(500, "event_unreadable", "event " + std::to_string(batch.first + i) + " can't be decoded by its own schema");
            }
            if constexpr (requires { state.prefetch(slot.event); }) state.prefetch(slot.event);
            if (++filled == window) flush();
        }
    }
    flush();
    return {};
}

}  // namespace gantry::runtime
