// Everything at once on real threads: commands, reads, time travel, live readers, feeds, snapshots, baselines and cuts. What it finds is
// mostly told by the thread sanitizer; what it checks itself is that nobody is told anything wrong.
#include <atomic>
#include <thread>

#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/edge_fixture_test.h"
#include "kernel/runtime/sse_reader_test.h"

namespace gantry::runtime {
namespace {

class Together : public EdgeTest {
   protected:
    Together() {
        stop();
        adjust_ = [this](ServiceDecl& decl, Host::Parts& parts) {
            snapshots_ = log::file_snapshots(log::system_disk(), (directory_ / "snapshots").string());
            parts.snapshots = snapshots_.get();
            parts.background = [this](std::move_only_function<void()> task) { slow_->post(0, std::move(task)); };
            decl.retention = [](void const*) -> std::optional<Duration> { return Duration::millis(100); };
        };
        log_options_.segment_bytes_min = log_options_.segment_bytes_max = 256 << 10;
        slow_ = std::make_unique<net::IoThreads>(1);
        start();
        for (int i = 0; i < notes; ++i) paths_.push_back("/notes/v1/" + create("note 0"));
    }
    ~Together() override { slow_->stop(); }

    // Runs until the writers have done their work.
    void beside(std::function<void(std::uint64_t turn)> act) {
        others_.emplace_back([this, act = std::move(act)] {
            for (std::uint64_t turn = 0; !done_; ++turn) act(turn);
        });
    }
    std::string const& path(std::uint64_t turn) const { return paths_[turn % notes]; }
    void write_until(std::function<bool()> enough) {
        std::vector<std::thread> writers;
        for (int w = 0; w < 2; ++w)
            writers.emplace_back([&, w] {
                client::Session session(url_);
                session.set_header("Content-Type", "application/json");
                for (int i = 0; i < changes || (i < 20 * changes && !enough()); ++i) {
                    auto const body = "{\"title\":\"note " + std::to_string(i) + "\"}";
                    EXPECT_EQ(session.patch(path(std::uint64_t(2 * i + w)), body).status, 200);
                    ++changes_made_;
                }
            });
        for (auto& writer : writers) writer.join();
        done_ = true;
        for (auto& other : others_) other.join();
        others_.clear(), done_ = false;
    }

    static constexpr int notes = 8, changes = int(rounds(2000));
    std::vector<std::string> paths_;
    std::unique_ptr<log::Snapshots> snapshots_;
    std::unique_ptr<net::IoThreads> slow_;
    std::atomic<bool> done_ = false;
    std::atomic<Position> changes_made_ = 0;
    std::vector<std::thread> others_;
};

TEST_F(Together, NobodyIsToldAnythingWrong) {
    std::atomic<std::uint64_t> past_told = 0, cut = 0;
    for (int reader = 0; reader < 2; ++reader)
        beside([&, session = std::make_shared<client::Session>(url_)](std::uint64_t turn) {
            EXPECT_EQ(session->get(path(turn)).status, 200);
            EXPECT_EQ(session->get("/notes/v1?limit=3").status, 200);
        });
    for (int reader = 0; reader < 2; ++reader)
        beside([&, session = std::make_shared<client::Session>(url_)](std::uint64_t turn) {
            auto const durable = host_->durable();
            auto const asked = host_->position_text(durable - std::min<Position>(durable - notes, turn * 37 % 200));
            auto const status = session->get(path(turn) + "?as_of=" + asked).status;
            EXPECT_TRUE(status == 200 || status == 410) << status;
            past_told += status == 200;
        });
    beside([&](std::uint64_t turn) {
        auto kept = turn % 3 == 0 ? host_->save_snapshot() : host_->keep_house();
        EXPECT_TRUE(kept) << kept.error().detail << " " << kept.error().cause;
        if (turn % 16 == 0) host_->history().forget();
        cut = log_->status().begin - 1;
    });
    beside([&](std::uint64_t turn) {
        SseReader live(url_, path(turn) + "?live=patch"), feed(url_, "/notes/v1/events", "Accept: text/event-stream\r\n");
        for (int i = 0; i < 20; ++i) (i % 2 == 0 ? live : feed).next(50);
    });
    write_until([&] { return cut > 0 && past_told > 0; });
    EXPECT_GT(past_told, 0u);
    EXPECT_GT(cut, 0u);
    auto const digest = host_->digest();
    auto const applied = host_->applied();
    EXPECT_EQ(applied, notes + changes_made_);
    stop(), start();
    EXPECT_EQ(host_->applied(), applied);
    EXPECT_EQ(host_->digest(), digest);
}

TEST_F(Together, AStopEndsWhoeverReads) {
    std::vector<std::unique_ptr<SseReader>> readers;
    for (int i = 0; i < 4; ++i)
        for (auto const& target : {path(0) + "?live=full", std::string("/notes/v1?live=full"), std::string("/notes/v1/events?live=full")}) {
            readers.push_back(std::make_unique<SseReader>(url_, target));
            EXPECT_TRUE(readers.back()->next());
        }
    for (int asker = 0; asker < 2; ++asker)
        beside([&, session = std::make_shared<client::Session>(url_)](std::uint64_t turn) {
            session->get(path(turn) + "?as_of=" + host_->position_text(notes + turn % 3));
            session->patch(path(0), "{\"title\":\"other " + std::to_string(turn) + "\"}");
            changes_made_ += 1;
        });
    while (changes_made_ < 20) std::this_thread::yield();
    edge_->announce_stop();
    server_->stop(Duration::seconds(1));  // whoever is behind is cut off
    done_ = true;
    for (auto& other : others_) other.join();
    others_.clear();
    for (auto& reader : readers) {
        while (reader->next());
        EXPECT_TRUE(reader->ended());
    }
}

}  // namespace
}  // namespace gantry::runtime
