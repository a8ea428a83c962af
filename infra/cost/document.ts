// The generated parts of docs/scaling.md: tables between two comments, and pictures.

import { readFileSync, writeFileSync } from "node:fs";
import { highestThatHolds } from "./bill.ts";
import { chartSvg } from "./chart.ts";
import { type Estimate, estimate } from "./estimate.ts";
import { checkRun, predict, ratesOf } from "./fit.ts";
import { bytesChart, callsChart, eventsChart, type Release, type ScaleResults } from "./pictures.ts";
import { type Prices, readPrices } from "./prices.ts";
import { findRecording, type Recording, readRecording } from "./recording.ts";
import { comparisonRows, freeComparisonRows, freeRows, overviewRows, predictionRows } from "./report.ts";
import { documentedScenarios, hobbyScenario } from "./scenarios.ts";
import { markdownTable } from "./text.ts";
import type { Rates } from "./usage.ts";

const root = new URL("../../", import.meta.url);
const page = "docs/scaling.md";

/** A generated file: its path in the repository, and its content. */
type Generated = { readonly path: string; readonly content: string };

/** What the recorded results say the files should be. @throws Error without results, or without the comments */
export function generatedFiles(): readonly Generated[] {
  const prices = readPrices();
  const before = readRecording("before");
  const after = findRecording("after");
  const releases = [
    { ...releaseOf(before), isEarlier: true },
    ...(after === null ? [] : [{ ...releaseOf(after), isEarlier: false }]),
  ];
  const scale = readScale("scale");
  const estimates = releases.map(({ rates }) => ({
    documented: documentedScenarios.map((scenario) => estimate(scenario, rates, prices)),
    hobby: estimate(hobbyScenario, rates, prices),
  }));
  const newest = after ?? before;
  const tables: Readonly<Record<string, string>> = {
    prices: `${markdownTable(
      rowsOfBoth(
        estimates.map(({ documented }) => documented),
        overviewRows,
        comparisonRows,
      ),
    )}\n\n${after === null ? "" : beforeText}${evenText((releases.at(-1) as Release).rates, prices)}`,
    free: `${markdownTable(
      rowsOfBoth(
        estimates.map(({ hobby }) => hobby),
        freeRows,
        freeComparisonRows,
      ),
    )}\n\n${freeRateText(estimates.map(({ hobby }) => hobby))}`,
    check: markdownTable(
      predictionRows(predict(checkOf(newest), (releases.at(-1) as Release).rates, prices)),
    ),
  };
  return [
    { path: page, content: withTables(readFileSync(new URL(page, root), "utf8"), tables) },
    {
      path: "docs/images/scaling-events.svg",
      content: chartSvg(eventsChart(readScale("scale-before"), scale)),
    },
    { path: "docs/images/scaling-calls.svg", content: chartSvg(callsChart(releases, prices)) },
    { path: "docs/images/scaling-bytes.svg", content: chartSvg(bytesChart(scale, releases)) },
  ];
}

/** Writes the generated parts again. */
export function updateDocument(): void {
  for (const { path, content } of generatedFiles()) {
    writeFileSync(new URL(path, root), content);
    console.log(`wrote ${path}`);
  }
}

function releaseOf(recording: Recording): Omit<Release, "isEarlier"> {
  return { rates: ratesOf(recording), runs: recording.runs };
}

function readScale(name: string): ScaleResults {
  return JSON.parse(readFileSync(new URL(`results/${name}.json`, import.meta.url), "utf8")) as ScaleResults;
}

function checkOf({ runs }: Recording) {
  const run = runs.find(({ name }) => name === checkRun);
  if (run === undefined) throw new Error(`the recorded results lack the run "${checkRun}"`);
  return run;
}

type Rows = readonly (readonly string[])[];

/** The rows of the only release, or of two beside each other. */
function rowsOfBoth<T>(
  values: readonly T[],
  ofOne: (value: T) => Rows,
  ofBoth: (before: T, after: T) => Rows,
): Rows {
  const [before, after] = values;
  if (before === undefined) throw new Error("there are no recorded results");
  return after === undefined ? ofOne(before) : ofBoth(before, after);
}

const beforeText =
  "Before, isolates polled the registry every second and sent counters every two seconds; the registry sent whole tables. ";

/** The rate at which Waggle costs as much as HAProxy. */
function evenText(rates: Rates, prices: Prices): string {
  const isCheaper = (requestsPerSecond: number): boolean => {
    const { bill, haproxy } = estimate({ ...hobbyScenario, requestsPerSecond }, rates, prices);
    return bill.total <= haproxy;
  };
  const rate = highestThatHolds(isCheaper, 1_000) ?? 0;
  return `With 3 nodes and 50 isolates Waggle costs less than the two machines of HAProxy up to ${rate.toFixed(0)} requests/s.`;
}

function freeRateText(hobbies: readonly Estimate[]): string {
  const [before, after] = hobbies.map(({ freeRate }) =>
    freeRate === null ? "at no rate" : `up to ${freeRate.toFixed(2)} requests/s`,
  );
  const rates = after === undefined ? before : `before ${before}, after ${after}`;
  return `Half of each limit is left to a mesh of 3 nodes and 50 isolates ${rates}.`;
}

/** The page with each table between its two comments. @throws Error if a comment is missing */
export function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((result, [name, table]) => {
    const [begin, end] = [`<!-- ${name}: npm run cost -- --document -->`, `<!-- end of ${name} -->`];
    const [from, to] = [result.indexOf(begin), result.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${page} lacks the comments "${begin}" and "${end}"`);
    return `${result.slice(0, from)}${begin}\n\n${table}\n\n${result.slice(to)}`;
  }, text);
}
