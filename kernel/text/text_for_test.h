#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "kernel/text/index.h"

// What the tests of full text share.
namespace gantry::text {

inline Schema schema_for_test() {
    return {.texts = {{.name = "message", .weight = 2, .kept_bytes = 500}, {.name = "frames", .phrases = Phrases::as_words}},
            .numbers = {"duration_ms"}};
}
inline Document document_for_test(std::uint64_t id, std::string_view message) {
    return Document{.id = id, .time = Time{std::int64_t(id) * 1'000'000}, .texts = {}, .exact = {}, .numbers = {}}.text("message", message);
}

// A directory that lives as long as the object; `index` is a place in it where nothing is yet.
struct PlaceForTest {
    PlaceForTest() : path((std::filesystem::temp_directory_path() / "gantry-text-XXXXXX").string()) {
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        index = path + "/text";
    }
    ~PlaceForTest() { std::filesystem::remove_all(path); }
    PlaceForTest(PlaceForTest const&) = delete;
    std::string path, index;
};

inline std::vector<std::uint64_t> ids_of(Found const& found) {
    std::vector<std::uint64_t> ids;
    for (auto const& hit : found.hits) ids.push_back(hit.id);
    return ids;
}

}  // namespace gantry::text
