/** The service worker: it keeps the page for use without a network, and isolates it, which threads need. */

/**
 * Register the service worker; the first visit reloads the page through it.
 * @returns {Promise<boolean>} whether the page is about to be reloaded
 */
export async function isolate() {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
  } catch {
    // A private window, or a server without HTTPS: the page works, on one thread and with a network only.
    return false;
  }
  if (globalThis.crossOriginIsolated || sessionStorage.getItem("reloaded")) return false;
  sessionStorage.setItem("reloaded", "yes");
  location.reload();
  return true;
}
