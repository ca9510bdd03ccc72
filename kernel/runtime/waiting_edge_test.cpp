// Commands that wait, over real sockets and the file log.
#include <fmt/format.h>

#include <thread>

#include "kernel/runtime/edge_fixture_test.h"
#include "kernel/runtime/shelf_for_test.h"
#include "kernel/runtime/sse_reader_test.h"

namespace gantry::runtime {
namespace {

// One request on a connection of its own, whose answer may take its time.
class Asker {
   public:
    Asker(std::string const& url, std::string_view target, std::string_view body, std::string_view headers = {}) {
        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET, at.sin_port = htons(std::uint16_t(std::stoi(url.substr(url.rfind(':') + 1))));
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
        auto const request = fmt::format(
            "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{}",
            target, body.size(), headers, body);
        EXPECT_EQ(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL), ssize_t(request.size()));
    }
    ~Asker() { leave(); }
    Asker(Asker&& other) noexcept : fd_(std::exchange(other.fd_, -1)), text_(std::move(other.text_)) {}
    void leave() {
        if (fd_ >= 0) close(std::exchange(fd_, -1));
    }
    // All that came until the connection ended.
    std::string const& answer() {
        char buffer[4096];
        pollfd ready{fd_, POLLIN, 0};
        while (poll(&ready, 1, patience_ms) == 1) {
            auto const n = recv(fd_, buffer, sizeof buffer, 0);
            if (n <= 0) break;
            text_.append(buffer, std::size_t(n));
        }
        return text_;
    }
    int status() { return answer().size() > 12 ? std::stoi(text_.substr(9, 3)) : 0; }
    std::string body() {
        auto const end = answer().find("\r\n\r\n");
        return end == std::string::npos ? "" : text_.substr(end + 4);
    }
    bool is_answered() const {
        pollfd ready{fd_, POLLIN, 0};
        return poll(&ready, 1, 0) == 1;
    }

   private:
    int fd_ = -1;
    std::string text_;
};

class WaitingEdge : public EdgeTest {
   protected:
    WaitingEdge() {
        stop();
        std::filesystem::remove_all(directory_);
        declare_ = [] { return declare<shelf::Service>(); };
        adjust_ = [this](ServiceDecl&, Host::Parts& parts) { parts.waiting_room = &room_; };
        start();
        shelf::decided = 0;
    }
    static std::string wants(std::string_view by, std::string_view more = {}) {
        return fmt::format(R"({{"shelf":"a","by":"{}","wait_ms":600000{}}})", by, more);
    }
    Asker want(std::string_view by, std::string_view more = {}, std::string_view headers = {}) {
        auto const before = host_->waiting().count();
        Asker asker(url_, "/shelf/v1/take", wants(by, more), headers);
        wait_for([&] { return host_->waiting().count() == before + 1; });
        return asker;
    }
    void wait_for(std::function<bool()> const& happens) {
        for (int i = 0; i < patience_ms && !happens(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        EXPECT_TRUE(happens());
    }
    void put(std::string_view what) {
        auto const reply = send("POST", "/shelf/v1/put", fmt::format(R"({{"shelf":"a","what":"{}"}})", what));
        EXPECT_EQ(reply.status, 200) << reply.body;
    }
    WaitingRoom room_;
};

TEST_F(WaitingEdge, WhoCameFirstGetsWhatComes) {
    auto ann = want("ann"), bob = want("bob");
    put("one");
    EXPECT_EQ(ann.status(), 200);
    EXPECT_EQ(ann.body(), R"({"by":"ann","what":"one","noted":"ann"})");
    EXPECT_FALSE(bob.is_answered());
    put("two");
    EXPECT_EQ(bob.body(), R"({"by":"bob","what":"two","noted":"bob"})");
    EXPECT_NE(bob.answer().find("Gantry-Position: "), std::string::npos);
    EXPECT_EQ(host_->waiting().count(), 0u);
}

TEST_F(WaitingEdge, AClientThatHasGoneGetsNothing) {
    auto ann = want("ann"), bob = want("bob");
    ann.leave();
    wait_for([&] { return host_->waiting().count() == 1; });
    put("one");
    EXPECT_EQ(bob.body(), R"({"by":"bob","what":"one","noted":"bob"})");
    EXPECT_EQ(room_.taken, 0u);
    EXPECT_EQ(send("GET", "/shelf/v1/a").body, R"({"things":0,"taken":1})");
}

TEST_F(WaitingEdge, APlannedStopAnswersAllAndLetsNobodyWaitUntilItIsTakenBack) {
    auto ann = want("ann"), bob = want("bob");
    edge_->announce_stop();
    EXPECT_EQ(ann.body(), R"({"by":"ann","what":"nothing","noted":""})");
    EXPECT_EQ(bob.status(), 200);
    EXPECT_EQ(Asker(url_, "/shelf/v1/take", wants("cat")).body(), R"({"by":"cat","what":"nothing","noted":""})");
    edge_->take_back_stop();
    auto dan = want("dan");
    put("one");
    EXPECT_EQ(dan.status(), 200);
}

TEST_F(WaitingEdge, LogTimeEndsTheWait) {
    Asker ann(url_, "/shelf/v1/take", R"({"shelf":"a","by":"ann","wait_ms":1})");
    wait_for([&] { return host_->tick() && ann.is_answered(); });
    EXPECT_EQ(ann.body(), R"({"by":"ann","what":"nothing","noted":""})");
}

TEST_F(WaitingEdge, AForeignRouteWaitsToo) {
    Asker ann(url_, "/shelf/plain/a?by=ann", "");
    wait_for([&] { return host_->waiting().count() == 1; });
    put("one");
    EXPECT_EQ(ann.body(), "one for ann");
}

TEST_F(WaitingEdge, InABulkNobodyWaits) {
    auto const reply = send("POST", "/shelf/v1/take", "[" + wants("ann") + "," + wants("bob") + "]");
    EXPECT_EQ(reply.body, R"([{"index":0,"status":200,"reply":{"by":"ann","what":"nothing","noted":""}},)"
                          R"({"index":1,"status":200,"reply":{"by":"bob","what":"nothing","noted":""}}])");
}

TEST_F(WaitingEdge, WithAnIdempotencyKeyARepeatGetsTheSameBytes) {
    auto ann = want("ann", "", "Idempotency-Key: k1\r\n");
    put("one");
    auto const first = ann.body();
    EXPECT_EQ(first, R"({"by":"ann","what":"one","noted":"ann"})");
    auto repeat = [&] { return send("POST", "/shelf/v1/take", wants("ann"), {{"Idempotency-Key", "k1"}}); };
    EXPECT_EQ(repeat().body, first);
    EXPECT_EQ(repeat().header("Gantry-Replayed"), "true");
    stop(), start();
    EXPECT_EQ(repeat().body, first) << "read from the log";
}

TEST_F(WaitingEdge, AfterAPositionThatIsToCome) {
    put("one");
    auto const after = host_->position_text(2);
    Asker ann(url_, "/shelf/v1/take", wants("ann", R"(,"at_least":3)"), "Gantry-After: shelf=" + after + "\r\n");
    put("two");
    wait_for([&] { return host_->waiting().count() == 1; });
    put("three");
    EXPECT_EQ(ann.body(), R"({"by":"ann","what":"one","noted":"ann"})");
}

// Takers and putters race: whatever was put is taken, by those who waited, and nobody is forgotten.
TEST_F(WaitingEdge, NoTouchIsLost) {
    constexpr int each = 40, workers = 8;
    std::atomic<int> got = 0;
    {
        std::vector<std::jthread> threads;
        for (int w = 0; w < workers; ++w)
            threads.emplace_back([&, w] {
                client::Session session(url_);
                for (int i = 0; i < each; ++i) {
                    client::Request request;
                    request.method = "POST", request.target = "/shelf/v1/take", request.body = wants(std::to_string(w), R"(,"alike":1)");
                    request.headers = {{"Content-Type", "application/json"}};
                    auto const reply = session.send(std::move(request));
                    if (reply.body.find(R"("what":"t)") != std::string::npos) ++got;
                }
            });
        for (int p = 0; p < 2; ++p)
            threads.emplace_back([&] {
                for (int i = 0; i < each * workers / 2; ++i) put("t");
            });
    }
    EXPECT_EQ(got, each * workers);
    EXPECT_EQ(send("GET", "/shelf/v1/a").body, fmt::format(R"({{"things":0,"taken":{}}})", each * workers));
    EXPECT_EQ(host_->waiting().count(), 0u);
}

TEST_F(WaitingEdge, HundredsOfConnectionsWaitAndEachIsAnsweredOnce) {
    constexpr int many = 300;
    std::vector<Asker> askers;
    for (int i = 0; i < many; ++i) askers.emplace_back(url_, "/shelf/v1/take", wants(std::to_string(i), R"(,"alike":1)"));
    wait_for([&] { return host_->waiting().count() == many; });
    shelf::decided = 0;
    for (int i = 0; i < many; ++i) put("t");
    for (auto& asker : askers) EXPECT_NE(asker.body().find(R"("what":"t")"), std::string::npos);
    EXPECT_LE(shelf::decided, 2 * many);
}

}  // namespace
}  // namespace gantry::runtime
