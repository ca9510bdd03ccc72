#pragma once
#include <span>
#include <string>
#include <string_view>

#include "kernel/codec/type.h"

// A key's value between text and member. Internal to this folder.
namespace gantry::config {

// The type inside Secret and optional.
codec::Type const& bare(codec::Type const& type);
bool settable(codec::Type const& type);

// Sets a member from its parts: one text, or the elements of a list. Empty, or the fault: "expected …, found …"; of a secret without the
// latter.
std::string set(codec::Type const& type, void* out, std::span<std::string const> parts);
// The elements of a list as flags and environment give them; anything else is one part.
std::vector<std::string> split(codec::Type const& type, std::string_view text);
// "an integer from 1 to 256", "a list of durations such as …".
std::string expectation(codec::Type const& type);
// The member as text: a list's elements joined by commas; empty for an absent one.
std::string shown(codec::Type const& type, void const* value);

// Memory for one value of a type, constructed and destroyed.
class Scratch {
   public:
    explicit Scratch(codec::Type const& type) : type_(type), at_(::operator new(type.size, std::align_val_t(type.align))) {
        type.ops.construct(at_);
    }
    Scratch(Scratch const&) = delete;
    Scratch& operator=(Scratch const&) = delete;
    ~Scratch() { type_.ops.destroy(at_), ::operator delete(at_, std::align_val_t(type_.align)); }
    void* get() { return at_; }

   private:
    codec::Type const& type_;
    void* at_;
};

}  // namespace gantry::config
