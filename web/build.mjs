/** Build the page: `node build.mjs OUTPUT`. */

import { build } from "esbuild";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const output = process.argv[2];
const SOURCE = "src";
const RUNTIMES = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"];
// Everything from its own origin; WASM and the blobs of what is drawn and saved are the exceptions.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

await rm(output, { recursive: true, force: true });
await mkdir(join(output, "ort"), { recursive: true });
const result = await build({
  entryPoints: ["app", "worker", "service-worker"].map((name) => join(SOURCE, `${name}.js`)),
  outdir: output,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  metafile: true,
  // What NiiVue would decode chunks of Zarr by: no scan of this page is Zarr.
  external: ["numcodecs/*"],
  legalComments: "none",
  conditions: ["onnxruntime-web-use-extern-wasm"],
  define: { __CSP__: JSON.stringify(POLICY) },
});
for (const name of ["style.css", "icon.svg"]) await cp(join(SOURCE, name), join(output, name));
for (const name of ["index.html", "service-worker.js"]) await fill(name, name === "index.html" ? SOURCE : output);
for (const name of RUNTIMES) {
  for (const suffix of [".mjs", ".wasm"]) await cp(join("node_modules/onnxruntime-web/dist", name + suffix), join(output, "ort", name + suffix));
}
await writeFile(join(output, "licences.txt"), await licences(Object.keys(result.metafile.inputs)));

/**
 * @param {string} name
 * @param {string} folder
 */
async function fill(name, folder) {
  await writeFile(join(output, name), (await readFile(join(folder, name), "utf8")).replaceAll("__CSP__", POLICY));
}

/** @param {string[]} inputs files that are part of the page */
async function licences(inputs) {
  const folders = inputs.map((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean);
  const texts = [...new Set(folders)].sort().map((folder) => licenceOf(folder));
  return (await Promise.all(texts)).join(`\n${"=".repeat(80)}\n\n`);
}

/** @param {string} folder of a package */
async function licenceOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((each) => /^(licen[cs]e|copying)/i.test(each));
  // Some packages come without the text; a package of neither kind ends the build.
  const path = file ? join(folder, file) : join("licences", `${name.replace("/", "-")}.txt`);
  return `${name} ${version}: ${license}\n\n${await readFile(path, "utf8")}`;
}
