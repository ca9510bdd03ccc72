#pragma once
#include <algorithm>
#include <string>
#include <string_view>

#include "kernel/state/portable.h"

// What a state saves, as a string: for tests and laws.
namespace gantry::state {

class StringOut final : public Out {
   public:
    StringOut(std::string& to, Form form) : Out(nullptr, form), to_(to) {}
    void write(void const* bytes, std::size_t size) override { to_.append(static_cast<char const*>(bytes), size); }

   private:
    std::string& to_;
};
class StringIn final : public In {
   public:
    StringIn(std::string_view from, Form form) : In(nullptr, form), from_(from) {}
    bool read(void* bytes, std::size_t size) override {
        if (size > from_.size()) return false;
        std::copy_n(from_.data(), size, static_cast<char*>(bytes));
        from_.remove_prefix(size);
        return true;
    }
    std::uint64_t left() const override { return from_.size(); }

   private:
    std::string_view from_;
};

}  // namespace gantry::state
