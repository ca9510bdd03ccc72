#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <bit>

#include "bench/queue_caller.h"
#include "bench/tool.h"

namespace gantry::bench {
namespace {

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

// A quorum queue: publisher confirms, consumers that have as many unacknowledged as they take at once, one acknowledgement for all of them.
// It is not answered: what it takes to make it durable is paid by whoever publishes next.
class RabbitMq final : public QueueCaller {
   public:
    explicit RabbitMq(QueuePlace const& place)
        : connection_(amqp_new_connection()), batch_(place.batch), queue_(place.queue), payload_(place.payload) {
        auto* socket = amqp_tcp_socket_new(connection_);
        if (!socket || amqp_socket_open(socket, "127.0.0.1", place.port) != AMQP_STATUS_OK) die("can't reach RabbitMQ");
        need(amqp_login(connection_, "/", 1, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
        amqp_channel_open(connection_, 1);
        need(amqp_get_rpc_reply(connection_));
        declare();
        amqp_confirm_select(connection_, 1);
        need(amqp_get_rpc_reply(connection_));
        if (place.consumes) consume();
        properties_._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
        properties_.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    }
    ~RabbitMq() override { amqp_destroy_connection(connection_); }
    int fd() const override { return amqp_get_sockfd(connection_); }

    bool begin(Step step) override {
        step_ = step;
        if (step == Step::put) return publish(), false;
        if (step == Step::reserve) return delivered_ >= batch_;
        if (amqp_basic_ack(connection_, 1, last_delivery_, batch_ > 1) != AMQP_STATUS_OK) die("RabbitMQ: acknowledging failed");
        delivered_ = 0;
        amqp_maybe_release_buffers(connection_);
        return true;
    }

    bool ready() override {
        amqp_frame_t frame;
        timeval none{0, 0};
        for (;;) {
            int const status = amqp_simple_wait_frame_noblock(connection_, &frame, &none);
            if (status == AMQP_STATUS_TIMEOUT) break;
            if (status != AMQP_STATUS_OK) die(fmt::format("RabbitMQ: {}", amqp_error_string2(status)));
            came(frame);
        }
        return step_ == Step::put ? unconfirmed_ == 0 : step_ == Step::reserve && delivered_ >= batch_;
    }

   private:
    void declare() {
        amqp_table_entry_t type{};
        type.key = amqp_cstring_bytes("x-queue-type");
        type.value.kind = AMQP_FIELD_KIND_UTF8;
        type.value.value.bytes = amqp_cstring_bytes("quorum");
        amqp_queue_declare(connection_, 1, bytes(queue_), 0, 1, 0, 0, {1, &type});
        need(amqp_get_rpc_reply(connection_));
    }
    void consume() {
        amqp_basic_qos(connection_, 1, 0, std::uint16_t(batch_), 0);
        need(amqp_get_rpc_reply(connection_));
        amqp_basic_consume(connection_, 1, bytes(queue_), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
        need(amqp_get_rpc_reply(connection_));
    }
    void publish() {
        unconfirmed_ = batch_ == 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << batch_) - 1;
        first_tag_ = next_tag_, next_tag_ += batch_;
        for (std::size_t i = 0; i < batch_; ++i)
            if (amqp_basic_publish(connection_, 1, amqp_empty_bytes, bytes(queue_), 0, 0, &properties_, bytes(payload_)) != AMQP_STATUS_OK)
                die("RabbitMQ: publishing failed");
    }
    void came(amqp_frame_t const& frame) {
        if (frame.frame_type == AMQP_FRAME_BODY) ++delivered_;
        if (frame.frame_type != AMQP_FRAME_METHOD) return;
        auto const& method = frame.payload.method;
        if (method.id == AMQP_BASIC_DELIVER_METHOD) {
            last_delivery_ = static_cast<amqp_basic_deliver_t*>(method.decoded)->delivery_tag;
        } else if (method.id == AMQP_BASIC_ACK_METHOD) {
            auto const& ack = *static_cast<amqp_basic_ack_t*>(method.decoded);
            auto const bit = std::uint64_t(1) << (ack.delivery_tag - first_tag_);
            unconfirmed_ &= ack.multiple ? ~(bit | (bit - 1)) : ~bit;
        } else {
            die(fmt::format("RabbitMQ sent {}", amqp_method_name(method.id)));
        }
    }
    static void need(amqp_rpc_reply_t const& reply) {
        if (reply.reply_type != AMQP_RESPONSE_NORMAL) die(fmt::format("RabbitMQ refuses: {}", amqp_error_string2(reply.library_error)));
    }

    amqp_connection_state_t connection_;
    std::size_t batch_, delivered_ = 0;
    std::string queue_, payload_;
    Step step_ = Step::put;
    amqp_basic_properties_t properties_{};
    std::uint64_t next_tag_ = 1, first_tag_ = 1, unconfirmed_ = 0, last_delivery_ = 0;
};

}  // namespace

std::unique_ptr<QueueCaller> call_rabbitmq(QueuePlace const& place) { return std::make_unique<RabbitMq>(place); }

}  // namespace gantry::bench
