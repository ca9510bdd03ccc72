#include "kernel/log/batch.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstring>

#include "kernel/base/crc32c.h"
#include "kernel/base/random.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

constexpr std::uint32_t salt = 0x1234;
constexpr std::uint32_t place = 512;

// Decodes as a reader of a segment would.
char const* decode(std::string const& bytes, std::vector<CursorView>& cursors, BatchView& out) {
    BatchHeader h;
    if (bytes.size() < batch_header_bytes || !decode_header(bytes.data(), salt, place, h) || h.length > bytes.size()) return "header";
    return decode_body(h, bytes.data(), cursors, out);
}

struct Sample {
    std::string events = events_of(2, 33);
    std::vector<CursorView> cursors = {{"a", 1, 2}, {"b", 3, 4}};
    BatchView batch;
    std::string bytes;
    std::uint64_t chain = 0;
    Sample() {
        batch.first = 9, batch.count = 2, batch.time = Time{123}, batch.epoch = 4, batch.incarnation = 5;
        batch.caller = "u_ann", batch.note = "n", batch.events = events, batch.cursors = cursors;
        chain = encode(batch, 77, bytes);
        seal(bytes.data(), salt, place, 500);
    }
};

TEST(Batch, IsAsLongAsForetoldAndPadded) {
    for (std::size_t payload = 0; payload < 20; ++payload) {
        BatchView b;
        auto events = events_of(1, payload);
        b.count = 1, b.events = events;
        std::string bytes = "before";
        encode(b, 0, bytes);
        EXPECT_EQ(bytes.size() - 6, encoded_size(b));
        EXPECT_EQ(encoded_size(b) % 8, 0u);
    }
}

TEST(Batch, EveryFlippedBitIsNoticed) {
    Sample s;
    std::vector<CursorView> cursors;
    BatchView out;
    ASSERT_EQ(decode(s.bytes, cursors, out), nullptr);
    EXPECT_EQ(out.chain, s.chain);
    for (std::size_t bit = 0; bit < std::size_t(stored_length(s.bytes.data())) * 8; ++bit) {
        auto rotten = s.bytes;
        rotten[bit / 8] ^= char(1 << bit % 8);
        EXPECT_NE(decode(rotten, cursors, out), nullptr) << "bit " << bit;
    }
}

TEST(Batch, IsValidOnlyInItsPlace) {
    Sample s;
    BatchHeader h;
    EXPECT_TRUE(decode_header(s.bytes.data(), salt, place, h));
    EXPECT_FALSE(decode_header(s.bytes.data(), salt, place + 8, h));
    EXPECT_FALSE(decode_header(s.bytes.data(), salt + 1, place, h));
    seal(s.bytes.data(), salt, place, place + 1);  // nothing behind itself can have been durable
    EXPECT_FALSE(decode_header(s.bytes.data(), salt, place, h));
}

TEST(Batch, TheChainCoversContentAndOrderButNotThePlace) {
    Sample s;
    auto length = stored_length(s.bytes.data());
    EXPECT_EQ(chain_after(77, s.bytes.data(), length), s.chain);
    EXPECT_NE(chain_after(78, s.bytes.data(), length), s.chain);
    seal(s.bytes.data(), salt + 1, place + 8, 0);
    EXPECT_EQ(chain_after(77, s.bytes.data(), length), s.chain);
    s.bytes[length - 1] ^= 1;
    EXPECT_NE(chain_after(77, s.bytes.data(), length), s.chain);
}

// The bytes of version 1, for ever: a change of the format fails here.
TEST(Batch, TheFormatIsAsItWas) {
    Sample s;
    std::string hex;
    for (unsigned char c : s.bytes.substr(0, batch_header_bytes)) hex += fmt::format("{:02x}", c);
    EXPECT_EQ(hex,
              "ad000000564451af00020000f4010000020000000061000009000000000000007b000000"
              "0000000004000000000000000500000000000000e005cf4767aaa9721f0000004ff75ed0");
}

TEST(Batch, GarbageIsRefusedAndNeverReadBeyondItsEnd) {
    SeededRandom random(3);
    std::vector<CursorView> cursors;
    for (int i = 0; i < 20'000; ++i) {
        Sample s;
        auto n = std::uint32_t(s.bytes.size());
        for (int k = 0; k < 3; ++k) s.bytes[batch_header_bytes + random.below(n - batch_header_bytes)] = char(random.next());
        auto rotten = std::make_unique<char[]>(n);  // the sanitizer watches its end
        std::memcpy(rotten.get(), s.bytes.data(), n);
        BatchHeader h = load_header(rotten.get());
        h.body_crc = crc32c(rotten.get() + batch_header_bytes, h.length - batch_header_bytes);  // as if the checksum held
        BatchView out;
        if (decode_body(h, rotten.get(), cursors, out) == nullptr) EXPECT_LE(out.events.size(), n);
    }
}

TEST(Events, AreCountedExactly) {
    EXPECT_TRUE(events_well_formed(events_of(3), 3));
    EXPECT_TRUE(events_well_formed("", 0));
    EXPECT_FALSE(events_well_formed(events_of(3), 2));
    EXPECT_FALSE(events_well_formed(events_of(3), 4));
    EXPECT_FALSE(events_well_formed(events_of(3).substr(1), 3));
}

TEST(Incarnation, HasAText) {
    for (Incarnation id : {Incarnation{0}, Incarnation{1}, ~Incarnation{0}, Incarnation{0x123456789abcdef0}}) {
        EXPECT_EQ(incarnation_text(id).size(), 13u);
        EXPECT_EQ(parse_incarnation(incarnation_text(id)), id);
    }
    EXPECT_EQ(incarnation_text(~Incarnation{0}), "fzzzzzzzzzzzz");
    for (auto wrong : {"", "gzzzzzzzzzzzz", "fzzzzzzzzzzz", "fzzzzzzzzzzzzz", "fzzzzzzzzzzzl", "Fzzzzzzzzzzzz"})
        EXPECT_FALSE(parse_incarnation(wrong)) << wrong;
}

}  // namespace
}  // namespace gantry::log
