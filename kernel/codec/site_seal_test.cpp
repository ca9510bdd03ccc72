#include "kernel/codec/site_seal.h"

#include <gtest/gtest.h>

namespace gantry::codec {
namespace {

HashKey key_of(std::uint8_t byte) {
    HashKey key;
    key.fill(byte);
    return key;
}

TEST(SiteSeal, OpensForTheSiteAndThePurposeAlone) {
    SeededRandom random(1);
    auto const sealed = seal_for_site(key_of(1), "codes", "twenty bytes of seed", random);
    EXPECT_EQ(sealed.find("seed"), sealed.npos);
    EXPECT_EQ(open_for_site(key_of(1), "codes", sealed), "twenty bytes of seed");
    EXPECT_FALSE(open_for_site(key_of(2), "codes", sealed));
    EXPECT_FALSE(open_for_site(key_of(1), "other", sealed));
    EXPECT_NE(seal_for_site(key_of(1), "codes", "twenty bytes of seed", random), sealed);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        auto bent = sealed;
        bent[i] = char(bent[i] ^ 1);
        EXPECT_FALSE(open_for_site(key_of(1), "codes", bent)) << i;
        EXPECT_FALSE(open_for_site(key_of(1), "codes", std::string_view(sealed).substr(0, i))) << i;
    }
    EXPECT_EQ(open_for_site(key_of(1), "codes", seal_for_site(key_of(1), "codes", "", random)), "");
}

TEST(SiteSeal, AProofIsOfOneSiteOnePurposeAndOneText) {
    auto const proof = proof_of(key_of(1), "mail", "u_1 ann@example.org");
    EXPECT_EQ(proof.size(), 32u);
    EXPECT_EQ(proof, proof_of(key_of(1), "mail", "u_1 ann@example.org"));
    EXPECT_NE(proof, proof_of(key_of(2), "mail", "u_1 ann@example.org"));
    EXPECT_NE(proof, proof_of(key_of(1), "setup", "u_1 ann@example.org"));
    EXPECT_NE(proof, proof_of(key_of(1), "mail", "u_2 ann@example.org"));
    EXPECT_TRUE(same_bytes(proof, std::string(proof)));
    EXPECT_FALSE(same_bytes(proof, proof.substr(1)));
    EXPECT_FALSE(same_bytes(proof, std::string(32, 'A')));
    EXPECT_TRUE(same_bytes("", ""));
}

}  // namespace
}  // namespace gantry::codec
