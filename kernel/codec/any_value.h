#pragma once
#include <new>

#include "kernel/codec/type.h"

namespace gantry::codec {

// A default-constructed value of a described type, on the heap.
class AnyValue {
   public:
    explicit AnyValue(Type const& type) : type_(&type), value_(::operator new(type.size, std::align_val_t(type.align))) {
        type.ops.construct(value_);
    }
    ~AnyValue() {
        if (!value_) return;
        type_->ops.destroy(value_);
        ::operator delete(value_, std::align_val_t(type_->align));
    }
    AnyValue(AnyValue&& other) noexcept : type_(other.type_), value_(other.value_) { other.value_ = nullptr; }
    AnyValue& operator=(AnyValue&&) = delete;
    AnyValue(AnyValue const&) = delete;
    AnyValue& operator=(AnyValue const&) = delete;
    void* get() { return value_; }
    void const* get() const { return value_; }

   private:
    Type const* type_;
    void* value_;
};

}  // namespace gantry::codec
