#pragma once
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace gantry::import {

// What was wrong with the input: `file:line: what is wrong`, the first few in full, all of them counted.
class Complaints {
   public:
    explicit Complaints(std::FILE* out, std::uint64_t shown_max = 20) : out_(out), shown_max_(shown_max) {}
    // One malformed line or entry. `line` 0: the file as a whole.
    void malformed(std::string_view file, std::uint64_t line, std::string_view what);
    // Something the reader should know that is no fault of a line: shown, not counted.
    void warn(std::string_view what);
    // Forgets the count: the input is read again from its start. Nothing shown before is shown again.
    void read_again();
    std::uint64_t count() const { return count_; }
    void close();  // says how many more there were

   private:
    std::FILE* out_;
    std::uint64_t shown_max_;
    std::uint64_t count_ = 0;
    std::uint64_t seen_before_ = 0;
};

}  // namespace gantry::import
