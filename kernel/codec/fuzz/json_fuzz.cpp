// Any bytes as JSON: no crash, what is accepted encodes to text that decodes to the same, and an array falls into the elements that it has.
#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_check.h"
#include "kernel/codec/json_walk.h"
#include "kernel/codec/sample.h"
#include "kernel/codec/split.h"

namespace gantry::codec {
namespace {

void as_record(std::string_view text) {
    auto value = from_json<sample::Transient>(text);
    if (!value) return;
    GANTRY_ASSERT(!check_json(text, 32), "only JSON is accepted");
    std::string again = to_json(*value);
    auto back = from_json<sample::Transient>(again);
    GANTRY_ASSERT(back && to_json(*back) == again, "accepted values round trip");
}

void as_raw(std::string_view text) {
    auto raw = from_json<RawJson>(text);
    auto pretty = pretty_json(text);
    if (!raw) return;
    GANTRY_ASSERT(!check_json(raw->text, 32), "raw JSON stays JSON");
    GANTRY_ASSERT(!check_json(pretty, 32) && minify_json(pretty) == minify_json(text), "indenting changes white space alone");
}

void as_array(std::string_view text) {
    auto elements = split_json_array(text, 100'000);
    auto whole = from_json<std::vector<RawJson>>(text, {.depth_max = 1024});
    GANTRY_ASSERT(!whole || elements, "an array that is read whole can be split");
    if (!elements) return;
    for (auto element : *elements) GANTRY_ASSERT(!check_json(element, 1024), "an element is JSON");
    if (!whole) return;
    GANTRY_ASSERT(whole->size() == elements->size(), "as many elements as the array has");
    for (std::size_t i = 0; i < whole->size(); ++i)
        GANTRY_ASSERT((*whole)[i].text == minify_json((*elements)[i]), "the elements of the array");
}

void as_tree(std::string_view text) {
    auto tree = JsonTree::read(text, {.depth_max = 32});
    GANTRY_ASSERT(tree || check_json(text, 32), "what is JSON is a tree");
    if (!tree) return;
    std::string written, again;
    tree->root().write(written);
    GANTRY_ASSERT(!check_json(written, 32), "a tree is written as JSON");
    JsonTree::read(written, {.depth_max = 32}).value().root().write(again);
    GANTRY_ASSERT(written == again, "a tree round trips");
}

}  // namespace
}  // namespace gantry::codec

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    gantry::codec::as_record(text);
    gantry::codec::as_raw(text);
    gantry::codec::as_array(text);
    gantry::codec::as_tree(text);
    return 0;
}
