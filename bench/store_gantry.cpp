#include "bench/open_log.h"
#include "bench/store.h"
#include "bench/tool.h"
#include "kernel/base/varint.h"

namespace gantry::bench {

log::BatchView batch_of(std::string_view events, std::uint32_t count, std::int64_t time_us) {
    log::BatchView b;
    b.count = count, b.events = events, b.time = {time_us};
    b.caller = "bench", b.request_id = "0123456789abcdef";
    return b;
}

namespace {

class Gantry final : public Store {
   public:
    explicit Gantry(std::string const& directory) : log_(open_log(directory)), time_us_(log_->status().last_time.us) {}
    ~Gantry() override { done(log_->close()); }
    std::string sync_mode() const override { return "fdatasync a group of batches"; }

    void append(std::span<std::string const> batch) override {
        events_.clear();
        for (auto& record : batch) put_varint(events_, 0), put_string(events_, record);
        done(log_->append(batch_of(events_, std::uint32_t(batch.size()), ++time_us_)));
        done(log_->wait_durable());
    }
    void replay(Visitor const& visit) override {
        done(log_->scan_runs(0, [&](std::span<log::BatchView const> run) {
            for (auto& batch : run) {
                for (ByteReader in(batch.events); !in.done();) in.varint(), visit(in.string());
            }
            return true;
        }));
    }

   private:
    template <class T>
    static void done(Result<T> const& r) {
        if (!r) die(fmt::format("log: {}: {} {}", r.error().code, r.error().detail, r.error().cause));
    }

    std::unique_ptr<log::Log> log_;
    std::string events_;
    std::int64_t time_us_;
};

}  // namespace

std::unique_ptr<Store> open_gantry(std::string const& directory, int) { return std::make_unique<Gantry>(directory); }

}  // namespace gantry::bench
