#include "kernel/runtime/openapi.h"

#include <gtest/gtest.h>

#include <set>

#include "kernel/codec/json.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

std::string document(Version version) { return openapi(declare<notes::Service>(), version, "1.0"); }

// Every text between `before` and the next quote.
std::vector<std::string> all_after(std::string const& text, std::string_view before) {
    std::vector<std::string> out;
    for (auto at = text.find(before); at != text.npos; at = text.find(before, at + 1)) {
        auto const from = at + before.size();
        out.push_back(text.substr(from, text.find('"', from) - from));
    }
    return out;
}

TEST(OpenApi, IsJsonAndEveryReferenceLeadsSomewhere) {
    auto text = document(V1);
    ASSERT_NE(codec::pretty_json(text), text) << "pretty_json gives back what is no JSON";
    auto references = all_after(text, R"("$ref":"#/components/)");
    EXPECT_GT(references.size(), 10u);
    for (auto const& reference : references) {
        auto const slash = reference.find('/');
        auto const section = text.find("\"" + reference.substr(0, slash) + "\":{", text.find(R"("components":{)"));
        ASSERT_NE(section, text.npos) << reference;
        EXPECT_NE(text.find("\"" + reference.substr(slash + 1) + "\":{", section), text.npos) << reference;
    }
}

TEST(OpenApi, OperationsHaveNamesOfTheirOwn) {
    auto ids = all_after(document(V1), R"("operationId":")");
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
    EXPECT_EQ(ids.size(), 7u);
}

TEST(OpenApi, AVersionHasItsOwnRoutesAlone) {
    auto two = document(V2);
    EXPECT_NE(two.find(R"("/notes/v2/{id}":{"get")"), two.npos);
    EXPECT_EQ(two.find("/notes/v1"), two.npos);
}

TEST(OpenApi, SaysWhatTheRouteSays) {
    auto text = document(V1);
    EXPECT_NE(text.find(R"("security":[{"caller":["notes:write"]}])"), text.npos);
    EXPECT_NE(text.find(R"("deprecated":true)"), text.npos);
    EXPECT_NE(text.find(R"({"name":"id","in":"path","required":true,"schema":{"type":"string","pattern":"^n_)"), text.npos);
    EXPECT_NE(
        text.find(R"({"name":"limit","in":"query","required":false,"schema":{"type":"integer","minimum":1,"maximum":1000,"default":100}})"),
        text.npos);
    EXPECT_NE(text.find(R"("application/x-ndjson")"), text.npos);
    EXPECT_NE(text.find(R"("PageOfNote":{)"), text.npos) << "a page is named after what it lists";
    auto const rename = text.find(R"("operationId":"patch_id")");
    auto const body = text.find(R"("requestBody")", rename);
    EXPECT_EQ(text.find(R"("id":)", body), text.find(R"("id":)", text.find(R"("responses")", body)))
        << "what the path gives is not in the body";
}

}  // namespace
}  // namespace gantry::runtime
