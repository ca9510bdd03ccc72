#pragma once
#include <amqp.h>

#include "app/bridge/message.h"

namespace gantry::bridge {

// Properties and headers, both ways. What is read is copied.
void read_properties(amqp_basic_properties_t const& from, Message& to);

// Properties that point into `message` and into themselves.
class WrittenProperties {
   public:
    explicit WrittenProperties(Message const& message);
    amqp_basic_properties_t const* get() const { return &properties_; }

   private:
    void add_header(std::string const& name, HeaderValue const& value);
    amqp_basic_properties_t properties_{};
    std::vector<amqp_table_entry_t> entries_;
    std::vector<std::string> decoded_;
};

inline amqp_bytes_t bytes_of(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string_view view_of(amqp_bytes_t bytes) { return {static_cast<char const*>(bytes.bytes), bytes.len}; }

}  // namespace gantry::bridge
