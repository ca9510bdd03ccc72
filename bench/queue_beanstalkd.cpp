#include <charconv>
#include <vector>

#include "bench/queue_caller.h"
#include "bench/queue_socket.h"

namespace gantry::bench {
namespace {

// A batch is as many commands in one write; beanstalkd answers them in turn.
class Beanstalkd final : public QueueCaller {
   public:
    explicit Beanstalkd(QueuePlace const& place) : socket_(place.port), batch_(place.batch) {
        exchange(fmt::format("use {}\r\n", place.queue), "USING ");
        exchange(fmt::format("watch {}\r\n", place.queue), "WATCHING ");
        exchange("ignore default\r\n", "WATCHING ");
        for (std::size_t i = 0; i < batch_; ++i) {
            put_ += fmt::format("put 100 0 600 {}\r\n{}\r\n", place.payload.size(), place.payload);
            reserve_ += "reserve\r\n";
        }
    }
    int fd() const override { return socket_.fd(); }

    bool begin(Step step) override {
        awaited_ = batch_;
        if (step == Step::put) return word_ = "INSERTED ", socket_.send(put_), false;
        if (step == Step::reserve) return word_ = "RESERVED ", jobs_.clear(), socket_.send(reserve_), false;
        std::string out;
        for (auto const& job : jobs_) out += fmt::format("delete {}\r\n", job);
        return word_ = "DELETED", socket_.send(out), false;
    }

    bool ready() override {
        if (!socket_.receive(in_)) return false;
        std::size_t at = 0;
        for (std::size_t size; awaited_ > 0 && (size = answer(std::string_view(in_).substr(at))) > 0; at += size) --awaited_;
        in_.erase(0, at);
        return awaited_ == 0;
    }

   private:
    // The size of the whole answer at the front; 0: it isn't whole.
    std::size_t answer(std::string_view in) {
        auto const end = in.find("\r\n");
        if (end == in.npos) return 0;
        auto const line = in.substr(0, end);
        if (!line.starts_with(word_)) die(fmt::format("beanstalkd: {}", line));
        if (word_ != "RESERVED ") return end + 2;
        auto const space = line.find(' ', word_.size());
        std::size_t bytes = 0;
        std::from_chars(line.data() + space + 1, line.data() + line.size(), bytes);
        auto const size = end + 2 + bytes + 2;
        if (in.size() < size) return 0;
        jobs_.emplace_back(line.substr(word_.size(), space - word_.size()));
        return size;
    }
    void exchange(std::string_view command, std::string_view expected) {
        socket_.send(command);
        while (!in_.ends_with("\r\n")) socket_.receive(in_, true);
        if (!in_.starts_with(expected)) die(fmt::format("beanstalkd: {}", in_));
        in_.clear();
    }

    QueueSocket socket_;
    std::size_t batch_, awaited_ = 0;
    std::string put_, reserve_, in_;
    std::string_view word_;
    std::vector<std::string> jobs_;
};

}  // namespace

std::unique_ptr<QueueCaller> call_beanstalkd(QueuePlace const& place) { return std::make_unique<Beanstalkd>(place); }

}  // namespace gantry::bench
