/** The benchmark as the user sees it: figures with the adapter's name, and a report to save. */

import * as Comlink from "comlink";

import { element, hide, say, select } from "./elements.js";

/**
 * @param {import("./job.js").Job} job
 * @param {import("./worker.js").Request} request
 */
export async function measure(job, request) {
  const button = element("measure", HTMLButtonElement);
  const scenario = /** @type {"single-stream"|"volume"} */ (select("scenario").value);
  const progress = (/** @type {number} */ share) => say("figures", `Measuring: ${Math.round(100 * share)} %`);
  button.disabled = true;
  hide("report", true);
  try {
    const asked = { ...request, scenario, size: Number(select("size").value) };
    const report = await job.wait(job.worker.benchmark(asked, Comlink.proxy(progress)));
    say("figures", [report.machine.processor, ...report.measurements.map(figureOf)].join("\n"));
    const link = element("report", HTMLAnchorElement);
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([JSON.stringify(report, null, 1)], { type: "application/json" }));
    hide("report", false);
  } finally {
    button.disabled = false;
  }
}

/** @param {{label: string, slices: number, samples_s: number[][]}} measurement */
function figureOf({ label, slices, samples_s: samples }) {
  const sorted = samples.flat().sort((one, other) => one - other);
  const median = sorted[sorted.length >> 1];
  const whole = slices > 1 ? `${median.toFixed(2)} s a volume, ` : "";
  return `${label}: ${whole}${((1000 * median) / slices).toFixed(1)} ms a slice`;
}
