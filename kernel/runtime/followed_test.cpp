#include "kernel/runtime/followed.h"

#include <gtest/gtest.h>

#include <cstring>

namespace gantry::runtime {
namespace {

class BytesOut final : public state::Out {
   public:
    std::string bytes;
    void write(void const* from, std::size_t size) override { bytes.append(static_cast<char const*>(from), size); }
};
class BytesIn final : public state::In {
   public:
    explicit BytesIn(std::string_view bytes) : bytes_(bytes) {}
    bool read(void* out, std::size_t size) override {
        if (size > bytes_.size()) return false;
        std::memcpy(out, bytes_.data(), size);
        return bytes_.remove_prefix(size), true;
    }
    std::uint64_t left() const override { return bytes_.size(); }

   private:
    std::string_view bytes_;
};

DeadLetter letter(DeadLetter::State state, std::string subject) { return {state, std::move(subject), "code", "detail", Time{17}}; }

TEST(Followed, ALetterBlocksItsSubjectUntilTheLastIsGone) {
    Followed followed("bank");
    followed.put(3, letter(DeadLetter::State::failed, "a"));
    followed.put(3, letter(DeadLetter::State::failed, "a"));
    followed.put(5, letter(DeadLetter::State::behind, "a"));
    followed.put(6, letter(DeadLetter::State::failed, ""));
    followed.position = 9;
    EXPECT_TRUE(followed.blocks("a"));
    EXPECT_FALSE(followed.blocks("b"));
    EXPECT_FALSE(followed.blocks("")) << "those without a subject have nothing to do with each other";
    EXPECT_EQ(followed.needs(), 3u);
    followed.erase(3);
    EXPECT_TRUE(followed.blocks("a"));
    followed.erase(5);
    EXPECT_FALSE(followed.blocks("a"));
    followed.erase(6);
    EXPECT_EQ(followed.needs(), 10u);
}

TEST(Followed, DroppingTheFirstOfASubjectHasTheNextTakenAgain) {
    Followed followed("bank");
    followed.put(3, letter(DeadLetter::State::failed, "a"));
    followed.put(4, letter(DeadLetter::State::behind, "b"));
    followed.put(5, letter(DeadLetter::State::behind, "a"));
    followed.put(6, letter(DeadLetter::State::behind, "a"));
    LetterChanges changes;
    drop_letter(followed, 6, changes);
    EXPECT_EQ(followed.to_retry(), nullptr) << "it waited itself";
    drop_letter(followed, 3, changes);
    ASSERT_NE(followed.to_retry(), nullptr);
    EXPECT_EQ(followed.to_retry()->first, 5u);
    drop_letter(followed, 77, changes);
    Followed other("bank");
    other.put(3, letter(DeadLetter::State::failed, "a")), other.put(5, letter(DeadLetter::State::behind, "a"));
    other.put(6, letter(DeadLetter::State::behind, "a"));
    ASSERT_TRUE(apply_note(other, changes.note()));
    EXPECT_EQ(other.letters().size(), 1u);
    EXPECT_EQ(other.to_retry()->first, 5u);
    ASSERT_TRUE(apply_note(other, changes.note())) << "and once more, as a fold that began earlier does";
    EXPECT_EQ(other.letters().size(), 1u);
}

TEST(Followed, IsFoldedFromHeadersSavedAndLoaded) {
    FollowedSources sources;
    LetterChanges changes;
    changes.put(7, letter(DeadLetter::State::failed, "a"));
    log::CursorView const cursor{"bank", 42, 9};
    sources.take({.kind = log::BatchKind::checkpoint, .cursors = {&cursor, 1}, .note = changes.note()});
    log::CursorView const other{"mint", 43, 1};
    sources.take({.count = 1, .cursors = {&other, 1}});
    EXPECT_GT(sources.memory_bytes(), 0u);
    BytesOut out;
    sources.save(out);
    FollowedSources loaded;
    BytesIn in(out.bytes);
    ASSERT_TRUE(loaded.load(in));
    EXPECT_EQ(in.left(), 0u);
    EXPECT_EQ(loaded.find("bank")->position, 9u);
    EXPECT_EQ(loaded.find("bank")->letters().at(7).time, Time{17});
    EXPECT_EQ(loaded.find("mint")->incarnation, 43u);
    EXPECT_EQ(loaded.find("nobody"), nullptr);
    for (std::size_t cut = 0; cut < out.bytes.size(); ++cut) {
        BytesIn shorter(std::string_view(out.bytes).substr(0, cut));
        FollowedSources broken;
        EXPECT_FALSE(broken.load(shorter)) << cut;
    }
}

TEST(Followed, ADamagedNoteIsTold) {
    Followed followed("bank");
    LetterChanges changes;
    changes.put(7, letter(DeadLetter::State::failed, "a"));
    auto const note = changes.note();
    for (std::size_t cut = 2; cut < note.size(); ++cut) EXPECT_FALSE(apply_note(followed, std::string_view(note).substr(0, cut))) << cut;
    EXPECT_TRUE(followed.letters().empty());
    EXPECT_FALSE(apply_note(followed, "\x02")) << "of a later form";
    EXPECT_FALSE(apply_note(followed, std::string_view("\x01\x09\x05", 3))) << "of an unknown kind";
    EXPECT_TRUE(apply_note(followed, ""));
}

}  // namespace
}  // namespace gantry::runtime
