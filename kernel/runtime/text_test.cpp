// Full-text search of a service: the index behind its log, on a disk and on threads, and the way over a socket.
#include "kernel/runtime/text.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/log/memory/memory_snapshots.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/erasing.h"
#include "kernel/runtime/openapi.h"
#include "kernel/runtime/process.h"
#include "kernel/runtime/shouts_for_test.h"
#include "kernel/runtime/text_indexer.h"

namespace gantry::runtime {
namespace {

class TextTest : public ::testing::Test {
   protected:
    TextTest() : directory_(std::filesystem::temp_directory_path() / ("gantry_text_" + std::to_string(getpid()))) {
        std::filesystem::remove_all(directory_);
        start();
    }
    ~TextTest() override {
        end();
        std::filesystem::remove_all(directory_);
    }
    void start() {
        log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{},
                                                codec::encode_event_schema(codec::type_of<shouts::Event>()));
        Host::Parts parts{*log_, clock_, random_};
        parts.sealer = &sealer_;
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_ ? server_->post(lane, std::move(task)) : task(); };
        auto decl = declare<shouts::Service>();
        decl.text->schema.version = version_;
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        auto started = host_->start();
        ASSERT_TRUE(started) << started.error().detail;
        erasing_.emplace(
            Erasing::Parts{keys_, *log::Erasures::open(log::system_disk(), ""), {}, clock_, [this] { return std::vector{host_.get()}; }});
        indexer_.emplace(parts_of());
    }
    TextIndexer::Parts parts_of() {
        return {.host = *host_, .clock = clock_, .directory = index(), .erasures = [this] {
                    return erasures_before_ + erasing_->erasures_so_far();
                }};
    }
    void end() {
        erasures_before_ += erasing_->erasures_so_far();
        indexer_.reset(), erasing_.reset(), host_.reset(), log_.reset();
    }
    void restart() { end(), start(); }
    std::string index() const { return (directory_ / "shouts" / "text").string(); }
    std::string call(std::string_view verb, std::string_view path, std::string_view json) {
        Viewer const viewer{Str("u_ann")};
        for (auto const& route : host_->decl().routes) {
            if (route.verb != verb || route.path != path) continue;
            auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, json); };
            auto outcome = host_->call(Request{.route = route, .viewer = viewer, .bind = fill}, [] { return [](Result<Answer>) {}; });
            EXPECT_TRUE(outcome && *outcome) << json;
            return outcome && *outcome ? (*outcome)->body : "";
        }
        return ADD_FAILURE() << path, "";
    }
    std::string shout(std::string_view text, std::string_view mail = "ann@example.org") {
        auto const made = call("POST", "/", fmt::format(R"({{"text":"{}","mail":"{}","hidden":false}})", text, mail));
        return codec::from_json<shouts::Shout>(made)->id.str();
    }
    Result<Searched> search(std::string_view text) {
        return indexer_->find({.match = text::parse(text, shouts::text_schema(), {}).value(), .after = {}});
    }
    std::size_t hits(std::string_view text) {
        auto const found = search(text);
        EXPECT_TRUE(found) << text << ": " << found.error().code << found.error().detail;
        return found ? found->found.hits.size() : 999;
    }
    std::string code_of(Result<Searched> const& searched) { return searched ? "found" : searched.error().code; }
    void catch_up() {
        auto done = indexer_->catch_up();
        ASSERT_TRUE(done) << done.error().code << done.error().detail << done.error().cause;
    }

    std::filesystem::path directory_;
    ManualClock clock_;
    SeededRandom random_{5};
    codec::MemorySubjectKeys keys_{random_};
    codec::Sealer sealer_ = codec::make_sealer(keys_, random_);
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<Host> host_;
    std::optional<Erasing> erasing_;
    std::uint64_t erasures_before_ = 0;
    std::optional<TextIndexer> indexer_;
    std::optional<http::Server> server_;
    std::uint32_t version_ = 1;
};

TEST_F(TextTest, SaysHowFarBehindItIs) {
    shout("one two");
    EXPECT_EQ(code_of(search("one")), "text_unavailable");
    catch_up();
    EXPECT_EQ(hits("one"), 1u);
    EXPECT_FALSE(search("one")->behind);
    EXPECT_EQ(indexer_->told().state, TextState::caught_up);
    EXPECT_EQ(indexer_->told().documents, 1u);
    shout("one three");
    shout("one four");
    EXPECT_EQ(search("one")->behind, "the full-text index is 2 events behind");
    EXPECT_EQ(hits("one"), 1u);
    EXPECT_EQ(indexer_->told().state, TextState::behind);
    EXPECT_EQ(indexer_->told().lag_events, 2u);
    catch_up();
    EXPECT_EQ(hits("one"), 3u);
    EXPECT_EQ(indexer_->told().position, host_->position_text(3));
}

TEST_F(TextTest, WhatGivesNoDocumentDoesNotHoldItBack) {
    shout("one");
    catch_up();
    for (int i = 0; i < 500; ++i) call("POST", "/counts", R"({"count":1})");
    while (indexer_->step() == Duration{}) {
    }
    EXPECT_FALSE(search("one")->behind) << "though nothing was committed";
    EXPECT_EQ(indexer_->shown(), 501u);
}

TEST_F(TextTest, CommitsAreGathered) {
    shout("one");
    while (indexer_->step() == Duration{}) {
    }
    shout("two");
    std::optional<Duration> wait;
    while ((wait = indexer_->step()) == Duration{}) {
    }
    ASSERT_TRUE(wait);
    EXPECT_GT(wait->us, 0);
    EXPECT_LE(*wait, TextIndexer::commit_every);
    EXPECT_TRUE(search("two")->behind);
    clock_.advance(*wait);
    EXPECT_FALSE(indexer_->step());
    EXPECT_EQ(hits("two"), 1u);
    EXPECT_FALSE(search("two")->behind);
}

TEST_F(TextTest, GoesOnAfterARestartAndTakesNothingTwice) {
    for (int i = 0; i < 300; ++i) shout("one");
    catch_up();
    restart();
    indexer_->step();
    EXPECT_EQ(indexer_->shown(), 300u) << "what was committed counts";
    shout("one");
    catch_up();
    EXPECT_EQ(hits("one"), 100u);
    EXPECT_EQ(indexer_->told().documents, 301u);
    EXPECT_EQ(indexer_->told().rebuilds, 0u);
}

TEST_F(TextTest, IsMadeAnewByAnotherSchema) {
    shout("one");
    catch_up();
    version_ = 2;
    restart();
    catch_up();
    EXPECT_EQ(hits("one"), 1u);
    EXPECT_EQ(indexer_->told().rebuilds, 1u);
}

TEST_F(TextTest, IsMadeAnewOfAnotherHistory) {
    shout("one");
    catch_up();
    store_ = std::make_shared<log::MemoryStore>();
    restart();
    shout("two");
    catch_up();
    EXPECT_EQ(hits("one"), 0u);
    EXPECT_EQ(hits("two"), 1u);
    EXPECT_EQ(indexer_->told().rebuilds, 1u);
}

TEST_F(TextTest, IsMadeAnewWhenItIsDamagedOrGone) {
    for (int i = 0; i < 50; ++i) shout("one two");
    for (auto const* file : {"iamglass", "postlist.glass", ""}) {
        catch_up();
        ASSERT_EQ(hits("one"), 50u);
        indexer_.reset();
        if (std::string_view(file).empty())
            std::filesystem::remove_all(index());
        else
            std::ofstream(index() + "/" + file, std::ios::binary) << std::string(20000, '\x5a');
        indexer_.emplace(parts_of());
        // What the start doesn't see a search, or the next document, does.
        indexer_->step();
        (void)search("one");
        shout("three");
        catch_up();
        catch_up();
        EXPECT_EQ(hits("one"), 50u) << file;
        EXPECT_FALSE(search("one")->behind);
    }
}

TEST_F(TextTest, DamageThatASearchFindsIsPutRight) {
    for (int i = 0; i < 50; ++i) shout("one two");
    catch_up();
    std::ofstream(index() + "/postlist.glass", std::ios::binary) << std::string(20000, '\x5a');
    std::ofstream(index() + "/position.glass", std::ios::binary) << std::string(20000, '\x5a');
    EXPECT_EQ(code_of(search("\"one two\"")), "text_unavailable");
    EXPECT_EQ(search("one").error().retry_after_s, 1);
    catch_up();
    EXPECT_EQ(hits("\"one two\""), 50u);
    EXPECT_EQ(indexer_->told().rebuilds, 1u);
}

TEST_F(TextTest, WhatStandsInItsPlaceStaysAndItSaysSo) {
    std::filesystem::create_directories(index());
    std::ofstream(index() + "/precious.txt") << "mine";
    shout("one");
    auto const done = indexer_->catch_up();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, "text_foreign");
    EXPECT_EQ(indexer_->told().state, TextState::backing_off);
    EXPECT_EQ(indexer_->told().code, "text_foreign");
    std::filesystem::remove(index() + "/precious.txt");
    EXPECT_GT(indexer_->step()->us, 0) << "it backs off";
    clock_.advance(TextIndexer::backoff_max);
    catch_up();
    EXPECT_EQ(hits("one"), 1u);
}

TEST_F(TextTest, ForgetsWhatIsErased) {
    shout("one", "ann@example.org");
    shout("one", "bob@example.org");
    catch_up();
    ASSERT_EQ(hits("mail:ann"), 1u);
    ASSERT_TRUE(erasing_->erase(erasing_->subject_of("ann@example.org")));
    EXPECT_EQ(code_of(search("mail:ann")), "text_unavailable") << "from the moment of the erasure";
    catch_up();
    EXPECT_EQ(hits("mail:ann"), 0u);
    EXPECT_EQ(hits("mail:bob"), 1u);
    EXPECT_EQ(hits("one"), 2u);
    for (auto const& file : std::filesystem::directory_iterator(index())) {
        std::ifstream in(file.path(), std::ios::binary);
        std::string const bytes{std::istreambuf_iterator<char>(in), {}};
        EXPECT_EQ(bytes.find("b:ann"), bytes.npos) << file.path();
    }
}

TEST_F(TextTest, AnErasureBeforeACrashIsKnownAfterIt) {
    shout("one", "ann@example.org");
    catch_up();
    ASSERT_TRUE(erasing_->erase(erasing_->subject_of("ann@example.org")));
    restart();
    EXPECT_EQ(code_of(search("mail:ann")), "text_unavailable");
    catch_up();
    EXPECT_EQ(hits("mail:ann"), 0u);
    EXPECT_EQ(hits("one"), 1u);
}

// On threads, behind a socket.
class TextServed : public TextTest {
   protected:
    TextServed() {
        indexer_.reset();
        threads_.emplace(2), indexing_threads_.emplace(1), searchers_.emplace(2);
        make_indexing();
        EdgeOptions options;
        options.threads = &*threads_, options.after_wait_max = Duration::seconds(20);
        edge_ = std::make_unique<Edge>(std::vector<Host*>{host_.get()}, options);
        server_.emplace(*threads_, *edge_);
        auto port = server_->listen({});
        EXPECT_TRUE(port) << port.error().detail;
        url_ = "http://127.0.0.1:" + std::to_string(*port);
    }
    ~TextServed() override {
        server_->stop(Duration::seconds(2));
        indexing_.reset();
        server_.reset(), edge_.reset();
    }
    void make_indexing() {
        auto parts = parts_of();
        indexing_ = std::make_unique<TextIndexing>(TextIndexer::Parts{*host_, system_clock(), parts.directory, [] {}, parts.erasures, {}},
                                                   *indexing_threads_, 0, *searchers_);
    }
    client::Reply send(std::string method, std::string target, std::string body = {}, client::Headers headers = {}) {
        client::Options once;
        once.retries = 0;
        client::Session session(url_, once);
        client::Request request{
            .method = std::move(method), .target = std::move(target), .headers = std::move(headers), .body = std::move(body)};
        request.headers.emplace_back("Content-Type", "application/json");
        return session.send(std::move(request));
    }
    std::string position_of_new(std::string_view text) {
        auto const made = send("POST", "/shouts/v1", fmt::format(R"({{"text":"{}","mail":"a","hidden":false}})", text));
        EXPECT_EQ(made.status, 200) << made.body;
        return std::string(made.header("Gantry-Position"));
    }
    std::optional<net::IoThreads> threads_, indexing_threads_, searchers_;
    std::unique_ptr<TextIndexing> indexing_;
    std::unique_ptr<Edge> edge_;
    std::string url_;
};

TEST_F(TextServed, AReaderFindsItsOwnWrites) {
    EXPECT_EQ(send("GET", "/shouts/v1/search?q=one").status, 503) << "nobody searches yet";
    indexing_->start();
    for (int i = 0; i < 20; ++i) {
        auto const position = position_of_new("word" + std::to_string(i));
        auto const found = send("GET", "/shouts/v1/search?q=word" + std::to_string(i), {}, {{"Gantry-After", "shouts=" + position}});
        EXPECT_EQ(found.status, 200) << found.body;
        EXPECT_NE(found.body.find("\"word" + std::to_string(i) + "\""), std::string::npos) << found.body;
        EXPECT_NE(found.body.find(R"("complete":true)"), std::string::npos) << found.body;
    }
    EXPECT_EQ(send("GET", "/shouts/v1/search?q=%22").status, 400);
    EXPECT_EQ(send("GET", "/shouts/v1/search?q=a&live=full").status, 400);
    EXPECT_EQ(send("GET", "/shouts/v1/search?q=a&as_of=2020-01-01T00:00:00Z").status, 400);
}

TEST_F(TextServed, ManyReadersWhileItIsWrittenSeeWholeAnswers) {
    indexing_->start();
    std::atomic<bool> ended = false;
    std::atomic<int> answers = 0;
    net::IoThreads readers(3);
    for (int i = 0; i < 3; ++i)
        readers.post(i, [&] {
            while (!ended) {
                auto const found = send("GET", "/shouts/v1/search?q=word%20OR%20other&limit=5");
                EXPECT_TRUE(found.status == 200 || found.status == 503) << found.status << found.body;
                answers += found.status == 200;
            }
        });
    std::string position;
    for (int i = 0; i < 300; ++i) position = position_of_new(i % 2 ? "word" : "other");
    auto const found = send("GET", "/shouts/v1/search?q=word&limit=1000", {}, {{"Gantry-After", "shouts=" + position}});
    ended = true;
    for (int i = 0; i < 3; ++i) readers.run(i, [] {});
    EXPECT_GT(answers, 0);
    auto const page = codec::from_json<Page<shouts::Shout>>(found.body);
    ASSERT_TRUE(page) << found.body;
    EXPECT_EQ(page->items.size(), 150u);
}

TEST_F(TextServed, StopsInOrderWithSearchesThatWait) {
    indexing_->start();
    std::atomic<int> told = 0;
    for (int i = 0; i < 50; ++i)
        indexing_->find_later({.match = {}, .after = {}}, 1'000'000, Duration::seconds(100), [&](Result<Searched>) { ++told; });
    indexing_->stop();
    EXPECT_EQ(told, 50);
    EXPECT_EQ(host_->text_desk(), nullptr);
    indexing_->find_later({.match = {}, .after = {}}, 0, {}, [&](Result<Searched> found) { told += found ? 0 : 1; });
    EXPECT_EQ(told, 51);
}

TEST_F(TextServed, WaitsAndQueuesAreBounded) {
    indexing_->start();
    std::mutex mutex;
    std::condition_variable changed;
    int told = 0;
    auto count = [&](Result<Searched>) {
        std::lock_guard guard(mutex);
        ++told, changed.notify_all();
    };
    indexing_->find_later({.match = {}, .after = {}}, 1'000'000, Duration::millis(30), count);
    {
        std::unique_lock lock(mutex);
        EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return told == 1; }));
    }
    for (int i = 0; i < TextIndexing::waiting_max; ++i)
        indexing_->find_later({.match = {}, .after = {}}, 1'000'000, Duration::seconds(100), count);
    std::string code;
    indexing_->find_later({.match = {}, .after = {}}, 1'000'000, Duration::seconds(100),
                          [&](Result<Searched> found) { code = found ? "" : found.error().code; });
    EXPECT_EQ(code, "text_busy");
    indexing_->stop();
    EXPECT_EQ(told, 1 + TextIndexing::waiting_max);
}

TEST_F(TextServed, ItsRouteIsDocumentedAsWhatItIs) {
    auto const document = openapi(host_->decl(), V1, "1.0");
    auto const begin = document.find("/search\"");
    ASSERT_NE(begin, document.npos);
    auto const search = document.substr(begin, document.find("responses", begin) - begin);
    EXPECT_NE(search.find("GantryAfter"), search.npos);
    EXPECT_EQ(search.find("AsOf"), search.npos);
    EXPECT_EQ(search.find("Live"), search.npos);
}

// A whole process, as `gantry serve` is one.
class TextProcess : public ::testing::Test {
   protected:
    TextProcess() : data_((std::filesystem::temp_directory_path() / fmt::format("gantry_text_process_{}", getpid())).string()) {
        std::filesystem::remove_all(data_);
    }
    ~TextProcess() override {
        if (child_ > 0) end(SIGKILL);
        std::filesystem::remove_all(data_);
    }
    void start() {
        int told[2];
        ASSERT_EQ(::pipe(told), 0);
        child_ = ::fork();
        if (child_ == 0) {
            ProcessOptions options{.data_dir = data_, .listen = {"127.0.0.1", 0}, .io_threads = 1};
            options.services.push_back(declare<shouts::Service>());
            options.on_ready = [&](std::string_view url) {
                auto const line = std::string(url) + "\n";
                if (::write(told[1], line.data(), line.size()) < 0) ::_exit(3);
            };
            ::_exit(serve(std::move(options)) ? 0 : 1);
        }
        ::close(told[1]);
        url_.clear();
        for (char c; ::read(told[0], &c, 1) == 1 && c != '\n';) url_ += c;
        ::close(told[0]);
        ASSERT_FALSE(url_.empty());
    }
    int end(int signal) {
        int status = 0;
        ::kill(child_, signal);
        ::waitpid(std::exchange(child_, -1), &status, 0);
        return status;
    }
    client::Reply send(std::string method, std::string target, std::string body = {}, client::Headers headers = {}) {
        client::Options once;
        once.retries = 0;
        client::Session session(url_, once);
        client::Request request{
            .method = std::move(method), .target = std::move(target), .headers = std::move(headers), .body = std::move(body)};
        request.headers.emplace_back("Content-Type", "application/json");
        return session.send(std::move(request));
    }
    std::string shout(std::string_view text, std::string_view mail) {
        auto const made = send("POST", "/shouts/v1", fmt::format(R"({{"text":"{}","mail":"{}","hidden":false}})", text, mail));
        EXPECT_EQ(made.status, 200) << made.body;
        return std::string(made.header("Gantry-Position"));
    }
    // Until the search is answered, which an index that is made anew holds up; at most twenty seconds.
    client::Reply search(std::string const& text, std::string const& after) {
        client::Reply reply;
        for (int i = 0; i < 200; ++i) {
            reply = send("GET", "/shouts/v1/search?q=" + text, {}, {{"Gantry-After", "shouts=" + after}});
            if (reply.status != 503) break;
            ::usleep(100'000);
        }
        EXPECT_EQ(reply.status, 200) << reply.body;
        return reply;
    }
    std::string data_, url_;
    pid_t child_ = -1;
};

TEST_F(TextProcess, FindsTellsForgetsAndGoesOn) {
    start();
    shout("one of ann", "ann@example.org");
    auto const position = shout("two of bob", "bob@example.org");
    EXPECT_NE(search("mail:ann", position).body.find("one of ann"), std::string::npos);
    auto const metrics = send("GET", "/metrics").body;
    for (auto const* line :
         {R"(gantry_text_lag_events{site="main",service="shouts"} 0)", R"(gantry_shouts_shouts{site="main",loud="y\"es"} 2)",
          R"(gantry_shouts_shouts{site="main",loud="no"} 0.5)", R"(gantry_shouts_shouted_total{site="main"} 2)"})
        EXPECT_NE(metrics.find(line), std::string::npos) << line;
    EXPECT_NE(send("GET", "/_gantry/v1/status").body.find(R"("text":{"state":"caught_up","documents":2)"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(data_ + "/main/shouts/text/iamglass"));
    EXPECT_EQ(send("POST", "/_gantry/v1/erasures", R"({"name":"ann@example.org"})").status, 200);
    EXPECT_NE(search("mail:ann", position).body.find(R"("items":[])"), std::string::npos);
    end(SIGKILL);
    start();
    EXPECT_NE(search("mail:ann", position).body.find(R"("items":[])"), std::string::npos);
    auto const found = search("one%20OR%20two", position);
    EXPECT_NE(found.body.find("one of ann"), std::string::npos) << found.body;
    EXPECT_NE(found.body.find("two of bob"), std::string::npos) << found.body;
    EXPECT_EQ(end(SIGTERM), 0) << "it stops in order";
}

}  // namespace
}  // namespace gantry::runtime
