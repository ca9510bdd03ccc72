// What a page with @sentry/browser does; the page sets window.SENTRY_DSN before it loads the bundle.
import * as sentry from '@sentry/browser';

sentry.init({dsn: window.SENTRY_DSN, release: 'shop@1.4.2+7', environment: 'staging', tunnel: window.SENTRY_TUNNEL});
sentry.setTag('customer', 'acme');
function total(cart) {
    return cart.items.length;
}
sentry.addBreadcrumb({category: 'cart', message: 'added 3 items'});
try {
    total(undefined);
} catch (error) {
    sentry.captureException(error);
}
sentry.captureMessage('stock is low: 3 left', 'warning');
sentry.flush(5000).then(() => {
    document.title = 'flushed';
});
