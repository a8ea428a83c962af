// `npm run cost`: the monthly bill of a mesh on Cloudflare, from measured runs and the platform's price list.

import { parseArgs } from "node:util";
import { updateDocument } from "./document.ts";
import { type Estimate, estimate } from "./estimate.ts";
import { checkRun, predict, ratesOf } from "./fit.ts";
import { readPrices } from "./prices.ts";
import {
  newestRecording,
  type RecordingName,
  readRecording,
  recordingNames,
  writeRecording,
} from "./recording.ts";
import { billRows, freeRows, overviewRows, predictionRows, scenarioText } from "./report.ts";
import { documentedScenarios, readScenario } from "./scenarios.ts";
import { textTable } from "./text.ts";

const usage = `usage: npm run cost -- [OPTIONS]

Without options: the meshes of docs/scaling.md, from the newest recorded results.

  --nodes N              the bill of one mesh: its nodes (3)
  --rate N               requests a second, all over the world (1)
  --isolates N           isolates of the data plane that get requests (50)
  --transport NAME       direct, tunnel or vpc (direct)
  --json                 the same as JSON
  --measure              measure this code first, about fifty minutes, and record the results
  --again PART           measure one part of the recorded results again: a run, cpu or telemetry rows
  --results NAME         the recorded results: ${recordingNames.join(" or ")} (the newest; with --measure: after)
  --document             write the tables and pictures of docs/scaling.md again`;

try {
  await run();
} catch (error) {
  console.error(`cost: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const values = readOptions();
  if (values.help === true) return console.log(usage);
  const isMeasured = values.measure === true || values.again !== undefined;
  const name = recordingName(values.results, values.measure === true);
  const { nodes, rate, isolates, transport } = values;
  const isOne = [nodes, rate, isolates, transport].some((value) => value !== undefined);
  const scenario = readScenario({ nodes, rate, isolates, transport });
  if (isMeasured) await record(name, values.again);
  if (values.document === true) return updateDocument();
  const prices = readPrices();
  const recording = readRecording(name);
  const rates = ratesOf(recording);
  const estimates = (isOne ? [scenario] : documentedScenarios).map((mesh) => estimate(mesh, rates, prices));
  const check = recording.runs.find((run) => run.name === checkRun);
  const predictions = check === undefined ? [] : predict(check, rates, prices);
  if (values.json === true) {
    const { recordedOn, commit } = recording;
    const pricesOf = prices.readAt;
    return console.log(
      JSON.stringify({ recordedOn, commit, pricesOf, estimates, predictions, rates }, null, 2),
    );
  }
  console.log(`results "${name}" of ${recording.recordedOn}, prices of ${prices.readAt}\n`);
  if (isOne) for (const made of estimates) printOne(made);
  else console.log(textTable(overviewRows(estimates)));
  console.log(`\nThe model, and a run that it was not made of:\n${textTable(predictionRows(predictions))}`);
}

/** @throws Error with one sentence */
function readOptions() {
  try {
    return parseArgs({
      allowPositionals: false,
      options: {
        nodes: { type: "string" },
        rate: { type: "string" },
        isolates: { type: "string" },
        transport: { type: "string" },
        results: { type: "string" },
        json: { type: "boolean" },
        measure: { type: "boolean" },
        again: { type: "string" },
        document: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    const option = /'(--\w+)/.exec(message)?.[1];
    if (
      code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" &&
      option !== undefined &&
      !message.includes("does not take")
    )
      throw new Error(`${option} needs another value; npm run cost -- --help lists the options`);
    throw error;
  }
}

async function record(name: RecordingName, part: string | undefined): Promise<void> {
  // Meshes need what a table does not.
  const { measure, partNames } = await import("./measure.ts");
  if (part !== undefined && !partNames.includes(part))
    throw new Error(`cannot read --again "${part}": it is ${partNames.join("; ")}`);
  const again = part === undefined ? undefined : { part, recording: readRecording(name) };
  writeRecording(name, await measure((line) => console.error(line), again));
}

function recordingName(text: string | undefined, isNew: boolean): RecordingName {
  if (text === undefined) return isNew ? "after" : newestRecording();
  const name = recordingNames.find((known) => known === text);
  if (name !== undefined) return name;
  throw new Error(`cannot read --results "${text}": it is ${recordingNames.join(" or ")}`);
}

function printOne(made: Estimate): void {
  const { scenario, bill, freeRate, overloaded } = made;
  console.log(`${scenarioText(scenario)}, ${scenario.tasks} tasks\n`);
  console.log(textTable(billRows(made)));
  console.log(`\nWaggle's own: ${(bill.ownShare * 100).toFixed(1)} %, for its Durable Objects.`);
  if (overloaded !== null)
    console.log(
      `It does not run: the ${overloaded} object gets ${made.loads[overloaded].toFixed(0)} requests/s.`,
    );
  console.log(`\n${textTable(freeRows(made))}\n`);
  console.log(
    freeRate === null
      ? "At no rate half of each limit is left."
      : `Half of each limit is left up to ${freeRate.toFixed(2)} requests/s.`,
  );
}
