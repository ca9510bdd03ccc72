#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/effect_runner.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/text_indexer.h"
#include "kernel/service.h"
#include "kernel/testing/memory_snapshots.h"
#include "kernel/testing/private_values.h"

namespace gantry::testing {

struct EncodedEvent {
    std::uint32_t type = 0;
    std::string payload;
    bool operator==(EncodedEvent const&) const = default;
};

struct Reply {
    int status = 0;
    std::string body, code, cause, position;
    std::string etag;       // of a read that was answered
    bool replayed = false;  // the reply of an earlier command with the same Idempotency-Key
    std::vector<EncodedEvent> wrote;
    std::vector<ForeignHeader> headers = {};  // of a foreign route, which its status and body are, too
};

// The headers of one request that the host looks at.
struct Headers {
    std::string idempotency_key, if_match;
    std::vector<std::pair<std::string, std::string>> others = {};  // for foreign routes
};

// A call that may wait. Its handle may outlive the bench's interest in it, not the bench.
struct Pending {
    std::string caller, verb, target, body;
    Headers headers;
    std::uint64_t number = 0;  // the host's
    int asked = 0;             // how often it was decided again
    std::optional<Reply> reply = {};
};

class Mirror;

// The part of a Harness that doesn't know its service's types.
class BenchOfOne {
   public:
    // `settings` outlives it; null: the service has none, or its defaults.
    explicit BenchOfOne(runtime::ServiceDecl decl, void const* settings = nullptr);
    virtual ~BenchOfOne();

    Reply ask(std::string_view verb, std::string_view target, std::string_view body, Headers const& headers = {});
    // The same where the command may wait: it is decided again when it is to be, by what is asked or done here later.
    std::shared_ptr<Pending> ask_and_wait(std::string_view verb, std::string_view target, std::string_view body, Headers const& headers);
    // Its client goes.
    void leave(Pending& pending);
    // Decides again whoever is to be, also those whose time is up.
    void ask_waiting();
    void record(std::vector<EncodedEvent> const& events);
    // As after a crash: what the log holds is all that there is.
    void restart();
    // Makes it one of another site: restarts.
    void set_hash_key(codec::HashKey const& key) { hash_key_ = key, restart(); }
    // Lets the service record what time alone brings about.
    void tick();
    // What the outside answers to calls of effects; until it is told they fail for want of an answer.
    void outside(std::function<client::Reply(client::Request)> send) { outside_ = std::move(send); }
    // Who takes mails of effects; until it is told they fail for want of one.
    using TakeMail = std::function<void(std::string_view to, std::string_view subject, std::string_view text)>;
    void mails(TakeMail take) { mails_ = std::move(take); }
    // What another service of its site is told that calls this one by a path: for the `outside` of that one. Nobody waits: time stands
    // still.
    client::Reply answer(client::Request request);
    // Does the effects that are due, and those that their outcomes ask for.
    void run_effects();
    // Has this service take what it follows of another one, until it has caught up, or an event needs an operator.
    void follow(BenchOfOne& source);
    struct Letter {
        log::Position position = 0;
        std::string subject, code;
        bool operator==(Letter const&) const = default;
    };
    std::vector<Letter> dead_letters(std::string_view source);
    ManualClock& clock() { return clock_; }
    runtime::Host& host() { return *host_; }
    void expect_wrote(Reply const& reply, std::vector<EncodedEvent> const& expected);
    // `count` random requests, four commands for a read, each route as likely as another, by three callers; now and then a tick, a restart,
    // or a key that came before. They go through the real routes and binding, and use the ids and words that earlier ones made. None may be
    // answered with 5xx.
    void random_commands(std::uint64_t seed, int count);
    // The same, chosen by bytes until they are used up: a byte for each choice, as a fuzzer wants it.
    void commands_from(std::string_view bytes);

   protected:
    void check_laws();
    std::string caller_ = "u_local";

   private:
    Reply ask_here(std::string_view verb, std::string_view target, std::string_view body, Headers const& headers,
                   runtime::Waiter* waiter = nullptr);
    void decide(std::shared_ptr<Pending> const& pending);
    void follow_clock();
    bool is_foreign(std::string_view verb, std::string_view target) const;
    static void show_foreign(Reply& reply, runtime::ForeignDecl const& foreign, Headers const& headers);
    friend class Laws;
    friend class RandomCalls;
    struct Asked {
        std::string caller, target;
        bool operator==(Asked const&) const = default;
    };
    std::string shown(std::vector<EncodedEvent> const& events) const;
    Reply reply_of(Result<runtime::Answer> told, runtime::RouteDecl const& route) const;
    Reply read_of(runtime::Folded const& state, std::string_view target) const;  // of a state that a test has
    Result<runtime::Answer> of_the_past(std::string_view as_of, runtime::Request const& request);
    std::vector<EncodedEvent> written_after(log::Position position) const;
    void start();
    void keep_snapshot();
    void fold_knows_followers();

    ManualClock clock_;
    SeededRandom random_{42};
    runtime::ServiceDecl decl_;
    void const* settings_;
    codec::HashKey hash_key_{};
    std::optional<codec::AnyValue> default_settings_;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    MemorySnapshots snapshots_;
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<runtime::Host> host_;
    std::unique_ptr<runtime::RouteTable> routes_;
    std::function<client::Reply(client::Request)> outside_;
    TakeMail mails_;
    std::unique_ptr<runtime::EffectRunner> effects_;
    std::unique_ptr<runtime::TextAtOnce> text_;  // null: the service has no documents
    std::vector<Asked> reads_;                   // each once
    std::size_t writes_ = 0;
    std::unique_ptr<Mirror> mirror_;
    Time mirror_now_{};
    bool mirrored_ = false;  // until the laws are checked, which look inside
    std::deque<std::weak_ptr<Pending>> to_ask_;
    PrivateValues private_values_;
    bool values_are_random_ = false;  // and thus say nothing about where a private one came from
};

}  // namespace gantry::testing
