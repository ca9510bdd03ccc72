#include <hiredis/hiredis.h>

#include <vector>

#include "bench/queue_caller.h"
#include "bench/queue_socket.h"

namespace gantry::bench {
namespace {

std::string command(std::vector<std::string_view> const& words) {
    std::string out = fmt::format("*{}\r\n", words.size());
    for (auto word : words) out += fmt::format("${}\r\n{}\r\n", word.size(), word);
    return out;
}

// A stream with a consumer group: XADD; XREADGROUP of as many; XACK and XDEL of all of them in one write.
class Redis final : public QueueCaller {
   public:
    explicit Redis(QueuePlace const& place)
        : socket_(place.port),
          reader_(redisReaderCreate()),
          batch_(place.batch),
          queue_(place.queue),
          worker_(fmt::format("w{}", place.number)) {
        socket_.send(command({"XGROUP", "CREATE", queue_, "workers", "$", "MKSTREAM"}));
        for (redisReply* made = nullptr; !made; freeReplyObject(made)) {
            feed(true);
            made = next();
            if (made && made->type == REDIS_REPLY_ERROR && !std::string_view(made->str).starts_with("BUSYGROUP")) die(made->str);
            if (made) break;
        }
        for (std::size_t i = 0; i < batch_; ++i) put_ += command({"XADD", queue_, "*", "p", place.payload});
    }
    ~Redis() override { redisReaderFree(reader_); }
    int fd() const override { return socket_.fd(); }

    bool begin(Step step) override {
        step_ = step;
        if (step == Step::put) return awaited_ = batch_, socket_.send(put_), false;
        if (step == Step::reserve) return ids_.clear(), read(), false;
        std::vector<std::string_view> acknowledge{"XACK", queue_, "workers"}, remove{"XDEL", queue_};
        acknowledge.insert(acknowledge.end(), ids_.begin(), ids_.end()), remove.insert(remove.end(), ids_.begin(), ids_.end());
        return awaited_ = 2, socket_.send(command(acknowledge) + command(remove)), false;
    }

    bool ready() override {
        if (!feed(false)) return false;
        while (auto* reply = next()) answered(*reply), freeReplyObject(reply);
        return step_ == Step::reserve ? ids_.size() == batch_ : awaited_ == 0;
    }

   private:
    void read() {
        socket_.send(command({"XREADGROUP", "GROUP", "workers", worker_, "COUNT", std::to_string(batch_ - ids_.size()), "BLOCK", "0",
                              "STREAMS", queue_, ">"}));
    }
    void answered(redisReply const& reply) {
        if (reply.type == REDIS_REPLY_ERROR) die(fmt::format("redis: {}", reply.str));
        if (step_ != Step::reserve) {
            if (step_ == Step::complete && std::size_t(reply.integer) != ids_.size()) die("redis: not all of them were there");
            --awaited_;
            return;
        }
        if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 1) die("redis: no entries");
        auto const& entries = *reply.element[0]->element[1];
        for (std::size_t i = 0; i < entries.elements; ++i) ids_.emplace_back(entries.element[i]->element[0]->str);
        if (ids_.size() < batch_) read();
    }
    bool feed(bool waits) {
        in_.clear();
        if (!socket_.receive(in_, waits)) return false;
        if (redisReaderFeed(reader_, in_.data(), in_.size()) != REDIS_OK) die("redis: too much at once");
        return true;
    }
    redisReply* next() {
        void* reply = nullptr;
        if (redisReaderGetReply(reader_, &reply) != REDIS_OK) die(fmt::format("redis: {}", reader_->errstr));
        return static_cast<redisReply*>(reply);
    }

    QueueSocket socket_;
    redisReader* reader_;
    std::size_t batch_, awaited_ = 0;
    std::string queue_, worker_, put_, in_;
    Step step_ = Step::put;
    std::vector<std::string> ids_;
};

}  // namespace

std::unique_ptr<QueueCaller> call_redis(QueuePlace const& place) { return std::make_unique<Redis>(place); }

}  // namespace gantry::bench
