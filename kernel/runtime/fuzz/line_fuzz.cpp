// Any bytes to a connection of a line protocol: no crash, and the same answers however they are cut into pieces. The first byte says how.
#include "kernel/base/assert.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/line_protocol_for_test.h"
#include "kernel/runtime/line_talk.h"

namespace gantry::runtime {
namespace {

class Wire final : public net::Stream {
   public:
    int io_thread() const override { return 0; }
    std::string const& peer_address() const override { return address_; }
    void write(std::string_view bytes) override {
        if (!closed) out += bytes;
    }
    void close() override { closed = true; }
    bool is_full() const override { return false; }
    void resume() override {}
    std::string out;
    bool closed = false;

   private:
    std::string address_ = "127.0.0.1";
};

struct Desk {
    ManualClock clock;
    SeededRandom random{1};
    log::MemoryLog log{std::make_shared<log::MemoryStore>(), clock, random, log::Options{},
                       codec::encode_event_schema(codec::type_of<notes::Event>())};
    Host host{declare<notes::Service>(), Host::Parts{log, clock, random}};
    LineProtocol protocol = notes::desk::protocol();
    net::IoThreads threads{1};
    std::shared_ptr<LineServer::Impl> impl;
    Desk() {
        GANTRY_ASSERT(host.start(), "an empty log is read");
        impl = std::make_shared<LineServer::Impl>(LineServer::Parts{host, *protocol, threads});
    }
};

// The answers, without ids.
std::string plain(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        out += text[i];
        if (text[i] == 'n' && i + 1 < text.size() && text[i + 1] == '_')
            while (i + 1 < text.size() && text[i + 1] != '\r' && text[i + 1] != ' ') ++i;
    }
    return out;
}

// `piece`: how many bytes come at once; 0: all.
std::string talk(Desk& desk, std::string_view bytes, std::size_t piece) {
    auto const wire = std::make_shared<Wire>();
    desk.threads.run(0, [&] {
        GANTRY_ASSERT(desk.impl->group.enter(), "nothing is stopped");
        auto const session = std::make_shared<LineTalk>(desk.impl, wire);
        std::string held;
        while (!bytes.empty() && !wire->closed) {
            auto const n = piece == 0 ? bytes.size() : std::min(piece, bytes.size());
            held += bytes.substr(0, n), bytes.remove_prefix(n);
            held.erase(0, session->receive(held, false));
            GANTRY_ASSERT(wire->closed || held.size() <= desk.protocol->options.line_bytes_max + desk.protocol->options.body_bytes_max,
                          "no more is held than a line and its body");
        }
        if (!wire->closed) (void)session->receive(held, true);
        GANTRY_ASSERT(wire->closed && !session->busy(), "all is answered, and the connection closes");
        session->ended();
    });
    return plain(wire->out);
}

}  // namespace
}  // namespace gantry::runtime

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace gantry::runtime;
    static Desk& desk = *new Desk;
    if (size == 0) return 0;
    std::string_view const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
    auto const whole = talk(desk, bytes, 0), cut = talk(desk, bytes, 1 + data[0] % 16);
    GANTRY_ASSERT(whole == cut, "answers don't depend on packets");
    return 0;
}
