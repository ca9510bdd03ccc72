// Addresses, and what a message is as a task; the rest runs against a real RabbitMQ in tests/queue_bridge.
#include "app/bridge/amqp_table.h"
#include "app/bridge/amqp_url.h"
#include "app/bridge/message.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_walk.h"

#include <gtest/gtest.h>

namespace gantry::bridge {
namespace {

TEST(AmqpUrl, NamesServerVhostAndQueue) {
    auto const url = parse_amqp_url("amqp://ann:s%40cret@mq.example:5673/%2F/build%2Fjobs");
    ASSERT_TRUE(url) << url.error().detail;
    EXPECT_EQ(url->user, "ann");
    EXPECT_EQ(url->password, "s@cret");
    EXPECT_EQ(url->host, "mq.example");
    EXPECT_EQ(url->port, 5673);
    EXPECT_EQ(url->vhost, "/");
    EXPECT_EQ(url->queue, "build/jobs");
    EXPECT_FALSE(url->tls);
    EXPECT_EQ(url->shown, "amqp://ann@mq.example:5673/%2F/build%2Fjobs");
    auto const tls = parse_amqp_url("amqps://mq.example/ci/jobs");
    ASSERT_TRUE(tls) << tls.error().detail;
    EXPECT_TRUE(tls->tls);
    EXPECT_EQ(tls->port, 5671);
    EXPECT_EQ(tls->user, "guest");
    EXPECT_EQ(tls->vhost, "ci");
}

TEST(AmqpUrl, SaysWhatIsWrongAndNeverThePassword) {
    std::vector<std::pair<std::string, std::string>> const rows = {{"http://mq/v/q", "doesn't begin with"},
                                                                   {"amqp://u:hidden@mq", "neither vhost nor queue"},
                                                                   {"amqp://u:hidden@mq/q", "one of vhost and queue"},
                                                                   {"amqp://u:hidden@mq/v/", "the URL's queue"},
                                                                   {"amqp://u:hidden@mq//q", "vhost is empty"},
                                                                   {"amqp://u:hidden@mq/v/q/r", "more parts"},
                                                                   {"amqp://u:hidden@mq/v/q%zz", "the URL's queue"},
                                                                   {"amqp://u:hidden@mq/v/q?heartbeat=1", "not percent-encoded"},
                                                                   {"amqp://u:hidden@mq:port/v/q", "can't be read"}};
    for (auto const& [text, what] : rows) {
        auto const url = parse_amqp_url(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().code, "amqp_url_invalid") << text;
        EXPECT_TRUE(url.error().detail.contains(what)) << text << ": " << url.error().detail;
        EXPECT_FALSE(url.error().detail.contains("hidden")) << text;
    }
}

Message full_message() {
    Message m;
    m.body = R"({ "n": 1 })";
    m.content_type = "application/json", m.correlation_id = "c-1", m.reply_to = "answers", m.expiration = "60000", m.message_id = "m-1",
    m.type = "build", m.app_id = "ci", m.priority = std::uint8_t(7), m.timestamp = 1'700'000'000;
    m.headers = {{"text", {'S', "x"}}, {"number", {'l', "-5"}}, {"flag", {'t', "true"}}, {"ratio", {'d', "0.25"}}, {"raw", {'x', "AP8="}}};
    return m;
}

TEST(BridgeMessage, IsATaskWithAllThatItSaid) {
    auto const line = task_of(full_message(), 1000);
    auto tree = codec::JsonTree::read(line);
    ASSERT_TRUE(tree) << line;
    auto const task = tree->root();
    EXPECT_EQ(task["payload"]["n"].integer(), 1);
    EXPECT_EQ(task["priority"].integer(), 993);
    EXPECT_EQ(task["unique"]["key"].text(), "m-1");
    EXPECT_EQ(task["unique"]["window_ms"].integer(), 1000);
    EXPECT_EQ(task["headers"]["amqp-expiration"].text(), "60000");
    EXPECT_EQ(task["headers"]["number"].text(), "-5");
    EXPECT_FALSE(task["content_type"]) << "a payload says it itself";
}

std::string unique_key_of(Message const& message) {
    auto const line = task_of(message, 1000);
    auto tree = codec::JsonTree::read(line);
    return std::string(tree->root()["unique"]["key"].text());
}

TEST(BridgeMessage, ThatCameBackFromHereIsNoRepeat) {
    Message message;
    message.message_id = "m-1";
    EXPECT_EQ(unique_key_of(message), "m-1");
    message.headers[std::string(hops_header)] = {'I', "2"};
    EXPECT_EQ(unique_key_of(message), "m-1#2");
    message.message_id = std::string(255, 'a');
    auto const long_key = unique_key_of(message);
    EXPECT_LE(long_key.size(), 200u);
    message.message_id->back() = 'b';
    EXPECT_NE(unique_key_of(message), long_key);
}

TEST(BridgeMessage, OfAnyOtherKindComesAsBytes) {
    Message plain;
    plain.body = std::string("\xff\0{", 3);
    auto const line = task_of(plain, 1000);
    EXPECT_EQ(line, R"({"payload_base64":"/wB7"})");
    plain.content_type = "application/json";  // and isn't
    EXPECT_TRUE(task_of(plain, 1000).contains("payload_base64"));
    plain.body = "{}", plain.content_encoding = "gzip";
    EXPECT_TRUE(task_of(plain, 1000).contains("payload_base64"));
}

Lease lease_of(std::string const& line) {
    auto tree = codec::JsonTree::read(line);
    auto const task = tree->root();
    Lease lease;
    lease.lease = "l_4_9", lease.task = "t_4", lease.content_type = "application/json";
    if (task["payload"]) lease.payload.emplace().text.clear(), task["payload"].write(lease.payload->text);
    if (auto p = task["priority"].integer()) lease.priority = *p;
    for (auto h : task["headers"]) lease.headers[std::string(h.key())] = std::string(h.text());
    return lease;
}

TEST(BridgeMessage, ComesBackAsItWas) {
    auto const before = full_message();
    auto const after = message_of(lease_of(task_of(before, 1000)), "jobs");
    ASSERT_TRUE(after) << after.error().detail;
    EXPECT_EQ(after->body, R"({"n":1})");
    for (auto member : {&Message::content_type, &Message::correlation_id, &Message::reply_to, &Message::expiration, &Message::message_id,
                        &Message::type, &Message::app_id})
        EXPECT_EQ((*after).*member, before.*member);
    EXPECT_EQ(after->priority, before.priority);
    EXPECT_EQ(after->timestamp, before.timestamp);
    auto headers = after->headers;
    EXPECT_EQ(headers.extract(std::string(hops_header)).mapped().text, "1");
    EXPECT_EQ(headers, before.headers);
}

TEST(BridgeMessage, OfATaskIsNamedAfterIt) {
    Lease lease;
    lease.lease = "l_4_9", lease.task = "t_4", lease.attempt = 3;
    lease.payload_base64 = Bytes{"x"};
    auto const message = message_of(lease, "jobs");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->message_id, "gantry:jobs:t_4");
    EXPECT_EQ(message->headers.at(std::string(attempt_header)).text, "3");
    EXPECT_FALSE(message->priority);
}

TEST(BridgeMessage, IsRefusedWhereAmqpHasNoPlaceForIt) {
    Lease lease;
    lease.task = "t_4";
    lease.headers["amqp-correlation-id"] = std::string(256, 'c');
    EXPECT_EQ(message_of(lease, "jobs").error().code, "message_impossible");
    lease.headers.clear();
    lease.payload_url = "https://elsewhere";
    EXPECT_EQ(message_of(lease, "jobs").error().code, "message_impossible");
    lease.payload_url.reset();
    lease.headers[std::string(hops_header)] = std::to_string(hops_max);
    EXPECT_EQ(message_of(lease, "jobs").error().code, "bridge_loop");
}

TEST(AmqpTable, WritesWhatItReads) {
    auto const before = full_message();
    WrittenProperties const written(before);
    Message after;
    read_properties(*written.get(), after);
    EXPECT_EQ(after.headers, before.headers);
    EXPECT_EQ(after.message_id, before.message_id);
    EXPECT_EQ(after.priority, before.priority);
    EXPECT_EQ(after.timestamp, before.timestamp);
    EXPECT_EQ(written.get()->delivery_mode, 2);
}

TEST(AmqpTable, AValueThatIsNoneOfItsKindIsText) {
    Message message;
    message.headers["n"] = {'l', "many"};
    WrittenProperties const written(message);
    Message after;
    read_properties(*written.get(), after);
    EXPECT_EQ(after.headers.at("n"), (HeaderValue{'S', "many"}));
}

}  // namespace
}  // namespace gantry::bridge
