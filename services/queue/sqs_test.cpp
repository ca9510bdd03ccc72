// What SQS says in both its encodings, and what it comes to. tests/sqs asks with the real clients.
#include "services/queue/sqs.h"

#include "services/queue/queue_test.h"
#include "services/queue/sqs_attributes.h"

namespace gantry::queue::sqs {
namespace {

const std::string url = "http://localhost/queue/sqs/000000000000/";

class Sqs : public Queue {
   public:
    // `form`: what follows the action, as "QueueName=a".
    Said ask(std::string const& action, std::string const& form = "") {
        header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        return post("/queue/sqs", "Action=" + action + "&Version=2012-11-05" + (form.empty() ? "" : "&") + form);
    }
    Said json(std::string const& action, std::string const& body) {
        header("Content-Type", "application/x-amz-json-1.0").header("X-Amz-Target", "AmazonSQS." + action);
        return post("/queue/sqs", body);
    }
    std::string of(std::string const& queue) const { return "QueueUrl=" + url + queue; }
    void make(std::string const& queue, std::string const& attributes = "") {
        ask("CreateQueue", "QueueName=" + queue + (attributes.empty() ? "" : "&") + attributes).ok();
    }
    Said send(std::string const& body, std::string const& more = "", std::string const& queue = "mail") {
        return ask("SendMessage", of(queue) + "&MessageBody=" + body + more);
    }
    Said receive(std::string const& more = "", std::string const& queue = "mail") { return ask("ReceiveMessage", of(queue) + more); }
    // Of the only message of a receive; empty: there was none.
    std::string handle(std::string const& more = "", std::string const& queue = "mail") {
        return between(receive(more, queue).ok().body(), "ReceiptHandle");
    }
    Said drop(std::string const& handle, std::string const& queue = "mail") {
        return ask("DeleteMessage", of(queue) + "&ReceiptHandle=" + handle);
    }
    Said visible(std::string const& handle, int seconds, std::string const& queue = "mail") {
        return ask("ChangeMessageVisibility", of(queue) + fmt::format("&ReceiptHandle={}&VisibilityTimeout={}", handle, seconds));
    }
    static std::string between(std::string const& body, std::string const& element) {
        auto const begin = body.find("<" + element + ">");
        if (begin == body.npos) return {};
        auto const from = begin + element.size() + 2;
        return body.substr(from, body.find("</" + element + ">") - from);
    }
    static std::size_t count(std::string const& body, std::string const& word) {
        std::size_t n = 0;
        for (auto at = body.find(word); at != body.npos; at = body.find(word, at + 1)) ++n;
        return n;
    }
    std::string attribute(std::string const& name, std::string const& queue = "mail") {
        return between(ask("GetQueueAttributes", of(queue) + "&AttributeName.1=" + name).ok().body(), "Value");
    }
};

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
        .has(
            R"({"MessageId":"t_1","MD5OfMessageBody":"8419b71c87a225a2c70b50486fbee545","MD5OfMessageAttributes":"83ea02fc5818b4f71631ff2164084630"})");
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

TEST_F(Sqs, DeadLetters) {
    std::string const policy =
        "Attribute.1.Name=RedrivePolicy&Attribute.1.Value=%7B%22deadLetterTargetArn%22%3A%22arn%3Aaws%3Asqs%3Ax%3A000000000000%3A"
        "dead%22%2C%22maxReceiveCount%22%3A%222%22%7D";
    ask("CreateQueue", "QueueName=mail&" + policy).fails(400, "sqs_attribute_invalid").has("does not exist");
    make("dead"), make("mail", policy);
    EXPECT_EQ(attribute("RedrivePolicy"),
              "{&quot;deadLetterTargetArn&quot;:&quot;arn:aws:sqs:us-east-1:000000000000:dead&quot;,&quot;maxReceiveCount&quot;:2}");
    ask("ListDeadLetterSourceQueues", of("dead")).ok().has("<QueueUrl>" + url + "mail</QueueUrl>");
    send("poison").ok();
    visible(handle("&VisibilityTimeout=30"), 0).ok();
    EXPECT_EQ(attribute("ApproximateNumberOfMessages"), "1") << "one receive came to nothing";
    handle("&VisibilityTimeout=30");
    pass(Duration::seconds(31));
    EXPECT_EQ(attribute("ApproximateNumberOfMessages"), "0");
    EXPECT_EQ(attribute("ApproximateNumberOfMessages", "dead"), "1");
    std::string const from = "SourceArn=arn%3Aaws%3Asqs%3Ax%3A0%3Adead";
    ask("StartMessageMoveTask", "SourceArn=arn%3Aaws%3Asqs%3Ax%3A0%3Anone").fails(404, "sqs_move_not_found");
    ask("StartMessageMoveTask", "SourceArn=dead").fails(400, "sqs_parameter_invalid");
    ask("StartMessageMoveTask", from + "&MaxNumberOfMessagesPerSecond=5").fails(400, "sqs_unsupported");
    ask("StartMessageMoveTask", from + "&DestinationArn=arn%3Aaws%3Asqs%3Ax%3A0%3Adead").fails(400, "sqs_parameter_invalid");
    ask("StartMessageMoveTask", from).ok().has("<TaskHandle>");
    ask("ListMessageMoveTasks", from).ok();
    ask("CancelMessageMoveTask", "TaskHandle=x").fails(404, "sqs_move_not_found");
    EXPECT_EQ(attribute("ApproximateNumberOfMessages"), "1");
    EXPECT_EQ(between(receive().ok().body(), "Body"), "poison");
    make("mail2", policy);
    ask("StartMessageMoveTask", from).fails(400, "sqs_parameter_invalid").has("Several queues");
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
    json(
        "ChangeMessageVisibilityBatch",
        R"({"QueueUrl":")" + url +
            R"(mail","Entries":[{"Id":"a","ReceiptHandle":"l_1_4","VisibilityTimeout":60},{"Id":"b","ReceiptHandle":"l_1_4","VisibilityTimeout":0}]})")
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

TEST_F(Sqs, DelayAndRetention) {
    make("mail", "Attribute.1.Name=DelaySeconds&Attribute.1.Value=10&Attribute.2.Name=MessageRetentionPeriod&Attribute.2.Value=60");
    EXPECT_EQ(attribute("MessageRetentionPeriod"), "60");
    send("late").ok();
    send("now", "&DelaySeconds=0").ok();
    EXPECT_EQ(attribute("ApproximateNumberOfMessagesDelayed"), "1");
    auto const now = handle("&VisibilityTimeout=600");
    EXPECT_EQ(handle(), "");
    pass(Duration::seconds(11));
    EXPECT_EQ(attribute("ApproximateNumberOfMessages"), "1");
    pass(Duration::seconds(50));
    EXPECT_EQ(attribute("ApproximateNumberOfMessages"), "0");
    EXPECT_EQ(attribute("ApproximateNumberOfMessagesNotVisible"), "0") << "also what a worker has";
    drop(now).ok().wrote_nothing();
    send("moved").ok();
    post("/queue/v1/queues/other/tasks", R"({"payload":1})").ok(201);
    post("/queue/v1/tasks/t_3/move", R"({"queue":"other"})").ok();
    pass(Duration::seconds(61));
    EXPECT_EQ(state_of(3), TaskState::ready) << "the queue that it is in counts";
    post("/queue/v1/tasks/t_4/move", R"({"queue":"mail"})").ok();
    pass(Duration::seconds(1));
    show(4).fails(410, "task_gone");
}

TEST_F(Sqs, QueuesAreListedInPages) {
    for (auto const* name : {"a1", "a2", "a3", "b1"}) make(name);
    make("a1");
    ask("CreateQueue", "QueueName=a1&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=31")
        .fails(400, "sqs_queue_exists")
        .has("<Code>QueueAlreadyExists</Code>");
    make("a1", "Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=30");
    auto const first = ask("ListQueues", "QueueNamePrefix=a&MaxResults=2").ok();
    EXPECT_EQ(count(first.body(), "<QueueUrl>"), 2u);
    auto const rest =
        ask("ListQueues", "QueueNamePrefix=a&MaxResults=2&NextToken=" + between(first.body(), "NextToken")).ok().lacks("NextToken");
    EXPECT_EQ(between(rest.body(), "QueueUrl"), url + "a3");
    EXPECT_EQ(count(ask("ListQueues").ok().body(), "<QueueUrl>"), 4u);
    EXPECT_EQ(json("ListQueues", R"({"QueueNamePrefix":"z"})").ok().body(), "{}");
    ask("ListQueues", "MaxResults=0").fails(400, "sqs_parameter_invalid");
    ask("ListQueues", "NextToken=x").fails(400, "sqs_parameter_invalid");
    ask("CreateQueue", "QueueName=a%2Fb%3Ac").ok().has(url + "a%2Fb%3Ac");
    send("x", "", "a%252Fb%253Ac").ok();
    ask("GetQueueUrl", "QueueName=a1&QueueOwnerAWSAccountId=123456789012").fails(400, "queue_not_found");
}

TEST_F(Sqs, PurgeAndDelete) {
    make("mail");
    for (int i = 0; i < 3; ++i) send("x").ok();
    auto const held = handle();
    ask("PurgeQueue", of("mail")).ok();
    EXPECT_EQ(attribute("ApproximateNumberOfMessages"), "0");
    EXPECT_EQ(attribute("ApproximateNumberOfMessagesNotVisible"), "0");
    drop(held).ok().wrote_nothing();
    send("y").ok();
    handle();
    ask("DeleteQueue", of("mail")).ok();
    receive().fails(400, "queue_not_found").has("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>");
    ask("DeleteQueue", of("mail")).fails(400, "queue_not_found");
}

TEST_F(Sqs, Tags) {
    make("mail", "Tag.1.Key=team&Tag.1.Value=web");
    ask("TagQueue", of("mail") + "&Tag.1.Key=cost&Tag.1.Value=1").ok();
    ask("UntagQueue", of("mail") + "&TagKey.1=team").ok();
    ask("ListQueueTags", of("mail")).ok().has("<ListQueueTagsResult><Tag><Key>cost</Key><Value>1</Value></Tag></ListQueueTagsResult>");
    ask("TagQueue", of("mail")).fails(400, "sqs_parameter_missing");
    std::string many = of("mail");
    for (int n = 0; n < 50; ++n) many += fmt::format("&Tag.{}.Key=k{}&Tag.{}.Value=v", n, n, n);
    ask("TagQueue", many).fails(400, "sqs_parameter_invalid");
}

TEST_F(Sqs, WhatIsRefused) {
    make("mail");
    struct Row {
        std::string action, form;
        int status;
        std::string code, theirs;
    };
    auto const u = of("mail");
    std::string const attribute = u + "&MessageBody=x&MessageAttribute.1.Name=";
    for (auto const& row : std::vector<Row>{
             {"", "", 400, "sqs_parameter_missing", "MissingParameter"},
             {"Nothing", "", 400, "sqs_action_unknown", "InvalidAction"},
             {"AddPermission", u, 400, "sqs_unsupported", "AWS.SimpleQueueService.UnsupportedOperation"},
             {"SendMessage", "MessageBody=x", 400, "sqs_parameter_missing", "MissingParameter"},
             {"SendMessage", "MessageBody=x&QueueUrl=http://x/mail", 404, "sqs_address_invalid", "InvalidAddress"},
             {"SendMessage", "MessageBody=x&QueueUrl=/000000000000/a%26b", 404, "sqs_address_invalid", "InvalidAddress"},
             {"SendMessage", u, 400, "sqs_parameter_missing", "MissingParameter"},
             {"SendMessage", u + "&MessageBody=", 400, "sqs_parameter_missing", "MissingParameter"},
             {"SendMessage", u + "&MessageBody=%08", 400, "sqs_message_invalid", "InvalidMessageContents"},
             {"SendMessage", u + "&MessageBody=%EF%BF%BE", 400, "sqs_message_invalid", "InvalidMessageContents"},
             {"SendMessage", u + "&MessageBody=%FF", 400, "sqs_request_malformed", "MalformedInput"},
             {"SendMessage", u + "&MessageBody=%4", 400, "sqs_request_malformed", "MalformedInput"},
             {"SendMessage", u + "&MessageBody=a&MessageBody=b", 400, "sqs_request_malformed", "MalformedInput"},
             {"SendMessage", u + "&a.b.c.d.e.f.g.h.i=1", 400, "sqs_request_malformed", "MalformedInput"},
             {"SendMessage", u + "&MessageBody=x&Priority=1", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", u + "&MessageBody=x&DelaySeconds=soon", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", u + "&MessageBody=x&DelaySeconds=-1", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", u + "&MessageBody=x&DelaySeconds=99999999999999999999", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", u + "&MessageBody=" + std::string(payload_bytes_limit + 1, 'x'), 400, "payload_too_large",
              "InvalidParameterValue"},
             {"SendMessage", attribute + "a", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", attribute + "a&MessageAttribute.1.Value.DataType=Text&MessageAttribute.1.Value.StringValue=x", 400,
              "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", attribute + "a&MessageAttribute.1.Value.DataType=Number&MessageAttribute.1.Value.StringValue=x", 400,
              "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", attribute + "a&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=!", 400,
              "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage",
              attribute + "a&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=" + std::string(2001, 'x'), 400,
              "sqs_parameter_invalid", "InvalidParameterValue"},
             {"SendMessage", attribute + "a&MessageAttribute.1.Value.StringListValue=x", 400, "sqs_parameter_invalid",
              "InvalidParameterValue"},
             {"SendMessage", attribute + "AWS.x&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x", 400,
              "sqs_parameter_invalid", "InvalidParameterValue"},
             {"ReceiveMessage", u + "&MaxNumberOfMessages=11", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"ReceiveMessage", u + "&MaxNumberOfMessages=0", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"ReceiveMessage", u + "&VisibilityTimeout=43201", 400, "sqs_parameter_invalid", "InvalidParameterValue"},
             {"ReceiveMessage", u + "&ReceiveRequestAttemptId=1", 400, "sqs_unsupported", "AWS.SimpleQueueService.UnsupportedOperation"},
             {"DeleteMessage", u, 400, "sqs_parameter_missing", "MissingParameter"},
             {"ChangeMessageVisibility", u + "&ReceiptHandle=l_1_1", 400, "sqs_parameter_missing", "MissingParameter"},
             {"CreateQueue", "", 400, "sqs_parameter_missing", "MissingParameter"},
             {"CreateQueue", "QueueName=a%20b", 400, "queue_name_invalid", "InvalidParameterValue"},
             {"CreateQueue", "QueueName=a&Attribute.1.Name=Colour&Attribute.1.Value=red", 400, "sqs_attribute_unknown",
              "InvalidAttributeName"},
             {"CreateQueue", "QueueName=a&Attribute.1.Name=QueueArn&Attribute.1.Value=a", 400, "sqs_attribute_unknown",
              "InvalidAttributeName"},
             {"CreateQueue", "QueueName=a&Attribute.1.Name=Policy&Attribute.1.Value=a", 400, "sqs_unsupported",
              "AWS.SimpleQueueService.UnsupportedOperation"},
             {"CreateQueue", "QueueName=a&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=0", 400, "sqs_attribute_invalid",
              "InvalidAttributeValue"},
             {"CreateQueue", "QueueName=a&Attribute.1.Name=MaximumMessageSize&Attribute.1.Value=1048577", 400, "sqs_attribute_invalid",
              "InvalidAttributeValue"},
             {"CreateQueue", "QueueName=a&Attribute.1.Name=RedrivePolicy&Attribute.1.Value=x", 400, "sqs_attribute_invalid",
              "InvalidAttributeValue"},
             {"GetQueueAttributes", u + "&AttributeName.1=Colour", 400, "sqs_attribute_unknown", "InvalidAttributeName"},
             {"SetQueueAttributes", u, 400, "sqs_parameter_missing", "MissingParameter"},
         }) {
        ask(row.action, row.form).fails(row.status, row.code).has("<Type>Sender</Type><Code>" + row.theirs + "</Code>");
    }
    std::string many = u;
    for (int n = 0; n < 2000; ++n) many += "&a";
    ask("SendMessage", many).fails(400, "sqs_request_malformed");
    set(R"("depth_max":1)").ok();
    send("x").ok();
    send("x").fails(429, "queue_full").has("<Code>RequestThrottled</Code>");
}

TEST_F(Sqs, WhatIsNoJson) {
    for (auto const* body : {"x", "[]", "{", R"({"QueueName":1})", R"({"QueueName":"a","Colour":"red"})", R"({"MaxResults":"5"})",
                             R"({"Attributes":{"a":1}})"})
        json("ListQueues", body).fails(400, "sqs_request_malformed").has("com.amazonaws.sqs#SerializationException");
    json("ListQueues", "").ok();
    header("Content-Type", "application/x-amz-json-1.0");
    post("/queue/sqs", "{}").fails(400, "sqs_request_malformed");
}

TEST_F(Sqs, AnOldClientNamesTheQueueByThePath) {
    make("mail");
    header("Content-Type", "application/x-www-form-urlencoded");
    post("/queue/sqs/000000000000/mail", "Action=SendMessage&MessageBody=x").ok();
    header("Content-Type", "application/x-www-form-urlencoded");
    post("/queue/sqs/000000000000/none", "Action=SendMessage&MessageBody=x").fails(400, "queue_not_found");
}

TEST_F(Sqs, WhatACallerSignsWith) {
    auto const key = as("u_ann").post("/queue/v1/sqs-key", "{}").ok().as<SigningKey>();
    EXPECT_EQ(key.access_key_id, "ann");
    EXPECT_EQ(key.secret_access_key.value.size(), 32u);
    EXPECT_EQ(as("u_ann").post("/queue/v1/sqs-key", "{}").ok().as<SigningKey>().secret_access_key.value, key.secret_access_key.value);
    EXPECT_NE(as("u_bob").post("/queue/v1/sqs-key", "{}").ok().as<SigningKey>().secret_access_key.value, key.secret_access_key.value);
    as("anonymous").post("/queue/v1/sqs-key", "{}").fails(401, "credentials_missing");
}

}  // namespace
}  // namespace gantry::queue::sqs
