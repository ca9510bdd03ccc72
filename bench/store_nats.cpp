// JetStream with file storage. The two ways to read differ: an ordered push consumer, and a pull consumer that fetches 1000 at a time
// without acknowledging.
#include <nats/nats.h>

#include "bench/store.h"
#include "bench/tool.h"

namespace gantry::bench {
namespace {

constexpr std::int64_t patience_ms = 20'000;
constexpr int fetched_at_once = 1000;

void ok(natsStatus s) {
    if (s != NATS_OK) die(fmt::format("nats: {}: {}", natsStatus_GetText(s), nats_GetLastError(nullptr) ? nats_GetLastError(nullptr) : ""));
}

class Nats : public Store {
   public:
    explicit Nats(int port) {
        ok(natsConnection_ConnectTo(&connection_, fmt::format("nats://127.0.0.1:{}", port).c_str()));
        ok(natsConnection_JetStream(&js_, connection_, nullptr));
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        char const* subjects[] = {"events"};
        config.Name = "EVENTS", config.Subjects = subjects, config.SubjectsLen = 1, config.Storage = js_FileStorage;
        jsErrCode error{};
        auto s = js_AddStream(nullptr, js_, &config, nullptr, &error);
        if (s != NATS_OK && error != JSStreamNameExistErr) ok(s);
    }
    ~Nats() override {
        jsCtx_Destroy(js_);
        natsConnection_Destroy(connection_);
    }
    std::string sync_mode() const override { return "acknowledged before any sync (file storage, synced every 2 min)"; }

    void append(std::span<std::string const> batch) override {
        for (auto& record : batch) ok(js_PublishAsync(js_, "events", record.data(), int(record.size()), nullptr));
        // The library holds small writes back for a millisecond otherwise, which would be all that a small batch measures.
        ok(natsConnection_FlushTimeout(connection_, patience_ms));
        jsPubOptions wait;
        jsPubOptions_Init(&wait);
        wait.MaxWait = patience_ms;
        ok(js_PublishAsyncComplete(js_, &wait));
    }

   protected:
    std::uint64_t count() const {
        jsStreamInfo* info = nullptr;
        ok(js_GetStreamInfo(&info, js_, "EVENTS", nullptr, nullptr));
        auto found = info->State.Msgs;
        jsStreamInfo_Destroy(info);
        return found;
    }
    static void visit_and_free(natsMsg* m, Visitor const& visit) {
        visit({natsMsg_GetData(m), std::size_t(natsMsg_GetDataLength(m))});
        natsMsg_Destroy(m);
    }

    natsConnection* connection_ = nullptr;
    jsCtx* js_ = nullptr;
};

class Ordered final : public Nats {
   public:
    using Nats::Nats;
    void replay(Visitor const& visit) override {
        jsSubOptions options;
        jsSubOptions_Init(&options);
        options.Ordered = true;
        natsSubscription* in = nullptr;
        ok(js_SubscribeSync(&in, js_, "events", nullptr, &options, nullptr));
        natsSubscription_SetPendingLimits(in, -1, -1);
        natsMsg* m = nullptr;
        for (auto left = count(); left > 0; --left) ok(natsSubscription_NextMsg(&m, in, patience_ms)), visit_and_free(m, visit);
        natsSubscription_Destroy(in);
    }
};

class Pull final : public Nats {
   public:
    using Nats::Nats;
    void replay(Visitor const& visit) override {
        jsSubOptions options;
        jsSubOptions_Init(&options);
        options.Config.AckPolicy = js_AckNone;
        natsSubscription* in = nullptr;
        ok(js_PullSubscribe(&in, js_, "events", nullptr, nullptr, &options, nullptr));
        for (auto left = count(); left > 0;) {
            natsMsgList page{};
            ok(natsSubscription_Fetch(&page, in, fetched_at_once, patience_ms, nullptr));
            for (int i = 0; i < page.Count; ++i) visit_and_free(page.Msgs[i], visit), page.Msgs[i] = nullptr;
            left -= std::uint64_t(page.Count);
            natsMsgList_Destroy(&page);
        }
        natsSubscription_Destroy(in);
    }
};

}  // namespace

std::unique_ptr<Store> open_nats_ordered(std::string const&, int port) { return std::make_unique<Ordered>(port); }
std::unique_ptr<Store> open_nats_pull(std::string const&, int port) { return std::make_unique<Pull>(port); }

}  // namespace gantry::bench
