#include "kernel/http/parse.h"

#include <gtest/gtest.h>

#include "kernel/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace gantry::http {
namespace {

// The fuzz target's law on seeded mutations, in every build.
TEST(Parse, MutatedRequestsMeanTheSameHoweverTheyAreCut) {
    std::vector<std::string> const seeds = {
        "GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
        "\r\nGET http://h:80/x HTTP/1.1\r\nHost: [::1]\r\n\r\n",
    };
    SeededRandom random(7);
    std::string const spice("\r\n\0 :;,\t\x7f\xff%0fA9", 15);
    for (int round = 0; round < 20'000; ++round) {
        std::string request = seeds[random.below(seeds.size())];
        for (std::uint64_t n = random.below(4); n > 0 && !request.empty(); --n) {
            std::size_t const at = random.below(request.size());
            switch (random.below(4)) {
                case 0: request[at] = spice[random.below(spice.size())]; break;
                case 1: request.erase(at, 1 + random.below(8)); break;
                case 2: request.insert(at, 1, spice[random.below(spice.size())]); break;
                default: request.insert(at, request.substr(random.below(request.size()), random.below(300)));
            }
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(request.data()), request.size());
    }
}

// Found by the fuzzer: with all bytes there a later fault was named, byte by byte the size.
TEST(Parse, ATooLargeHeadIsThatWhateverFollows) {
    std::string const bytes = "GET / HTTP/1.1\r\nX: " + std::string(40'000, 'a') + "\nY\r\n\r\n";
    HeadScanner scanner;
    EXPECT_EQ(scanner.scan(bytes, {}), 0u);
    EXPECT_EQ(scanner.refusal().status, 431);
    LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size());
}

TEST(Parse, ValidatesAuthorities) {
    for (auto yes : {"h", "h:80", "h:", "a.b-c_d~e", "%41", "1.2.3.4:65535", "[::1]", "[::ffff:1.2.3.4]:1"})
        EXPECT_TRUE(is_valid_authority(yes)) << yes;
    for (auto no : {"", ":80", "h:65536", "h:8 0", "u@h", "h/", "h?", "h#", "[::1", "[]", "[::1]x", "[::1]:x", "h\\", "h:80:80", "a|b"})
        EXPECT_FALSE(is_valid_authority(no)) << no;
}

}  // namespace
}  // namespace gantry::http
