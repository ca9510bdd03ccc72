// Messages of SQS in both encodings, and what they come to. tests/sqs asks with the real clients.
#include "services/queue/sqs_test.h"

#include "services/queue/sqs_attributes.h"

namespace gantry::queue::sqs {
namespace {

TEST_F(Sqs, AMessageInXml) {
    ask("CreateQueue", "QueueName=mail")
        .ok()
        .has(R"(<?xml version="1.0"?><CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><CreateQueueResult><QueueUrl>)"
             R"(http://localhost/queue/sqs/000000000000/mail</QueueUrl></CreateQueueResult></CreateQueueResponse>)");
    send("a%26b+%3C%3E%22%0D%0A%09%C3%A4").ok().has("<MessageId>t_1</MessageId><MD5OfMessageBody>").lacks("SequenceNumber");
    auto const got = receive("&AttributeName.1=All").ok();
    EXPECT_EQ(between(got.body(), "Body"), "a&amp;b &lt;&gt;&quot;&#xD;\n\tä");
    EXPECT_EQ(between(got.body(), "MD5OfBody"), md5_hex("a&b <>\"\r\n\tä"));
    for (auto const* said :
         {"<Name>ApproximateReceiveCount</Name><Value>1</Value>", "<Name>SentTimestamp</Name><Value>1767268800000</Value>",
          "<Name>ApproximateFirstReceiveTimestamp</Name><Value>1767268800000</Value>"})
        EXPECT_NE(got.body().find(said), std::string::npos) << said << got.body();
    receive().ok().lacks("<Message>").has("<ReceiveMessageResult></ReceiveMessageResult>");
    drop("l_1_3").ok().wrote(Completed{TaskId{1}, {}, {}});
    drop("l_1_3").ok().wrote_nothing();
}

TEST_F(Sqs, TheSameInJson) {
    json("CreateQueue", R"({"QueueName":"mail","Attributes":{"VisibilityTimeout":"40"},"tags":{"team":"web"}})")
        .ok()
        .has(R"({"QueueUrl":"http://localhost/queue/sqs/000000000000/mail"})");
    json("SendMessage",
         R"({"QueueUrl":")" + url + R"(mail","MessageBody":"\u00e4","MessageAttributes":{"n":{"DataType":"Number","StringValue":"2"}}})")
        .ok()
        .has(R"({"MessageId":"t_1","MD5OfMessageBody":"8419b71c87a225a2c70b50486fbee545",)"
             R"("MD5OfMessageAttributes":"83ea02fc5818b4f71631ff2164084630"})");
    auto const body = json("ReceiveMessage", R"({"QueueUrl":")" + url +
                                                 R"(mail","MessageAttributeNames":["n"],"AttributeNames":["ApproximateReceiveCount"]})")
                          .ok()
                          .body();
    EXPECT_EQ(body, R"({"Messages":[{"MessageId":"t_1","ReceiptHandle":"l_1_3","MD5OfBody":"8419b71c87a225a2c70b50486fbee545","Body":"ä",)"
                    R"("Attributes":{"ApproximateReceiveCount":"1"},"MD5OfMessageAttributes":"83ea02fc5818b4f71631ff2164084630",)"
                    R"("MessageAttributes":{"n":{"StringValue":"2","DataType":"Number"}}}]})");
    EXPECT_EQ(json("ReceiveMessage", R"({"QueueUrl":")" + url + R"(mail"})").ok().body(), "{}");
    EXPECT_EQ(json("ListQueueTags", R"({"QueueUrl":")" + url + R"(mail"})").ok().body(), R"({"Tags":{"team":"web"}})");
    auto gone = json("GetQueueUrl", R"({"QueueName":"none"})").fails(400, "queue_not_found");
    EXPECT_EQ(gone.body(), R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."})");
    EXPECT_EQ(gone.header("x-amzn-query-error"), "AWS.SimpleQueueService.NonExistentQueue;Sender");
}

TEST_F(Sqs, AttributesOfMessages) {
    make("mail");
    send("x",
         "&MessageAttribute.1.Name=b&MessageAttribute.1.Value.DataType=Binary.png&MessageAttribute.1.Value.BinaryValue=AAH%2F"
         "&MessageAttribute.2.Name=a.b&MessageAttribute.2.Value.DataType=String&MessageAttribute.2.Value.StringValue=v"
         "&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String"
         "&MessageSystemAttribute.1.Value.StringValue=Root%3D1")
        .ok()
        .has("<MD5OfMessageSystemAttributes>");
    EXPECT_EQ(state().tasks[0].number, 1u);
    auto const got = receive("&MessageAttributeName.1=a.*&AttributeName.1=AWSTraceHeader&VisibilityTimeout=0").ok();
    EXPECT_EQ(count(got.body(), "<MessageAttribute>"), 1u);
    EXPECT_NE(got.body().find("<Attribute><Name>AWSTraceHeader</Name><Value>Root=1</Value></Attribute>"), std::string::npos) << got.body();
    EXPECT_EQ(between(got.body(), "MD5OfMessageAttributes"), md5_of({{"a.b", {"String", "v", {}}}}));
    pass(Duration::seconds(20));
    auto const all = receive("&MessageAttributeName.1=All").ok();
    EXPECT_NE(all.body().find("<Name>b</Name><Value><BinaryValue>AAH/</BinaryValue><DataType>Binary.png</DataType></Value>"),
              std::string::npos)
        << all.body();
    EXPECT_EQ(count(all.body(), "<Attribute>"), 0u);
}

TEST_F(Sqs, WhatOthersPutAndTake) {
    make("mail");
    post("/queue/v1/queues/mail/tasks", R"({"payload":{"to": "ann"},"headers":{"trace":"1"}})").ok(201);
    post("/queue/v1/queues/mail/tasks", R"({"payload_base64":"AAH/"})").ok(201);
    auto const first = receive("&MessageAttributeName.1=All").ok();
    EXPECT_EQ(between(first.body(), "Body"), "{&quot;to&quot;:&quot;ann&quot;}");
    EXPECT_NE(first.body().find("<Name>trace</Name><Value><StringValue>1</StringValue>"), std::string::npos);
    EXPECT_EQ(between(receive().ok().body(), "Body"), "AAH/") << "what XML can't carry is base64";
    send("%7B%22a%22%3A+1.50%7D").ok();
    send("12").ok();
    send("%7Bno").ok();
    reserve(R"("max":3)")
        .ok()
        .has(R"("payload":{"a": 1.50},"content_type":"application/json")")
        .has(R"("payload_base64":"MTI=","content_type":"text/plain)")
        .has("e25v");
}

TEST_F(Sqs, AFifoQueue) {
    ask("CreateQueue", "QueueName=o.fifo").fails(400, "sqs_parameter_invalid");
    ask("CreateQueue", "QueueName=o&Attribute.1.Name=FifoQueue&Attribute.1.Value=true").fails(400, "sqs_attribute_invalid");
    make("o.fifo", "Attribute.1.Name=FifoQueue&Attribute.1.Value=true&Attribute.2.Name=ContentBasedDeduplication&Attribute.2.Value=true");
    EXPECT_EQ(attribute("FifoQueue", "o.fifo"), "true");
    send("1", "", "o.fifo").fails(400, "sqs_parameter_missing");
    send("1", "&MessageGroupId=g&DelaySeconds=1", "o.fifo").fails(400, "sqs_parameter_invalid");
    send("1", "&MessageGroupId=g", "o.fifo")
        .ok()
        .has("<MessageId>t_1</MessageId>")
        .has("<SequenceNumber>00000000000000000001</SequenceNumber>");
    send("1", "&MessageGroupId=g", "o.fifo").ok().wrote_nothing().has("<MessageId>t_1</MessageId>");
    send("2", "&MessageGroupId=g", "o.fifo").ok();
    send("1", "&MessageGroupId=h&MessageDeduplicationId=other", "o.fifo").ok();
    auto const two = receive("&MaxNumberOfMessages=10&AttributeName.1=All", "o.fifo").ok();
    EXPECT_EQ(count(two.body(), "<Message>"), 2u) << "the second of g waits for the first";
    EXPECT_NE(two.body().find("<Name>MessageGroupId</Name><Value>g</Value>"), std::string::npos);
    EXPECT_NE(two.body().find("<Name>MessageDeduplicationId</Name><Value>other</Value>"), std::string::npos);
    drop(between(two.body(), "ReceiptHandle"), "o.fifo").ok();
    EXPECT_EQ(between(receive("", "o.fifo").ok().body(), "Body"), "2");
    send("1", "&MessageGroupId=g", "o.fifo").ok().wrote_nothing().has("<MessageId>t_1</MessageId>");
    pass(Duration::seconds(301));
    send("1", "&MessageGroupId=g", "o.fifo").ok().has("<MessageId>t_4</MessageId>");
    make("plain.fifo", "Attribute.1.Name=FifoQueue&Attribute.1.Value=true");
    send("1", "&MessageGroupId=g", "plain.fifo").fails(400, "sqs_parameter_invalid").has("ContentBasedDeduplication");
    make("mail");
    send("1", "&MessageDeduplicationId=d").fails(400, "sqs_parameter_invalid");
    send("1", "&MessageGroupId=tenant").ok();
    receive("&AttributeName.1=MessageGroupId").has("<Value>tenant</Value>");
    EXPECT_EQ(get("/queue/v1/queues/mail/keys").ok().as<Page<KeyView>>().items[0].key, "tenant") << "of other queues it is the key";
}

TEST_F(Sqs, ALateWordTouchesNobodyElses) {
    make("mail");
    send("x").ok();
    auto const old = handle("&VisibilityTimeout=30");
    pass(Duration::seconds(31));
    auto const now = handle("&VisibilityTimeout=30");
    ASSERT_NE(old, now);
    drop(old).ok().wrote_nothing();
    visible(old, 10).fails(400, "sqs_parameter_invalid");
    visible(now, 60).ok();
    pass(Duration::seconds(45));
    drop("l_1_9999").fails(400, "lease_invalid").has("<Code>ReceiptHandleIsInvalid</Code>");
    drop("nothing").fails(400, "lease_invalid");
    visible(now, 0).ok();
    visible(now, 5).fails(400, "sqs_not_in_flight");
    drop(now).ok().wrote(Deleted{{TaskId{1}}});
    visible(now, 5).fails(400, "sqs_parameter_invalid");
    make("other");
    send("y").ok();
    drop(handle(), "other").fails(400, "lease_invalid").has("in the queue mail");
}

TEST_F(Sqs, VisibilityEndsAfterTwelveHours) {
    make("mail");
    send("x").ok();
    auto const held = handle("&VisibilityTimeout=43200");
    pass(Duration::seconds(10));
    visible(held, 43'190).ok();
    visible(held, 43'191).fails(400, "sqs_parameter_invalid").has("Total VisibilityTimeout");
    visible(held, 43'201).fails(400, "sqs_parameter_invalid");
    visible(held, -1).fails(400, "sqs_parameter_invalid");
}

TEST_F(Sqs, Batches) {
    make("mail");
    auto const entry = [](int n, std::string const& id, std::string const& body) {
        return fmt::format("&SendMessageBatchRequestEntry.{}.Id={}&SendMessageBatchRequestEntry.{}.MessageBody={}", n, id, n, body);
    };
    ask("SendMessageBatch", of("mail")).fails(400, "sqs_batch_empty").has("AWS.SimpleQueueService.EmptyBatchRequest");
    ask("SendMessageBatch", of("mail") + entry(1, "a", "x") + entry(2, "a", "y")).fails(400, "sqs_batch_ids_same");
    ask("SendMessageBatch", of("mail") + entry(1, "a.b", "x")).fails(400, "sqs_batch_id_invalid");
    std::string eleven, long_ones;
    for (int n = 1; n <= 11; ++n) eleven += entry(n, "e" + std::to_string(n), "x");
    ask("SendMessageBatch", of("mail") + eleven).fails(400, "sqs_batch_too_many");
    for (int n = 1; n <= 3; ++n) long_ones += entry(n, "e" + std::to_string(n), std::string(400'000, 'x'));
    ask("SendMessageBatch", of("mail") + long_ones).fails(400, "sqs_batch_too_long");
    auto const sent = ask("SendMessageBatch", of("mail") + entry(1, "a", "x") + entry(2, "b", "%01") + entry(10, "c", "z")).ok();
    EXPECT_EQ(count(sent.body(), "<SendMessageBatchResultEntry>"), 2u) << sent.body();
    EXPECT_NE(sent.body().find("<BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault><Code>InvalidMessageContents</Code>"),
              std::string::npos);
    EXPECT_NE(sent.body().find("<Id>c</Id><MessageId>t_2</MessageId>"), std::string::npos);
    auto const body = json("ReceiveMessage", R"({"QueueUrl":")" + url + R"(mail","MaxNumberOfMessages":10})").ok().body();
    EXPECT_EQ(count(body, "MessageId"), 2u);
    json("ChangeMessageVisibilityBatch", R"({"QueueUrl":")" + url +
                                             R"(mail","Entries":[{"Id":"a","ReceiptHandle":"l_1_4","VisibilityTimeout":60},)"
                                             R"({"Id":"b","ReceiptHandle":"l_1_4","VisibilityTimeout":0}]})")
        .ok()
        .has(R"("Successful":[{"Id":"a"}])")
        .has(R"("Failed":[{"Id":"b","SenderFault":true,"Code":"AWS.SimpleQueueService.MessageNotInflight")");
    json("DeleteMessageBatch",
         R"({"QueueUrl":")" + url +
             R"(mail","Entries":[{"Id":"a","ReceiptHandle":"l_1_4"},{"Id":"b","ReceiptHandle":"l_1_4"},{"Id":"c","ReceiptHandle":"x"}]})")
        .ok()
        .wrote(Completed{TaskId{1}, {}, {}})
        .has(R"("Successful":[{"Id":"a"},{"Id":"b"}],"Failed":[{"Id":"c","SenderFault":true,"Code":"ReceiptHandleIsInvalid")");
}

TEST_F(Sqs, ABatchIsNotADuplicateOfItself) {
    make("o.fifo", "Attribute.1.Name=FifoQueue&Attribute.1.Value=true");
    auto const body = json("SendMessageBatch", R"({"QueueUrl":")" + url +
                                                   R"(o.fifo","Entries":[)"
                                                   R"({"Id":"a","MessageBody":"1","MessageGroupId":"g","MessageDeduplicationId":"d"},)"
                                                   R"({"Id":"b","MessageBody":"2","MessageGroupId":"g","MessageDeduplicationId":"d"},)"
                                                   R"({"Id":"c","MessageBody":"3","MessageGroupId":"g","MessageDeduplicationId":"e"}]})")
                          .ok()
                          .body();
    EXPECT_EQ(count(body, R"("MessageId":"t_1")"), 2u) << body;
    EXPECT_EQ(count(body, R"("MessageId":"t_2")"), 1u) << body;
    EXPECT_EQ(attribute("ApproximateNumberOfMessages", "o.fifo"), "2");
    set(R"("depth_max":3)", "o.fifo").ok();
    json("SendMessageBatch", R"({"QueueUrl":")" + url +
                                 R"(o.fifo","Entries":[)"
                                 R"({"Id":"a","MessageBody":"1","MessageGroupId":"g","MessageDeduplicationId":"f"},)"
                                 R"({"Id":"b","MessageBody":"2","MessageGroupId":"g","MessageDeduplicationId":"h"}]})")
        .ok()
        .has(R"("Failed":[{"Id":"b","SenderFault":true,"Code":"RequestThrottled")");
}

TEST_F(Sqs, AReceiveWaits) {
    make("mail");
    auto ask_waiting = [&](std::string const& more) {
        header("Content-Type", "application/x-www-form-urlencoded");
        return waits("POST", "/queue/sqs", "Action=ReceiveMessage&" + of("mail") + more);
    };
    auto ann = ask_waiting("&WaitTimeSeconds=20");
    ann.still_waits();
    send("x").ok();
    ann.answered().ok().has("<Body>x</Body>");
    auto bob = ask_waiting("&WaitTimeSeconds=2");
    advance(Duration::millis(1999));
    bob.still_waits();
    advance(Duration::millis(1));
    bob.answered().ok().lacks("<Message>");
    ask("SetQueueAttributes", of("mail") + "&Attribute.1.Name=ReceiveMessageWaitTimeSeconds&Attribute.1.Value=5").ok();
    auto cas = ask_waiting("");
    cas.still_waits();
    ask_waiting("&WaitTimeSeconds=0").answered().ok();
    receive("&WaitTimeSeconds=3601").fails(400, "sqs_parameter_invalid");
}

}  // namespace
}  // namespace gantry::queue::sqs
