#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/varint.h"
#include "kernel/codec/type.h"

// The shape of a written type, as read from a schema blob: what a Type is to today's types. Internal to the schema's files.
namespace gantry::codec::detail {

struct Shape;
struct Named {
    std::string name;
    std::unique_ptr<Shape> shape;  // null for an enum's value
};
struct Shape {
    Kind kind{};
    bool is_signed = false;
    std::size_t size = 0;             // of an integer: 1, 2, 4 or 8 bytes
    std::string name;                 // of a record or enum
    std::unique_ptr<Shape> element;   // optional, list, map, secret, personal
    std::vector<Named> members = {};  // fields, alternatives or values
};

// shape = kind byte, then: integer: one byte, its size + 128 when signed · optional, list, map, secret, personal: shape
//   enumeration: name, count, names · record: name, count, (name, shape)… · variant: count, (name, shape)… · others: nothing
void write_shape(Type const& type, std::string& out);
// False when malformed (a name that isn't UTF-8, too) or nested more than 64 deep.
bool read_shape(ByteReader& in, Shape& out, int depth = 0);
// For messages: "list of text", "enum low, high", "record created {id: text, n: integer of 64 bits}".
std::string describe(Shape const& shape);
// Today's type as a Shape.
Shape shape_of(Type const& type);

}  // namespace gantry::codec::detail
