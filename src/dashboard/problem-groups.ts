// Problems grouped by their subject, so that each cause appears once.

import type { StatusProblem } from "../protocol/status.ts";

export type ProblemGroup = {
  /** `node node2`, `service my-web`, `mesh waggle`. */
  readonly what: string;
  readonly sinceMs: number | null;
  /** Of the worst of them. */
  readonly severity: "bad" | "warn";
  /** One line per reason. `who`: the tasks it applies to; empty if it applies to the subject. */
  readonly lines: readonly { readonly who: readonly string[]; readonly why: string; readonly next: string }[];
};

/** The problems that the page of a service shows. */
export function problemsOfService(
  problems: readonly StatusProblem[],
  name: string,
): readonly StatusProblem[] {
  return problems.filter(({ service }) => service === name);
}

/** The problems that the page of a node shows: its own, and those of its published ports. */
export function problemsOfNode(
  problems: readonly StatusProblem[],
  hostname: string,
): readonly StatusProblem[] {
  return problems.filter(
    ({ what }) =>
      what === `node ${hostname}` || (what.startsWith("port ") && what.endsWith(` of ${hostname}`)),
  );
}

/** Groups tasks with their service, in the order of the problems. Tasks with the same reason share a line. */
export function groupProblems(problems: readonly StatusProblem[]): readonly ProblemGroup[] {
  const bySubject = Map.groupBy(problems, ({ what }) => groupSubject(what));
  return [...bySubject].map(([what, ofSubject]) => {
    const starts = ofSubject.flatMap(({ sinceMs }) => sinceMs ?? []);
    const byReason = Map.groupBy(ofSubject, ({ why }) => why);
    const lines = [...byReason].map(([why, ofReason]) => ({
      who: ofReason.flatMap((problem) => (problem.what === what ? [] : [problem.what.replace(/^task /, "")])),
      why,
      next: ofReason[0]?.next ?? "",
    }));
    const severity = ofSubject.some((problem) => problem.severity === "bad") ? "bad" : "warn";
    return { what, sinceMs: starts.length === 0 ? null : Math.min(...starts), severity, lines };
  });
}

/** `service my-web` for `task my-web.1`; any other subject as it is. */
function groupSubject(what: string): string {
  const service = /^task (.+?)\.[^.]+$/.exec(what)?.[1];
  return service === undefined ? what : `service ${service}`;
}
