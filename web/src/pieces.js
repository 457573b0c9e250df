/** A stream of bytes taken piece by piece: no more is in memory than is asked for. */

import { ScanError } from "./errors.js";

export class Pieces {
  /**
   * @param {ReadableStream<Uint8Array>} stream
   * @param {string} name of the file, for messages
   */
  constructor(stream, name) {
    this.reader = stream.getReader();
    this.name = name;
    /** @type {Uint8Array} */
    this.rest = new Uint8Array();
  }

  /**
   * @param {number} size
   * @returns {Promise<Uint8Array<ArrayBuffer>>} so many bytes, in a buffer of their own
   */
  async take(size) {
    const bytes = new Uint8Array(size);
    await this.each(size, (piece, at) => bytes.set(piece, at));
    return bytes;
  }

  /** @param {number} size */
  async skip(size) {
    await this.each(size, () => {});
  }

  /** Read to the end, where a compressed file's checksum is. */
  async end() {
    while (await this.next());
  }

  /**
   * @param {number} size
   * @param {(piece: Uint8Array, at: number) => void} use
   */
  async each(size, use) {
    for (let at = 0; at < size; ) {
      if (this.rest.length === 0 && !(await this.next())) throw this.damaged("it ends too early");
      const piece = this.rest.subarray(0, size - at);
      use(piece, at);
      this.rest = this.rest.subarray(piece.length);
      at += piece.length;
    }
  }

  async next() {
    try {
      const { done, value } = await this.reader.read();
      this.rest = value ?? new Uint8Array();
      return !done;
    } catch {
      throw this.damaged("its compressed data is damaged, truncated or in several parts");
    }
  }

  /** @param {string} reason */
  damaged(reason) {
    return new ScanError(`${this.name} cannot be read: ${reason}. Copy it again from its source, or decompress it first.`);
  }
}
