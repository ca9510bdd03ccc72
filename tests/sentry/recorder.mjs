// A server that keeps what clients send: recorder.mjs <folder> writes <n>.head and <n>.body (unpacked) a request, and prints its port.
// A GET of /page.html or /bundle.js is served from the folder named second.
import {createServer} from 'node:http';
import {readFileSync, writeFileSync} from 'node:fs';
import {brotliDecompressSync, gunzipSync, inflateSync} from 'node:zlib';

const [folder, pages] = process.argv.slice(2);
const unpack = {gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync};
const kept = ['x-sentry-auth', 'content-type', 'content-encoding', 'origin'];
let count = 0;

function servePage(request, response) {
    const name = new URL(request.url, 'http://localhost').pathname.slice(1);
    if (!pages || !['page.html', 'bundle.js'].includes(name)) return response.writeHead(404).end();
    response.writeHead(200, {'content-type': name.endsWith('.js') ? 'text/javascript' : 'text/html'}).end(readFileSync(`${pages}/${name}`));
}
function keep(request, response, packed) {
    const unpacked = unpack[request.headers['content-encoding']]?.(packed) ?? packed;
    const number = String(++count).padStart(2, '0');
    const headers = kept.filter((name) => request.headers[name]).map((name) => `${name}: ${request.headers[name]}\n`);
    writeFileSync(`${folder}/${number}.head`, `${request.method} ${request.url}\n${headers.join('')}`);
    writeFileSync(`${folder}/${number}.body`, unpacked);
    response.writeHead(200, {'content-type': 'application/json', 'access-control-allow-origin': '*'}).end('{"id":"0"}');
}
createServer((request, response) => {
    if (request.method === 'GET') return servePage(request, response);
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk)).on('end', () => keep(request, response, Buffer.concat(chunks)));
}).listen(0, '127.0.0.1', function () {
    console.log(this.address().port);
});
