#include <strings.h>

#include <charconv>
#include <vector>

#include "bench/queue_caller.h"
#include "bench/queue_socket.h"

namespace gantry::bench {
namespace {

std::string_view field(std::string_view head, std::string_view name) {
    for (auto at = head.find("\r\n"); at != head.npos && at + 2 + name.size() < head.size(); at = head.find("\r\n", at + 2)) {
        if (strncasecmp(head.data() + at + 2, name.data(), name.size()) != 0) continue;
        auto const from = head.find_first_not_of(' ', at + 2 + name.size());
        return head.substr(from, head.find("\r\n", from) - from);
    }
    return {};
}

// Our own HTTP API; a batch is NDJSON, a line each, and one reservation of as many.
class Gantry final : public QueueCaller {
   public:
    explicit Gantry(QueuePlace const& place)
        : socket_(place.port), batch_(place.batch), head_(fmt::format(" HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", place.port)) {
        auto const queue = "/queue/v1/queues/" + place.queue;
        auto const task = fmt::format(R"({{"payload":"{}"}})", place.payload);
        std::string lines;
        for (std::size_t i = 0; i < batch_; ++i) lines += task + (batch_ > 1 ? "\n" : "");
        put_ = request(queue + "/tasks", lines);
        reserve_target_ = queue + "/reserve";
        worker_ = fmt::format("w{}", place.number);
    }
    int fd() const override { return socket_.fd(); }

    bool begin(Step step) override {
        step_ = step;
        if (step == Step::put) return socket_.send(put_), false;
        if (step == Step::reserve) return leases_.clear(), reserve(), false;
        if (batch_ == 1) return socket_.send(request(fmt::format("/queue/v1/leases/{}/complete", leases_.front()), "{}")), false;
        std::string lines;
        for (auto const& lease : leases_) lines += fmt::format("{{\"lease\":\"{}\"}}\n", lease);
        return socket_.send(request("/queue/v1/leases/complete", lines)), false;
    }

    bool ready() override {
        if (!socket_.receive(in_) || !whole()) return false;
        auto const status = std::string_view(in_).substr(9, 3);
        if (!status.starts_with('2')) die(fmt::format("gantry: {}", in_));
        bool const done = step_ == Step::reserve ? reserved() : acknowledged();
        in_.clear(), body_.clear(), chunks_from_ = 0;
        return done;
    }

   private:
    std::string request(std::string_view target, std::string_view body) const {
        auto const* type = body.ends_with('\n') ? "application/x-ndjson" : "application/json";
        return fmt::format("POST {}{}Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}", target, head_, type, body.size(), body);
    }
    void reserve() {
        socket_.send(
            request(reserve_target_, fmt::format(R"({{"worker":"{}","max":{},"wait_ms":20000}})", worker_, batch_ - leases_.size())));
    }
    // Moves the body of an answer that came whole into body_.
    bool whole() {
        auto const end = in_.find("\r\n\r\n");
        if (end == in_.npos) return false;
        auto const head = std::string_view(in_).substr(0, end + 2);
        if (auto const length = field(head, "content-length:"); !length.empty()) {
            std::size_t bytes = 0;
            std::from_chars(length.data(), length.data() + length.size(), bytes);
            if (in_.size() < end + 4 + bytes) return false;
            body_.assign(in_, end + 4, bytes);
            return true;
        }
        if (field(head, "transfer-encoding:") != "chunked") die("an answer without a length");
        if (chunks_from_ == 0) chunks_from_ = end + 4;
        return all_chunks();
    }
    bool all_chunks() {
        for (;;) {
            auto const line = in_.find("\r\n", chunks_from_);
            if (line == in_.npos) return false;
            std::size_t bytes = 0;
            std::from_chars(in_.data() + chunks_from_, in_.data() + line, bytes, 16);
            if (in_.size() < line + 2 + bytes + 2) return false;
            body_.append(in_, line + 2, bytes);
            chunks_from_ = line + 2 + bytes + 2;
            if (bytes == 0) return true;
        }
    }
    bool reserved() {
        static constexpr std::string_view name = "\"lease\":\"";
        for (auto at = body_.find(name); at != body_.npos; at = body_.find(name, at)) {
            at += name.size();
            leases_.push_back(body_.substr(at, body_.find('"', at) - at));
        }
        if (leases_.size() < batch_) return reserve(), false;
        return true;
    }
    bool acknowledged() const {
        if (batch_ == 1) return true;
        static constexpr std::string_view good = "\"status\":2";
        std::size_t count = 0;
        for (auto at = body_.find(good); at != body_.npos; at = body_.find(good, at + 1)) ++count;
        if (count != batch_) die(fmt::format("gantry: {}", body_));
        return true;
    }

    QueueSocket socket_;
    std::size_t batch_, chunks_from_ = 0;
    std::string head_, put_, reserve_target_, worker_, in_, body_;
    Step step_ = Step::put;
    std::vector<std::string> leases_;
};

}  // namespace

std::unique_ptr<QueueCaller> call_gantry(QueuePlace const& place) { return std::make_unique<Gantry>(place); }

}  // namespace gantry::bench
