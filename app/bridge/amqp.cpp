#include "app/bridge/amqp.h"

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>

#include <map>

#include "app/bridge/amqp_table.h"

namespace gantry::bridge {
namespace {

constexpr amqp_channel_t channel = 1;
constexpr int connect_s = 10, answer_s = 30, heartbeat_s = 30;
constexpr char const* usual_ca_file = "/etc/ssl/certs/ca-certificates.crt";

std::unexpected<Problem> lost(int status) {
    return fail(503, "amqp_lost", fmt::format("the connection to RabbitMQ is lost: {}", amqp_error_string2(status)));
}

std::string said(std::string_view what, int code, amqp_bytes_t text) { return fmt::format("{}: {} {}", what, code, view_of(text)); }

// Why the broker closed the connection or the channel; it may have been for its own stop.
std::unexpected<Problem> closed(std::string_view what, amqp_method_t const& method) {
    int code = 0;
    std::string text = amqp_method_name(method.id) ? amqp_method_name(method.id) : "an unknown method";
    if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
        auto const& close = *static_cast<amqp_connection_close_t const*>(method.decoded);
        code = close.reply_code, text = said(what, code, close.reply_text);
    } else if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
        auto const& close = *static_cast<amqp_channel_close_t const*>(method.decoded);
        code = close.reply_code, text = said(what, code, close.reply_text);
    } else if (method.id == AMQP_BASIC_CANCEL_METHOD) {
        return fail(503, "amqp_lost", "RabbitMQ took the queue away");
    }
    bool const refused = code == 402 || code == 403 || code == 404 || code == 405 || code == 406 || code == 530;
    return refused ? fail(403, "amqp_refused", text) : fail(503, "amqp_lost", text);
}

Result<void> answered(std::string_view what, amqp_rpc_reply_t const& reply) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) return closed(what, reply.reply);
    return lost(reply.library_error);
}

class LibraryAmqp final : public Amqp {
   public:
    LibraryAmqp() : connection_(amqp_new_connection()) {}
    ~LibraryAmqp() override {
        if (whole_) amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
        amqp_destroy_connection(connection_);
    }

    Result<void> open_to(AmqpUrl const& url, std::string const& ca_file) {
        auto* socket = url.tls ? amqp_ssl_socket_new(connection_) : amqp_tcp_socket_new(connection_);
        if (!socket) return lost(AMQP_STATUS_NO_MEMORY);
        if (url.tls) {
            amqp_ssl_socket_set_verify_peer(socket, 1);
            amqp_ssl_socket_set_verify_hostname(socket, 1);
            auto const& file = ca_file.empty() ? usual_ca_file : ca_file;
            if (amqp_ssl_socket_set_cacert(socket, std::string(file).c_str()) != AMQP_STATUS_OK)
                return fail(403, "amqp_refused", fmt::format("{}: no certificates can be read", file));
        }
        timeval const patience{connect_s, 0}, answer{answer_s, 0};
        amqp_set_handshake_timeout(connection_, &answer);
        amqp_set_rpc_timeout(connection_, &answer);
        if (int const status = amqp_socket_open_noblock(socket, url.host.c_str(), url.port, &patience); status != AMQP_STATUS_OK)
            return fail(503, "amqp_unreachable", fmt::format("{} can't be reached: {}", url.shown, amqp_error_string2(status)));
        auto const login = amqp_login(connection_, url.vhost.c_str(), 1, 131072, heartbeat_s, AMQP_SASL_METHOD_PLAIN, url.user.c_str(),
                                      url.password.c_str());
        TRY_VOID(answered(url.shown, login));
        whole_ = true;
        amqp_channel_open(connection_, channel);
        return heard("opening a channel");
    }

    Result<void> consume(std::string const& queue, std::uint16_t prefetch) override {
        TRY_VOID(find(queue));
        amqp_basic_qos(connection_, channel, 0, prefetch, 0);
        TRY_VOID(heard("prefetch"));
        amqp_basic_consume(connection_, channel, bytes_of(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
        return heard("consuming");
    }

    Result<std::optional<Delivery>> next(int wait_ms) override {
        amqp_maybe_release_buffers(connection_);
        timeval const patience{wait_ms / 1000, wait_ms % 1000 * 1000};
        amqp_envelope_t envelope;
        auto const reply = amqp_consume_message(connection_, &envelope, &patience, 0);
        if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
            Delivery out{envelope.delivery_tag, envelope.redelivered != 0, {}};
            out.message.body = view_of(envelope.message.body);
            read_properties(envelope.message.properties, out.message);
            amqp_destroy_envelope(&envelope);
            return out;
        }
        if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) return broken(closed("RabbitMQ closed", reply.reply));
        if (reply.library_error == AMQP_STATUS_TIMEOUT) return std::nullopt;
        if (reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {  // something else than a message, which is still to be read
            TRY_VOID(idle());
            return std::nullopt;
        }
        return broken(lost(reply.library_error));
    }

    Result<void> acknowledge(std::uint64_t tag, bool all) override { return sent(amqp_basic_ack(connection_, channel, tag, all)); }
    Result<void> reject(std::uint64_t tag) override { return sent(amqp_basic_reject(connection_, channel, tag, 0)); }

    Result<void> produce(std::string const& queue) override {
        TRY_VOID(find(queue));
        queue_ = queue;
        amqp_confirm_select(connection_, channel);
        return heard("confirms");
    }

    Result<std::vector<Confirm>> publish(std::vector<Message> const& messages) override {
        amqp_maybe_release_buffers(connection_);
        first_tag_ += confirms_.size();
        confirms_.assign(messages.size(), Confirm::unknown), settled_.assign(messages.size(), false);
        by_id_.clear(), open_ = messages.size();
        for (std::size_t i = 0; i < messages.size(); ++i) {
            by_id_[messages[i].message_id.value_or("")] = i;
            WrittenProperties const properties(messages[i]);
            TRY_VOID(sent(amqp_basic_publish(connection_, channel, amqp_empty_bytes, bytes_of(queue_), 1, 0, properties.get(),
                                             bytes_of(messages[i].body))));
        }
        while (open_ > 0) {
            TRY_ASSIGN(bool const came, frame(answer_s));
            if (!came) return broken(fail(503, "amqp_lost", fmt::format("RabbitMQ confirmed nothing for {} s", answer_s)));
        }
        return confirms_;
    }

    Result<void> idle() override {
        amqp_maybe_release_buffers(connection_);
        for (;;) {
            TRY_ASSIGN(bool const came, frame(0));
            if (!came) return {};
        }
    }

   private:
    Result<void> find(std::string const& queue) {
        amqp_queue_declare(connection_, channel, bytes_of(queue), 1, 0, 0, 0, amqp_empty_table);
        return heard(fmt::format("queue '{}'", queue));
    }
    Result<void> heard(std::string_view what) {
        auto done = answered(what, amqp_get_rpc_reply(connection_));
        if (!done) whole_ = false;
        return done;
    }
    Result<void> sent(int status) {
        if (status == AMQP_STATUS_OK) return {};
        return broken(lost(status));
    }
    std::unexpected<Problem> broken(std::unexpected<Problem> problem) { return whole_ = false, problem; }

    // Reads one frame; false: none came.
    Result<bool> frame(int wait_s) {
        amqp_frame_t frame;
        timeval const patience{wait_s, 0};
        int const status = amqp_simple_wait_frame_noblock(connection_, &frame, &patience);
        if (status == AMQP_STATUS_TIMEOUT) return false;
        if (status != AMQP_STATUS_OK) return broken(lost(status));
        if (frame.frame_type != AMQP_FRAME_METHOD) return true;
        auto const& method = frame.payload.method;
        if (method.id == AMQP_BASIC_ACK_METHOD) {
            auto const& ack = *static_cast<amqp_basic_ack_t*>(method.decoded);
            confirmed(ack.delivery_tag, ack.multiple != 0, Confirm::taken);
        } else if (method.id == AMQP_BASIC_NACK_METHOD) {
            auto const& nack = *static_cast<amqp_basic_nack_t*>(method.decoded);
            confirmed(nack.delivery_tag, nack.multiple != 0, Confirm::refused);
        } else if (method.id == AMQP_BASIC_RETURN_METHOD) {
            TRY_VOID(returned());
        } else {
            return broken(closed("RabbitMQ closed", method));
        }
        return true;
    }
    void confirmed(std::uint64_t tag, bool all, Confirm how) {
        for (auto at = all ? first_tag_ : tag; at <= tag; ++at) {
            if (at < first_tag_ || at - first_tag_ >= confirms_.size()) continue;
            auto const i = at - first_tag_;
            if (settled_[i]) continue;
            settled_[i] = true, --open_;
            if (confirms_[i] == Confirm::unknown) confirms_[i] = how;
        }
    }
    // Comes before the confirmation of that message.
    Result<void> returned() {
        amqp_message_t message;
        TRY_VOID(answered("a returned message", amqp_read_message(connection_, channel, &message, 0)));
        Message read;
        read_properties(message.properties, read);
        amqp_destroy_message(&message);
        if (auto found = by_id_.find(read.message_id.value_or("")); found != by_id_.end()) confirms_[found->second] = Confirm::returned;
        return {};
    }

    amqp_connection_state_t connection_;
    bool whole_ = false;
    std::string queue_;
    std::uint64_t first_tag_ = 1;  // of the messages that are confirmed now
    std::vector<Confirm> confirms_;
    std::vector<bool> settled_;
    std::map<std::string, std::size_t> by_id_;
    std::size_t open_ = 0;
};

}  // namespace

Result<std::unique_ptr<Amqp>> Amqp::open(AmqpUrl const& url, std::string const& ca_file) {
    auto out = std::make_unique<LibraryAmqp>();
    TRY_VOID(out->open_to(url, ca_file));
    return out;
}

}  // namespace gantry::bridge
