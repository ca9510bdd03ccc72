#include "kernel/codec/seal.h"

#include <gtest/gtest.h>

#include "kernel/codec/json.h"

namespace gantry::codec {
namespace {

struct Person {
    Personal<Text<1, 20>> name;
    Personal<Text<1, 20>> mail;
};
RECORD(Person, name, mail);

struct Seal : ::testing::Test {
    SeededRandom random{1};
    MemorySubjectKeys keys{random};
    Sealer sealer = make_sealer(keys, random);
    Person ann{{"Ann Example", "u_ann"}, {"bob@example.org", "u_bob"}};
    std::string sealed() {
        std::string out;
        put(out, ann, &sealer);
        return out;
    }
    Person opened(std::string const& bytes) {
        Person p;
        ByteReader in(bytes);
        EXPECT_TRUE(get(in, p, &sealer) && in.done());
        return p;
    }
};

TEST_F(Seal, OpensAgainAndHidesThePlainText) {
    std::string bytes = sealed();
    EXPECT_EQ(bytes.find("Ann Ex"), std::string::npos);
    Person p = opened(bytes);
    EXPECT_EQ(p.name, ann.name);
    EXPECT_EQ(p.mail, ann.mail);
    // form, subject, length, nonce + plain (1 + 11) + tag
    std::string name;
    put(name, ann.name, &sealer);
    EXPECT_EQ(name.size(), 1 + 1 + 5 + 1 + 24 + 12 + 16u);
    EXPECT_NE(sealed(), bytes) << "a fresh nonce each time";
}

TEST_F(Seal, ErasingTheKeyErasesTheValueAndOnlyIt) {
    std::string bytes = sealed();
    EXPECT_TRUE(keys.erase("u_ann"));
    EXPECT_FALSE(keys.erase("u_ann"));
    Person p = opened(bytes);
    EXPECT_TRUE(p.name.erased);
    EXPECT_EQ(p.name.value, "");
    EXPECT_EQ(p.name.subject, "u_ann");
    EXPECT_EQ(p.mail, ann.mail);
    EXPECT_EQ(to_json(p), R"({"name":null,"mail":"bob@example.org"})");
    std::string again;
    put(again, p, &sealer);
    EXPECT_TRUE(opened(again).name.erased) << "an erased value stays erased, and makes no new key";
    EXPECT_FALSE(keys.find("u_ann"));
    keys.get_or_make("u_ann");
    EXPECT_TRUE(opened(bytes).name.erased) << "a new key doesn't open what the old one sealed";
}

TEST_F(Seal, BytesOfAnotherSubjectDoNotOpen) {
    std::string sealed = sealer.seal("u_ann", "plain");
    EXPECT_EQ(sealer.open("u_ann", sealed), "plain");
    EXPECT_EQ(sealer.open("u_bob", sealed), std::nullopt);
    EXPECT_EQ(sealer.open("u_ann", sealed.substr(0, 39)), std::nullopt);
    sealed.back() = char(sealed.back() ^ 1);
    EXPECT_EQ(sealer.open("u_ann", sealed), std::nullopt);
}

TEST_F(Seal, SealedBytesNeedASealer) {
    std::string bytes = sealed();
    Person p;
    ByteReader in(bytes);
    EXPECT_FALSE(get(in, p));
    Sealer without_keys{.seal = {}, .open = [](auto, auto) { return std::nullopt; }};
    ByteReader in2(bytes);
    EXPECT_TRUE(get(in2, p, &without_keys));
    EXPECT_TRUE(p.name.erased && p.mail.erased);
}

}  // namespace
}  // namespace gantry::codec
