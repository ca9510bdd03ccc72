#include <fmt/format.h>
#include <xapian.h>

#include <algorithm>

#include "kernel/base/hash.h"
#include "kernel/base/varint.h"
#include "kernel/codec/base64.h"
#include "kernel/text/reader_parts.h"
#include "kernel/text/terms.h"

namespace gantry::text {
namespace {

using Op = Xapian::Query;

// A match as Xapian's query, against one state of one database.
class Maker {
   public:
    Maker(Xapian::Database const& database, Schema const& schema, Options const& options)
        : database_(database), schema_(schema), options_(options) {}

    Result<Op> make(Match const& match) {
        using enum Match::Kind;
        switch (match.kind) {
            case everything: return Op::MatchAll;
            case words: return words_of(match);
            case value: return value_of(match);
            case number: return number_of(match);
            case time:
                return range(slot_of_order, match.first ? order_key(*match.first, 0) : std::string(),
                             match.last ? order_key(*match.last, ~std::uint64_t{0}) : std::string());
            case all_of: return all(match);
            case any_of: {
                TRY_ASSIGN(auto of, each(match.of));
                return Op(Op::OP_OR, of.begin(), of.end());
            }
            case none_of: {
                TRY_ASSIGN(auto of, each(match.of));
                return Op(Op::OP_AND_NOT, Op::MatchAll, Op(Op::OP_OR, of.begin(), of.end()));
            }
        }
        return Op::MatchNothing;
    }

   private:
    Result<std::vector<Op>> each(std::vector<Match> const& matches) {
        std::vector<Op> out;
        for (auto const& match : matches) {
            TRY_ASSIGN(auto query, make(match));
            out.push_back(std::move(query));
        }
        return out;
    }
    Result<Op> all(Match const& match) {
        std::vector<Op> with, without;
        for (auto const& inner : match.of) {
            bool const negative = inner.kind == Match::Kind::none_of;
            TRY_ASSIGN(auto of, negative ? each(inner.of) : each({inner}));
            std::ranges::move(of, std::back_inserter(negative ? without : with));
        }
        auto query = with.empty() ? Op(Op::MatchAll) : Op(Op::OP_AND, with.begin(), with.end());
        if (without.empty()) return query;
        return Op(Op::OP_AND_NOT, query, Op(Op::OP_OR, without.begin(), without.end()));
    }

    Result<Op> words_of(Match const& match) {
        std::vector<Op> fields;
        for (std::size_t i = 0; i < schema_.texts.size(); ++i) {
            auto const& field = schema_.texts[i];
            if (!match.field.empty() && match.field != field.name) continue;
            TRY_ASSIGN(auto query, in_field(match, i));
            fields.push_back(field.weight == 1 ? std::move(query) : Op(Op::OP_SCALE_WEIGHT, query, field.weight));
        }
        return Op(Op::OP_OR, fields.begin(), fields.end());
    }
    Result<Op> in_field(Match const& match, std::size_t field) {
        std::vector<Op> words;
        std::string term;
        for (std::size_t i = 0; i < match.words.size(); ++i) {
            put_word(term, field, match.words[i]);
            if (match.prefix && i + 1 == match.words.size()) {
                TRY_ASSIGN(auto const terms, expand(match, term));
                words.push_back(Op(words.empty() ? Op::OP_SYNONYM : Op::OP_OR, terms.begin(), terms.end()));
            } else {
                words.push_back(Op(term));
            }
        }
        if (words.size() == 1) return words.front();
        if (schema_.texts[field].phrases == Phrases::as_words) return Op(Op::OP_AND, words.begin(), words.end());
        return Op(Op::OP_PHRASE, words.begin(), words.end(), Xapian::termcount(words.size()));
    }
    Result<std::vector<std::string>> expand(Match const& match, std::string const& prefix) {
        std::vector<std::string> terms;
        for (auto at = database_.allterms_begin(prefix), end = database_.allterms_end(prefix); at != end; ++at) {
            terms.push_back(*at);
            if (terms.size() <= options_.prefix_words_max) continue;
            return fail(400, "query_too_broad",
                        fmt::format("at character {} of the query, \"{}*\" stands for more than {} words: write more of it", match.at,
                                    match.words.empty() ? match.value : match.words.back(), options_.prefix_words_max));
        }
        return terms;
    }
    Result<Op> value_of(Match const& match) {
        if (!match.prefix) return filter(Op(value_term(match.field, match.value)));
        TRY_ASSIGN(auto const terms, expand(match, value_prefix(match.field, match.value)));
        return filter(Op(Op::OP_OR, terms.begin(), terms.end()));
    }
    static Op filter(Op const& query) { return Op(Op::OP_SCALE_WEIGHT, query, 0); }
    Result<Op> number_of(Match const& match) {
        auto const slot = std::size_t(std::ranges::find(schema_.numbers, match.field) - schema_.numbers.begin());
        if (slot == schema_.numbers.size()) return Op::MatchNothing;
        auto key = [](std::optional<double> const& number) { return number ? Xapian::sortable_serialise(*number) : std::string(); };
        return range(Xapian::valueno(slots_before_numbers + slot), key(match.least), key(match.most));
    }
    static Op range(Xapian::valueno slot, std::string const& from, std::string const& upto) {
        if (upto.empty()) return Op(Op::OP_VALUE_GE, slot, from);
        if (from.empty()) return Op(Op::OP_VALUE_LE, slot, upto);
        if (from > upto) return Op::MatchNothing;
        return Op(Op::OP_VALUE_RANGE, slot, from, upto);
    }

    Xapian::Database const& database_;
    Schema const& schema_;
    Options const& options_;
};

// Where the page before ended.
struct Cursor {
    std::string key;               // by time: the order key of its last one
    std::uint64_t last_docid = 0;  // by relevance: the newest document of the first page's state
    std::uint64_t offset = 0;      // and how many came before
    std::uint64_t about = 0;
    bool counted = false;
};

std::uint32_t kind_of(Query const& query) { return std::uint32_t(hash64(fmt::format("{} {}", int(query.order), describe(query.match)))); }

std::string seal(Query const& query, Cursor const& cursor) {
    std::string raw, out;
    put_fixed(raw, kind_of(query));
    put_string(raw, cursor.key);
    for (auto const number : {cursor.last_docid, cursor.offset, cursor.about, std::uint64_t(cursor.counted)}) put_varint(raw, number);
    codec::append_base64(out, raw);
    while (out.ends_with('=')) out.pop_back();
    std::ranges::replace(out, '+', '-');
    std::ranges::replace(out, '/', '_');
    return out;
}

Result<Cursor> unseal(Query const& query) {
    auto const invalid = fail(400, "cursor_invalid", "expected a cursor as a page of this search gave it (`next`), with the same query");
    auto text = query.after;
    if (text.size() > 200 || text.find_first_of("+/=") != text.npos) return invalid;
    std::ranges::replace(text, '-', '+');
    std::ranges::replace(text, '_', '/');
    text.append((4 - text.size() % 4) % 4, '=');
    auto const raw = codec::decode_base64(text);
    if (!raw) return invalid;
    ByteReader in(*raw);
    Cursor cursor;
    bool const same = in.fixed<std::uint32_t>() == kind_of(query);
    cursor.key = in.string();
    cursor.last_docid = in.varint(), cursor.offset = in.varint(), cursor.about = in.varint(), cursor.counted = in.varint() != 0;
    bool const shaped = query.order == Order::newest ? cursor.key.size() == 16 : cursor.key.empty() && cursor.offset <= Query::deep_max;
    if (!same || !in.ok() || !in.done() || !shaped) return invalid;
    return cursor;
}

// The key that comes before; false: there is none.
bool step_back(std::string& key) {
    for (auto at = key.size(); at-- > 0;) {
        bool const borrows = key[at] == 0;
        key[at] = char(std::uint8_t(key[at]) - 1);
        if (!borrows) return true;
    }
    return false;
}

class NotAfter final : public Xapian::MatchDecider {
   public:
    explicit NotAfter(std::uint64_t last) : last_(last) {}
    bool operator()(Xapian::Document const& document) const override { return document.get_docid() <= last_; }

   private:
    std::uint64_t last_;
};

std::optional<Snippet> kept_snippet(Query const& query, Schema const& schema, std::string const& kept) {
    ByteReader in(kept);
    for (in.string(); !in.done();) {
        auto const field = in.varint();
        bool const more = in.varint() != 0;
        auto const text = in.string();
        if (!in.ok() || field >= schema.texts.size()) break;
        auto found = snippet(query.match, schema.texts[field].name, text, query.snippet_bytes);
        if (!found) continue;
        found->ends_within = found->ends_within || more;
        return found;
    }
    return {};
}

}  // namespace

struct Reader::Parts {
    std::string directory;
    Schema schema;
    Options options;
    Xapian::Database database;

    // Runs `look` on the newest state. A state that the writer has left behind twice may lose blocks under the reader: then it begins anew.
    template <class F>
    auto on_newest(F&& look) -> decltype(look()) {
        constexpr int attempts = 20;
        for (int attempt = 1;; ++attempt) try {
                if (!directory.empty()) database.reopen();
                return look();
            } catch (Xapian::DatabaseModifiedError const& error) {
                if (attempt == attempts) return fail(problem_of(error, directory));
            } catch (Xapian::Error const& error) {
                return fail(problem_of(error, directory));
            }
    }
    Result<Found> find(Query const& query) const {
        auto const limit = std::clamp<std::size_t>(query.limit, 1, Query::limit_max);
        Cursor cursor;
        if (!query.after.empty()) {
            TRY_ASSIGN(cursor, unseal(query));
        } else {
            cursor.last_docid = database.get_lastdocid();
        }
        TRY_ASSIGN(auto wanted, Maker(database, schema, options).make(query.match));
        return query.order == Order::newest ? newest(query, wanted, limit, std::move(cursor)) : best(query, wanted, limit, cursor);
    }
    Result<Found> newest(Query const& query, Xapian::Query wanted, std::size_t limit, Cursor cursor) const {
        Found found{.upto = decode_upto(database.get_metadata(upto_key))};
        if (!query.after.empty()) {
            found.about = cursor.about, found.counted = cursor.counted;
            if (!step_back(cursor.key)) return found;
            wanted = Xapian::Query(Xapian::Query::OP_FILTER, wanted, {Xapian::Query::OP_VALUE_LE, slot_of_order, cursor.key});
        }
        Xapian::Enquire enquire(database);
        enquire.set_query(wanted);
        enquire.set_weighting_scheme(Xapian::BoolWeight());
        enquire.set_sort_by_value(slot_of_order, true);
        auto const set = enquire.get_mset(0, Xapian::doccount(limit + 1));
        collect(query, set, limit, found);
        if (query.after.empty()) note_total(set, cursor);
        found.about = cursor.about, found.counted = cursor.counted;
        if (set.size() <= limit) return found;
        cursor.key = order_key(found.hits.back().time, found.hits.back().id);
        cursor.last_docid = cursor.offset = 0;
        found.next = seal(query, cursor);
        return found;
    }
    Result<Found> best(Query const& query, Xapian::Query const& wanted, std::size_t limit, Cursor cursor) const {
        Found found{.upto = decode_upto(database.get_metadata(upto_key))};
        Xapian::Enquire enquire(database);
        enquire.set_query(wanted);
        enquire.set_sort_by_relevance_then_value(slot_of_order, true);
        NotAfter const was_there(cursor.last_docid);
        auto const set = enquire.get_mset(Xapian::doccount(cursor.offset), Xapian::doccount(limit + 1), 0, nullptr,
                                          query.after.empty() ? nullptr : &was_there);
        collect(query, set, limit, found);
        if (query.after.empty()) note_total(set, cursor);
        found.about = cursor.about, found.counted = cursor.counted;
        cursor.offset += found.hits.size();
        if (set.size() > limit && cursor.offset < Query::deep_max) found.next = seal(query, cursor);
        return found;
    }
    void collect(Query const& query, Xapian::MSet const& set, std::size_t limit, Found& found) const {
        for (auto at = set.begin(); at != set.end() && found.hits.size() < limit; ++at) {
            auto const document = at.get_document();
            auto const key = read_order_key(document.get_value(slot_of_order));
            auto const kept = document.get_data();
            Hit hit{.id = key.id, .key = std::string(ByteReader(kept).string()), .time = key.time, .score = at.get_weight(), .snippet = {}};
            if (query.snippet_bytes > 0) hit.snippet = kept_snippet(query, schema, kept);
            found.hits.push_back(std::move(hit));
        }
    }
    static void note_total(Xapian::MSet const& set, Cursor& cursor) {
        cursor.counted = set.get_matches_lower_bound() == set.get_matches_upper_bound();
        cursor.about = set.get_matches_estimated();
    }
};

Reader::Reader(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> make_reader(std::string directory, Schema schema, Options options, Xapian::Database const* shared) {
    auto parts = std::make_unique<Reader::Parts>(std::move(directory), std::move(schema), options);
    try {
        parts->database = shared ? *shared : Xapian::Database(parts->directory, Xapian::DB_BACKEND_GLASS);
        auto const& database = parts->database;
        auto const made_by = database.get_metadata(schema_key);
        if (database.get_metadata(format_key) != format_now || made_by != describe(parts->schema))
            return fail(500, "text_outdated", "the full-text index was made by another release or schema: drop it, and it is made anew");
    } catch (Xapian::Error const& error) {
        return fail(problem_of(error, parts->directory));
    }
    return Reader(std::move(parts));
}

Result<Found> Reader::find(Query const& query) {
    return parts_->on_newest([&]() -> Result<Found> { return parts_->find(query); });
}
Result<Upto> Reader::upto() {
    return parts_->on_newest([&]() -> Result<Upto> { return decode_upto(parts_->database.get_metadata(upto_key)); });
}
Result<std::uint64_t> Reader::documents() {
    return parts_->on_newest([&]() -> Result<std::uint64_t> { return parts_->database.get_doccount(); });
}

}  // namespace gantry::text
