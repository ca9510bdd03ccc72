#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/time.h"

namespace gantry::text {

// Whether the order of a field's words is kept: without it a phrase finds the texts that hold all its words, and the field takes half the
// time and space.
enum class Phrases { exact, as_words };

struct TextField {
    std::string name;
    double weight = 1;  // of its words, where results are in the order of relevance
    Phrases phrases = Phrases::exact;
    std::size_t kept_bytes = 0;  // so much of the beginning is kept for snippets
};

// What the documents of an index have. One that was made by another schema is refused, and made anew from its source.
struct Schema {
    static constexpr std::size_t texts_max = 20, numbers_max = 20;
    std::vector<TextField> texts;
    std::vector<std::string> numbers;  // fields for ranges
    std::vector<std::string> exact;    // the names of fields that are compared as a whole; empty: any
    std::uint32_t version = 1;         // one more when the same schema is filled otherwise
    std::string basis = {};            // what else tells an index of other contents
};
// A text that is the same for the same schema; what only changes how results are ordered is no part of it.
std::string describe(Schema const& schema);

// What is indexed of one thing. It takes the place of one with the same key, or, without a key, with the same id: a position or a dense id.
// Those with a key and those without one don't meet in one index.
struct Document {
    static constexpr std::size_t key_bytes_max = 200;
    std::uint64_t id = 0;
    std::string key = {};
    Time time{};
    std::vector<std::pair<std::string, std::string>> texts = {};  // field, text
    std::vector<std::pair<std::string, std::string>> exact = {};  // field, value; a field may come more than once
    std::vector<std::pair<std::string, double>> numbers = {};

    Document& text(std::string_view field, std::string_view text) { return texts.emplace_back(field, text), *this; }
    Document& value(std::string_view field, std::string_view value) { return exact.emplace_back(field, value), *this; }
    Document& number(std::string_view field, double value) { return numbers.emplace_back(field, value), *this; }
};

// Up to where an index shows a log.
struct Upto {
    std::uint64_t incarnation = 0;
    std::uint64_t position = 0;
    bool operator==(Upto const&) const = default;
};

}  // namespace gantry::text
