// Steps of a program of the lab, each with the number of its rule in docs/spec.md. The tests in test/system read
// their report.

/** One step: it throws if a check fails. */
export type Step<State> = {
  readonly rule: string;
  readonly title: string;
  readonly run: (state: State) => Promise<void>;
};

/** The result of a step, one line of the report. */
type StepResult = "ok" | "FAILED" | "not run";

/**
 * Takes the steps in their order until one fails, and prints a report.
 *
 * @param say prints a line
 * @param logs what is printed after a failure
 * @returns true if no step failed
 */
export async function takeSteps<State>(
  steps: readonly Step<State>[],
  state: State,
  say: (line: string) => void,
  logs: () => string,
): Promise<boolean> {
  const results: StepResult[] = [];
  for (const { rule, title, run } of steps) {
    if (results.includes("FAILED")) {
      results.push("not run");
      continue;
    }
    say(`\n${rule} ${title}`);
    try {
      await run(state);
      results.push("ok");
      say(`ok ${rule}`);
    } catch (error) {
      results.push("FAILED");
      say(`FAILED ${rule}: ${(error as Error).message}\n${logs()}`);
    }
  }
  const count = (result: StepResult) => results.filter((other) => other === result).length;
  const counts = (["ok", "FAILED", "not run"] as const).map((name) => `${count(name)} ${name}`);
  say(`\n${counts.join(", ")}`);
  return !results.includes("FAILED");
}

export function check(isMet: boolean, otherwise: string): void {
  if (!isMet) throw new Error(otherwise);
}
