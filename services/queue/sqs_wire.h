#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/service.h"

// The two encodings of SQS: query and XML (Action=…, Version 2012-11-05), and AWS JSON 1.0 (X-Amz-Target: AmazonSQS.…). What is asked is
// one record, and what is answered one tree, whichever it was. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference
namespace gantry::queue::sqs {

// Members have the names that the API gives them.
struct AttributeValue {
    std::optional<std::string> DataType, StringValue, BinaryValue;  // BinaryValue: base64
    static constexpr bool has_defaults = true;
};
RECORD(AttributeValue, DataType, StringValue, BinaryValue);
using AttributeValues = std::map<std::string, AttributeValue>;

struct Entry {
    std::string Id;
    std::optional<std::string> MessageBody, MessageGroupId, MessageDeduplicationId, ReceiptHandle;
    std::optional<std::int64_t> DelaySeconds, VisibilityTimeout;
    AttributeValues MessageAttributes, MessageSystemAttributes;
    static constexpr bool has_defaults = true;
};
RECORD(Entry, Id, MessageBody, MessageGroupId, MessageDeduplicationId, ReceiptHandle, DelaySeconds, VisibilityTimeout, MessageAttributes,
       MessageSystemAttributes);

struct Input {
    std::optional<std::string> QueueUrl, QueueName, QueueNamePrefix, QueueOwnerAWSAccountId, NextToken, MessageBody, MessageGroupId,
        MessageDeduplicationId, ReceiptHandle, ReceiveRequestAttemptId, SourceArn, DestinationArn, TaskHandle;
    std::optional<std::int64_t> DelaySeconds, VisibilityTimeout, MaxNumberOfMessages, WaitTimeSeconds, MaxResults,
        MaxNumberOfMessagesPerSecond;
    std::vector<std::string> AttributeNames, MessageAttributeNames, MessageSystemAttributeNames, TagKeys;
    std::map<std::string, std::string> Attributes, Tags, tags;  // CreateQueue says "tags", TagQueue "Tags"
    AttributeValues MessageAttributes, MessageSystemAttributes;
    std::vector<Entry> Entries;
    static constexpr bool has_defaults = true;
};
RECORD(Input, QueueUrl, QueueName, QueueNamePrefix, QueueOwnerAWSAccountId, NextToken, MessageBody, MessageGroupId, MessageDeduplicationId,
       ReceiptHandle, ReceiveRequestAttemptId, SourceArn, DestinationArn, TaskHandle, DelaySeconds, VisibilityTimeout, MaxNumberOfMessages,
       WaitTimeSeconds, MaxResults, MaxNumberOfMessagesPerSecond, AttributeNames, MessageAttributeNames, MessageSystemAttributeNames,
       TagKeys, Attributes, Tags, tags, MessageAttributes, MessageSystemAttributes, Entries);

struct Call {
    std::string action;
    bool json = false;
    std::string origin;         // what the URL of a queue begins with: "http://127.0.0.1:9324"
    std::string queue_of_path;  // of old clients, which say the queue by the path alone
    std::string region;         // that the client signed for
    std::string client;         // its address
    Input in;
};
RECORD(Call, action, json, origin, queue_of_path, region, client, in);

inline constexpr std::string_view account = "000000000000", region_default = "us-east-1";

// The action that a request asks for, by its head or the first bytes of its body; empty: none.
std::string_view action_of(ForeignRequest const& request);
// 400 "sqs_request_malformed", "sqs_parameter_invalid".
Result<Call> parse(ForeignRequest const& request);

// A tree of which either encoding is made. Lists of SQS are flat in XML: the element is there once for each item.
struct Out {
    enum class Kind : std::uint8_t { text, number, flag, object, list, map };
    Kind kind = Kind::object;
    std::string name;      // in JSON, and of the element unless `element` says otherwise
    std::string text;      // of a text, a number, a flag
    std::vector<Out> all;  // members; items, of which the name says nothing; entries of a map by their names
    std::string element;   // of each item of a list and each entry of a map
    std::pair<std::string, std::string> entry = {"Name", "Value"};  // what key and value of an entry are called in XML
};
Out text(std::string_view name, std::string_view value);
Out number(std::string_view name, std::int64_t value);
Out flag(std::string_view name, bool value);
Out object(std::string_view name, std::vector<Out> members);
Out list(std::string_view name, std::string_view element, std::vector<Out> items);
Out map(std::string_view name, std::string_view element, std::vector<Out> entries);

ForeignReply answer(bool json, std::string_view action, std::vector<Out> const& members);

// What a Problem is called in SQS: the code of the query encoding, the type of the JSON one (without a namespace), and its status.
struct Named {
    std::string_view code, type;
    int status = 400;
};
Named named(Problem const& problem);
ForeignReply refused(Problem const& problem, std::string_view content_type);

// Whether XML can carry it: UTF-8 without control characters but tab, line feed and carriage return.
bool is_message_text(std::string_view text);

}  // namespace gantry::queue::sqs
