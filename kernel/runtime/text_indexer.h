#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/net/net.h"
#include "kernel/runtime/follow_source.h"
#include "kernel/runtime/text.h"

// Keeps a service's full-text index up to date, behind its log, and searches it (text.h).
namespace gantry::runtime {

// Who searches the documents of a service.
class TextDesk {
   public:
    virtual ~TextDesk() = default;
    // At once, which may take as long as the disk does.
    virtual Result<Searched> find(text::Query const& query) = 0;
    // Elsewhere, as soon as the index shows `after`, or `wait` is over. `done` is called once, from any thread.
    using Done = std::move_only_function<void(Result<Searched>)>;
    virtual void find_later(text::Query query, Position after, Duration wait, Done done) = 0;
};

// What an index says of itself.
enum class TextState {
    starting,     // the service reads its log, or the index was not looked at yet
    behind,       // it takes events
    caught_up,    // it shows all that is durable
    backing_off,  // something is wrong for the moment: `code`, `why`
    stopped,
};
ENUM(TextState, starting, behind, caught_up, backing_off, stopped);
struct TextTold {
    TextState state = TextState::starting;
    std::uint64_t documents = 0;
    std::string position;          // up to which it shows the log; empty: nothing yet
    std::uint64_t lag_events = 0;  // durable ones that it doesn't show yet
    std::uint64_t rebuilds = 0;    // how often it was made anew since the start
    std::optional<std::string> code, why;
};
RECORD(TextTold, state, documents, position, lag_events, rebuilds, code, why);

// The index of one service. step() and stop() on one thread; the rest from any.
class TextIndexer final {
   public:
    // What was put is committed after so long, or so much; where it alone moved, its place after checkpoint_after.
    static constexpr Duration commit_every = Duration::millis(200), checkpoint_after = Duration::seconds(5);
    static constexpr Position checkpoint_events = 1 << 16;
    static constexpr std::size_t batch_documents = 1000;
    static constexpr Duration backoff_first = Duration::millis(100), backoff_max = Duration::seconds(30);

    struct Parts {
        Host& host;
        Clock& clock;
        std::string directory = {};                    // empty: in memory
        std::function<void()> wake = [] {};            // there may be more; from any thread, must not block
        std::function<std::uint64_t()> erasures = {};  // of the site so far; null: there are none
        std::string site = {};
    };
    explicit TextIndexer(Parts parts);
    ~TextIndexer();

    // One turn: what it gives says when the next is due: at once (0), after a while, or when it is woken (nothing).
    std::optional<Duration> step();
    // Takes all that is durable and commits it: for tests, and where there is no thread.
    Result<void> catch_up();
    // Commits what was put.
    void stop();

    // 503 "text_unavailable" while it can't be read, or shows values that were erased since.
    Result<Searched> find(text::Query const& query);
    // The newest event whose documents are found.
    Position shown() const { return shown_.load(std::memory_order_acquire); }
    void hurry() { hurried_ = true; }
    TextTold told() const;

   private:
    struct Place {
        log::Incarnation incarnation = 0;
        Position position = 0;
        bool operator==(Place const&) const = default;
    };
    text::Schema schema_now() const;
    std::uint64_t erasures_now() const { return parts_.erasures && holds_personal_ ? parts_.erasures() : 0; }
    Result<void> open();
    Result<void> start_over(Problem const& why);
    void close();
    void forget_readers();
    Result<std::optional<Duration>> turn();
    Result<std::optional<Duration>> idle();
    Result<void> take(FollowItem const& item, log::Incarnation incarnation);
    Result<void> apply(TextChanges::Change const& change);
    Result<void> commit();
    void show(Position position);
    std::optional<Duration> failed(Problem const& problem);
    Result<std::unique_ptr<text::Reader>> take_reader(std::uint64_t generation);
    void give_back(std::unique_ptr<text::Reader> reader, std::uint64_t generation);

    Parts parts_;
    TextDecl const& decl_;
    bool const holds_personal_;
    std::unique_ptr<FollowSource> source_;
    // Of the stepping thread; in memory the index is shared with the searches, under index_mutex_.
    std::mutex index_mutex_;
    std::optional<text::Index> index_;
    Place at_;                    // up to there events were taken
    Place committed_;             // and up to there for good
    Position needs_durable_ = 0;  // the newest state that documents were made of
    std::int64_t committed_ns_ = 0, back_at_ns_ = 0;
    int failures_ = 0;
    TextChanges changes_;
    std::atomic<Position> shown_ = 0;
    std::atomic<bool> hurried_ = false, damaged_ = false;
    std::atomic<std::uint64_t> erasures_shown_ = 0;  // those that the index has forgotten about
    mutable std::mutex mutex_;                       // of what is below
    bool is_open_ = false;                           // there is something to be searched
    std::uint64_t generation_ = 0;                   // one more for each
    std::vector<std::unique_ptr<text::Reader>> readers_;
    TextState state_ = TextState::starting;
    std::optional<Problem> why_;
    std::uint64_t documents_ = 0, rebuilds_ = 0;
};

// An index in memory that takes what is durable whenever it is asked: for tests and fakes.
class TextAtOnce final : public TextDesk {
   public:
    TextAtOnce(Host& host, Clock& clock, std::function<std::uint64_t()> erasures = {});
    ~TextAtOnce() override;
    Result<Searched> find(text::Query const& query) override;
    void find_later(text::Query query, Position after, Duration wait, Done done) override;

   private:
    Host& host_;
    std::mutex mutex_;
    TextIndexer indexer_;
};

// The index of one host on a thread of its own, and searches on others.
class TextIndexing final : public TextDesk {
   public:
    static constexpr int waiting_max = 1000;  // searches; more are refused
    TextIndexing(TextIndexer::Parts parts, net::IoThreads& threads, int thread, net::IoThreads& searchers);
    ~TextIndexing() override;
    void start();
    // Ends what runs and commits. Not on one of the threads.
    void stop();
    // Something that no event tells of may have changed.
    void wake();

    Result<Searched> find(text::Query const& query) override { return indexer_.find(query); }
    void find_later(text::Query query, Position after, Duration wait, Done done) override;
    TextTold told() const { return indexer_.told(); }

   private:
    struct Waiter;
    struct Shared;
    void run();
    void search(std::shared_ptr<Waiter> const& waiter);
    void release();

    Host& host_;
    net::IoThreads& threads_;
    int thread_;
    net::IoThreads& searchers_;
    std::shared_ptr<Shared> shared_;
    net::Timer alarm_;  // on the thread
    std::mutex mutex_;
    std::vector<std::shared_ptr<Waiter>> waiters_;
    int next_searcher_ = 0;
    bool stopped_ = false;
    TextIndexer indexer_;
};

}  // namespace gantry::runtime
