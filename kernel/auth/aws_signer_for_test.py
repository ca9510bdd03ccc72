#!/usr/bin/python3
"""Requests as Amazon's own client library signs them, for aws_signature_test.cpp: aws_signer_for_test.py SECRET TIME SEED COUNT.
One a line: service, how ("header", "query"), verb, path, query, body (hexadecimal), then name and value of each header; between tabs."""
import datetime
import random
import sys
import urllib.parse

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SIGNERS = {("sqs", "header"): auth.SigV4Auth, ("sqs", "query"): auth.SigV4QueryAuth,
           ("s3", "header"): auth.S3SigV4Auth, ("s3", "query"): auth.S3SigV4QueryAuth}
HOST = "127.0.0.1:9324"
PIECES = ["a", "B9", "~", "-_.", "%20", "%2F", "%e2%82%ac", "=", ":", "@", "!", "$", "(", "+", "é"]


def url_of(rng, service):
    segments = ["".join(rng.choices([p for p in PIECES if p != "é"], k=rng.randint(1, 3))) for _ in range(rng.randint(0, 3))]
    if service != "s3" and rng.random() < 0.3:
        segments.insert(0, rng.choice([".", "..", ""]))
    path = "/" + "/".join(segments) + rng.choice(["", "/"])
    names = ["".join(rng.choices(PIECES, k=rng.randint(1, 3))) for _ in range(rng.randint(0, 3))]
    pairs = [(name, "".join(rng.choices(PIECES, k=rng.randint(0, 3)))) for name in names]
    query = "&".join(urllib.parse.quote(n, safe="-_.~") + "=" + urllib.parse.quote(v, safe="-_.~") for n, v in pairs)
    return "http://" + HOST + path + ("?" + query if query else "")


def main(secret, time, seed, count):
    moment = datetime.datetime.strptime(time, "%Y%m%dT%H%M%SZ")

    class Then(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return moment

    auth.datetime.datetime = Then
    rng = random.Random(int(seed))
    for _ in range(int(count)):
        service, how = rng.choice(list(SIGNERS))
        verb = rng.choice(["GET", "POST", "PUT", "DELETE"])
        body = bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 50]))) if how == "header" else b""
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage", "X-Plain": " a   b "}
        if how == "query":
            headers = {"Host": HOST}
        request = AWSRequest(method=verb, url=url_of(rng, service), data=body, headers=headers)
        SIGNERS[service, how](Credentials("AKIDEXAMPLE", secret), service, "eu-west-1").add_auth(request)
        parts = urllib.parse.urlsplit(request.url)
        shown = [*request.headers.items(), *([("Host", HOST)] if how == "header" else []), ("Accept-Encoding", "identity")]
        fields = [service, how, verb, parts.path, parts.query, body.hex(), *[x for pair in shown for x in pair]]
        print("\t".join(fields))


if __name__ == "__main__":
    main(*sys.argv[1:])
