#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/text/query.h"
#include "kernel/text/schema.h"

// Full-text search over documents that come from elsewhere, usually a log: an index is a cache, and may be dropped at any time.
namespace gantry::text {

enum class Order { newest, relevance };

// What is asked of an index.
struct Query {
    static constexpr std::size_t limit_max = 1000, deep_max = 10'000;
    Match match;
    Order order = Order::newest;
    std::size_t limit = 100;
    std::string after;              // the `next` of the page before, of the same query; empty: from the beginning
    bool nothing = false;           // the index isn't asked: the route answers from its state alone
    std::size_t snippet_bytes = 0;  // how long a snippet of what is kept of the texts is at most; 0: none
};

// A piece of a text around what was looked for.
struct Snippet {
    std::string field;
    std::string text;                                         // UTF-8
    std::vector<std::pair<std::size_t, std::size_t>> marked;  // begin and end, in `text`, of what was found
    bool begins_within = false, ends_within = false;          // there is more of the text before it, or behind
};
// Of a text that the caller has; nothing when none of the words that the query looks for is in it.
std::optional<Snippet> snippet(Match const& match, std::string_view field, std::string_view text, std::size_t bytes_max);

struct Hit {
    std::uint64_t id = 0;
    std::string key = {};  // if the document has one
    Time time{};
    double score = 0;  // where the order is by relevance; of no meaning beyond the query
    std::optional<Snippet> snippet;
};

struct Found {
    std::vector<Hit> hits;
    std::optional<std::string> next;  // the cursor of the page that follows; nothing at the end
    // How many documents match in all, from the first page on. An estimate unless `counted`. Whoever may not see all that match must not be
    // told it.
    std::uint64_t about = 0;
    bool counted = false;
    Upto upto;  // what the answer shows
};

// One state of an index, for one thread at a time; each thread has its own.
class Reader {
   public:
    ~Reader();
    Reader(Reader&&) noexcept;

    // Always of one commit as a whole: the newest. By time (newest first) documents that come or go meanwhile neither repeat nor hide one
    // that is there throughout the pages. By relevance the pages are of those documents that were there at the first one, and at most
    // `deep_max` of them; what is added meanwhile may shift their order a little. 400 "query_too_broad" for a prefix that stands for too
    // many words, 400 "cursor_invalid"; "text_damaged" and the like.
    Result<Found> find(Query const& query);
    Result<Upto> upto();
    Result<std::uint64_t> documents();

    struct Parts;
    explicit Reader(std::unique_ptr<Parts> parts);

   private:
    std::unique_ptr<Parts> parts_;
};

struct Options {
    // A batch is what is put between two commits; it lies in memory.
    std::size_t batch_documents_max = 4'000;
    std::size_t batch_bytes_max = 32u << 20;
    std::size_t document_bytes_max = 1u << 20;  // of all its texts and values; what is beyond isn't indexed
    std::size_t prefix_words_max = 1000;        // that a prefix of a query may stand for
};

// The one writer of an index, on one thread at a time. What isn't committed is gone when it ends. After a failure other than
// "text_batch_full" nothing more is written with it: it is opened again.
class Index {
   public:
    // Makes the directory if it isn't there, or is empty. Fails with "text_damaged", "text_outdated" (of another format or schema) or
    // "text_foreign" (there is something else): drop() it. With "text_in_use" while another process, or another Index, writes it;
    // "text_disk_full", "text_read_only".
    static Result<Index> open(std::string directory, Schema schema, Options options = {});
    // In memory, for tests: readers see each change at once.
    static Result<Index> in_memory(Schema schema, Options options = {});
    // Removes an index, in whatever state; nobody writes it. "text_foreign" when the directory holds anything else, which stays.
    static Result<void> drop(std::string const& directory);
    ~Index();
    Index(Index&&) noexcept;

    enum class Taken { whole, cut };
    // Takes the place of a document with the same id. A text or number that the schema doesn't name is a bug. 503 "text_batch_full" when
    // the batch is: commit first. `cut`: the document is longer than document_bytes_max, or has more than a thousand values.
    Result<Taken> put(Document const& document);
    Result<void> remove(std::uint64_t id);
    Result<void> remove(std::string_view key);
    bool batch_full() const;
    std::size_t batch_documents() const;  // put or removed since the last commit
    // Documents and `upto` together, or neither. Durable when it returns.
    Result<void> commit(Upto upto);
    // What isn't committed is forgotten.
    void abandon();

    Upto upto() const;  // of the last commit
    Result<std::uint64_t> documents() const;
    // A reader of the same index. In memory it lives no longer than the index.
    Result<Reader> reader() const;
    // As another process, or thread, sees it.
    static Result<Reader> reader(std::string directory, Schema schema, Options options = {});

   private:
    struct Parts;
    explicit Index(std::unique_ptr<Parts> parts);
    Result<void> remove_term(std::string const& term);
    std::unique_ptr<Parts> parts_;
};

}  // namespace gantry::text
