#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/testing/bench_of_one.h"

namespace gantry::testing {

// What a service has told or recorded: ids by their prefix, words by the name of their field.
class Known {
   public:
    void learn(codec::Type const& type, void const* value);
    void learn(std::string name, std::string text);
    // Puts known ids and words in the place of some of a value's own.
    void mix_into(codec::Type const& type, void* value, Random& random) const;

   private:
    static constexpr std::size_t of_a_name_max = 100;
    std::map<std::string, std::vector<std::string>, std::less<>> texts_;
};

// Random requests to a service, over its real routes.
class RandomCalls {
   public:
    RandomCalls(BenchOfOne& bench, std::uint64_t seed);
    void make(int count);

   private:
    struct Call {
        std::string target, body;
    };
    std::optional<Call> call_of(runtime::Target const& target);
    void send(runtime::Target const& target);
    void learn_from(Reply const& reply);

    BenchOfOne& bench_;
    std::uint64_t seed_;
    SeededRandom random_;
    Known known_;
    std::vector<std::size_t> commands_, reads_;  // places in the route table, which a restart makes anew in the same order
    int number_ = 0;
};

}  // namespace gantry::testing
