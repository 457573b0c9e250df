/** The elements of the page by their names. */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {{new(): T}} Kind
 * @returns {T}
 */
export function element(id, Kind) {
  const found = document.getElementById(id);
  if (!(found instanceof Kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/** @param {string} id */
export const select = (id) => element(id, HTMLSelectElement);

/**
 * @param {string} id
 * @param {string} text
 */
export function say(id, text) {
  element(id, HTMLElement).textContent = text;
}

/**
 * @param {string} id
 * @param {boolean} hidden
 */
export function hide(id, hidden) {
  element(id, HTMLElement).hidden = hidden;
}
