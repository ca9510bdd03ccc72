#include "kernel/text/index.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "kernel/text/text_for_test.h"

namespace gantry::text {
namespace {

using Ids = std::vector<std::uint64_t>;

// The same on disk and in memory.
class AnyIndex : public testing::TestWithParam<bool> {
   protected:
    Index make(Options options = {}, Schema schema = schema_for_test()) {
        return (GetParam() ? Index::open(place_.index, schema, options) : Index::in_memory(schema, options)).value();
    }
    static Found ask(Reader& reader, std::string_view text, Query query = {}) {
        query.match = parse(text, schema_for_test(), {}).value();
        auto found = reader.find(query);
        if (!found) return ADD_FAILURE() << found.error().code << ' ' << found.error().cause, Found{};
        return *found;
    }
    PlaceForTest place_;
};
INSTANTIATE_TEST_SUITE_P(OnDiskAndInMemory, AnyIndex, testing::Bool(), [](auto const& info) { return info.param ? "disk" : "memory"; });

TEST_P(AnyIndex, PutsReplacesAndRemoves) {
    auto index = make();
    ASSERT_TRUE(index.put(document_for_test(5, "one")));
    ASSERT_TRUE(index.put(document_for_test(3, "one two")));
    ASSERT_TRUE(index.commit({1, 5}));
    auto reader = index.reader().value();
    EXPECT_EQ(ids_of(ask(reader, "one")), (Ids{5, 3}));
    EXPECT_EQ(reader.documents().value(), 2u);
    ASSERT_TRUE(index.put(document_for_test(3, "three")));
    ASSERT_TRUE(index.remove(5));
    ASSERT_TRUE(index.remove(77));
    ASSERT_TRUE(index.commit({1, 9}));
    auto const found = ask(reader, "");
    EXPECT_EQ(ids_of(found), Ids{3});
    EXPECT_EQ(found.upto, (Upto{1, 9}));
    EXPECT_EQ(ids_of(ask(reader, "one")), Ids{});
    EXPECT_EQ(index.documents().value(), 1u);
}

TEST_P(AnyIndex, PagesByTimeNeitherRepeatNorHideWhileDocumentsComeAndGo) {
    auto index = make();
    for (std::uint64_t id = 1; id <= 25; ++id) {
        auto document = document_for_test(id, "x");
        document.time = Time{std::int64_t(id / 3) - 4};  // several of one time, some before 1970
        ASSERT_TRUE(index.put(document));
    }
    ASSERT_TRUE(index.commit({1, 25}));
    auto reader = index.reader().value();
    Ids all;
    Query query{.limit = 4, .after = {}};
    for (std::uint64_t extra = 100;; ++extra) {
        auto const found = ask(reader, "x", query);
        for (auto const id : ids_of(found)) all.push_back(id);
        EXPECT_EQ(found.about, 25u);
        if (!found.next) break;
        query.after = *found.next;
        ASSERT_TRUE(index.put(document_for_test(extra, "x")));  // newer than all
        ASSERT_TRUE(index.commit({1, extra}));
    }
    Ids expected;
    for (std::uint64_t id = 25; id >= 1; --id) expected.push_back(id);
    EXPECT_EQ(all, expected);
}

TEST_P(AnyIndex, PagesByRelevanceAreOfWhatWasThereAtTheFirst) {
    auto index = make();
    std::string text = "x";
    for (std::uint64_t id = 1; id <= 9; ++id) {
        ASSERT_TRUE(index.put(document_for_test(id, text)));
        text += " x";
    }
    ASSERT_TRUE(index.commit({1, 9}));
    auto reader = index.reader().value();
    std::set<std::uint64_t> all;
    Query query{.order = Order::relevance, .limit = 4, .after = {}};
    for (std::uint64_t extra = 100;; ++extra) {
        auto const found = ask(reader, "x", query);
        for (auto const id : ids_of(found)) EXPECT_TRUE(all.insert(id).second) << id;
        if (!found.next) break;
        query.after = *found.next;
        ASSERT_TRUE(index.put(document_for_test(extra, text + text)));
        ASSERT_TRUE(index.commit({1, extra}));
    }
    EXPECT_EQ(all.size(), 9u);
    EXPECT_LT(*all.rbegin(), 100u);
}

TEST_P(AnyIndex, CursorsAreOfTheirQueryAlone) {
    auto index = make();
    for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(index.put(document_for_test(id, "x y")));
    ASSERT_TRUE(index.commit({1, 3}));
    auto reader = index.reader().value();
    auto const next = ask(reader, "x", {.limit = 1, .after = {}}).next;
    ASSERT_TRUE(next);
    auto refused = [&](std::string_view text, Query query) {
        query.match = parse(text, schema_for_test(), {}).value();
        auto const found = reader.find(query);
        return found ? "none" : found.error().code;
    };
    EXPECT_EQ(refused("x", {.after = *next}), "none");
    EXPECT_EQ(refused("y", {.after = *next}), "cursor_invalid");
    EXPECT_EQ(refused("x", {.order = Order::relevance, .after = *next}), "cursor_invalid");
    EXPECT_EQ(refused("x", {.after = "nonsense"}), "cursor_invalid");
    EXPECT_EQ(refused("x", {.after = std::string(5000, 'a')}), "cursor_invalid");
    EXPECT_EQ(refused("x", {.after = next->substr(0, next->size() - 4)}), "cursor_invalid");
}

TEST_P(AnyIndex, ABatchIsBounded) {
    auto index = make({.batch_documents_max = 2, .batch_bytes_max = 1000});
    ASSERT_TRUE(index.put(document_for_test(1, "a")));
    EXPECT_FALSE(index.batch_full());
    ASSERT_TRUE(index.put(document_for_test(2, "a")));
    EXPECT_TRUE(index.batch_full());
    EXPECT_EQ(index.put(document_for_test(3, "a")).error().code, "text_batch_full");
    EXPECT_EQ(index.remove(1).error().code, "text_batch_full");
    ASSERT_TRUE(index.commit({1, 2}));
    ASSERT_TRUE(index.put(document_for_test(3, std::string(900, 'a'))));
    EXPECT_FALSE(index.batch_full());
    ASSERT_TRUE(index.commit({1, 3}));
    ASSERT_TRUE(index.put(document_for_test(4, std::string(1000, 'a'))));
    EXPECT_TRUE(index.batch_full());
    EXPECT_EQ(index.put(document_for_test(5, "a")).error().code, "text_batch_full");
}

TEST_P(AnyIndex, ADocumentIsBoundedAndSaysSo) {
    auto index = make({.document_bytes_max = 10});
    EXPECT_EQ(index.put(document_for_test(1, "0123 56789")).value(), Index::Taken::whole);
    EXPECT_EQ(index.put(document_for_test(2, "0123 56789 beyond")).value(), Index::Taken::cut);
    ASSERT_TRUE(index.commit({1, 2}));
    auto reader = index.reader().value();
    EXPECT_EQ(ids_of(ask(reader, "56789")), (Ids{2, 1}));
    EXPECT_EQ(ids_of(ask(reader, "beyond")), Ids{});
    Index many = Index::in_memory(schema_for_test()).value();
    Document document{.id = 1, .texts = {}, .exact = {}, .numbers = {}};
    for (int i = 0; i < 1000; ++i) document.value("tag", std::to_string(i));
    EXPECT_EQ(many.put(document).value(), Index::Taken::whole);
    EXPECT_EQ(many.put(document.value("tag", "one more")).value(), Index::Taken::cut);
}

TEST_P(AnyIndex, LongValuesAreEqualAsAWhole) {
    auto index = make();
    std::string const long_one(400, 'v');
    ASSERT_TRUE(index.put(document_for_test(1, "a").value("tag", long_one)));
    ASSERT_TRUE(index.put(document_for_test(2, "a").value("tag", long_one + "w")));
    ASSERT_TRUE(index.put(document_for_test(3, "a").value("tag", std::string("nul\0inside", 10))));
    ASSERT_TRUE(index.commit({1, 3}));
    auto reader = index.reader().value();
    EXPECT_EQ(ids_of(ask(reader, "tag:" + long_one)), Ids{1});
    EXPECT_EQ(ids_of(ask(reader, "tag:" + long_one.substr(0, 100) + "*")), (Ids{2, 1}));
    EXPECT_EQ(ids_of(reader.find({.match = value_is("tag", std::string_view("nul\0inside", 10)), .after = {}}).value()), Ids{3});
}

TEST_P(AnyIndex, DocumentsMayHaveKeys) {
    auto index = make();
    auto note = [](std::string_view key, std::string_view text) {
        auto document = document_for_test(1, text);
        document.key = key;
        return document;
    };
    ASSERT_TRUE(index.put(note("n_a", "alpha")));
    ASSERT_TRUE(index.put(note("n_b", "beta")));
    ASSERT_TRUE(index.put(note("n_a", "gamma")));
    ASSERT_TRUE(index.commit({1, 3}));
    auto reader = index.reader().value();
    EXPECT_TRUE(ask(reader, "alpha").hits.empty());
    auto const found = ask(reader, "gamma", {.after = {}, .snippet_bytes = 20});
    ASSERT_EQ(found.hits.size(), 1u);
    EXPECT_EQ(found.hits[0].key, "n_a");
    EXPECT_TRUE(found.hits[0].snippet);
    ASSERT_TRUE(index.remove("n_a"));
    ASSERT_TRUE(index.commit({1, 4}));
    EXPECT_EQ(reader.documents().value(), 1u);
    EXPECT_EQ(ask(reader, "").hits[0].key, "n_b");
}

TEST_P(AnyIndex, AnEmptyIndexAnswers) {
    auto index = make();
    auto reader = index.reader().value();
    for (auto const* text : {"", "x", "\"a b\"", "duration_ms:>1", "ab*", "after:1d"}) EXPECT_TRUE(ask(reader, text).hits.empty()) << text;
    EXPECT_EQ(ask(reader, "").upto, Upto{});
}

TEST_P(AnyIndex, IdsAreOf64Bits) {
    auto index = make();
    auto const big = ~std::uint64_t{0};
    ASSERT_TRUE(index.put(Document{.id = big, .time = {}, .texts = {{"message", "x"}}, .exact = {}, .numbers = {}}));
    ASSERT_TRUE(index.put(Document{.id = 0, .time = {}, .texts = {{"message", "x"}}, .exact = {}, .numbers = {}}));
    ASSERT_TRUE(index.put(Document{.id = big, .time = {}, .texts = {{"message", "x"}}, .exact = {}, .numbers = {}}));
    ASSERT_TRUE(index.commit({1, big}));
    auto reader = index.reader().value();
    EXPECT_EQ(ids_of(ask(reader, "x")), (Ids{big, 0}));
    EXPECT_EQ(index.upto().position, big);
}

class OnDisk : public testing::Test {
   protected:
    std::string code_of(Result<Index> const& index) { return index ? "opened" : index.error().code; }
    Result<Index> open() { return Index::open(place_.index, schema_for_test()); }
    void fill(std::uint64_t upto) {
        auto index = open().value();
        for (std::uint64_t id = 1; id <= upto; ++id) ASSERT_TRUE(index.put(document_for_test(id, "some words of a message")));
        ASSERT_TRUE(index.commit({42, upto}));
    }
    PlaceForTest place_;
};

TEST_F(OnDisk, IsThereAgain) {
    fill(3);
    auto index = open().value();
    EXPECT_EQ(index.upto(), (Upto{42, 3}));
    EXPECT_EQ(index.documents().value(), 3u);
    ASSERT_TRUE(index.put(document_for_test(2, "another")));  // older than the newest: takes its place
    ASSERT_TRUE(index.commit({42, 4}));
    EXPECT_EQ(index.documents().value(), 3u);
}

TEST_F(OnDisk, WhatWasNotCommittedIsGone) {
    fill(3);
    {
        auto index = open().value();
        ASSERT_TRUE(index.put(document_for_test(4, "x")));
    }
    auto index = open().value();
    EXPECT_EQ(index.documents().value(), 3u);
    ASSERT_TRUE(index.put(document_for_test(4, "x")));
    index.abandon();
    EXPECT_EQ(index.batch_documents(), 0u);
    ASSERT_TRUE(index.put(document_for_test(5, "x")));
    ASSERT_TRUE(index.put(document_for_test(4, "x")));
    ASSERT_TRUE(index.commit({42, 5}));
    EXPECT_EQ(index.documents().value(), 5u);
}

TEST_F(OnDisk, AReaderSeesOneCommitAtATime) {
    auto index = open().value();
    auto reader = index.reader().value();
    // Many commits between two looks: what the reader had open is gone by then.
    for (std::uint64_t round = 1; round <= 30; ++round) {
        for (std::uint64_t id = 1; id <= 20; ++id) ASSERT_TRUE(index.put(document_for_test(id, "round" + std::to_string(round))));
        ASSERT_TRUE(index.commit({1, round}));
        if (round % 7 != 0) continue;
        auto const found = reader.find({.match = parse("round" + std::to_string(round), schema_for_test(), {}).value(), .after = {}});
        ASSERT_TRUE(found);
        EXPECT_EQ(found->hits.size(), 20u);
        EXPECT_EQ(found->upto.position, round);
    }
    ASSERT_TRUE(index.put(document_for_test(21, "x")));
    EXPECT_EQ(reader.documents().value(), 20u);
}

TEST_F(OnDisk, HasOneWriter) {
    auto index = open().value();
    EXPECT_EQ(code_of(open()), "text_in_use");
}

TEST_F(OnDisk, AnotherSchemaOrFormatIsSaid) {
    fill(3);
    auto schema = schema_for_test();
    schema.texts[0].weight = 7;  // no part of what is stored
    EXPECT_EQ(code_of(Index::open(place_.index, schema)), "opened");
    schema.version = 2;
    EXPECT_EQ(code_of(Index::open(place_.index, schema)), "text_outdated");
    auto const reader = Index::reader(place_.index, schema);
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, "text_outdated");
    ASSERT_TRUE(Index::drop(place_.index));
    EXPECT_EQ(code_of(Index::open(place_.index, schema)), "opened");
}

TEST_F(OnDisk, DamageIsSaidAndAnIndexIsMadeAnew) {
    for (auto const* file : {"iamglass", "postlist.glass", "position.glass", "termlist.glass", "docdata.glass"}) {
        for (bool cut : {true, false}) {
            fill(300);
            auto const path = place_.index + "/" + file;
            ASSERT_TRUE(std::filesystem::exists(path)) << file;
            auto const size = std::filesystem::file_size(path);
            if (cut)
                std::filesystem::resize_file(path, 5);
            else
                std::ofstream(path, std::ios::binary) << std::string(size, '\x5a');
            std::string said = code_of(open());
            if (auto reader = Index::reader(place_.index, schema_for_test()); said == "opened" && reader)
                if (auto found =
                        reader->find({.match = parse("\"some words\"", schema_for_test(), {}).value(), .after = {}, .snippet_bytes = 9});
                    !found)
                    said = found.error().code;
            if (auto index = open(); said == "opened" && index)
                if (auto put = index->put(document_for_test(2, "anew")); !put) said = put.error().code;
            EXPECT_TRUE(said == "text_damaged" || said == "text_outdated") << file << (cut ? " cut: " : " overwritten: ") << said;
            ASSERT_TRUE(Index::drop(place_.index));
            EXPECT_FALSE(std::filesystem::exists(place_.index));
        }
    }
}

TEST_F(OnDisk, SomethingElseIsLeftAlone) {
    std::filesystem::create_directories(place_.index);
    std::ofstream(place_.index + "/precious.txt") << "mine";
    EXPECT_EQ(code_of(open()), "text_foreign");
    EXPECT_EQ(Index::drop(place_.index).error().code, "text_foreign");
    EXPECT_TRUE(std::filesystem::exists(place_.index + "/precious.txt"));
    std::filesystem::remove(place_.index + "/precious.txt");
    EXPECT_EQ(code_of(open()), "opened");
    EXPECT_TRUE(Index::drop(place_.path + "/absent"));
}

}  // namespace
}  // namespace gantry::text
