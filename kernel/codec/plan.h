#pragma once
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kernel/codec/binary.h"
#include "kernel/codec/schema.h"
#include "kernel/codec/shape.h"

// How values of an older shape are read into today's type: the rules of schema.h for events, rows and all that they hold. Internal to the
// schema's files.
namespace gantry::codec::detail {

// How one written shape is read: straight into today's type (`same`), converted, or skipped (`today` is null). Members are in written
// order.
struct Plan {
    Shape const* written = nullptr;
    Type const* today = nullptr;
    bool same = false;                     // the written layout is today's: decode_binary reads it
    bool wrap = false;                     // T is read into today's optional<T> by `element`
    std::unique_ptr<Plan> element = {};    // of optional, list, map, personal
    std::vector<Plan> members = {};        // of record and variant
    std::vector<std::size_t> target = {};  // today's field, alternative or enum value of each written member
};

// `what` names the whole in a Problem: "event type \"created\"". `written` outlives the plan.
Result<Plan> make_plan(Shape const& written, Type const& today, std::string_view what, std::span<Rename const> renames);
// False when the bytes don't follow the written shape.
bool read_planned(Plan const& plan, void* out, ByteReader& in, Sealer const* sealer);

}  // namespace gantry::codec::detail
