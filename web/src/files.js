/** The files of a scan, however they are handed over. */

/** @typedef {{files: File[], name: string}} Chosen */

/**
 * @param {FileList|null} list of an input
 * @returns {Chosen}
 */
export function fromInput(list) {
  const files = Array.from(list ?? []);
  const folder = files[0]?.webkitRelativePath.split("/")[0];
  return { files, name: folder || files[0]?.name || "" };
}

/**
 * @param {DataTransfer} data of a drop
 * @returns {Promise<Chosen>} all files, also those in folders
 */
export async function fromDrop(data) {
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = (await Promise.all(entries.map(filesIn))).flat();
  return { files, name: entries[0]?.name ?? "" };
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesIn(entry) {
  if (entry.isFile) {
    return [await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {File[]} */
  const files = [];
  // A reader gives a hundred entries at a time.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return files;
    files.push(...(await Promise.all(some.map(filesIn))).flat());
  }
}
