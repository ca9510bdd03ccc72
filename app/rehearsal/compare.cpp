#include "app/rehearsal/compare.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::app::rehearsal {
namespace {

std::unexpected<Problem> said_by(std::string_view who, Problem problem) {
    problem.detail = fmt::format("{} binary: {}", who, problem.detail.empty() ? problem.code : problem.detail);
    return std::unexpected(std::move(problem));
}

class Comparing {
   public:
    Comparing(Side& old_side, Side& new_side) : old_(old_side), new_(new_side) {}

    Result<Comparison> run(Plan plan) {
        TRY_VOID(meet());
        out_.shape_changed = old_.hello().fingerprint != new_.hello().fingerprint;
        TRY_VOID(out_.shape_changed ? fold_to_the_end() : compare_digests(plan.every));
        TRY_VOID(compare_answers(std::move(plan.queries)));
        out_.same = !out_.parting && out_.answers.empty();
        return std::move(out_);
    }

   private:
    struct Pair {
        Digest old_side, new_side;
        bool same() const { return old_side.digest == new_side.digest; }
    };

    Result<void> meet() {
        auto const &a = old_.hello(), &b = new_.hello();
        if (a.service != b.service || a.incarnation != b.incarnation)
            return fail(409, "rehearsal_mismatch",
                        fmt::format("the binaries don't read the same log: the old one has {} {}, the new one {} {}", a.service,
                                    a.incarnation, b.service, b.incarnation));
        out_.service = a.service, out_.incarnation = a.incarnation;
        out_.from = std::max(a.from, b.from), out_.events = std::min(a.events, b.events);
        out_.old_binary.version = a.version, out_.new_binary.version = b.version;
        return {};
    }

    static Result<Digest> digest(Side& side, std::string_view who, Effort& effort, std::uint64_t position) {
        auto digest = side.digest_at(position);
        if (!digest) return said_by(who, std::move(digest.error()));
        effort.folded += digest->folded, effort.fold_ms += digest->fold_ms, effort.digest_ms += digest->digest_ms;
        effort.state_bytes = digest->state_bytes, effort.peak_bytes = std::max(effort.peak_bytes, digest->peak_bytes);
        return std::move(*digest);
    }
    Result<Pair> digests(std::uint64_t position) {
        TRY_ASSIGN(auto of_old, digest(old_, "old", out_.old_binary, position));
        TRY_ASSIGN(auto of_new, digest(new_, "new", out_.new_binary, position));
        return Pair{std::move(of_old), std::move(of_new)};
    }

    Result<void> fold_to_the_end() {
        TRY_ASSIGN([[maybe_unused]] auto last, digests(out_.events));
        return {};
    }

    Result<void> compare_digests(std::uint64_t every) {
        if (every == 0) every = std::max<std::uint64_t>((out_.events - out_.from + 15) / 16, 1);
        std::optional<std::uint64_t> agreed;  // the last position at which both were the same
        for (auto position = out_.from;; position = out_.events - position > every ? position + every : out_.events) {
            TRY_ASSIGN(auto pair, digests(position));
            ++out_.digests;
            if (!pair.same()) {
                TRY_VOID(bisect(agreed, position, std::move(pair)));
                return fold_to_the_end();
            }
            agreed = position;
            if (position == out_.events) return {};
        }
    }

    // They agree at `good` (nothing: before anything was folded) and not at `bad`.
    Result<void> bisect(std::optional<std::uint64_t> good, std::uint64_t bad, Pair at_bad) {
        while (good && bad - *good > 1) {
            auto const middle = *good + (bad - *good) / 2;
            TRY_ASSIGN(auto pair, digests(middle));
            ++out_.digests;
            if (pair.same())
                good = middle;
            else
                bad = middle, at_bad = std::move(pair);
        }
        out_.parting = Parting{bad, at_bad.old_side.digest, at_bad.new_side.digest, {}};
        return {};
    }

    static Result<Answered> answer(Side& side, std::string_view who, Effort& effort, Question const& question) {
        auto got = side.get(question.target, question.as_of);
        if (!got) return said_by(who, std::move(got.error()));
        effort.query_ms += got->ms;
        return std::move(*got);
    }
    Result<void> compare_answers(std::vector<Question> questions) {
        std::vector<std::pair<std::uint64_t, std::size_t>> order;  // forward through the log
        for (std::size_t i = 0; i < questions.size(); ++i) order.emplace_back(questions[i].as_of, i);
        std::ranges::sort(order);
        for (auto const& [as_of, i] : order) {
            auto const& question = questions[i];
            TRY_ASSIGN(auto of_old, answer(old_, "old", out_.old_binary, question));
            TRY_ASSIGN(auto of_new, answer(new_, "new", out_.new_binary, question));
            ++out_.queries;
            if (of_old.status == of_new.status && of_old.body == of_new.body) continue;
            out_.answers.push_back({question.target, question.as_of, of_old.status, of_new.status, of_old.body, of_new.body});
        }
        return {};
    }

    Side &old_, &new_;
    Comparison out_;
};

}  // namespace

Result<Comparison> compare(Side& old_side, Side& new_side, Plan plan) { return Comparing(old_side, new_side).run(std::move(plan)); }

}  // namespace gantry::app::rehearsal
