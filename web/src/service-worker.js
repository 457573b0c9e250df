/** Keeps the files of the page, and serves them with the headers that isolate it and let it speak to nobody else. */

/** @type {ServiceWorkerGlobalScope} */
const worker = /** @type {any} */ (self);
// `sr-keras web` writes the files of the page, and a hash of them, in place of this.
const SITE = { version: "__VERSION__", files: /** @type {string[]} */ (JSON.parse("__FILES__")) };
const CACHE = `sr_keras-${SITE.version}`;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "__CSP__",
};

worker.addEventListener("install", (event) => {
  event.waitUntil(keepAll().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});

async function keepAll() {
  const cache = await caches.open(CACHE);
  await cache.addAll(SITE.files.map((file) => new Request(file, { cache: "reload" })));
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name.startsWith("sr_keras-") && name !== CACHE) await caches.delete(name);
}

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const address = request.url.split(/[?#]/)[0].replace(/\/index\.html$/, "/");
  const known = await cache.match(address);
  if (known) return isolated(known);
  const response = await fetch(request);
  if (response.ok && response.status === 200) await cache.put(address, response.clone());
  return isolated(response);
}

/** @param {Response} response */
function isolated(response) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
