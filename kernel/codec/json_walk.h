#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

// JSON whose shape isn't ours to say, as a tree to walk over. Where our own types are read, decode_json (json.h) is right.
//     TRY_ASSIGN(auto tree, JsonTree::read(text));
//     for (auto frame : tree.root()["exception"]["values"]) use(frame["function"].text());
// It is our own parser because clients send what simdjson refuses: escaped halves of a surrogate pair (a text cut by UTF-16 units), which
// become U+FFFD here, and numbers that no 64 bits hold, which stay as written.
namespace gantry::codec {

enum class JsonKind : std::uint8_t { absent, null, boolean, number, text, list, object };
std::string_view name_of(JsonKind kind);  // "a list", for messages

namespace detail {
struct JsonNode {
    JsonKind kind = JsonKind::absent;
    bool flag = false;           // of a boolean
    std::uint32_t count = 0;     // items of a list, members of an object
    std::uint32_t span = 1;      // nodes of this value with all inside it
    std::string_view key = {};   // of a member
    std::string_view text = {};  // a text without its escapes; a number as written
};
}  // namespace detail

// A value of a tree, or none: what isn't there has the kind `absent`, and so has all inside it. Cheap to copy; valid while the tree and
// the text that it was read from live.
class JsonValue {
   public:
    class Iterator;

    JsonValue() = default;
    JsonKind kind() const { return node_ ? node_->kind : JsonKind::absent; }
    explicit operator bool() const { return node_ != nullptr; }
    bool is(JsonKind kind) const { return this->kind() == kind; }
    std::string_view key() const { return node_ ? node_->key : std::string_view(); }                    // of an object's member
    std::string_view text() const { return is(JsonKind::text) ? node_->text : std::string_view(); }     // may hold U+0000
    std::string_view token() const { return is(JsonKind::number) ? node_->text : std::string_view(); }  // as written
    std::optional<bool> boolean() const { return is(JsonKind::boolean) ? std::optional(node_->flag) : std::nullopt; }
    std::optional<double> number() const;
    std::optional<std::int64_t> integer() const;  // of a number that is one and fits
    std::size_t size() const { return node_ ? node_->count : 0; }
    // The first member of that name.
    JsonValue operator[](std::string_view name) const;
    // Items of a list or members of an object, in order; of other kinds none.
    Iterator begin() const;
    Iterator end() const;
    // Appends compact JSON.
    void write(std::string& out) const;

   private:
    friend class JsonTree;
    explicit JsonValue(detail::JsonNode const* node) : node_(node) {}
    detail::JsonNode const* node_ = nullptr;
};

class JsonValue::Iterator {
   public:
    JsonValue operator*() const { return JsonValue(node_); }
    Iterator& operator++() { return node_ += node_->span, *this; }
    bool operator==(Iterator const&) const = default;

   private:
    friend class JsonValue;
    explicit Iterator(detail::JsonNode const* node) : node_(node) {}
    detail::JsonNode const* node_;
};

struct JsonTreeLimits {
    std::size_t depth_max = 64;
    std::size_t values_max = 200'000;
};

class JsonTree {
   public:
    // `json` must live as long as the tree. Problems: 400 "body_not_json" with the byte offset and what was expected there,
    // "body_too_deep"; 413 "body_too_many".
    static Result<JsonTree> read(std::string_view json, JsonTreeLimits limits = {});
    JsonValue root() const { return JsonValue(nodes_.data()); }

   private:
    std::vector<detail::JsonNode> nodes_;
    std::unique_ptr<char[]> unescaped_;  // texts that had escapes
};

inline JsonValue::Iterator JsonValue::begin() const { return Iterator(node_ && node_->count ? node_ + 1 : nullptr); }
inline JsonValue::Iterator JsonValue::end() const { return Iterator(node_ && node_->count ? node_ + node_->span : nullptr); }

}  // namespace gantry::codec
