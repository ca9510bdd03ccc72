// npm's @aws-sdk/client-sqs, unmodified, which speaks AWS JSON 1.0: client.mjs URL KEY SECRET. Fails with what isn't as it should be.
import assert from "node:assert/strict";
import {
    CancelMessageMoveTaskCommand, ChangeMessageVisibilityBatchCommand, CreateQueueCommand, DeleteMessageBatchCommand, DeleteMessageCommand,
    DeleteQueueCommand, GetQueueAttributesCommand, GetQueueUrlCommand, ListDeadLetterSourceQueuesCommand, ListMessageMoveTasksCommand,
    ListQueueTagsCommand, ListQueuesCommand, paginateListQueues, PurgeQueueCommand, QueueDoesNotExist, ReceiveMessageCommand,
    ReceiptHandleIsInvalid, SendMessageBatchCommand, SendMessageCommand, SetQueueAttributesCommand, SQSClient, StartMessageMoveTaskCommand,
    TagQueueCommand,
} from "@aws-sdk/client-sqs";

const [endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const client = new SQSClient({ endpoint, region: "eu-west-1", credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
const ask = (command) => client.send(command);

const { QueueUrl } = await ask(new CreateQueueCommand({
    QueueName: "node", Attributes: { VisibilityTimeout: "60" }, tags: { team: "web" },
}));
async function attribute(QueueUrl, name) {
    return (await ask(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }))).Attributes[name];
}
assert.equal((await ask(new GetQueueUrlCommand({ QueueName: "node" }))).QueueUrl, QueueUrl);
assert.deepEqual((await ask(new ListQueueTagsCommand({ QueueUrl }))).Tags, { team: "web" });
await ask(new TagQueueCommand({ QueueUrl, Tags: { cost: "1" } }));

// Its own checks of MD5 hold, of what it sends and of what it is given.
const MessageBody = "Ünïcode <&> \"\r\n\t 😀";
const sent = await ask(new SendMessageCommand({
    QueueUrl, MessageBody,
    MessageAttributes: { a: { DataType: "String", StringValue: "ä" }, b: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) } },
}));
assert.match(sent.MessageId, /^t_\d+$/);
const everything = { MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] };
const got = (await ask(new ReceiveMessageCommand({ QueueUrl, ...everything }))).Messages[0];
assert.equal(got.Body, MessageBody);
assert.equal(got.Attributes.ApproximateReceiveCount, "1");
assert.ok(Math.abs(Number(got.Attributes.SentTimestamp) - Date.now()) < 60_000);
assert.equal(got.MessageAttributes.a.StringValue, "ä");
assert.deepEqual([...got.MessageAttributes.b.BinaryValue], [0, 255]);
assert.equal(got.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
assert.equal(await attribute(QueueUrl, "ApproximateNumberOfMessagesNotVisible"), "1");
await ask(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: got.ReceiptHandle }));
assert.equal((await ask(new ReceiveMessageCommand({ QueueUrl }))).Messages, undefined);

// A receive that waits is woken.
const waiting = ask(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
await ask(new SendMessageCommand({ QueueUrl, MessageBody: "late" }));
assert.equal((await waiting).Messages[0].Body, "late");

// Errors are those that its code knows.
await assert.rejects(ask(new GetQueueUrlCommand({ QueueName: "none" })), QueueDoesNotExist);
await assert.rejects(ask(new GetQueueUrlCommand({ QueueName: "none" })), /does not exist/);
await assert.rejects(ask(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: "x" })), ReceiptHandleIsInvalid);
await assert.rejects(ask(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Colour: "red" } })), { name: "InvalidAttributeName" });
await assert.rejects(ask(new SendMessageBatchCommand({ QueueUrl, Entries: [] })), (e) => /EmptyBatchRequest/.test(e.name));
await assert.rejects(ask(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 11 })), (e) => e.$metadata.httpStatusCode === 400);

// FIFO, in batches, one of which fails.
const { QueueUrl: fifo } = await ask(new CreateQueueCommand({
    QueueName: "node.fifo", Attributes: { FifoQueue: "true", ContentBasedDeduplication: "true" },
}));
const batch = await ask(new SendMessageBatchCommand({
    QueueUrl: fifo,
    Entries: [
        { Id: "a", MessageBody: "1", MessageGroupId: "g" }, { Id: "b", MessageBody: "2", MessageGroupId: "g" },
        { Id: "c", MessageBody: "3", MessageGroupId: "h" }, { Id: "d", MessageBody: "4" },
    ],
}));
assert.deepEqual(batch.Successful.map((s) => s.Id), ["a", "b", "c"]);
assert.deepEqual(batch.Failed.map((f) => [f.Id, f.Code, f.SenderFault]), [["d", "MissingParameter", true]]);
assert.ok(batch.Successful[0].SequenceNumber < batch.Successful[1].SequenceNumber);
const { Messages: heads } = await ask(new ReceiveMessageCommand({
    QueueUrl: fifo, MaxNumberOfMessages: 10, AttributeNames: ["MessageGroupId"],
}));
assert.deepEqual(heads.map((m) => [m.Body, m.Attributes.MessageGroupId]).sort(), [["1", "g"], ["3", "h"]]);
const changed = await ask(new ChangeMessageVisibilityBatchCommand({
    QueueUrl: fifo, Entries: heads.map((m, i) => ({ Id: `e${i}`, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 90 })),
}));
assert.equal(changed.Successful.length, 2);
const deleted = await ask(new DeleteMessageBatchCommand({
    QueueUrl: fifo, Entries: [...heads.map((m, i) => ({ Id: `e${i}`, ReceiptHandle: m.ReceiptHandle })), { Id: "bad", ReceiptHandle: "x" }],
}));
assert.deepEqual([deleted.Successful.length, deleted.Failed[0].Code], [2, "ReceiptHandleIsInvalid"]);
assert.equal((await ask(new ReceiveMessageCommand({ QueueUrl: fifo }))).Messages[0].Body, "2");

// Dead letters, and back.
const dead = (await ask(new CreateQueueCommand({ QueueName: "node-dead" }))).QueueUrl;
const { QueueArn } = (await ask(new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: ["QueueArn"] }))).Attributes;
assert.equal(QueueArn, "arn:aws:sqs:eu-west-1:000000000000:node-dead");
await ask(new SetQueueAttributesCommand({
    QueueUrl, Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount: 1 }) },
}));
assert.deepEqual((await ask(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }))).queueUrls, [QueueUrl]);
await ask(new SendMessageCommand({ QueueUrl, MessageBody: "poison" }));
const poison = (await ask(new ReceiveMessageCommand({ QueueUrl }))).Messages[0];
await ask(new ChangeMessageVisibilityBatchCommand({
    QueueUrl, Entries: [{ Id: "p", ReceiptHandle: poison.ReceiptHandle, VisibilityTimeout: 0 }],
}));
assert.equal((await ask(new ReceiveMessageCommand({ QueueUrl: dead, VisibilityTimeout: 0 }))).Messages[0].Body, "poison");
await ask(new PurgeQueueCommand({ QueueUrl: dead }));
assert.equal(await attribute(dead, "ApproximateNumberOfMessages"), "0");
await ask(new SendMessageCommand({ QueueUrl: dead, MessageBody: "again" }));
assert.ok((await ask(new StartMessageMoveTaskCommand({ SourceArn: QueueArn }))).TaskHandle);
assert.deepEqual((await ask(new ListMessageMoveTasksCommand({ SourceArn: QueueArn }))).Results, []);
await assert.rejects(ask(new CancelMessageMoveTaskCommand({ TaskHandle: "x" })), { name: "ResourceNotFoundException" });
assert.equal((await ask(new ReceiveMessageCommand({ QueueUrl }))).Messages[0].Body, "again");

const pages = [];
for await (const page of paginateListQueues({ client, pageSize: 2 }, { QueueNamePrefix: "node" })) pages.push(page.QueueUrls.length);
assert.deepEqual(pages, [2, 1]);
for (const url of [fifo, dead, QueueUrl]) await ask(new DeleteQueueCommand({ QueueUrl: url }));
assert.equal((await ask(new ListQueuesCommand({ QueueNamePrefix: "node" }))).QueueUrls, undefined);
console.log("ok");
