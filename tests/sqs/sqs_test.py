#!/usr/bin/env python3
"""SQS on `gantry serve queue`: sqs_test.py GANTRY. Clients that aren't ours, unmodified: boto3 and awscli, which speak query and XML, and
npm's @aws-sdk/client-sqs, which speaks JSON. 77: boto3 is not installed."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

# It lives in Debian's own interpreter.
if sys.executable != "/usr/bin/python3" and pathlib.Path("/usr/bin/python3").exists():
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    sys.exit(77)

GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())
HERE = pathlib.Path(__file__).resolve().parent
AWS = pathlib.Path("/usr/bin/aws")
NODE_CLIENT = (HERE / "node_modules/@aws-sdk/client-sqs").exists()
PATIENCE_S = 60
REGION = "eu-west-1"


class Server:
    """Gantry with the queue and its port for SQS. `callers`: name and scopes of each; none: it is open to this machine."""

    def __init__(self, callers=None):
        self.place = tempfile.TemporaryDirectory(prefix="gantry-sqs-")
        self.data, self.tokens, self.keys = f"{self.place.name}/data", {}, {}
        for name, scopes in (callers or {}).items():
            command = [GANTRY, "auth", "add", name, "--token", "--data", self.data, "--json"]
            for scope in scopes:
                command += ["--scope", scope]
            told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
            assert told.returncode == 0, told.stderr
            self.tokens[name] = json.loads(told.stdout)["token"]
        self.log = open(f"{self.place.name}/log", "a")
        self.process = subprocess.Popen(
            [GANTRY, "serve", "queue", "--data", self.data, "--listen", "127.0.0.1:0", "--queue.sqs-listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.sqs = None
        while not self.sqs:
            words = self.process.stdout.readline().split()
            assert words, pathlib.Path(f"{self.place.name}/log").read_text()
            if words[:3] == ["listening", "queue", "sqs"]:
                self.sqs = "http://" + words[3]
            elif words[0] == "listening":
                self.url = words[1].rstrip("/")
        for name in self.tokens:
            self.keys[name] = self.ask("POST", "/queue/v1/sqs-key", {}, self.tokens[name])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        self.log.close()
        self.place.cleanup()

    def ask(self, verb, path, body=None, token=None):
        headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
        request = urllib.request.Request(self.url + path, method=verb, headers=headers,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)

    def key(self, name="x"):
        """Access key and secret; of an open server any."""
        key = self.keys.get(name, {"access_key_id": name, "secret_access_key": "any"})
        return {"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"]}

    def boto(self, kind="client", endpoint=None, **key):
        make = boto3.client if kind == "client" else boto3.resource
        return make("sqs", endpoint_url=endpoint or self.sqs, region_name=REGION, **(key or self.key()),
                    config=Config(retries={"max_attempts": 0}, read_timeout=PATIENCE_S))


class OnAnOpenServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.__exit__)
        cls.client = cls.server.boto()

    def make(self, name, **attributes):
        return self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def fails(self, code, action, **given):
        with self.assertRaises(ClientError) as caught:
            getattr(self.client, action)(**given)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response

    def one(self, url, **more):
        messages = self.client.receive_message(QueueUrl=url, **more).get("Messages", [])
        self.assertLessEqual(len(messages), 1)
        return messages[0] if messages else None

    def count(self, url, what="ApproximateNumberOfMessages"):
        return int(self.client.get_queue_attributes(QueueUrl=url, AttributeNames=[what])["Attributes"][what])

    def test_a_message(self):
        url = self.make("mail", VisibilityTimeout="60")
        self.assertEqual(url, f"{self.server.sqs}/000000000000/mail")
        body = "Ünïcode <&> \"'\r\n\t 😀"
        attributes = {"text": {"DataType": "String", "StringValue": "ä"}, "count": {"DataType": "Number.int", "StringValue": "17"},
                      "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
        sent = self.client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5(body.encode()).hexdigest())
        got = self.one(url, AttributeNames=["All"], MessageAttributeNames=["All"])
        self.assertEqual((got["MessageId"], got["Body"], got["MD5OfBody"]), (sent["MessageId"], body, sent["MD5OfMessageBody"]))
        self.assertEqual(got["MessageAttributes"], attributes)
        self.assertEqual(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.assertEqual(got["MD5OfMessageAttributes"], md5_of(attributes))
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(self.count(url, "ApproximateNumberOfMessagesNotVisible"), 1)
        self.client.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
        again = self.one(url, AttributeNames=["ApproximateReceiveCount"])
        self.assertEqual(again["Attributes"], {"ApproximateReceiveCount": "2"})
        self.client.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
        self.assertEqual(self.count(url, "ApproximateNumberOfMessagesNotVisible"), 1, "a late word of the first receive")
        self.client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.assertEqual(self.count(url, "ApproximateNumberOfMessagesNotVisible"), 0)

    def test_the_resource_api(self):
        resource = self.server.boto("resource")
        queue = resource.create_queue(QueueName="res", Attributes={"DelaySeconds": "0"})
        queue.send_message(MessageBody="one")
        queue.send_messages(Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(9)])
        self.assertEqual(resource.get_queue_by_name(QueueName="res").attributes["ApproximateNumberOfMessages"], "10")
        got = queue.receive_messages(MaxNumberOfMessages=10)
        self.assertEqual(sorted(m.body for m in got), sorted(["one", *(f"m{n}" for n in range(9))]))
        got[0].delete()
        done = queue.delete_messages(Entries=[{"Id": str(n), "ReceiptHandle": m.receipt_handle} for n, m in enumerate(got[1:])])
        self.assertEqual(len(done["Successful"]), 9)
        self.assertIn(queue.url, [q.url for q in resource.queues.filter(QueueNamePrefix="res")])
        queue.delete()
        self.fails("AWS.SimpleQueueService.NonExistentQueue", "get_queue_url", QueueName="res")

    def test_a_receive_that_waits_is_woken(self):
        url = self.make("waits")
        got = []
        other = self.server.boto()
        waiting = threading.Thread(target=lambda: got.extend(other.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]))
        waiting.start()
        # Until it waits, a message would be received without any waiting: that is as good.
        self.client.send_message(QueueUrl=url, MessageBody="wake up")
        waiting.join(timeout=15)
        self.assertFalse(waiting.is_alive(), "a waiting receive wasn't woken")
        self.assertEqual(got[0]["Body"], "wake up")
        self.assertNotIn("Messages", self.client.receive_message(QueueUrl=url, WaitTimeSeconds=1))

    def test_fifo(self):
        self.fails("InvalidParameterValue", "create_queue", QueueName="orders.fifo")
        url = self.make("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        first = self.client.send_message(QueueUrl=url, MessageBody="1", MessageGroupId="g")
        twice = self.client.send_message(QueueUrl=url, MessageBody="1", MessageGroupId="g")
        self.assertEqual((first["MessageId"], first["SequenceNumber"]), (twice["MessageId"], twice["SequenceNumber"]))
        self.client.send_message(QueueUrl=url, MessageBody="2", MessageGroupId="g", MessageDeduplicationId="d2")
        self.client.send_message(QueueUrl=url, MessageBody="3", MessageGroupId="g")
        order = []
        while message := self.one(url, AttributeNames=["All"]):
            self.assertEqual(message["Attributes"]["MessageGroupId"], "g")
            self.assertIsNone(self.one(url), "one of a group at a time")
            order.append((message["Body"], message["Attributes"]["SequenceNumber"]))
            self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        self.assertEqual([body for body, _ in order], ["1", "2", "3"])
        self.assertEqual(order, sorted(order, key=lambda o: o[1]))
        self.fails("MissingParameter", "send_message", QueueUrl=url, MessageBody="4")

    def test_batches(self):
        url = self.make("batches")
        sent = self.client.send_message_batch(QueueUrl=url, Entries=[
            {"Id": "a", "MessageBody": "x", "DelaySeconds": 0}, {"Id": "b", "MessageBody": "\x01"},
            {"Id": "c", "MessageBody": "z", "MessageAttributes": {"k": {"DataType": "String", "StringValue": "v"}}}])
        self.assertEqual([e["Id"] for e in sent["Successful"]], ["a", "c"])
        self.assertEqual([(e["Id"], e["Code"], e["SenderFault"]) for e in sent["Failed"]], [("b", "InvalidMessageContents", True)])
        got = self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        entries = [{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0} for m in got]
        self.assertEqual(len(self.client.change_message_visibility_batch(QueueUrl=url, Entries=entries)["Successful"]), 2)
        gone = self.client.delete_message_batch(QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": "nothing"}])
        self.assertEqual(gone["Failed"][0]["Code"], "ReceiptHandleIsInvalid")
        entry = {"Id": "a", "MessageBody": "x"}
        service = "AWS.SimpleQueueService."
        self.fails(service + "EmptyBatchRequest", "send_message_batch", QueueUrl=url, Entries=[])
        self.fails(service + "BatchEntryIdsNotDistinct", "send_message_batch", QueueUrl=url, Entries=[entry, entry])
        self.fails(service + "TooManyEntriesInBatchRequest", "send_message_batch", QueueUrl=url,
                   Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(11)])

    def test_dead_letters_and_their_way_back(self):
        dead = self.make("dead")
        arn = self.client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.assertEqual(arn, f"arn:aws:sqs:{REGION}:000000000000:dead")
        url = self.make("work", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"}))
        self.client.send_message(QueueUrl=url, MessageBody="poison")
        for _ in range(2):
            self.client.change_message_visibility(QueueUrl=url, ReceiptHandle=self.one(url)["ReceiptHandle"], VisibilityTimeout=0)
        self.assertIsNone(self.one(url))
        self.assertEqual(self.count(dead), 1)
        self.assertEqual(self.client.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
        # boto3 1.26 doesn't know StartMessageMoveTask yet: client.mjs asks it.
        body = f"Action=StartMessageMoveTask&Version=2012-11-05&SourceArn={arn}".encode()
        with urllib.request.urlopen(urllib.request.Request(self.server.sqs, body), timeout=PATIENCE_S) as reply:
            self.assertIn(b"<TaskHandle>", reply.read())
        self.assertEqual(self.count(dead), 0)
        self.assertEqual(self.one(url)["Body"], "poison")

    def test_what_is_refused(self):
        url = self.make("refused")
        self.fails("AWS.SimpleQueueService.NonExistentQueue", "send_message", QueueUrl=url + "x", MessageBody="x")
        self.fails("InvalidAddress", "send_message", QueueUrl=self.server.sqs + "/elsewhere", MessageBody="x")
        self.fails("InvalidAttributeName", "set_queue_attributes", QueueUrl=url, Attributes={"Colour": "red"})
        self.fails("InvalidAttributeValue", "set_queue_attributes", QueueUrl=url, Attributes={"VisibilityTimeout": "x"})
        self.fails("AWS.SimpleQueueService.UnsupportedOperation", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": "{}"})
        self.fails("InvalidParameterValue", "receive_message", QueueUrl=url, MaxNumberOfMessages=11)
        self.fails("InvalidParameterValue", "send_message", QueueUrl=url, MessageBody="x" * (1 << 20) + "y")
        self.fails("ReceiptHandleIsInvalid", "delete_message", QueueUrl=url, ReceiptHandle="nothing")
        self.fails("QueueAlreadyExists", "create_queue", QueueName="refused", Attributes={"VisibilityTimeout": "31"})
        empty = self.fails("MissingParameter", "send_message", QueueUrl=url, MessageBody="")
        self.assertEqual(empty["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.client.send_message(QueueUrl=url, MessageBody="x" * (1 << 20))
        self.assertEqual(len(self.one(url)["Body"]), 1 << 20)

    def test_other_protocols_see_the_same(self):
        url = self.make("shared")
        self.server.ask("POST", "/queue/v1/queues/shared/tasks", {"payload": {"to": "ann"}, "headers": {"trace": "1"}})
        got = self.one(url, MessageAttributeNames=["All"])
        self.assertEqual((json.loads(got["Body"]), got["MessageAttributes"]["trace"]["StringValue"]), ({"to": "ann"}, "1"))
        self.client.send_message(QueueUrl=url, MessageBody=json.dumps({"to": "bob"}))
        lease = self.server.ask("POST", "/queue/v1/queues/shared/reserve", {"worker": "w"})["leases"][0]
        self.assertEqual(lease["payload"], {"to": "bob"})
        below = self.server.boto(endpoint=self.server.url + "/queue/sqs")
        self.assertEqual(below.get_queue_url(QueueName="shared")["QueueUrl"], f"{self.server.url}/queue/sqs/000000000000/shared")
        below.send_message(QueueUrl=below.get_queue_url(QueueName="shared")["QueueUrl"], MessageBody="by the main port")
        self.assertEqual(self.one(url)["Body"], "by the main port")

    def test_tags_and_pages(self):
        url = self.client.create_queue(QueueName="tagged", tags={"team": "web"})["QueueUrl"]
        self.client.tag_queue(QueueUrl=url, Tags={"cost": "<1>"})
        self.client.untag_queue(QueueUrl=url, TagKeys=["team"])
        self.assertEqual(self.client.list_queue_tags(QueueUrl=url)["Tags"], {"cost": "<1>"})
        for n in range(5):
            self.make(f"page{n}")
        pages = self.client.get_paginator("list_queues").paginate(QueueNamePrefix="page", PaginationConfig={"PageSize": 2})
        self.assertEqual([len(page["QueueUrls"]) for page in pages], [2, 2, 1])

    @unittest.skipUnless(AWS.exists(), "awscli is not installed: make setup")
    def test_awscli(self):
        def aws(*words):
            environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": REGION}
            done = subprocess.run([str(AWS), "--endpoint-url", self.server.sqs, "sqs", *words], capture_output=True, text=True,
                                  env=environment, timeout=PATIENCE_S)
            return json.loads(done.stdout) if done.stdout else done.stderr

        url = aws("create-queue", "--queue-name", "cli")["QueueUrl"]
        sent = aws("send-message", "--queue-url", url, "--message-body", "hi")
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5(b"hi").hexdigest())
        self.assertEqual(aws("receive-message", "--queue-url", url)["Messages"][0]["Body"], "hi")
        self.assertIn(url, aws("list-queues")["QueueUrls"])
        self.assertIn("NonExistentQueue", aws("get-queue-url", "--queue-name", "none"))

    @unittest.skipUnless(NODE_CLIENT, "tests/sqs/node_modules is not there: make setup")
    def test_the_client_of_npm(self):
        done = subprocess.run(["node", "client.mjs", self.server.sqs, "x", "y"], cwd=HERE, capture_output=True, text=True, timeout=90)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.strip().splitlines()[-1], "ok")


class Signatures(unittest.TestCase):
    """On a server that knows callers."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server({"ann": ["queue:*"], "producer": ["queue:put", "queue:read"]})
        cls.addClassCleanup(cls.server.__exit__)

    def fails(self, code, status, call):
        with self.assertRaises(ClientError) as caught:
            call()
        response = caught.exception.response
        self.assertEqual((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]), (code, status))

    def test_who_signs_with_its_key_may_what_its_scopes_say(self):
        self.assertEqual(self.server.keys["ann"]["access_key_id"], "ann")
        ann, producer = self.server.boto(**self.server.key("ann")), self.server.boto(**self.server.key("producer"))
        url = ann.create_queue(QueueName="mail")["QueueUrl"]
        producer.send_message(QueueUrl=producer.get_queue_url(QueueName="mail")["QueueUrl"], MessageBody="hällo & more")
        self.fails("AccessDenied", 403, lambda: producer.receive_message(QueueUrl=url))
        self.fails("AccessDenied", 403, lambda: producer.create_queue(QueueName="other"))
        message = ann.receive_message(QueueUrl=url)["Messages"][0]
        self.assertEqual(message["Body"], "hällo & more")
        task = self.server.ask("GET", "/queue/v1/tasks/" + message["MessageId"], token=self.server.tokens["ann"])
        self.assertEqual(task["task"]["lease"]["worker"], "sqs/u_ann/127.0.0.1")

    def test_a_wrong_signature(self):
        key = self.server.key("ann")
        wrong = {**key, "aws_secret_access_key": "not it"}
        nobody = {**key, "aws_access_key_id": "nobody"}
        of_another = {**key, "aws_access_key_id": "producer"}
        for other in (wrong, nobody, of_another):
            self.fails("SignatureDoesNotMatch", 403, lambda other=other: self.server.boto(**other).list_queues())
        changed = self.server.boto(**key)

        def change(request, **_):
            request.body = request.body.replace("2012-11-05", "2012-11-06")
        changed.meta.events.register("before-send.sqs.*", change)
        self.fails("SignatureDoesNotMatch", 403, changed.list_queues)
        self.assertNotIn("QueueUrls", self.server.boto(**key).list_queues(QueueNamePrefix="none"))

    def test_no_signature(self):
        for headers, body in (({"Content-Type": "application/x-www-form-urlencoded"}, b"Action=ListQueues"),
                              ({"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}, b"{}")):
            request = urllib.request.Request(self.server.sqs + "/", method="POST", headers=headers, data=body)
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=PATIENCE_S)
            self.assertEqual(caught.exception.code, 403)
            self.assertIn("MissingAuthenticationToken", caught.exception.read().decode())

    def test_a_token_will_do(self):
        request = urllib.request.Request(self.server.sqs + "/", method="POST", data=b"Action=ListQueues&QueueNamePrefix=none",
                                         headers={"Authorization": "Bearer " + self.server.tokens["producer"],
                                                  "Content-Type": "application/x-www-form-urlencoded"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            self.assertIn(b"<ListQueuesResult></ListQueuesResult>", reply.read())

    @unittest.skipUnless(NODE_CLIENT, "tests/sqs/node_modules is not there: make setup")
    def test_the_client_of_npm_signs(self):
        key = self.server.keys["ann"]
        for secret, code in ((key["secret_access_key"], 0), ("not it", 1)):
            done = subprocess.run(["node", "client.mjs", self.server.sqs, "ann", secret], cwd=HERE, capture_output=True, text=True,
                                  timeout=90)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn("SignatureDoesNotMatch", done.stderr)


def md5_of(attributes):
    """As Amazon says that it is made: docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""
    def sized(data):
        return len(data).to_bytes(4, "big") + data

    out = b""
    for name, value in sorted(attributes.items()):
        binary = "BinaryValue" in value
        out += sized(name.encode()) + sized(value["DataType"].encode()) + (b"\x02" if binary else b"\x01")
        out += sized(value["BinaryValue"] if binary else value["StringValue"].encode())
    return hashlib.md5(out).hexdigest()


if __name__ == "__main__":
    unittest.main()
