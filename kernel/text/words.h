#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::text {

// The words of a text, one after the other: runs of letters, marks and digits, folded to lower case; of scripts that part no words each
// character is one. An identifier or a path is several words in a row (`foo_bar.Baz`: foo, bar, baz), found as a whole by their order. A
// word in camel case (`HTTPServer`) has parts, too (http, server). What isn't UTF-8 parts words.
class Words {
   public:
    static constexpr std::size_t word_bytes_max = 64;  // of a longer one the beginning stands for it
    static constexpr std::size_t parts_max = 8;

    // The text outlives it.
    explicit Words(std::string_view text) : text_(text) {}
    bool next();
    std::string_view word() const { return folded_; }  // until the next call
    std::size_t parts() const { return parts_.size(); }
    std::string_view part(std::size_t i) const { return std::string_view(folded_).substr(parts_[i].first, parts_[i].second); }
    // Where it stands in the text.
    std::size_t begin() const { return begin_; }
    std::size_t end() const { return at_; }

   private:
    struct Character;
    Character read(std::size_t at) const;
    void fold(Character const& character);
    void find_parts();

    std::string_view text_;
    std::size_t at_ = 0, begin_ = 0;
    std::string folded_;
    std::vector<std::size_t> cuts_;  // in folded_: where a part begins
    std::vector<std::pair<std::size_t, std::size_t>> parts_;
};

// A value of an exact field, as it is compared: folded to lower case.
std::string fold_value(std::string_view value);

}  // namespace gantry::text
