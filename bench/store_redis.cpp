#include <hiredis/hiredis.h>

#include "bench/store.h"
#include "bench/tool.h"

namespace gantry::bench {
namespace {

class Redis final : public Store {
   public:
    explicit Redis(int port) : connection_(redisConnect("127.0.0.1", port)) {
        if (!connection_ || connection_->err) die("can't reach redis");
    }
    ~Redis() override { redisFree(connection_); }
    std::string sync_mode() const override { return "appendonly yes, appendfsync always: synced a turn of its event loop"; }

    void append(std::span<std::string const> batch) override {
        for (auto& record : batch) redisAppendCommand(connection_, "XADD events * d %b", record.data(), record.size());
        for (std::size_t i = 0; i < batch.size(); ++i) freeReplyObject(reply());
    }
    void replay(Visitor const& visit) override {
        for (std::string from = "-";;) {
            redisAppendCommand(connection_, "XRANGE events %s + COUNT 1000", from.c_str());
            auto* page = reply();
            for (std::size_t i = 0; i < page->elements; ++i) {
                auto* payload = page->element[i]->element[1]->element[1];
                visit({payload->str, payload->len});
            }
            auto last = page->elements;
            if (last) from = std::string("(") + page->element[last - 1]->element[0]->str;
            freeReplyObject(page);
            if (!last) return;
        }
    }

   private:
    redisReply* reply() {
        void* r = nullptr;
        if (redisGetReply(connection_, &r) != REDIS_OK) die(fmt::format("redis: {}", connection_->errstr));
        auto* found = static_cast<redisReply*>(r);
        if (found->type == REDIS_REPLY_ERROR) die(fmt::format("redis: {}", found->str));
        return found;
    }
    redisContext* connection_;
};

}  // namespace

std::unique_ptr<Store> open_redis(std::string const&, int port) { return std::make_unique<Redis>(port); }

}  // namespace gantry::bench
