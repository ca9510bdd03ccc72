#include "kernel/runtime/feed_page.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace gantry::runtime {
namespace {

constexpr std::uint64_t examined_max = 1 << 14;  // events that one page looks at in search of those that are wanted
constexpr std::size_t bytes_wanted = 4 << 20;
constexpr std::int64_t wait_ms_max = 60'000;
constexpr auto frame = FeedEncoder::Frame::array;

// Counts how often more became durable.
class Durables {
   public:
    explicit Durables(Host& host) : host_(host), listener_(host.on_progress([this] { count(); })) {}
    ~Durables() { host_.stop_listening(listener_); }
    Durables(Durables const&) = delete;
    Durables& operator=(Durables const&) = delete;

    std::uint64_t seen() {
        std::lock_guard lock(mutex_);
        return count_;
    }
    void wait(std::uint64_t seen, std::chrono::milliseconds at_most) {
        std::unique_lock lock(mutex_);
        more_.wait_for(lock, at_most, [&] { return count_ != seen; });
    }

   private:
    void count() {
        std::lock_guard lock(mutex_);
        ++count_, more_.notify_all();
    }
    Host& host_;
    std::mutex mutex_;
    std::condition_variable more_;
    std::uint64_t count_ = 0;
    std::uint64_t listener_;
};

// True: there is no more for now.
Result<bool> read_some(Host& host, FeedEncoder& encoder, std::uint64_t limit, Position began_at, std::string& text) {
    TRY_ASSIGN(auto reader, host.log().read_on(encoder.position()));
    for (;;) {
        auto run = reader->next();
        if (!run && run.error().code == "position_gone") {  // it was cut while this was read
            encoder.gap("retention", host.position_text(encoder.position()), host.log().status().begin - 1, frame, text);
            return false;
        }
        if (!run) return std::unexpected(std::move(run.error()));
        if (run->empty()) return true;
        for (auto const& batch : *run) {
            if (encoder.count() >= limit || text.size() > bytes_wanted || encoder.position() > began_at + examined_max) return false;
            TRY_ASSIGN(bool whole, encoder.take(batch, frame, limit - encoder.count(), text));
            if (!whole) return false;
        }
    }
}

}  // namespace

Result<std::string> feed_page(Host& host, Viewer const& viewer, FeedInput const& input, std::function<bool()> const& stopping) {
    FeedEncoder encoder(host, viewer);
    encoder.mask_personal();
    TRY_VOID(encoder.filter(input));
    std::string text;
    TRY_ASSIGN(auto const began_at, encoder.begin_behind(input.after.value_or(""), frame, text));
    bool complete = false;
    Durables progress(host);
    constexpr auto turn = std::chrono::milliseconds(50);
    for (auto left = std::chrono::milliseconds(std::clamp<std::int64_t>(input.wait.us / 1000, 0, wait_ms_max));;) {
        auto const seen = progress.seen();
        TRY_ASSIGN(complete, read_some(host, encoder, std::uint64_t(std::int64_t(input.limit)), began_at, text));
        if (!complete || encoder.count() > 0) break;
        while (left.count() > 0 && !stopping() && progress.seen() == seen)
            progress.wait(seen, std::min(turn, left)), left -= std::min(turn, left);
        if (progress.seen() == seen) break;
    }
    std::string out = R"({"items":[)";
    out.append(text).append(R"(],"next":")").append(host.position_text(encoder.position()));
    out.append(R"(","complete":)").append(complete ? "true" : "false");
    out.append(R"(,"position":")").append(host.position_text(host.durable())).append("\"}");
    return out;
}

}  // namespace gantry::runtime
