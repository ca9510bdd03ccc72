// What an application with @sentry/node does: node_client.mjs <module of the SDK>, with SENTRY_DSN in the environment.
const sentry = await import(process.argv[2] ?? '@sentry/node');

sentry.init({
    dsn: process.env.SENTRY_DSN,
    release: 'shop@1.4.2+7',
    environment: 'staging',
    serverName: 'web-1',
    tracesSampleRate: 1,
    enableLogs: true,
    attachStacktrace: true,
});
sentry.setUser({id: 'u_17', username: 'ann', email: 'ann@example.org', ip_address: '192.0.2.7'});
sentry.setTag('customer', 'acme');

class PriceError extends Error {
    constructor(message, options) {
        super(message, options);
        this.name = 'PriceError';
    }
}
function readPrice(text) {
    return JSON.parse(text);
}
function total(order) {
    try {
        return readPrice('{"price":');
    } catch (cause) {
        throw new PriceError(`no price for order ${order}`, {cause});
    }
}

sentry.addBreadcrumb({category: 'cart', message: 'added 3 items', level: 'info', data: {items: 3, api_key: 'do-not-keep'}});
try {
    total(4711);
} catch (error) {
    sentry.captureException(error, {extra: {password: 'hunter2', order: 4711}});
}
sentry.captureMessage('stock is low: 3 left', 'warning');
sentry.withScope((scope) => {
    scope.setFingerprint(['checkout', '{{ default }}']);
    scope.addAttachment({filename: 'order.bin', data: new Uint8Array([0, 10, 255, 10, 0]), contentType: 'application/octet-stream'});
    sentry.captureException(new Error('checkout failed after 250 ms'));
});
sentry.startSpan({name: 'GET /cart', op: 'http.server'}, () => sentry.startSpan({name: 'SELECT price', op: 'db'}, () => {}));
const checkIn = sentry.captureCheckIn({monitorSlug: 'nightly', status: 'in_progress'});
sentry.captureCheckIn({checkInId: checkIn, monitorSlug: 'nightly', status: 'ok', duration: 1.5});
sentry.captureFeedback({message: 'the button does nothing', name: 'Bob', email: 'bob@example.org', url: 'https://shop.example/cart'});
sentry.logger?.info('order placed', {order: 4711});
sentry.startSession();
sentry.endSession();
await sentry.flush(5000);
await sentry.close(5000);
