#include <algorithm>
#include <set>

#include "kernel/text/index.h"
#include "kernel/text/words.h"

namespace gantry::text {
namespace {

constexpr std::size_t marks_max = 1000;  // that are weighed against one another

struct Wanted {
    std::string word;
    bool prefix = false;
    bool operator==(Wanted const&) const = default;
};

void collect(Match const& match, std::string_view field, std::vector<Wanted>& out) {
    if (match.kind == Match::Kind::none_of) return;
    for (auto const& inner : match.of) collect(inner, field, out);
    if (match.kind != Match::Kind::words || (!match.field.empty() && match.field != field)) return;
    for (std::size_t i = 0; i < match.words.size(); ++i) {
        Wanted wanted{match.words[i], match.prefix && i + 1 == match.words.size()};
        if (std::ranges::find(out, wanted) == out.end()) out.push_back(std::move(wanted));
    }
}

struct Mark {
    std::size_t begin = 0, end = 0;
    std::size_t wanted = 0;
};

std::optional<std::size_t> which(Words const& words, std::vector<Wanted> const& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto fits = [&](std::string_view word) { return wanted[i].prefix ? word.starts_with(wanted[i].word) : word == wanted[i].word; };
        if (fits(words.word())) return i;
        for (std::size_t part = 0; part < words.parts(); ++part)
            if (fits(words.part(part))) return i;
    }
    return {};
}

std::vector<Mark> marks_of(std::string_view text, std::vector<Wanted> const& wanted) {
    std::vector<Mark> marks;
    for (Words words(text); marks.size() < marks_max && words.next();)
        if (auto const found = which(words, wanted)) marks.push_back({words.begin(), words.end(), *found});
    return marks;
}

// The first mark of the window that holds most of what is looked for.
std::size_t best_of(std::vector<Mark> const& marks, std::size_t bytes_max) {
    std::size_t best = 0, most = 0;
    for (std::size_t i = 0; i < marks.size(); ++i) {
        std::set<std::size_t> different;
        std::size_t count = 0;
        for (std::size_t k = i; k < marks.size() && marks[k].end <= marks[i].begin + bytes_max; ++k, ++count)
            different.insert(marks[k].wanted);
        auto const worth = different.size() * marks_max + count;
        if (worth > most) best = i, most = worth;
    }
    return best;
}

bool within_character(std::string_view text, std::size_t at) { return at < text.size() && (std::uint8_t(text[at]) & 0xc0) == 0x80; }

}  // namespace

std::optional<Snippet> snippet(Match const& match, std::string_view field, std::string_view text, std::size_t bytes_max) {
    std::vector<Wanted> wanted;
    collect(match, field, wanted);
    auto const marks = marks_of(text, wanted);
    if (marks.empty() || bytes_max == 0) return {};
    auto const first = best_of(marks, bytes_max);
    auto const word = std::min(marks[first].end - marks[first].begin, bytes_max);
    auto const lead = std::min((bytes_max - word) / 4, marks[first].begin);
    auto begin = marks[first].begin - lead;
    while (within_character(text, begin)) ++begin;
    auto end = std::min(begin + bytes_max, text.size());
    while (end > begin && within_character(text, end)) --end;
    Snippet out{.field = std::string(field), .text = std::string(text.substr(begin, end - begin)), .marked = {}};
    out.begins_within = begin > 0, out.ends_within = end < text.size();
    for (auto const& mark : marks)
        if (mark.begin >= begin && mark.end <= end) out.marked.emplace_back(mark.begin - begin, mark.end - begin);
    return out;
}

}  // namespace gantry::text
