#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/testing/bench_of_one.h"

namespace gantry::testing {

// What a service has recorded or told: ids by their prefix, words by the name of their field, together as they came.
class Known {
   public:
    void learn(codec::Type const& type, void const* value);
    void learn(std::string name, std::string text);
    // Puts known ids and words in the place of most of a value's own; many of them from one fact, so that a request meets a row that takes
    // several words to name.
    void mix_into(codec::Type const& type, void* value, Random& random) const;

   private:
    static constexpr std::size_t facts_max = 200;
    using Texts = std::multimap<std::string, std::string, std::less<>>;
    static std::string const* one_of(Texts const& texts, std::string_view name, Random& random);
    std::vector<Texts> facts_;
};

// A byte a number: it is in the low bits, for below(), and in the high ones, for chance(). Zeros when all are used up.
class ByteRandom final : public Random {
   public:
    explicit ByteRandom(std::string_view bytes) : bytes_(bytes) {}
    std::uint64_t next() override;
    bool used_up() const { return bytes_.empty(); }

   private:
    std::string_view bytes_;
};

// Random requests to a service, over its real routes.
class RandomCalls {
   public:
    // `origin`: where the randomness is from, for messages.
    RandomCalls(BenchOfOne& bench, Random& random, std::string origin);
    // So many more.
    void make(int count);

   private:
    struct Call {
        std::string target, body;
    };
    std::optional<Call> call_of(runtime::Target const& target);
    void send(runtime::Target const& target);
    void learn_from(Reply const& reply);

    BenchOfOne& bench_;
    Random& random_;
    std::string origin_;
    Known known_;
    std::vector<std::size_t> commands_, reads_;  // places in the route table, which a restart makes anew in the same order
    int number_ = 0;
};

}  // namespace gantry::testing
