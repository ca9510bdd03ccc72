// npm's fivebeans, unmodified: client.mjs HOST PORT. Fails with what isn't as it should be.
import assert from "node:assert/strict";
import fivebeans from "fivebeans";

const [host, port] = process.argv.slice(2);

function connect() {
    return new Promise((resolve, reject) => {
        const client = new fivebeans.client(host, Number(port));
        client.on("connect", () => resolve(client)).on("error", reject).connect();
    });
}
// A command as a promise of what its callback is given.
function ask(client, verb, ...given) {
    return new Promise((resolve, reject) => {
        client[verb](...given, (error, ...answer) => (error ? reject(new Error(error)) : resolve(answer.length > 1 ? answer : answer[0])));
    });
}

const producer = await connect();
const worker = await connect();
assert.equal(await ask(producer, "use", "node.mail"), "node.mail");
assert.equal(await ask(worker, "watch", "node.mail"), "2");
assert.equal(await ask(worker, "ignore", "default"), "1");
await assert.rejects(ask(worker, "ignore", "node.mail"), /NOT_IGNORED/);

// A worker that waits is woken.
const waiting = ask(worker, "reserve");
const id = await ask(producer, "put", 10, 0, 60, JSON.stringify({ to: "ann", name: "Ünïcode" }));
const [got, payload] = await waiting;
assert.equal(got, id);
assert.deepEqual(JSON.parse(payload.toString()), { to: "ann", name: "Ünïcode" });
assert.equal((await ask(worker, "stats_job", id)).state, "reserved");
await assert.rejects(ask(producer, "touch", id), /NOT_FOUND/);
await ask(worker, "touch", id);
await ask(worker, "bury", id, 5);
assert.equal((await ask(producer, "peek_buried"))[0], id);
assert.equal(await ask(producer, "kick", 10), "1");
assert.equal((await ask(worker, "reserve_with_timeout", 5))[0], id);
await ask(worker, "release", id, 1, 0);
assert.equal((await ask(worker, "reserve_with_timeout", 5))[0], id);
await ask(worker, "destroy", id);
await assert.rejects(ask(worker, "reserve_with_timeout", 0), /TIMED_OUT/);
await assert.rejects(ask(producer, "peek", id), /NOT_FOUND/);

// Bytes of any kind, and many at once.
const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
await ask(producer, "put", 0, 0, 60, bytes);
assert.deepEqual((await ask(worker, "reserve"))[1], bytes);
const ids = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(producer, "put", 0, 0, 60, `n${i}`)));
assert.equal(new Set(ids).size, 100);
assert.equal((await ask(producer, "stats_tube", "node.mail"))["current-jobs-ready"], 100);
assert.ok((await ask(producer, "list_tubes")).includes("node.mail"));
assert.ok((await ask(producer, "stats"))["total-jobs"] >= 102);
await ask(producer, "pause_tube", "node.mail", 100);
await assert.rejects(ask(worker, "reserve_with_timeout", 0), /TIMED_OUT/);
producer.quit();
worker.quit();
console.log("ok");
