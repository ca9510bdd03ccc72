// A page that fails: what its source map must lead back to.
function total(cart) {
    return cart.items.length;
}
window.addEventListener('load', () => {
    document.title = String(total(window.cart));
});
