// A follower over HTTP: a real server with a real feed, and the same decisions as in one process.
#include <condition_variable>
#include <mutex>

#include "kernel/runtime/bank_fixture_test.h"
#include "kernel/runtime/edge.h"

namespace gantry::runtime {
namespace {

class FollowFeed : public ::testing::Test {
   protected:
    FollowFeed() { serve(), follow(); }
    ~FollowFeed() override { follower_.reset(), unserve(); }
    void serve() {
        threads_ = std::make_unique<net::IoThreads>(2);
        EdgeOptions options;
        options.threads = threads_.get();
        edge_ = std::make_unique<Edge>(std::vector<Host*>{bank_.host.get()}, options);
        server_ = std::make_unique<http::Server>(*threads_, *edge_, http::ServerConfig{});
        http::ListenAddress address;
        address.port = port_;
        auto port = server_->listen(address);
        ASSERT_TRUE(port) << port.error().detail;
        port_ = *port;
    }
    void unserve() {
        edge_->announce_stop(), server_->stop(Duration::seconds(2));
        server_.reset(), edge_.reset(), threads_.reset();
    }
    void follow() {
        follower_.reset();
        auto const& decl = ledger_.host->decl().followers.front();
        auto wake = [this] {
            std::lock_guard lock(mutex_);
            ++woken_, changed_.notify_all();
        };
        follower_ = std::make_unique<Follower>(
            *ledger_.host, decl, follow_feed("http://127.0.0.1:" + std::to_string(port_), decl, "ledger", wake, Duration::millis(200)),
            clock_, random_);
        desk_.follower = follower_.get();
        ledger_.host->set_follower_desk(&desk_);
    }
    // Steps, with waits for answers between, until it is so; bounded.
    void until(std::function<bool()> so) {
        for (int i = 0; i < 200 && !so(); ++i) {
            auto const seen = woken_.load();
            auto const next = follower_->step();
            if (next && next->us == 0) continue;
            if (follower_->told().state == FollowerState::backing_off) clock_.advance(Duration::seconds(60));
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, std::chrono::milliseconds(500), [&] { return woken_ > seen; });
        }
        EXPECT_TRUE(so()) << follower_->told().code.value_or("") << ' ' << follower_->told().why.value_or("");
    }
    void open(std::string_view id, std::string_view owner) {
        ASSERT_TRUE(bank_.call("/accounts", fmt::format(R"({{"id":"{}","owner":"{}"}})", id, owner)));
    }
    void move(std::string_view id, std::int64_t cents) {
        ASSERT_TRUE(bank_.call("/accounts/{id}/moves", fmt::format(R"({{"id":"{}","cents":{}}})", id, cents)));
    }
    ledger::Line const* line(std::string_view id) { return ledger_.state().lines.find(bank::AccountId(id)); }
    bool is(std::string_view id, std::int64_t cents) { return line(id) && line(id)->cents == cents; }
    FollowerTold told() { return follower_->told(); }

    struct Desk final : FollowerDesk {
        Follower* follower = nullptr;
        Follower* find(std::string_view) override { return follower; }
        void wake(std::string_view) override { follower->try_now(); }
    };
    ManualClock clock_;
    SeededRandom random_{42};
    OnMemory<bank::Service> bank_{clock_, random_};
    OnMemory<ledger::Service> ledger_{clock_, random_};
    Desk desk_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<int> woken_ = 0;
    std::uint16_t port_ = 0;
    std::unique_ptr<net::IoThreads> threads_;
    std::unique_ptr<Edge> edge_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<Follower> follower_;
};

TEST_F(FollowFeed, DecidesAsInOneProcess) {
    open("a_1", "u_bob"), move("a_1", 5);
    open("a_2", "u_a-name-that-is-longer-than-sixteen-bytes"), open("a_bad", "u_bad"), move("a_bad", 1);
    until([&] { return line("a_2") && ledger_.host->followed("bank").letters().size() == 2; });
    move("a_1", 7);
    until([&] { return is("a_1", 12); });
    EXPECT_EQ(line("a_1")->by, Str("u_ann")) << "who caused it there";
    EXPECT_EQ(line("a_1")->opened_at, clock_.wall());
    EXPECT_EQ(line("a_2")->owner, Str("u_a-name-that-is-longer-than-sixteen-bytes"));
    EXPECT_EQ(told().where, "http://127.0.0.1:" + std::to_string(port_));
    // The same from the log of the source.
    OnMemory<ledger::Service> other{clock_, random_};
    auto const& decl = other.host->decl().followers.front();
    Follower here(*other.host, decl, follow_log(*bank_.host, decl, [] {}), clock_, random_);
    for (auto next = here.step(); next && next->us == 0;) next = here.step();
    EXPECT_EQ(other.host->digest(), ledger_.host->digest());
    EXPECT_EQ(other.host->followed("bank").letters().size(), 2u);
    EXPECT_EQ(other.host->followed("bank").position, ledger_.host->followed("bank").position);
}

TEST_F(FollowFeed, GoesOnWhereItWasOverRestartsOfBothSides) {
    open("a_1", "u_ann");
    for (int i = 0; i < 1500; ++i) move("a_1", 1);
    until([&] { return line("a_1") && line("a_1")->cents >= 256; });
    follower_.reset(), ledger_.start(), follow();
    until([&] { return is("a_1", 1500); });
    unserve();
    follower_->step();
    until([&] { return told().state == FollowerState::backing_off; });
    EXPECT_EQ(told().code, "connect_failed");
    EXPECT_TRUE(told().retry_at);
    serve();
    move("a_1", 1);
    until([&] { return is("a_1", 1501); });
    EXPECT_FALSE(told().code);
}

TEST_F(FollowFeed, DeadLettersAreTakenAgain) {
    open("a_bad", "u_bad"), move("a_bad", 1), move("a_bad", 2);
    until([&] { return ledger_.host->followed("bank").letters().size() == 3; });
    ASSERT_TRUE(ledger_.call("/owners", R"({"owner":"u_bad"})"));
    ASSERT_TRUE(ledger_.call("/followers/{source}/retry", R"({"source":"bank"})"));
    until([&] { return ledger_.host->followed("bank").letters().empty(); });
    EXPECT_EQ(line("a_bad")->cents, 3);
}

TEST_F(FollowFeed, AGapAndAnotherHistoryAreTold) {
    open("a_1", "u_ann"), open("a_2", "u_ann"), open("a_3", "u_ann");
    ASSERT_TRUE(bank_.log->cut(3, {}));
    until([&] { return told().state == FollowerState::refused; });
    EXPECT_EQ(told().code, "source_gap");
    ASSERT_TRUE(ledger_.call("/followers/{source}/move", R"({"source":"bank","to":"begin"})"));
    until([&] { return line("a_3"); });
    EXPECT_FALSE(line("a_2"));

    unserve();
    bank_.store = std::make_shared<log::MemoryStore>(), bank_.start();
    serve();
    open("a_4", "u_ann");
    until([&] { return told().code == "source_history"; });
    EXPECT_EQ(told().state, FollowerState::refused);
    ASSERT_TRUE(ledger_.call("/followers/{source}/move", R"({"source":"bank","to":"begin"})"));
    until([&] { return line("a_4"); });
}

TEST_F(FollowFeed, AFollowerAheadOfItsSourceIsRefused) {
    open("a_1", "u_ann");
    until([&] { return line("a_1"); });
    ASSERT_TRUE(ledger_.host->change_followed(
        "bank", [](Followed& followed, LetterChanges&) -> Result<void> { return followed.position = 9, Result<void>(); }));
    until([&] { return told().code == "source_ahead"; });
    EXPECT_EQ(told().state, FollowerState::refused);
}

}  // namespace
}  // namespace gantry::runtime
