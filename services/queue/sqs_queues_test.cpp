// Queues of SQS, and what is refused.
#include "services/queue/sqs_test.h"

namespace gantry::queue::sqs {
namespace {

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
             {"SendMessageBatch", u + "&Entries=", 400, "sqs_batch_empty", "AWS.SimpleQueueService.EmptyBatchRequest"},
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
